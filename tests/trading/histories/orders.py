"""Histories of `Orders`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from kalshi_fix_sansio import ExecType, OrdStatus, Party, Reject, Side
from kalshi_fix_sansio.events import (
    CloseReason,
    MessageRejected,
    MessagesLost,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
    Uncertainty,
)
from kalshi_fix_sansio.trading import DropCopyRange, DropCopyReport, ExecKey, Order, Orders, PendingRequest
from kalshi_fix_sansio.trading.common.received import MAX_ID_SIZE
from tests.trading.histories.history import Player, parse_value, shown, split
from tests.trading.order_flow import (
    SESSION_ENDED,
    at,
    cancel,
    change,
    feed,
    logged_on,
    open_request,
    place,
    raw_report,
    refusal,
    reloaded,
    report,
    unanswered,
    unanswered_with_frame,
    views,
)

CODES: dict[str, Any] = {
    "side": Side,
    "status": OrdStatus,
    "ord_status": OrdStatus,
    "exec_type": ExecType,
}
REQUESTS: dict[str, Callable[..., Any]] = {"place": place, "change": change, "cancel": cancel}
REPORTS = ("new", "trade", "filled", "ioc", "replaced", "canceled", "expired", "rejected")
PENDING_REPORTS = ("pending-new", "pending-replace")
EVENTS: dict[str, Any] = {
    "disconnect": SESSION_ENDED,
    "messages-lost": MessagesLost(4, 7),
    "sequence-reset": SequenceSkipped(4, 7, gap_fill=False),
    "gap-fill": SequenceSkipped(4, 7, gap_fill=True),
    "logout": SessionEnded(CloseReason.LOGGED_OUT, "bye", clean=True),
    "unrelated": Reject(ref_seq_num=1),
}


class OrdersPlayer(Player):
    """Plays histories of `Orders`; a line whose first word is a number checks the order with this number."""

    machine: Orders

    def __init__(self) -> None:
        super().__init__()
        self.machine = Orders()

    def perform(self, first: str, *words: str) -> None:
        if first.isdecimal():
            self._check_order(self._order(first), *words)
        else:
            super().perform(first, *words)

    def feed(self, event: object) -> list[Any]:
        return feed(self.machine, event)

    def _order(self, number: str) -> Order:
        return list(self.machine)[int(number) - 1]

    # --- steps ------------------------------------------------------------------------------------------

    def session(self, session_type: str, *settings: str) -> None:
        """Begin with `Orders` for a session of this type."""
        values = split(settings)[1]
        self.machine = Orders(session_type, **{name: parse_value(value) for name, value in values.items()})

    def withdraw(self, *words: str) -> None:
        self.record(self.machine.withdraw(self.event(*words)))

    def resolve(self, number: str, state: str) -> None:
        self.record(self.machine.resolve(self._order(number), is_open=state == "open"))

    def reload(self) -> None:
        """Continue with a machine loaded from the dump, as in the next process."""
        self.machine = reloaded(self.machine, self.machine._session_type.name)

    def unchanged(self, *words: str) -> None:
        """Perform the rest of the line, which must not change any order."""
        before = views(self.machine)
        self.perform(*words)
        assert views(self.machine) == before

    # --- events -----------------------------------------------------------------------------------------

    def event(self, first: str, *words: str) -> Any:
        """Return the request, message or event that these words describe."""
        given, named = split(words)
        fields: dict[str, Any] = {name: _value(name, value) for name, value in named.items()}
        if "customer" in fields:
            fields["party_ids"] = [Party(party_id=fields.pop("customer"), party_role=24)]
        match first:
            case "drop-copy" if words[0] == "use_dollars=no":
                return DropCopyReport(self.event(*words[1:]), dollars=False)
            case "drop-copy":
                return DropCopyReport(self.event(*words))
            case "message-rejected" if words == ("will_be_resent=yes",):
                return MessageRejected(None, (), will_be_resent=True)
            case "message-rejected":
                return MessageRejected(self.event(*words) if words else None, ())
            case "reject-received":
                return RejectReceived(Reject(ref_seq_num=3), 3, self.event(*words))
            case "unanswered":
                return unanswered(*self._events(words))
            case "unanswered-at":
                return unanswered(*self._events(words[1:]), at=at(float(words[0])))
            case "unanswered-without-frame":
                return unanswered_with_frame(self.event(*words))
            case "outcomes-unknown":
                requests = tuple(map(open_request, self._events(words)))
                return OutcomesUnknown(requests, Uncertainty.RESTARTED)
            case "without-header":
                message = self.event(*words)
                message.header = None
                return message
            case "logon":
                return logged_on(**{"reset": True} | fields)
            case "drop-copy-range":
                return self._range(*given, **fields)
            case "raw-report":
                return raw_report(**{name: _raw(value) for name, value in fields.items()})
            case "cancel-reject":
                return refusal(*given, **fields)
            case _ if first in REQUESTS:
                return REQUESTS[first](*given, **fields)
            case _ if first in (*REPORTS, *PENDING_REPORTS):
                return report(first.replace("-", " "), *given, **fields)
        return EVENTS[first]

    def _events(self, words: tuple[str, ...]) -> list[Any]:
        """Return the events that these words describe, separated by ` ; `."""
        return [self.event(*part.split()) for part in " ".join(words).split(" ; ")]

    def _range(self, begin: str, end: str | None = None, *, epoch: int | None = None) -> DropCopyRange:
        """Return a range requested in the current epoch or in `epoch`, which is relative to the current one
        if it is negative."""
        first = ExecKey.parse(begin)
        assert first is not None
        now = self.machine.epoch
        chosen = now if epoch is None else now + epoch if epoch < 0 else epoch
        return DropCopyRange(first.shard, first, chosen, None if end is None else ExecKey.parse(end))

    # --- expectations -----------------------------------------------------------------------------------

    def _check_order(self, order: Order, *words: str) -> None:
        """Check the state of an order, if one is given, and its attributes. `pending` are the quantities of
        changes and the ClOrdIDs of cancels.
        """
        given, named = split(words)
        if given:
            self.check(order.state, given, "state")
        if "pending" in named:
            self.check(_requests(order.pending), [named.pop("pending")], "pending")
        self.compare(order, (f"{name}={value}" for name, value in named.items()))

    def states(self, *expected: str) -> None:
        """Check the states of all orders."""
        self.check([order.state for order in self.machine], expected)

    def sent_orders(self, *expected: str) -> None:
        """Check the quantities and states of the orders that were sent."""
        own = sorted((item.placed.quantity, item.state.name) for item in self.machine if item.placed)
        self.check([f"{shown(quantity)}:{state}" for quantity, state in own], expected)

    def order_ids(self, *expected: str) -> None:
        """Check the OrderIDs of all orders."""
        self.check([order.order_id for order in self.machine], expected)

    def by_cl_ord_id(self, name: str, number: str) -> None:
        self._check_is(self.machine.by_cl_ord_id(name), number)

    def by_order_id(self, name: str, number: str) -> None:
        self._check_is(self.machine.by_order_id(name), number)

    def _check_is(self, found: Order | None, number: str) -> None:
        assert found is (None if number == "-" else self._order(number)), found

    def uncertain(self, *expected: str) -> None:
        """Check the kinds of the uncertain items."""
        self.check([item.kind for item in self.machine.uncertain()], expected)

    def uncertain_since(self, *expected: str) -> None:
        """Check the times of the uncertain items, in seconds after noon."""
        self.check([item.since for item in self.machine.uncertain()], expected)

    def unattributed(self, *expected: str) -> None:
        """Check the MsgTypes of the requests that belong to no order."""
        self.check([item.msg_type for item in self.machine.unattributed], expected)

    def drop_copy_start(self, *expected: str) -> None:
        self.check(self.machine.drop_copy_start().values(), expected)

    def update(self, *words: str) -> None:
        """Check the only update that the last step caused. `order` is the number of an order, `fills` are
        quantities, and `answered` has the form of an order's `pending`.
        """
        [update] = self._last
        for name, value in split(words)[1].items():
            match name:
                case "order":
                    self._check_is(update.order, value)
                case "fills":
                    self.check([fill.quantity for fill in update.fills], [value], name)
                case "answered":
                    self.check(_requests(update.answered), [value], name)
                case "verified":
                    self.check([item.number for item in update.verified], [value], name)
                case _:
                    self.compare(update, [f"{name}={value}"])

    def forgotten(self, *expected: str) -> None:
        """Check the ClOrdIDs of the orders that the last step evicted."""
        self.check([update.order.cl_ord_id for update in self._last if update.forgotten], expected)


def _requests(requests: Iterable[PendingRequest]) -> list[Any]:
    return [item.quantity or item.cl_ord_id for item in requests]


def _value(name: str, value: str) -> Any:
    if name in CODES and value in CODES[name].__members__:
        return CODES[name][value]
    if name == "last":
        return tuple(value.split("@"))
    return parse_value(value.replace("LONGEST", "x" * MAX_ID_SIZE))


def _raw(value: Any) -> Any:
    """Return a value as it is after decoding."""
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
