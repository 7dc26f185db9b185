"""Histories of `RfqMaker` and `RfqCreator`."""

from __future__ import annotations

from itertools import count
from typing import Any

from kalshi_fix_sansio import (
    AcceptQuote,
    BusinessMessageReject,
    ExecType,
    MarketDataRequest,
    NewOrderSingle,
    Party,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    QuoteRequest,
    QuoteStatus,
    RFQCancel,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import (
    MessageReceived,
    MessageRejected,
    MessagesLost,
    RejectReceived,
    SequenceSkipped,
)
from kalshi_fix_sansio.trading import (
    CreatorRfq,
    DropCopyReport,
    ExecKey,
    Exposure,
    MakerQuote,
    MakerRfq,
    QuoteState,
    QuoteTerms,
    RfqCreator,
    RfqMaker,
    RfqState,
    UncertainItems,
)
from tests.trading import rfq_flow
from tests.trading.histories.history import Player, parse_value, shown, split
from tests.trading.order_flow import (
    SESSION_ENDED,
    at,
    dump,
    load,
    over_the_wire,
    unanswered,
    unanswered_with_frame,
)
from tests.trading.rfq_flow import COMBO, LONG_ID, MARKET, WINDOWS

EVENTS: dict[str, Any] = {
    "disconnect": SESSION_ENDED,
    "messages-lost": MessagesLost(3, 9),
    "sequence-reset": SequenceSkipped(3, 9, gap_fill=False),
    "message-rejected": MessageRejected(None, ()),
    "unrelated": MarketDataRequest.subscribe("A"),
    "nothing": None,
}
CODES: dict[str, Any] = {"side": Side, "quote-status": QuoteStatus, "report": ExecType}


class RfqPlayer(Player):
    """Plays histories of a maker or a creator. A line whose first word is the id of a quote or of a request
    checks this quote or request.
    """

    def __init__(self, *, windows: dict[str, Any] = WINDOWS, **settings: Any) -> None:
        super().__init__()
        self._settings = windows | settings
        self._seconds = 0.0
        self._sent: list[Message] = []
        """The messages that the machine built in the last step."""

    def perform(self, first: str, *words: str) -> None:
        item = self.item(first)
        if item is None:
            super().perform(first, *words)
            return
        given, named = split(words)
        if given:
            self.check(item.state, given, "state")
        self.compare(item, (f"{name}={value}" for name, value in named.items()))

    def play(self, lines: str) -> None:
        """Play all lines, and check that a dump restores the complete state."""
        super().play(lines)
        dumped, other = dump(self.machine), self.new_machine()
        # Loading a dump ends a session that was logged on, and makes its quotes uncertain.
        if "logged_on" in dumped:
            dumped["logged_on"] = False
        load(other, dumped)
        for name in ("exposure", "next_deadline"):
            assert getattr(other, name)() == getattr(self.machine, name)()
        assert len(other.uncertain()) == len(self.machine.uncertain())
        assert dump(other) == dumped

    def new_machine(self) -> Any:
        """Return an empty machine."""
        raise NotImplementedError

    def item(self, name: str) -> Any:
        """Return the quote or request with this id."""
        raise NotImplementedError

    def feed(self, event: object) -> list[Any]:
        updates: list[Any] = self.machine.apply(event, at(self._seconds))
        self._sent = [update.send for update in updates if getattr(update, "send", None) is not None]
        return updates

    # --- steps ------------------------------------------------------------------------------------------

    def settings(self, *words: str) -> None:
        """Replace the machine with an empty one that has these additional settings."""
        self._settings |= {name: parse_value(value) for name, value in split(words)[1].items()}
        self.machine = self.new_machine()

    def at(self, seconds: str) -> None:
        """Set the time."""
        self._seconds = float(seconds)

    def timer(self, seconds: str) -> None:
        self.record(self.machine.handle_timer(at(float(seconds))))

    def reload(self) -> None:
        """Continue with a machine loaded from the dump, as in the next process."""
        dumped, self.machine = dump(self.machine), self.new_machine()
        self.record(load(self.machine, dumped))

    def withdraw(self, *words: str) -> None:
        """Withdraw the last message that the machine built, or another one."""
        self.machine.withdraw(self.event(*words) if words else self._sent[-1])

    def event(self, first: str, *words: str) -> Any:
        given, named = split(words)
        fields: dict[str, Any] = {name: _value(name, value) for name, value in named.items()}
        if "customer" in fields:
            fields["party_ids"] = [Party(party_id=fields.pop("customer"), party_role=24)]
        match first:
            case "received":
                return MessageReceived(self.event(*words))
            case "drop-copy":
                return DropCopyReport(self.event(*words))
            case "with-header":
                seconds, number, *rest = words
                return rfq_flow.received(self.event(*rest), float(seconds), int(number))
            case "sent-at":
                return over_the_wire(self.event(*words[1:]), at=at(float(words[0])))
            case "message-rejected" if words[:1] == ("will_be_resent=yes",):
                return MessageRejected(self.event(*words[1:]), (), will_be_resent=True)
            case "message-rejected" if words:
                return MessageRejected(self.event(*words), ())
            case "reject-received":
                reject = BusinessMessageReject(
                    ref_seq_num=2, ref_msg_type="S", business_reject_reason=0, text="no"
                )
                refused = self.event(*words) if words else self._sent[-1]
                return RejectReceived(reject, 2, refused)
            case "outcomes-unknown":
                requests = [tuple(word.split(":")) for word in words]
                return rfq_flow.unknown(*requests)  # type: ignore[arg-type]
            case "unanswered":
                return unanswered(self.event(*words))
            case "unanswered-at":
                return unanswered(self.event(*words[1:]), at=at(float(words[0])))
            case "unanswered-without-frame":
                return unanswered_with_frame(self.event(*words))
            case "wire":
                return rfq_flow.unreadable(words[0])
            case "wire-message":
                return rfq_flow.unreadable(words[0]).message
            case "logon":
                return rfq_flow.logged_on(**fields)
            case "drop-copy-trade":
                return rfq_flow.traded(given[0], *map(float, given[1:]))
            case "other-market-trade":
                copy = rfq_flow.traded(given[0])
                copy.report.symbol = LONG_ID
                return copy
            case "drop-copy-range":
                begin, seconds = given
                return rfq_flow.covered(begin, None if seconds == "-" else float(seconds), **fields)
            case "report":
                cl_ord_id, kind, cum_qty, *text = given
                return rfq_flow.report(cl_ord_id, ExecType[kind], int(cum_qty), *text)
            case "rfq-reject":
                return rfq_flow.rfq_reject(*given)
            case "rfq":
                return rfq_flow.incoming_rfq(*given, **fields)
        if first in EVENTS:
            return EVENTS[first]
        return self.message(first, [_value(first, word) for word in given], fields)

    def message(self, name: str, given: list[Any], fields: dict[str, Any]) -> Any:
        """Return a message that only this kind of machine receives."""
        raise NotImplementedError

    # --- expectations -----------------------------------------------------------------------------------

    def sends(self, *words: str) -> None:
        """Check the class and fields of the only message that the last step built; `-` means none."""
        if words == ("-",):
            assert self._sent == [], self._sent
            return
        [message] = self._sent
        self.check(type(message).__name__, words[:1])
        self.compare(message, words[1:])

    def exposure(self, *expected: str) -> None:
        """Check the contracts bought and sold and the cost; `-` means none."""
        found = self.machine.exposure()
        assert found == self.machine.exposure(MARKET)
        assert self.machine.exposure(COMBO) == Exposure()
        if expected == ("-",):
            assert found == Exposure(), found
        else:
            self.check((found.bought, found.sold, found.cost), expected)

    def uncertain(self, *expected: str) -> None:
        """Check the kinds and QuoteIDs of the uncertain items."""
        found = [f"{item.kind.name}:{shown(item.quote_id)}" for item in self.machine.uncertain()]
        self.check(found, expected)

    def bought(self, quantity: str) -> None:
        """Check the contracts bought in all markets."""
        self.check(self.machine.exposure().bought, [quantity])

    def uncertain_count(self, number: str) -> None:
        self.check(len(self.machine.uncertain()), [number])

    def uncertain_texts(self, *expected: str) -> None:
        """Check the texts of the uncertain items."""
        found = list(map(str, UncertainItems(self.machine)))
        assert found == list(expected), found

    def uncertain_since(self, *expected: str) -> None:
        self.check([item.since for item in self.machine.uncertain()], expected)

    def deadline(self, seconds: str) -> None:
        self.check(self.machine.next_deadline(), [seconds])

    def drop_copy_start(self, seconds: str, *expected: str, forgotten: str = "") -> None:
        """Check the ExecIDs from which drop copy must be requested at this time."""
        words, named = split(expected)
        known = ExecKey.parse(named["forgotten"]) if named else None
        found = self.machine.drop_copy_start(at(float(seconds)), {known.shard: known} if known else {})
        self.check(found.values(), words)


class MakerPlayer(RfqPlayer):
    """Plays histories of `RfqMaker`, with the terms and decisions of its user."""

    machine: RfqMaker

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._terms: QuoteTerms | None = QuoteTerms("0.40", "0.55")
        self._will_confirm = True
        self._terms_requests: list[str] = []
        self._confirmation_requests: list[str] = []
        self.machine = self.new_machine()

    def new_machine(self) -> RfqMaker:
        ids = count(1)
        return RfqMaker(self._offer, self._decide, lambda: f"q{next(ids)}", **self._settings)

    def _offer(self, rfq: MakerRfq) -> QuoteTerms | None:
        self._terms_requests.append(rfq.rfq_id)
        return self._terms

    def _decide(self, quote: MakerQuote) -> bool:
        self._confirmation_requests.append(quote.quote_id)
        return self._will_confirm

    def item(self, name: str) -> MakerQuote | None:
        return self.machine.quote_of(name)

    def terms(self, bid: str, offer: str = "-", *options: str) -> None:
        """Set the terms that the user offers for further requests; `-` means that the user offers none."""
        flags = {name: value == "yes" for name, value in split(options)[1].items()}
        is_quote = (bid, offer) != ("-", "-")
        self._terms = QuoteTerms(parse_value(bid), parse_value(offer), **flags) if is_quote else None

    def auto_confirm(self, value: str) -> None:
        self._will_confirm = value == "yes"

    def requote(self, rfq_id: str) -> None:
        rfq = self.machine.rfq(rfq_id)
        assert rfq is not None
        message = self.machine.requote(rfq)
        self._sent = [] if message is None else [message]

    def cancel(self, quote_id: str) -> None:
        self._sent = [self.machine.cancel(self._quote(quote_id))]

    def confirm(self, quote_id: str, seconds: str) -> None:
        self._sent = [self.machine.confirm(self._quote(quote_id), at(float(seconds)))]

    def resolve(self, quote_id: str, state: str) -> None:
        self.machine.resolve(self._quote(quote_id), QuoteState[state])

    def _quote(self, quote_id: str) -> MakerQuote:
        found = self.machine.quote_of(quote_id)
        assert found is not None
        return found

    def message(self, name: str, given: list[Any], fields: dict[str, Any]) -> Any:
        match name:
            case "combo-rfq":
                return rfq_flow.incoming_combo_rfq(*given)
            case "quote-status":
                return rfq_flow.status(*given, **fields)
            case "confirm-status":
                return rfq_flow.confirm_status(*given)
            case "cancel-status":
                return rfq_flow.cancel_status(*given)
            case "user-quote":
                quote_id, rfq_id = given
                values: dict[str, Any] = {"symbol": MARKET, "bid_px": "0.40", "offer_px": "0.55"} | fields
                return Quote(quote_id=quote_id, quote_req_id=rfq_id, **values)
            case "user-confirm":
                return QuoteConfirm(quote_id=given[0], **fields)
            case "user-cancel":
                return QuoteCancel(quote_id=given[0], **fields)
        raise AssertionError(f"unknown event {name}")

    def terms_requested(self, *expected: str) -> None:
        """Check the RfqIds of the requests for which the maker requested terms from its user."""
        self.check(self._terms_requests, expected)

    def confirmation_requested(self, *expected: str) -> None:
        """Check the QuoteIDs of the accepted quotes for which the maker asked its user for a confirmation."""
        self.check(self._confirmation_requests, expected)

    def live_quote(self, rfq_id: str, quote_id: str) -> None:
        """Check the live quote of a request."""
        rfq = self.machine.rfq(rfq_id)
        assert rfq is not None
        self.check(rfq.quote and rfq.quote.quote_id, [quote_id])

    def rfqs(self, *expected: str) -> None:
        """Check the RfqIds of all requests."""
        self.check([rfq.rfq_id for rfq in self.machine], expected)

    def unknown_quote(self, quote_id: str) -> None:
        assert self.machine.quote_of(quote_id) is None


class CreatorPlayer(RfqPlayer):
    """Plays histories of `RfqCreator`."""

    machine: RfqCreator

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.machine = self.new_machine()

    def new_machine(self) -> RfqCreator:
        return RfqCreator(**self._settings)

    def item(self, name: str) -> CreatorRfq | None:
        return self.machine.rfq(name)

    def accept(self, side: str, cl_ord_id: str, *more: str) -> None:
        """Accept the best quote for the request r1, or the quote named by `quote=`."""
        self._sent = [self._accept(self.machine.accept, side, cl_ord_id, more)]

    def accept_by_order(self, side: str, cl_ord_id: str, *more: str) -> None:
        self._sent = [self._accept(self.machine.accept_by_order, side, cl_ord_id, more)]

    def _accept(self, method: Any, side: str, cl_ord_id: str, more: tuple[str, ...]) -> Message:
        values = {name: parse_value(value) for name, value in split(more)[1].items()}
        rfq = self._rfq("r1")
        quote = rfq.quotes[values.pop("quote")] if "quote" in values else rfq.best(Side[side])
        assert quote is not None
        message: Message = method(rfq, quote, Side[side], cl_ord_id, **values)
        return message

    def cancel(self, quote_req_id: str) -> None:
        self._sent = [self.machine.cancel(self._rfq(quote_req_id))]

    def resolve(self, quote_req_id: str, state: str, *more: str) -> None:
        self.machine.resolve(self._rfq(quote_req_id), RfqState[state], **split(more)[1])

    def _rfq(self, quote_req_id: str) -> CreatorRfq:
        found = self.machine.rfq(quote_req_id)
        assert found is not None
        return found

    def message(self, name: str, given: list[Any], fields: dict[str, Any]) -> Any:
        match name:
            case "request":
                return rfq_flow.request(*given, **fields)
            case "request-without-market":
                return QuoteRequest(quote_req_id=given[0])
            case "ack":
                return rfq_flow.ack(*given, **fields)
            case "quote":
                return rfq_flow.forwarded_quote(*given, **fields)
            case "accept-status":
                return rfq_flow.accept_status(*given, **fields)
            case "cancel-status":
                return rfq_flow.rfq_cancel_status(*given, **fields)
            case "user-accept":
                return AcceptQuote(quote_id=given[0], **fields)
            case "user-order":
                values: dict[str, Any] = {
                    "order_qty": 1,
                    "ord_type": "2",
                    "price": "0.5",
                    "side": Side.BUY,
                    "symbol": MARKET,
                }
                return NewOrderSingle(cl_ord_id=given[0], **(values | fields))
            case "user-cancel":
                return RFQCancel(**fields)
        raise AssertionError(f"unknown event {name}")

    def best_quote(self, side: str, quote_id: str) -> None:
        """Check the best quote for the request r1."""
        found = self._rfq("r1").best(Side[side])
        self.check(found and found.quote_id, [quote_id])

    def quotes(self, *expected: str) -> None:
        """Check the QuoteIDs of the quotes for the request r1."""
        self.check(self._rfq("r1").quotes, expected)

    def rfqs(self, *expected: str) -> None:
        """Check the QuoteReqIDs of all requests."""
        self.check([rfq.quote_req_id for rfq in self.machine], expected)


def _value(name: str, value: str) -> Any:
    codes = CODES.get(name)
    if codes is not None and value in codes.__members__:
        return codes[value]
    if name == "side" and value != "-":
        return value
    return parse_value(value.replace("LONG", LONG_ID))
