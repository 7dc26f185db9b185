"""Histories of a creator and two makers who use RfqCreator and RfqMaker on the simulated venue, and slow
models that derive the expected state from all messages."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, localcontext
from functools import cache
from random import Random
from typing import Any

import attrs

from kalshi_fix_sansio import (
    AcceptQuote,
    AcceptQuoteStatus,
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    Quote,
    QuoteCancelStatus,
    QuoteConfirm,
    QuoteConfirmStatus,
    QuoteRequest,
    QuoteRequestAck,
    QuoteRequestReject,
    QuoteStatus,
    QuoteStatusReport,
    RFQCancelStatus,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import MessageReceived, OutcomesUnknown
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.trading import (
    DropCopy,
    ExecKey,
    MakerQuote,
    MakerRfq,
    QuoteTerms,
    RfqCreator,
    RfqMaker,
    RfqRequestError,
)
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.gateway.rfq import RfqSettings
from kalshi_fix_venue.gateway.rfq.book import Quote as VenueQuote
from kalshi_fix_venue.gateway.rfq.book import Rfq as VenueRfq
from tests.helpers import HOSTILE_CONTEXTS
from tests.venue.exchange_harness import MARKET
from tests.venue.rfq.rfq_harness import NAMES, OTHER, VOLATILE, RfqHarness, accounts, key, request
from tests.venue.rfq.test_combos import COLLECTIONS, HIGH, RAINS, SNOWS, A, combo
from tests.venue.venue_harness import KEYS, Client, new_key, order

Step = tuple[object, datetime]
STEPS = 150
PENDING_EXEC_TYPES = (ExecType.PENDING_NEW, ExecType.PENDING_CANCEL, ExecType.PENDING_REPLACE)


class Participant:
    """A state machine with its session, and every event applied to it."""

    machine: Any

    def __init__(self, history: RfqHistory, name: str) -> None:
        self.history, self.name = history, name
        self.client: Client | None = None
        self.steps: list[Step] = []
        self.store = MemoryStore()
        self.lost_connections = 0
        self.answers_lost = False
        """Whether the answers to its messages are lost."""
        self.requests_arrive = True
        """Whether its messages reach the venue while `answers_lost` is set."""
        self.crashed = False
        """Whether its process has crashed and has not logged on again. At the next logon, its store lists the
        requests that the journal lacks."""

    def log_on(self) -> None:
        self.client = self.connect()
        self.apply_received()
        self.crashed = False

    def new_machine(self) -> Any:
        """Return the machine of a new process."""
        raise AssertionError

    def connect(self) -> Client:
        raise AssertionError

    def send(self, message: Message) -> None:
        self.steps.append((message, self.history.now))
        client, harness = self.client, self.history.harness
        assert client is not None
        if not self.answers_lost:
            client.send(message)
            return
        client.session.send(message, harness.now)
        if self.requests_arrive:
            harness.venue.receive_data(client.conn, client.session.data_to_send(), harness.now)

    def apply(self, event: object) -> None:
        self.steps.append((event, self.history.now))
        with localcontext(HOSTILE_CONTEXTS["every trap"]):
            updates = self.machine.apply(event, self.history.now)
        for update in updates:
            assert not update.discrepancies, update.discrepancies
            message = getattr(update, "send", None)
            if message is None:
                continue
            may_disconnect = self.history.with_disconnects and isinstance(message, QuoteConfirm)
            if may_disconnect and self.history.random.random() < 0.3:
                self.answers_lost, self.requests_arrive = True, self.history.random.random() < 0.5
                self.send(message)
                self.answers_lost = False
                self.disconnect()
                return
            self.send(message)
        if isinstance(event, OutcomesUnknown):
            about = str([(item.rfq_id, item.quote_id, item.about) for item in self.machine.uncertain()])
            for request in event.requests:
                assert self.knows(request.request_id) or request.request_id in about, request

    def knows(self, request_id: str) -> bool:
        """Return whether the machine has a quote, a request or an acceptance with this id."""
        raise AssertionError

    def apply_received(self) -> bool:
        """Apply the received messages; return whether there were any."""
        if self.client is None or not self.client.events:
            return False
        events = list(self.client.events)
        self.client.events.clear()
        lost_connections = self.lost_connections
        for event in events:
            self.apply(event)
            if self.lost_connections > lost_connections:
                # The remaining messages were in transit, and are lost.
                break
        return True

    def disconnect(self) -> None:
        """Break the connection; messages in transit to this side are lost."""
        client, self.client = self.client, None
        assert client is not None
        self.lost_connections += 1
        client.events.clear()
        client.drop()
        client.session.receive_eof(self.history.harness.now)
        for event in client.session.events():
            self.apply(event)

    def crash(self) -> None:
        """Crash the process with requests in transit, and continue from its journal."""
        if self.client is None:
            return
        journal = json.dumps(self.machine.dump())
        self.answers_lost = True
        # On a session with resend, the answers to requests that arrive are resent, so the store lists only
        # requests that have never arrived.
        self.requests_arrive = isinstance(self, Maker) and self.history.random.random() < 0.8
        for _ in range(self.history.random.randint(1, 4)):
            self.act()
        self.answers_lost = False
        if self.client is not None:
            client, self.client = self.client, None
            client.drop()
        self.machine = self.new_machine()
        self.machine.load(json.loads(journal))
        self.crashed = True

    def act(self) -> None:
        raise AssertionError


class Maker(Participant):
    def __init__(self, history: RfqHistory, name: str) -> None:
        super().__init__(history, name)
        self.count = 0
        self.machine = self.new_machine()

    def new_machine(self) -> RfqMaker:
        return RfqMaker(self.offer, self.last_look, self.new_id, volatile_symbols={VOLATILE})

    def knows(self, request_id: str) -> bool:
        return self.machine.quote_of(request_id) is not None

    def apply_drop_copy(self) -> None:
        """Apply every report available from drop copy."""
        harness = self.history.harness
        client, drop_copy = harness.connect(f"{self.name}-dc", "KalshiDC"), DropCopy("KalshiDC")
        begin = {shard: ExecKey(shard, 1, 1) for shard in (0, 1)}
        drop_copy.request(begin, 1, harness.now)
        while client.events:
            events = list(client.events)
            client.events.clear()
            for event in events:
                for result in drop_copy.apply(event, harness.now):
                    self.apply(result)
            for due in drop_copy.handle_timer(harness.now):
                drop_copy.apply(due, harness.now)
                client.send(due)
        assert not drop_copy.pending
        client.logout()

    def new_id(self) -> str:
        self.count += 1
        return f"{self.name}-{self.count}"

    def connect(self) -> Client:
        return self.history.harness.maker(self.name, store=self.store)

    def offer(self, rfq: MakerRfq) -> QuoteTerms | None:
        random = self.history.random
        if random.random() < 0.1:
            return None
        bid = random.choice((None, "0.30", "0.40", "0.44"))
        offer = random.choice(("0.30", "0.45")) if bid is None else random.choice((None, "0.41", "0.55"))
        return QuoteTerms(bid, offer, rest_remainder=random.random() < 0.2)

    def last_look(self, quote: MakerQuote) -> bool:
        return self.history.random.random() < 0.6

    def act(self) -> None:
        random, machine = self.history.random, self.machine
        if self.client is None:
            self.log_on()
            return
        rfqs = [rfq for rfq in machine if not rfq.is_closed]
        quotes = [rfq.quote for rfq in rfqs if rfq.quote is not None]
        try:
            match random.choice(["requote"] * 3 + ["cancel"] + ["confirm"] * 2 + ["disconnect"]):
                case "requote" if rfqs:
                    message = machine.requote(random.choice(rfqs))
                    if message is not None:
                        self.send(message)
                case "cancel" if quotes:
                    self.send(machine.cancel(random.choice(quotes)))
                case "confirm" if quotes:
                    self.send(machine.confirm(random.choice(quotes), self.history.now))
                case "disconnect" if self.history.with_disconnects:
                    self.disconnect()
        except RfqRequestError:
            return


class Creator(Participant):
    def __init__(self, history: RfqHistory, name: str) -> None:
        super().__init__(history, name)
        self.count = 0
        self.machine = self.new_machine()

    def new_machine(self) -> RfqCreator:
        return RfqCreator(volatile_symbols={VOLATILE})

    def knows(self, request_id: str) -> bool:
        return any(
            request_id == rfq.quote_req_id
            or any(
                request_id in (acceptance.quote_id, acceptance.cl_ord_id) for acceptance in rfq.acceptances
            )
            for rfq in self.machine
        )

    def new_id(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def connect(self) -> Client:
        return self.history.harness.creator(self.name, store=self.store)

    def act(self) -> None:
        random, machine = self.history.random, self.machine
        if self.client is None:
            self.log_on()
            return
        live = [rfq for rfq in machine if not rfq.has_ended]
        side = random.choice((Side.BUY, Side.SELL))
        try:
            match random.choice(["ask", "accept", "accept", "accept", "order", "cancel"]):
                case "accept" | "order" as how if live:
                    rfq = random.choice(live)
                    best = rfq.best(side)
                    if best is None:
                        return
                    quantity = random.choice((None, None, "3"))
                    name = self.new_id("c")
                    if how == "accept":
                        better = random.random() < 0.3
                        self.send(
                            machine.accept(rfq, best, side, name, quantity=quantity, prefer_better=better)
                        )
                    else:
                        self.send(machine.accept_by_order(rfq, best, side, name, quantity=quantity))
                case "cancel" if live and random.random() < 0.3:
                    self.send(machine.cancel(random.choice(live)))
                case "ask":
                    message = self.request()
                    machine.request(message)
                    self.send(message)
        except RfqRequestError:
            return

    def request(self) -> QuoteRequest:
        random = self.history.random
        fields: dict[str, Any] = {
            "symbol": random.choice((MARKET, OTHER, VOLATILE)),
            "rest_remainder": random.random() < 0.2,
            "replace_existing": random.random() < 0.7,
        }
        if random.random() < 0.3:
            fields |= combo(*random.choice(((HIGH, A), (RAINS, SNOWS))))
        if random.random() < 0.3:
            fields["cash_order_qty"] = "20"
        return request(self.new_id("r"), random.choice(("7.5", "60")), **fields)


class RfqHistory:
    """Ann sends RFQs; Bob and Cat quote."""

    def __init__(
        self,
        seed: int,
        *,
        with_disconnects: bool = False,
        with_crashes: bool = False,
        reopening: bool = False,
    ) -> None:
        self.random = Random(seed)
        self.with_disconnects, self.with_crashes = with_disconnects, with_crashes
        self.reopening = reopening
        keys = tuple(f"{name}-dc" for name in ("bob", "cat"))
        KEYS.update({name: new_key(name) for name in keys if name not in KEYS})
        self.harness = RfqHarness(
            accounts=tuple(attrs.evolve(account, drop_copy=True) for account in accounts()),
            api_keys=tuple(key(name) for name in (*NAMES, *keys)),
            combos=COLLECTIONS,
            rfqs=RfqSettings(lifetime=120),
            assumptions=Assumptions(unconfirmed_acceptance_closes_rfq=not reopening),
        )
        self.ann = Creator(self, "ann")
        self.makers = [Maker(self, "bob"), Maker(self, "cat")]
        self.participants: list[Participant] = [self.ann, *self.makers]
        if with_disconnects:
            for maker in self.makers:
                self.place_orders(f"{maker.name}-dc")
        for participant in self.participants:
            participant.log_on()

    @property
    def now(self) -> datetime:
        return self.harness.utc

    def place_orders(self, name: str) -> None:
        """Place orders for a maker in every market, because a drop copy range is conclusive only for markets
        with an earlier report."""
        client = self.harness.connect(name, "KalshiNR")
        for symbol in (MARKET, OTHER, VOLATILE):
            client.send(order(f"{name}-{symbol}", Side.BUY, 1, "0.01", symbol=symbol))
        client.logout()

    def step(self) -> None:
        if self.random.random() < 0.25:
            self.wait(self.random.choice((0.5, 1, 3, 15, 29.999, 30)))
        else:
            participant = self.random.choice(self.participants)
            if self.with_crashes and self.random.random() < 0.05:
                participant.crash()
            else:
                participant.act()
        self.settle()

    def settle(self) -> None:
        """Have every participant apply its messages until no message is left."""
        while sum(participant.apply_received() for participant in self.participants):
            pass

    def wait(self, seconds: float) -> None:
        end = self.harness.monotonic + seconds
        while self.harness.monotonic < end:
            due = [
                item
                for item in (participant.machine.next_deadline() for participant in self.participants)
                if item is not None
            ]
            left = end - self.harness.monotonic
            until = min([left, *(max(0.0, (item - self.now).total_seconds()) for item in due)])
            self.harness.wait(until)
            self.settle()
            for participant in self.participants:
                participant.machine.handle_timer(self.now)
            if until == 0:
                # All actions that were due have been performed; advance the time to reach the next deadline.
                self.harness.wait(min(left, 0.001))

    # --- the venue's state ------------------------------------------------------------------------------

    @property
    def book(self) -> Any:
        return self.harness.venue._gateways["prediction"]._rfqs._book

    def quotes(self, maker: Maker) -> dict[str, VenueQuote]:
        return {
            quote_id: quote for (owner, quote_id), quote in self.book._by_maker.items() if owner == maker.name
        }

    def rfqs(self) -> dict[str, VenueRfq]:
        return {rfq.client_id: rfq for rfq in self.book._by_id.values()}


@cache
def play_history(seed: int) -> RfqHistory:
    """Return a completed history, for tests of its messages."""
    history = RfqHistory(seed)
    for _ in range(STEPS):
        history.step()
    return history


def messages(steps: Iterable[Step]) -> list[Message]:
    """Return the messages received."""
    return [event.message for event, _ in steps if isinstance(event, MessageReceived)]


def distinct_count(found: Iterable[Any]) -> int:
    """Return the number of distinct messages."""
    return len({(item.header.msg_seq_num, item.header.sending_time) for item in found})


def model_of_maker(steps: list[Step]) -> dict[str, str]:
    """Return the state of each quote sent. It does not depend on the order in which messages were received.

    Assumes that no message is too late and no connection was lost.
    """
    statuses: dict[str, set[str]] = defaultdict(set)
    refusals: dict[str, list[Any]] = defaultdict(list)
    closed: set[str] = set()
    for item in messages(steps):
        match item:
            case QuoteStatusReport():
                statuses[item.quote_id].add(QuoteStatus(item.quote_status).name)
            case QuoteConfirmStatus(quote_confirm_status=0):
                statuses[item.quote_id].add("CONFIRMED")
            case QuoteConfirmStatus():
                refusals[item.quote_id].append(item)
            case QuoteCancelStatus(quote_cancel_status=0):
                statuses[item.quote_id].add("CANCELED")
            case ExecutionReport() if item.exec_type not in PENDING_EXEC_TYPES:
                quote_id = item.cl_ord_id.split(":")[2]
                statuses[quote_id].add("FAILED" if item.exec_type == ExecType.REJECTED else "EXECUTED")
            case QuoteRequestReject():
                closed.add(item.quote_req_id)
    sent = [message for message, _ in steps if isinstance(message, Quote)]
    confirms = [message.quote_id for message, _ in steps if isinstance(message, QuoteConfirm)]
    closed |= {item.quote_req_id for item in sent if statuses[item.quote_id] & {"EXECUTED", "FAILED"}}
    found = {}
    for number, quote in enumerate(sent):
        known = statuses[quote.quote_id]
        later = [item for item in sent[number + 1 :] if item.quote_req_id == quote.quote_req_id]
        strongest = ("EXECUTED", "FAILED", "CONFIRMED", "CANCELED", "REJECTED")
        state = next((word for word in strongest if word in known), None)
        if state is None and confirms.count(quote.quote_id) > distinct_count(refusals[quote.quote_id]):
            state = "CONFIRMING"
        if state is None and quote.quote_req_id in closed:
            state = "CANCELED"
        if state is None and "ACCEPTED" in known:
            state = "ACCEPTED"
        if state is None and any("PENDING" in statuses[item.quote_id] for item in later):
            state = "REPLACED"
        found[quote.quote_id] = state or ("OPEN" if "PENDING" in known else "SENT")
    return found


def model_of_creator(steps: list[Step]) -> dict[str, tuple[str, list[str]]]:
    """Return the state of each RFQ sent and its live quotes, under the assumptions of `model_of_maker`."""
    statuses: dict[str, set[str]] = defaultdict(set)
    accepted: dict[str, set[str]] = defaultdict(set)
    ids: dict[str, str] = {}
    quotes: dict[str, dict[str, Quote]] = defaultdict(dict)
    for each in messages(steps):
        match each:
            case QuoteRequestAck():
                ids[each.quote_req_id] = each.rfq_id or ""
            case QuoteRequestReject():
                statuses[each.quote_req_id].add("REFUSED")
            case RFQCancelStatus() if each.rfq_cancel_status != 1:
                statuses[each.quote_req_id].add("EXPIRED" if each.rfq_cancel_status == 2 else "CANCELED")
            case Quote():
                quotes[each.quote_req_id][each.quote_id] = each
            case AcceptQuoteStatus():
                accepted[each.cl_ord_id or ""].add("refused" if each.accept_quote_status else "taken")
            case ExecutionReport() if each.exec_type not in PENDING_EXEC_TYPES:
                word = "rejected" if each.exec_type == ExecType.REJECTED else "executed"
                accepted[each.cl_ord_id].add(word)
    found = {}
    for message, _ in steps:
        if not isinstance(message, QuoteRequest):
            continue
        name = message.quote_req_id
        rfq_id = ids.get(name)
        attempts = [
            (isinstance(each, NewOrderSingle), accepted[each.cl_ord_id or ""])
            for each, _ in steps
            if isinstance(each, AcceptQuote | NewOrderSingle) and each.rfq_id == rfq_id and rfq_id
        ]
        refused = [
            "taken" not in known and ("refused" in known or ("rejected" in known and by_order))
            for by_order, known in attempts
        ]
        counted = [known for (_, known), is_refused in zip(attempts, refused, strict=True) if not is_refused]
        if any("executed" in known for _, known in attempts):
            state = "EXECUTED"
        elif any("rejected" in known for known in counted):
            state = "FAILED"
        else:
            ends = (item for item in ("EXPIRED", "CANCELED", "REFUSED") if item in statuses[name])
            state = next(ends, "")
            if not state and counted:
                state = "ACCEPTED" if "taken" in counted[-1] else "ACCEPTING"
            state = state or ("SENT" if rfq_id is None else "OPEN")
        newest: dict[str, Quote] = {}
        for quote in sorted(quotes[rfq_id or ""].values(), key=_sort_key):
            newest[quote.party_ids[0].party_id] = quote
        has_ended = state not in ("SENT", "OPEN", "ACCEPTING", "ACCEPTED")
        found[name] = state, [] if has_ended else sorted(value.quote_id for value in newest.values())
    return found


def _sort_key(quote: Quote) -> tuple[Any, ...]:
    assert quote.header is not None
    return quote.transact_time, quote.header.sending_time, quote.header.msg_seq_num


def state_of_machine(machine: RfqMaker | RfqCreator) -> dict[str, Any]:
    """Return the state of a machine in the same form as the models."""
    if isinstance(machine, RfqCreator):
        return {rfq.quote_req_id: (rfq.state.name, sorted(rfq.quotes)) for rfq in machine}
    return {quote.quote_id: quote.state.name for rfq in machine for quote in rfq.quotes.values()}


def exposure_at_the_venue(history: RfqHistory, participant: Participant) -> dict[str, Decimal]:
    """Return the exposure from the quotes that the venue lists as accepted or confirmed for a participant:
    the contracts in each market, and the dollars.
    """
    found: dict[str, Decimal] = defaultdict(Decimal)
    for rfq in history.rfqs().values():
        acceptance = rfq.acceptance
        if acceptance is None or rfq.state.name not in ("ACCEPTED", "CONFIRMED"):
            continue
        quote = acceptance.quote
        size = quote.size(acceptance.side) or acceptance.quantity
        is_maker = isinstance(participant, Maker)
        if is_maker and quote.account.owner != participant.name:
            continue
        quantity = size if (quote.rest_remainder if is_maker else rfq.rest_remainder) else acceptance.quantity
        buys = (acceptance.side.name == "BUY") is not is_maker
        found[rfq.market] += quantity
        found["dollars"] += quantity * (acceptance.price if buys else 1 - acceptance.price)
    return dict(found)
