"""The venue's application and its own database, which survive every crash of the session's process.

Messages wait in its outbox until a session has accepted them; on a session type with resend, until the store
of the session has accepted them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from kalshi_fix_sansio import (
    ExecutionReport,
    ExecutionReportText,
    MarketDataRequest,
    MarketDataSnapshotFullRefresh,
    MarketSettlementReport,
    MDReqSymbol,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelRequest,
    Quote,
    QuoteCancel,
    QuoteCancelStatus,
    QuoteRequest,
    QuoteRequestAck,
    QuoteRequestSymbol,
    QuoteStatusReport,
    RFQCancel,
    RFQCancelStatus,
)
from kalshi_fix_sansio.dialect.base import Message
from tests.simulation.ledger import QUANTITY, uid_of
from tests.simulation.orders import Key, key_of

if TYPE_CHECKING:
    from tests.simulation.world import World

Factory = Callable[[], Message]
PENDING_NEW, NEW, TRADE, CANCELED, REJECTED, PENDING_CANCEL = "A", "0", "F", "4", "8", "6"
PARTLY_FILLED = "1"
QUOTE_OPEN, QUOTE_REFUSED, QUOTE_CANCELED = 10, 5, 17
DUPLICATE_ORDER, OTHER = 6, 99
UNAVAILABLE = ExecutionReportText.EXCHANGE_UNAVAILABLE


def order(cl_ord_id: str, *, quantity: int = QUANTITY, note: str | None = None) -> Message:
    return NewOrderSingle(
        cl_ord_id=cl_ord_id,
        symbol="KX-1",
        side="1",
        order_qty=quantity,
        ord_type="2",
        price="75",
        secondary_cl_ord_id=note,
    )


def cancel(cl_ord_id: str, orig_cl_ord_id: str) -> Message:
    return OrderCancelRequest(cl_ord_id=cl_ord_id, orig_cl_ord_id=orig_cl_ord_id, symbol="KX-1", side="1")


def subscription(symbol: str) -> Message:
    return MarketDataRequest(subscription_request_type="1", related_sym=[MDReqSymbol(symbol=symbol)])


def quote(quote_id: str) -> Message:
    return Quote(quote_id=quote_id, quote_req_id="q", symbol="KX-1", bid_px="0.4", offer_px="0.5")


def client_message(session: str, uid: str, number: int) -> Message:
    """Return the client's next message: an order or sometimes a cancel of the previous order, or their
    equivalents for other session types, such as a quote."""
    before = f"{uid.rstrip('0123456789')}{number - 1}"
    if session == "KalshiMD":
        return subscription(uid)
    if session == "KalshiRFQ":
        return QuoteCancel(quote_id=before) if number % 5 == 4 else quote(uid)
    return cancel(uid, before) if number % 5 == 4 else order(uid)


def request_and_cancel(session: str, uid: str, *, quotes: bool) -> list[Message]:
    """Return a request and its cancel with the same id, if the session allows both."""
    if session == "KalshiRFQ":
        return [quote(uid), QuoteCancel(quote_id=uid)]
    if session == "KalshiRT" and quotes:
        symbol = QuoteRequestSymbol(symbol="KX-1", order_qty=QUANTITY)
        return [QuoteRequest(quote_req_id=uid, related_sym=[symbol]), RFQCancel(quote_req_id=uid)]
    return [order(uid), cancel(uid, uid)] if session in {"KalshiRT", "KalshiNR"} else []


def is_cancelled(report: Any) -> bool:
    """Return whether a message reports an order or a quote as cancelled."""
    if report.MSG_TYPE == "8":
        return bool(report.exec_type == CANCELED)
    return bool(report.MSG_TYPE == "AI" and report.quote_status == QUOTE_CANCELED)


def update_resting(resting: set[str], report: Any) -> None:
    """Update the resting orders from a report."""
    if report.ord_status in {NEW, PARTLY_FILLED, PENDING_CANCEL}:
        resting.add(report.order_id)
    elif report.ord_status in {CANCELED, REJECTED}:
        resting.discard(report.order_id)


class Exchange:
    """Answers requests, and sends unsolicited messages."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self._count = 0
        self._known: set[str] = set()
        self._ids: set[str] = set()
        """ClOrdIDs of orders."""
        self._answered_by: dict[str, float] = {}
        """The time at which the last answer to a request is due, by the request's uid."""
        self.outbox: deque[Message] = deque()
        self._unpublished: deque[Factory] = deque()
        """Reports that wait while the exchange is paused, in order."""
        self.paused_until = 0.0
        self.unsure_until = 0.0
        """The end of the period in which the order gateway does not know the outcomes of orders."""
        self.reported_request: dict[str, Key | None] = {}
        """The key of the request whose outcome a message reports, by the uid of the message."""
        self.unsure: Counter[bool] = Counter()
        """The numbers of orders answered with EXCHANGE_UNAVAILABLE that are in the book (True) and that are
        not (False).
        """

    def _uid(self) -> str:
        self._count += 1
        return f"e{self._count}"

    def take(self, message: Any) -> None:
        """Accept a request. A subscription, or a request that was accepted before, has no effect."""
        uid = uid_of(message)
        if message.MSG_TYPE == "V" or uid in self._known:
            return
        self._known.add(uid)
        # Requests about an order or a quote are answered after the order or quote itself.
        subject = _SUBJECTS.get(message.MSG_TYPE, lambda _: "")(message)
        delay = max(0.0, self._answered_by.get(subject, 0.0) - self._world.now)
        for make in _PLANS[message.MSG_TYPE](self, message):
            delay += self._random.random() ** 4 * 10
            self.publish_later(delay, make)
        self._answered_by[uid] = self._world.now + delay

    def publish_later(self, delay: float, make: Factory) -> None:
        self._world.at(self._world.now + delay, lambda: self.publish(make))

    def end_faults(self) -> None:
        """End all pauses and failures."""
        self.paused_until = self.unsure_until = 0.0
        self._publish()

    def publish(self, make: Factory) -> None:
        """Queue a message for the client."""
        self._unpublished.append(make)
        self._publish()

    def _publish(self) -> None:
        if self.paused_until > self._world.now:
            self._world.at(self.paused_until, self._publish)
            return
        if self._unpublished:
            self.outbox.extend(make() for make in self._unpublished)
            self._unpublished.clear()
            self._world.dispatch_venue()

    # Outcomes of requests: steps that become due one after another

    def _order(self, message: Any) -> list[Factory]:
        key, uid, random = key_of(message), message.cl_ord_id, self._random.random
        if uid in self._ids:
            return [self._reporting(uid, REJECTED, key, ord_rej_reason=DUPLICATE_ORDER)]
        self._ids.add(uid)
        plan = [self._reporting(uid, PENDING_NEW)]
        if self.unsure_until > self._world.now:
            plan.append(self._reporting(uid, REJECTED, text=UNAVAILABLE, ord_rej_reason=OTHER))
            entered = random() < 0.5
            self.unsure[entered] += 1
            return [*plan, self._reporting(uid, TRADE, key)] if entered and random() < 0.5 else plan
        if random() < 0.2:
            return [*plan, self._reporting(uid, REJECTED, key, ord_rej_reason=OTHER)]
        plan.append(self._reporting(uid, NEW, key))
        return plan + [self._reporting(uid, TRADE, key)] * int(random() * 3)

    def _cancel(self, message: Any) -> list[Factory]:
        key, uid = key_of(message), message.cl_ord_id
        pending = self._reporting(uid, PENDING_CANCEL)
        if self._random.random() < 0.5:
            return [pending, self._reporting(uid, CANCELED, key)]
        return [pending, self._answering(message, lambda: self._cancel_reject(uid))]

    def _quote(self, message: Any) -> list[Factory]:
        status = QUOTE_REFUSED if self._random.random() < 0.2 else QUOTE_OPEN
        return [self._answering(message, lambda: self._quote_status(message.quote_id, status))]

    def _quote_cancel(self, message: Any) -> list[Factory]:
        name, refused = message.quote_id, self._random.random() < 0.2
        if not refused and self._random.random() < 0.5:
            return [self._answering(message, lambda: self._quote_status(name, QUOTE_CANCELED))]
        status = partial(QuoteCancelStatus, quote_id=name, quote_cancel_status=int(refused))
        return [self._answering(message, lambda: status(text=self._uid()))]

    def _quote_request(self, message: Any) -> list[Factory]:
        ack = partial(
            QuoteRequestAck, quote_req_id=message.quote_req_id, quote_request_type=1, ex_destination=0
        )
        return [self._answering(message, lambda: ack(rfq_id=self._uid()))]

    def _rfq_cancel(self, message: Any) -> list[Factory]:
        refused = self._random.random() < 0.2
        status = partial(RFQCancelStatus, quote_req_id=message.quote_req_id, rfq_cancel_status=int(refused))
        return [self._answering(message, lambda: status(rfq_id=self._uid()))]

    # Messages

    def _answering(self, request: Message, make: Factory) -> Factory:
        """Return a function that creates the message with the outcome of a request. It is called when the
        message is due.
        """
        key = key_of(request)
        return lambda: self._with_outcome_of(key, make())

    def _with_outcome_of(self, key: Key | None, message: Message) -> Message:
        """Record that this message contains the outcome of the request, and return it."""
        self.reported_request[uid_of(message)] = key
        return message

    def unsolicited(self, text: str | None = None) -> Message:
        """Return an unsolicited message of a type that the session allows."""
        session = self._world.schedule.session
        if session == "KalshiPT":
            return MarketSettlementReport(
                market_settlement_report_id=self._uid(),
                symbol="KX-1",
                clearing_business_date=date(2026, 8, 21),
                market_result="yes",
                settlement_price=Decimal(100),
            )
        if session == "KalshiMD":
            return MarketDataSnapshotFullRefresh(symbol=self._uid(), md_entries=[])
        return self._report("other", TRADE, text=text)

    def _reporting(self, cl_ord_id: str, exec_type: str, key: Key | None = None, **more: Any) -> Factory:
        def make() -> Message:
            report = self._report(cl_ord_id, exec_type, **more)
            return report if key is None else self._with_outcome_of(key, report)

        return make

    def _report(self, cl_ord_id: str, exec_type: str, **more: Any) -> Message:
        fill: dict[str, Any] = {"last_px": Decimal("0.75"), "last_qty": 1} if exec_type == TRADE else {}
        return ExecutionReport(
            order_id="o-" + cl_ord_id,
            cl_ord_id=cl_ord_id,
            exec_id=self._uid(),
            exec_type=exec_type,
            ord_status=PARTLY_FILLED if exec_type == TRADE else exec_type,
            side="1",
            symbol="KX-1",
            order_qty=10,
            leaves_qty=10,
            cum_qty=0,
            avg_px=0,
            **fill,
            **more,
        )

    def _cancel_reject(self, cl_ord_id: str) -> Message:
        return OrderCancelReject(
            order_id=self._uid(), cl_ord_id=cl_ord_id, ord_status="0", cxl_rej_response_to="1"
        )

    def _quote_status(self, quote_id: str, status: int) -> Message:
        return QuoteStatusReport(quote_id=quote_id, quote_req_id=self._uid(), quote_status=status)


_SUBJECTS: dict[str, Callable[[Any], str]] = {
    "F": lambda message: str(message.orig_cl_ord_id),
    "Z": lambda message: str(message.quote_id),
    "UE": lambda message: str(message.quote_req_id),
}
"""Functions that return the id of the order or quote that a request is about, by MsgType."""
_PLANS: dict[str, Callable[[Exchange, Any], list[Factory]]] = {
    "D": Exchange._order,
    "F": Exchange._cancel,
    "S": Exchange._quote,
    "Z": Exchange._quote_cancel,
    "R": Exchange._quote_request,
    "UE": Exchange._rfq_cancel,
}
