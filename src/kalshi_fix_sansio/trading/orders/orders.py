"""The orders of one session, tracked from requests, reports and session events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NoReturn

import attrs

from kalshi_fix_sansio._generated import (
    SESSION_TYPES,
    ExecType,
    ExecutionReport,
    LogonFields,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelReport,
    OrderMassCancelRequest,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.dialect.base import Message, values_of
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import (
    LoggedOn,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    OpenRequest,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.trading.common.amounts import ZERO, from_cents
from kalshi_fix_sansio.trading.common.dumping import dump_attributes, load_attributes, loading
from kalshi_fix_sansio.trading.common.exec_key import NO_KEY, ExecKey
from kalshi_fix_sansio.trading.common.received import clipped, sending_time
from kalshi_fix_sansio.trading.common.unanswered import UnattributedRequests
from kalshi_fix_sansio.trading.common.uncertain_items import LazyItems
from kalshi_fix_sansio.trading.orders.answers import RequestSettler
from kalshi_fix_sansio.trading.orders.knowledge import (
    CLEAR,
    RESOLUTIONS,
    Knowledge,
    KnowledgeKind,
    Loss,
    Losses,
    LossesState,
)
from kalshi_fix_sansio.trading.orders.mass_cancels import MassCancel, MassCancels, MassCancelState
from kalshi_fix_sansio.trading.orders.newest_reports import NewestReports
from kalshi_fix_sansio.trading.orders.order import (
    PRIMARY,
    UNCERTAIN_STATES,
    Account,
    NewOrderRequest,
    Order,
    OrderDiscrepancyKind,
    OrderState,
    OrderUpdate,
    PendingRequest,
    ReportFacts,
    orders_table,
)
from kalshi_fix_sansio.trading.orders.order_index import MISSING_ROW, OrderIndex
from kalshi_fix_sansio.trading.orders.order_reports import (
    CHANGE_TYPES,
    ENDED_STATUSES,
    PENDING_TYPES,
    leaves_open,
    missing_field,
    overlong_id,
    parse_report,
    read_account,
    read_fill,
)
from kalshi_fix_sansio.trading.orders.order_requests import (
    OrderRequestError,
    check_cap,
    check_cl_ord_id_is_free,
    check_live,
    identifying_fields,
    total_qty,
    wire_price,
)
from kalshi_fix_sansio.trading.orders.uncertain_orders import DropCopyRange, DropCopyReport, UncertainOrder
from kalshi_fix_sansio.trading.orders.uncertainty import Uncertainty

MARGIN: Final = "margin"
_ROW: Final = "orders"
"""Key of the dump row that contains the state apart from the orders, and prefix of the keys of the order
rows.
"""
_KEYS_PER_STEP: Final = 20_000
"""Maximum number of row keys that are read in one step of loading."""
_CHANGES: Final = (OrderCancelReplaceRequest, OrderCancelRequest)
"""The requests to change or cancel one order."""
_REQUESTS: Final = frozenset(("D", "F", "G", "q"))
"""MsgTypes of requests about orders."""
_REPORTS: Final = frozenset(("8", "9", "3", "j", "r"))
"""MsgTypes with which the venue reports changes of orders or answers requests about them."""
_REJECTED: Final = ExecType.REJECTED
_TRADE: Final = ExecType.TRADE
_WORKING_STATES: Final = frozenset((OrderState.OPEN, OrderState.UNVERIFIED))
_Change = OrderCancelReplaceRequest | OrderCancelRequest


@attrs.frozen
class _State:
    """The layout of a dump."""

    epoch: int
    _losses: LossesState
    _number: int
    _logged_on: bool
    _time: datetime | None
    _logon: dict[str, bool]
    _reports: NewestReports
    _answers: RequestSettler
    _mass_cancels: MassCancels
    unattributed: UnattributedRequests


class Orders:
    """The orders of one session (KalshiNR, KalshiRT or a listener session), over any number of connections.

    Pass to `apply` each request just before it is sent, every event of the session, and the drop copy
    results. The state of an order depends on which messages were received, not on their sequence. Fills are
    counted once, and an uncertainty remains until a message or the user resolves it. No message from the
    venue raises an exception.
    """

    def __init__(
        self,
        session_type: str = "KalshiNR",
        *,
        product: str = "prediction",
        logon: LogonFields | Mapping[str, Any] | None = None,
        max_orders: int = 100_000,
        max_fills: int = 10_000,
    ) -> None:
        """Start without orders.

        Args:
            session_type: name of the session type, which determines whether missed reports are resent.
            product: prediction or margin. For margin, prices are in dollars regardless of the Logon.
            logon: the fields of the session's Logon, used until the first LoggedOn event, which contains
                them. Default: UseDollars is set.
            max_orders: maximum number of orders kept, about 3 KB each without fills. Beyond it, a new order
                replaces the order that ended first. If none has ended, orders from other sessions are not
                kept, and those from this session are kept beyond the limit.
            max_fills: maximum number of fills kept and counted for one order, about 1 KB each.
        """
        self._session_type = SESSION_TYPES[session_type]
        self._product = product
        fields: Any = {"use_dollars": True} if logon is None else logon
        self._set_logon(values_of(fields) if isinstance(fields, LogonFields) else fields)
        self._max_fills = max_fills
        self._losses = Losses()
        self._reports = NewestReports(max_orders)
        self._index = OrderIndex(max_orders, self._losses, self._reports)
        self._mass_cancels = MassCancels()
        self.epoch: int = 1
        """Counter that increases with each event that makes an outcome uncertain. `DropCopyRange.epoch` is
        its value when drop copy was requested.
        """
        self._logged_on = self._loading = False
        self._number = 0
        self._time: datetime | None = None
        self._answers = RequestSettler(self._index)
        self.unattributed: UnattributedRequests = UnattributedRequests()
        """Requests with an unknown outcome that concern unknown orders or could not be decoded."""
        self._uncertainty = Uncertainty(self._index, self._reports, self._answers, self._mass_cancels)

    def _set_logon(self, logon: Mapping[str, Any]) -> None:
        self._logon = {name: value for name, value in logon.items() if isinstance(value, bool)}
        self._dollars = self._product == MARGIN or self._logon.get("use_dollars") is True

    # --- queries --------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Order]:
        return iter(self._index.orders.values())

    def _repr_html_(self) -> str:
        live = list(self.live())
        return orders_table(f"{len(live)} order{'' if len(live) == 1 else 's'} not done", live)

    def __len__(self) -> int:
        return len(self._index.orders)

    def by_order_id(self, order_id: str) -> Order | None:
        """Return the order with this OrderID (37), if it is known."""
        return self._index.by_id.get(order_id)

    def by_cl_ord_id(self, cl_ord_id: str) -> Order | None:
        """Return the order that has this ClOrdID (11) now, was placed with it, or has a pending request with
        it. If several match, return the newest one that is not done, or else the newest.
        """
        return self._index.by_cl_ord_id(cl_ord_id)

    def live(self, symbol: str | None = None, side: Side | None = None) -> LazyItems[Order]:
        """Return the orders that are not done, in any state, the oldest first. The result is lazy: each
        order is looked up when the iteration reaches it."""
        return LazyItems(lambda: self._index.live_orders(symbol, side))

    def working(self, symbol: str | None = None, side: Side | None = None) -> LazyItems[Order]:
        """Return the orders that are OPEN or UNVERIFIED: open at the venue, as far as is known. Like the
        result of `live`, the result is lazy.
        """
        live = self.live(symbol, side)
        # A live order with a report is always OPEN or UNVERIFIED, so its state need not be determined.
        return LazyItems(
            lambda: (each for each in live if each.last is not None or each.state in _WORKING_STATES)
        )

    @property
    def mass_cancels(self) -> list[MassCancel]:
        """The mass cancels that are not complete, oldest first."""
        return list(self._mass_cancels.open)

    def uncertain(self) -> LazyItems[UncertainOrder]:
        """Return the uncertainties that no expected message will resolve. The result is lazy: each item is
        determined when the iteration reaches it.
        """
        return LazyItems(lambda: self._uncertainty.items(self._index.maybe_uncertain(), self.unattributed))

    @property
    def newest(self) -> Mapping[int, ExecKey]:
        """The key, by shard, of the newest report that was not received through drop copy."""
        return dict(self._reports.live)

    def drop_copy_start(self, forgotten: Mapping[int, ExecKey] = {}) -> Mapping[int, ExecKey]:
        """Return, by shard, the key at which drop copy must begin (BeginExecID of EventResendRequest) to
        resolve the uncertainties. Uncertainties without a known key are left out.

        Args:
            forgotten: by shard, a key that drop copy no longer has. Uncertainties that need this key or an
                older one are left out too.
        """
        return self._uncertainty.drop_copy_start(forgotten)

    @property
    def dollars(self) -> bool:
        """Whether the session's prices are in dollars rather than cents."""
        return self._dollars

    # --- requests to send -----------------------------------------------------------------------------

    def new(
        self,
        cl_ord_id: str,
        symbol: str,
        side: Side,
        quantity: Decimal | int | str,
        price: Decimal | int | str,
        **fields: Any,
    ) -> NewOrderSingle:
        """Return a request for a new order. `price` is in dollars; `fields` are further fields of
        NewOrderSingle.

        Raises:
            OrderRequestError: an order with this ClOrdID is not done, or the session's prices are in cents
                and `price` is not a whole number of cents. An order whose outcome is unknown does not prevent
                a new one: the venue either accepts the new order or reports the duplicate.
            TypeError: a value has the wrong type, such as a float, which is not exact, or a field is unknown.
            ValueError: a value is invalid, such as text that is not a number.
            EncodeError: a value has no form in FIX, such as an empty string.
        """
        check_cl_ord_id_is_free(cl_ord_id, self.by_cl_ord_id(cl_ord_id))
        return NewOrderSingle(
            cl_ord_id=cl_ord_id,
            symbol=symbol,
            side=side,
            order_qty=quantity,
            price=wire_price(price, dollars=self._dollars),
            **fields,
        )

    def replace(
        self,
        order: Order,
        cl_ord_id: str,
        *,
        price: Decimal | int | str | None = None,
        leaves_qty: Decimal | int | str | None = None,
        time_in_force: TimeInForce | None = None,
        expire_time: datetime | None = None,
    ) -> OrderCancelReplaceRequest:
        """Return a request to change an order.

        Args:
            order: the order to change.
            cl_ord_id: ClOrdID of the request; the order takes it when the venue accepts the request.
            price: the new price in dollars; None leaves it unchanged.
            leaves_qty: the new number of open contracts; None leaves it unchanged. OrderQty (38) is this
                number plus the filled quantity known to this object; the venue subtracts fills that happen
                in the meantime.
            time_in_force: the new expiry; None leaves it unchanged.
            expire_time: for GOOD_TILL_DATE.

        Raises:
            OrderRequestError: the order is done, the session does not allow a change now, or its prices are
                in cents and `price` is not a whole number of cents.
            TypeError: a value has the wrong type, such as a float, which is not exact.
            ValueError: a value is invalid, such as text that is not a number.
            EncodeError: a value has no form in FIX, such as an empty `cl_ord_id`.
        """
        check_live(order)
        if self.reserves_cap:
            check_cap(order)
        return OrderCancelReplaceRequest(
            order_qty=total_qty(order, leaves_qty),
            price=None if price is None else wire_price(price, dollars=self._dollars),
            time_in_force=time_in_force,
            expire_time=expire_time,
            **identifying_fields(order, cl_ord_id),
        )

    def cancel(self, order: Order, cl_ord_id: str) -> OrderCancelRequest:
        """Return a request to cancel an order; `cl_ord_id` is the ClOrdID of the request.

        Raises:
            OrderRequestError: the order is done.
            EncodeError: `cl_ord_id` is empty.
        """
        check_live(order)
        return OrderCancelRequest(**identifying_fields(order, cl_ord_id))

    def cancel_all(self, cl_ord_id: str) -> OrderMassCancelRequest:
        """Return a request to cancel all orders of the session; KalshiNR accepts at most one per second.

        Raises:
            OrderRequestError: an earlier mass cancel has no answer yet.
            EncodeError: `cl_ord_id` is empty.
        """
        for other in self._mass_cancels.open:
            if other.state is MassCancelState.SENT:
                raise OrderRequestError(f"mass cancel {other.cl_ord_id} has no answer yet; wait for it")
        return OrderMassCancelRequest(cl_ord_id=cl_ord_id)

    @property
    def reserves_cap(self) -> bool:
        """Whether the session logged on with UseCapReservation."""
        return self._logon.get("use_cap_reservation") is True

    def withdraw(self, request: Message) -> list[OrderUpdate]:
        """Undo `apply` for a request that was not sent because `send` refused it.

        Do not withdraw a request that may have been partly sent: its outcome becomes unknown when the session
        ends.
        """
        if isinstance(request, NewOrderSingle):
            waiting = [order for order, _ in self._index.awaiting_outcome(request.cl_ord_id)]
            # An earlier order with this ClOrdID whose outcome is unknown is kept.
            sent = [order for order in waiting if order.state is OrderState.SENT]
            if sent:
                self._index.drop(max(sent, key=lambda order: order.number))
        elif isinstance(request, _CHANGES):
            pending = [each for each in self._find_pending(request) if not each[1].is_unknown]
            if pending:
                # The first request matches best. Of those with the same terms as the first, take the newest.
                newest = max(reversed(pending), key=lambda each: each[1].terms == pending[0][1].terms)
                self._index.answer(*newest)
        elif isinstance(request, OrderMassCancelRequest):
            self._mass_cancels.withdraw(request.cl_ord_id)
        return self._take_updates()

    # --- applying messages and events -----------------------------------------------------------------

    def apply(self, event: object) -> list[OrderUpdate]:
        """Apply a request that is about to be sent, an event of the session or client, a received message, or
        a drop copy result (`DropCopyReport` or `DropCopyRange`).

        Returns one update for each changed order. A loss that may affect every order is reported in one
        update without an order (`OrderUpdate.lost`). Other events and messages have no effect.

        Raises:
            LocalProtocolError: `load` was called, and its result was not iterated to the end.
        """
        if self._loading:
            self._raise_not_loaded()
        handler = _HANDLERS.get(type(event)) or _inherited_handler(type(event))
        if handler is not None:
            handler(self, event)
        return self._take_updates()

    def resolve(self, order: Order, *, is_open: bool) -> list[OrderUpdate]:
        """Apply information from another source, such as REST: whether an order is open.

        This resolves the uncertainty about the order's state, changes and cancels. Missing fills stay listed
        until their reports arrive. Later reports from the venue still count. An order that is no longer kept
        is not changed.
        """
        if self._index.orders.get(order.number) is not order:
            return []
        self._index.begin(order)
        order.knowledge = RESOLUTIONS[is_open]
        for request in list(order.pending):
            if request.is_unknown or not is_open:
                self._answers.settle_early(order, request)
        if is_open:
            self._mass_cancels.record_open(order.number)
        return self._take_updates()

    def _raise_not_loaded(self) -> NoReturn:
        raise LocalProtocolError("the orders are not loaded yet: iterate over the result of load to its end")

    def _take_updates(self) -> list[OrderUpdate]:
        """Complete and return the updates that the applied message causes, and those about mass cancels."""
        updates = self._index.take_updates()
        if self._mass_cancels.open:
            for update in updates:
                if update.order is not None and (update.forgotten or update.order.is_done):
                    self._mass_cancels.record_end(update.order.number)
            updates += [OrderUpdate(None, mass_cancel=each) for each in self._mass_cancels.take_updates()]
        return updates

    def _handle_received(self, event: MessageReceived) -> None:
        message = event.message
        if isinstance(message, ExecutionReport):
            self._handle_report(message)
        elif isinstance(message, OrderCancelReject):
            self._handle_cancel_reject(message)
        elif isinstance(message, OrderMassCancelReport):
            self._handle_mass_cancel_report(message)

    def _record_time(self, message: Message) -> None:
        self._time = sending_time(message) or self._time

    # --- sent requests --------------------------------------------------------------------------------

    def _handle_request(self, message: NewOrderSingle | _Change | OrderMassCancelRequest) -> None:
        self._record_time(message)
        # A log may contain retransmissions of earlier requests.
        if message.header is not None and message.header.poss_dup_flag:
            return
        if isinstance(message, NewOrderSingle):
            self._add(message, self._reports.newest())
        elif isinstance(message, OrderMassCancelRequest):
            self._mass_cancels.record_sent(message.cl_ord_id, set(self._index.own), self._reports.newest())
        else:
            self._record_change_request(message)

    def _add(self, message: NewOrderSingle, newest_reports: Mapping[int, ExecKey]) -> Order:
        order = Order(self._number + 1, message.symbol, message.side, losses=self._losses)
        order.placed = self._make_order_request(message, newest_reports)
        self._index.keep_matches(message.cl_ord_id)
        # The session's own orders are kept even beyond the limit, because the user controls their number.
        self._index.make_room()
        self._index.add(order)
        return order

    def _make_order_request(
        self, message: NewOrderSingle, newest_reports: Mapping[int, ExecKey]
    ) -> NewOrderRequest:
        self._number += 1
        return NewOrderRequest(
            self._number,
            message.cl_ord_id,
            self._price(message.price),
            message.order_qty,
            read_account(message) or PRIMARY,
            message.ex_destination,
            tuple(newest_reports.values()),
        )

    def _record_change_request(self, message: _Change) -> None:
        order = self._order_of(message)
        if order is None:
            detail = f"{message.MSG_TYPE} {message.cl_ord_id} with OrigClOrdID {message.orig_cl_ord_id}"
            self._index.record_discrepancy(None, OrderDiscrepancyKind.UNKNOWN_REQUEST, detail)
            return
        if order.is_done:  # the venue cannot accept the request
            self._answers.record_settled_early(message.cl_ord_id)
            return
        self._index.begin(order)
        order.pending.append(self._pending_request(message, self._reports.newest_of(order)))

    def _order_of(self, message: _Change) -> Order | None:
        return self._index.by_id.get(message.order_id or "") or self.by_cl_ord_id(message.orig_cl_ord_id)

    def _pending_request(self, message: _Change, after: ExecKey | None = None) -> PendingRequest:
        pending = PendingRequest(message.MSG_TYPE, message.cl_ord_id, message.orig_cl_ord_id, after=after)
        if isinstance(message, OrderCancelReplaceRequest):
            pending.price = None if message.price is None else self._price(message.price)
            pending.quantity = message.order_qty
        return pending

    def _find_pending(self, message: _Change) -> list[tuple[Order, PendingRequest]]:
        """Return the pending requests with the ClOrdID and type of a sent message, those with the same terms
        first.
        """
        terms = self._pending_request(message).terms
        pending = self._index.requests(message.cl_ord_id, message.MSG_TYPE)
        return sorted(pending, key=lambda each: each[1].terms != terms)

    def _price(self, price: Decimal) -> Decimal:
        return price if self._dollars else from_cents(price)

    # --- reports --------------------------------------------------------------------------------------

    def _handle_report(
        self, message: ExecutionReport, drop_copy_report: DropCopyReport | None = None
    ) -> None:
        """Apply an execution report: find its order, and update the order's quantities, end, account, price
        and fills. `drop_copy_report` is set if drop copy returned the report.
        """
        report: Any = message  # an unreadable field is None, regardless of its type annotation
        header = report.header
        if header is not None:
            self._time = header.sending_time or self._time
        missing = missing_field(report)
        if missing is not None:
            named_order = self._index.by_id.get(report.order_id or "")
            self._index.record_discrepancy(
                named_order, OrderDiscrepancyKind.UNREADABLE, f"a report does not contain {missing}"
            )
            # The content of the report is unknown, so the order that it names becomes uncertain. If it names
            # no known order, every order becomes uncertain.
            if report.exec_type not in PENDING_TYPES:
                self._record_lost_reports(named_order)
            return
        index = self._index
        order = index.by_id.get(report.order_id)
        long_field = overlong_id(report)
        if long_field is not None:
            index.record_discrepancy(
                None, OrderDiscrepancyKind.TOO_MANY, f"{long_field} in a report is too long"
            )
            return
        kind = report.exec_type
        if kind == _REJECTED and leaves_open(report):
            self._handle_unknown_outcome(report)
            return
        if self.unattributed and kind not in PENDING_TYPES:
            self.unattributed.answer(report.cl_ord_id, NewOrderSingle)
            self.unattributed.answer(report.orig_cl_ord_id, NewOrderSingle)
            if kind in CHANGE_TYPES or kind == _REJECTED:
                self.unattributed.answer(report.cl_ord_id, *_CHANGES)
        key, malformed = None, ""
        try:
            key = ExecKey.parse(report.exec_id or "")
        except ValueError as error:
            malformed = str(error)
        if kind == _REJECTED:
            order = self._take_rejected_order(report)
        elif order is None:
            order = self._find_or_add(report, key)
        if order is None:
            return
        update = index.begin(order)
        if malformed:
            index.record_discrepancy(order, OrderDiscrepancyKind.BAD_EXEC_ID, malformed)
        if kind in PENDING_TYPES:
            return
        cum_qty = report.cum_qty
        if cum_qty > order.cum_qty:
            order.cum_qty = cum_qty
        facts = parse_report(report, key)
        if facts.ends and (order.end is None or facts > order.end):
            order.end = facts
        if report.alloc_account is not None or report.party_ids:
            _record_account(order, read_account(report), NO_KEY if key is None else key)
        if key is not None:
            dollars = self._dollars if drop_copy_report is None else drop_copy_report.dollars
            price = report.price
            if price is not None and not dollars:
                price = from_cents(price)
            if order.first_key is None or key < order.first_key:
                order.first_key, order.first_cl_ord_id = key, report.orig_cl_ord_id or report.cl_ord_id
            self._update_from_keyed_report(order, facts, key, price, drop_copy_report is None)
            if kind == _TRADE:
                self._apply_fill(order, update, report, key, dollars)
        if report.symbol != order.symbol or report.side != order.side:
            detail = f"symbol {report.symbol} and side {report.side} for OrderID {order.order_id}"
            index.record_discrepancy(order, OrderDiscrepancyKind.TERMS, detail)
        if order.end is not None and order.last is not None and _revives(order.last, order.end):
            index.record_discrepancy(order, OrderDiscrepancyKind.REVIVED, f"report {order.last.key}")
        if key is not None or order.end is not None:
            self._answers.settle(order, report, key, drop_copy_report is not None)
        index.rematch(order)

    def _update_from_keyed_report(
        self, order: Order, facts: ReportFacts, key: ExecKey, price: Decimal | None, live: bool
    ) -> None:
        """Update the newest report and the newest price of an order from a report with a key. A live report,
        unlike one from drop copy, also updates the knowledge about the order's state.
        """
        last, shard = order.last, key.shard
        if last is None or key > last.key:
            order.last, is_open = facts, not facts.ends
            if price is not None:
                order.reported_price = key, price
            if last is None or last.key.shard != shard:
                self._reports.record_shard(order.symbol, shard)
        else:
            order.last, is_open = max(last, facts), False
            if price is not None and (order.reported_price is None or order.reported_price < (key, price)):
                order.reported_price = key, price
        if live:
            order.seen_live = True
            if order.knowledge is not CLEAR:
                order.knowledge = order.knowledge.record_report(key, is_open=is_open)
        self._reports.record(key, live=live)

    def _apply_fill(
        self, order: Order, update: OrderUpdate, report: Any, key: ExecKey, dollars: bool
    ) -> None:
        price, quantity = report.last_px, report.last_qty
        if price is None or quantity is None or quantity <= ZERO:
            detail = f"trade {key} has no LastPx, or no LastQty above 0"
            self._index.record_discrepancy(order, OrderDiscrepancyKind.UNREADABLE, detail)
            return
        if not dollars:
            price = from_cents(price)
        fills = order.fills
        earlier = fills.get(key)
        if earlier is not None:
            if earlier.price != price or earlier.quantity != quantity:
                contents = f"{earlier.quantity:f} at {earlier.price:f} and as {quantity:f} at {price:f}"
                detail = f"trade {key} was reported as {contents}"
                self._index.record_discrepancy(order, OrderDiscrepancyKind.CONFLICT, detail)
            return
        if len(fills) >= self._max_fills:
            self._index.record_discrepancy(
                order, OrderDiscrepancyKind.TOO_MANY, f"{self._max_fills} fills are already kept"
            )
            return
        fill = read_fill(report, key, price, quantity)
        order.add_fill(fill)
        update.fills.append(fill)
        if order.filled_qty > order.cum_qty:
            detail = f"the fills add up to {order.filled_qty:f}, CumQty is {order.cum_qty:f}"
            self._index.record_discrepancy(order, OrderDiscrepancyKind.OVERFILLED, detail)

    def _find_or_add(self, report: Any, key: ExecKey | None) -> Order | None:
        """Return the order for the first report with a new OrderID. This is an order that this session placed
        or, if there is none, a new order, which another session placed. Return None if the report is
        ignored.
        """
        own_order = self._own_order(report, key)
        if own_order is not None:
            own_order.order_id = report.order_id
            self._index.by_id[own_order.order_id or ""] = own_order
            return own_order
        if report.exec_type in PENDING_TYPES:
            return None
        if key is not None and key <= self._reports.floors.get(key.shard, NO_KEY):
            detail = f"report {key} of order {report.order_id}"
            self._index.record_discrepancy(None, OrderDiscrepancyKind.FORGOTTEN, detail)
            return None
        if not self._index.make_room():
            detail = f"{self._index.max_orders} orders are kept, and none is done"
            self._index.record_discrepancy(None, OrderDiscrepancyKind.TOO_MANY, detail)
            return None
        self._number += 1
        order = Order(self._number, report.symbol, report.side, report.order_id, losses=self._losses)
        # The order may be older than the last loss, so earlier reports about it may be missing.
        order.knowledge = Knowledge(KnowledgeKind.LOSS, self._losses.epoch, self._time)
        self._index.add(order)
        return order

    def _own_order(self, report: Any, key: ExecKey | None) -> Order | None:
        for name in (report.cl_ord_id, report.orig_cl_ord_id):
            for order, order_request in self._index.awaiting_outcome(name or ""):
                same_terms = (order.symbol, order.side) == (report.symbol, report.side)
                if order.order_id is None and same_terms and not order_request.is_after(key):
                    return order
        return None

    # --- answers that are not reports of a change -----------------------------------------------------

    def _take_rejected_order(self, report: Any) -> Order | None:
        """Return the order that a Rejected report ends, after removing the OrderID of its pending report. If
        the report rejects a change or a cancel, that request is answered, and the result is None. For a
        redelivered report, the result is None too. The report may contain the OrderID of another order: the
        one that made the venue refuse this order.
        """
        if self._answers.record_answer(report):
            return None
        waiting = self._index.awaiting_outcome(report.cl_ord_id)
        if waiting:
            with_order_id = [order for order, _ in waiting if order.order_id == report.order_id]
            order = with_order_id[0] if with_order_id else waiting[0][0]
            # A rejected order has no OrderID: the one in its pending report may belong to another order.
            if order.order_id is not None:
                self._index.begin(order)
                del self._index.by_id[order.order_id]
                order.order_id = None
            return order
        for order, request in self._answers.candidates_for_reject(report)[:1]:
            self._index.answer(order, request)
        return None

    def _handle_unknown_outcome(self, report: Any) -> None:
        """Apply an answer stating that the venue does not know the outcome of the request."""
        if self._answers.record_answer(report):
            return
        self.epoch += 1
        waiting = self._index.awaiting_outcome(report.cl_ord_id)
        if waiting:
            # The report answers the newest request whose answer was expected until now.
            with_order_id = [each for each in waiting if each[0].order_id == report.order_id]
            order, order_request = max(
                with_order_id or waiting, key=lambda each: (not each[1].uncertain_since_epoch, each[0].number)
            )
            self._index.begin(order)
            order.leave_unanswered(order_request, self.epoch, self._time)
        else:
            for order, request in self._answers.candidates_for_reject(report)[:1]:
                self._index.begin(order)
                request.leave_unanswered(self.epoch, self._time)

    def _handle_cancel_reject(self, message: OrderCancelReject) -> None:
        """Apply the rejection of a change or cancel. If it leaves the outcome open, the request becomes
        uncertain. If it states that the order has ended, but no report of the end has been received, an order
        with a report becomes UNVERIFIED.
        """
        self._record_time(message)
        if self._answers.record_answer(message):
            return
        candidates = self._answers.candidates_for_reject(message)
        if not candidates and (
            message.cl_ord_id in self._answers.settled_early
            or (not leaves_open(message) and self.unattributed.answer(message.cl_ord_id, *_CHANGES))
        ):
            return
        if not candidates:
            detail = f"OrderCancelReject for {clipped(message.cl_ord_id)}"
            order = self._index.by_id.get(message.order_id or "")
            order = order or self._index.by_cl_ord_id(message.orig_cl_ord_id or "")
            # If the order is done, the answer contains no new information.
            if order is None or not order.is_done:
                self._index.record_discrepancy(order, OrderDiscrepancyKind.UNKNOWN_REQUEST, detail)
            return
        order, request = candidates[0]
        self._index.begin(order)
        if leaves_open(message):
            self.epoch += 1
            request.leave_unanswered(self.epoch, self._time)
            return
        self._index.answer(order, request)
        # The venue no longer has the order, although no report of its end has been received.
        if message.ord_status in ENDED_STATUSES and not order.is_done:
            self.epoch += 1
            order.knowledge = order.knowledge.record_absence(self.epoch, self._time, order.key)

    def _handle_mass_cancel_report(self, message: OrderMassCancelReport) -> None:
        self._record_time(message)
        if not (
            self._answers.record_answer(message)
            or self._mass_cancels.apply_report(message)
            or self.unattributed.answer(message.cl_ord_id, OrderMassCancelRequest)
        ):
            detail = f"OrderMassCancelReport for {clipped(message.cl_ord_id)}"
            self._index.record_discrepancy(None, OrderDiscrepancyKind.UNKNOWN_REQUEST, detail)

    def _handle_reject_received(self, event: RejectReceived) -> None:
        """Apply the reject of a sent request that the venue did not process."""
        self._record_time(event.reject)
        sent: Any = event.sent
        if isinstance(sent, NewOrderSingle):
            for order, order_request in self._index.awaiting_outcome(sent.cl_ord_id)[:1]:
                self._index.begin(order)
                order_request.refused = True
                self._answers.settle_all(order)
        elif isinstance(sent, _CHANGES):
            for order, request in self._find_pending(sent)[:1]:
                self._index.answer(order, request)
        elif isinstance(sent, OrderMassCancelRequest):
            text: Any = getattr(event.reject, "text", None)
            self._mass_cancels.record_refusal(sent.cl_ord_id, clipped(text or event.reject.NAME))
        elif sent is None and getattr(event.reject, "ref_msg_type", None) in _REQUESTS:
            detail = f"{event.reject.NAME} for MsgSeqNum {event.ref_seq_num}"
            self._index.record_discrepancy(None, OrderDiscrepancyKind.UNKNOWN_REQUEST, detail)

    def _handle_outcomes_unknown(self, event: OutcomesUnknown) -> None:
        """Mark the listed requests as uncertain, because they will not be answered. Treat requests that this
        object does not know as if they had been passed to `apply` when they were sent.
        """
        self.epoch += 1
        for request, message in self.unattributed.read(
            event, NewOrderSingle, *_CHANGES, OrderMassCancelRequest
        ):
            if request.msg_type == NewOrderSingle.MSG_TYPE:
                self._handle_unknown_order(request, message)
            elif request.msg_type == OrderMassCancelRequest.MSG_TYPE:
                self._handle_unknown_mass_cancel(request)
            else:
                self._handle_unknown_change(request, message)

    def _handle_unknown_order(self, request: OpenRequest, message: NewOrderSingle | None) -> None:
        """Mark as uncertain a new order whose outcome is unknown. If this object does not know the request,
        use the order that reports have shown, or else add one. If the request could not be decoded either,
        keep it as unattributed, unless reports have shown an order with its ClOrdID.
        """
        order = self._index.unlisted_order(request.request_id)
        reported = None
        if order is None:
            reported = self._index.known_from_reports(request.request_id, self._reports.loaded)
        since = self._time
        if order is None and message is not None:
            if reported is not None and (reported.symbol, reported.side) == (message.symbol, message.side):
                order = reported
                order.placed = self._make_order_request(message, self._reports.loaded)
            else:
                order, since = self._add(message, self._reports.loaded), request.sent_at
        if order is None or order.placed is None:
            if reported is None:
                self.unattributed.keep(request)
            return
        self._index.begin(order)
        order.placed.listed = True
        if order.state is OrderState.SENT:
            order.leave_unanswered(order.placed, self.epoch, since or self._time)
        self._index.index(order)  # the next request in the event may be about this order

    def _handle_unknown_mass_cancel(self, request: OpenRequest) -> None:
        """Mark as uncertain a mass cancel whose outcome is unknown; if necessary, add it first."""
        name, since = request.request_id, self._time
        if self._mass_cancels.find(name) is None:
            # Without a known order, no report could show that the mass cancel was carried out.
            if not self._index.own:
                self.unattributed.keep(request)
                return
            self._mass_cancels.record_sent(name, set(self._index.own), dict(self._reports.loaded))
            since = request.sent_at
        self._mass_cancels.record_loss(self.epoch, since, name)

    def _handle_unknown_change(self, request: OpenRequest, message: _Change | None) -> None:
        """Mark as uncertain a change or cancel whose outcome is unknown. If this object does not know the
        request, add it to its order, unless the order is done or reports show that the request was accepted.
        If the request could not be decoded, or its order is unknown, keep it as unattributed.
        """
        candidates = (
            self._index.requests(request.request_id, request.msg_type)
            if message is None
            else self._find_pending(message)
        )
        unlisted = [each for each in candidates if not each[1].listed]
        if unlisted:
            terms = unlisted[0][1].terms
            order, pending = min(unlisted, key=lambda each: (each[1].terms != terms, not each[1].is_unknown))
            since = self._time
        else:
            named_order = None if message is None else self._order_of(message)
            if message is None or named_order is None:
                self.unattributed.keep(request)
                return
            order, since = named_order, request.sent_at
            if order.is_done:
                self._answers.record_settled_early(message.cl_ord_id)
                return
            pending = self._pending_request(message, self._reports.newest_at_load(order))
            if pending.renames and order.cl_ord_id == pending.cl_ord_id:
                return  # reports already show that the request was accepted
            order.pending.append(pending)
        self._index.begin(order)
        pending.listed = True
        pending.leave_unanswered(self.epoch, since or self._time)
        self._index.index(order)

    # --- session events -------------------------------------------------------------------------------

    def _handle_logon(self, event: LoggedOn) -> None:
        self._record_time(event.logon)
        # On a session type with resends, only a sequence reset loses earlier messages. Without resends,
        # reports may have been lost if this logon follows a session whose end was not applied.
        reports_lost = event.reset if self._session_type.resend else self._logged_on
        if reports_lost:
            self._record_lost_reports()
        self._set_logon(event.flags)
        self._logged_on = True

    def _handle_end(self) -> None:
        self._logged_on = False
        resend = self._session_type.resend
        cancels = self._logon.get("cancel_orders_on_disconnect") is True
        # With resends, the venue reports the cancels after the next logon; until then the orders are
        # uncertain.
        if cancels or not resend:
            self._record_lost_reports(answers=not resend, cancels=cancels)

    def _handle_skipped(self, event: SequenceSkipped) -> None:
        if not event.gap_fill:
            self._record_lost_reports()

    def _handle_message_rejected(self, event: MessageRejected) -> None:
        """Handle a message from the venue that this session rejected and did not deliver."""
        refused = event.message
        if event.will_be_resent or (refused is not None and refused.msg_type not in _REPORTS):
            return
        if isinstance(refused, OrderMassCancelReport):
            self.epoch += 1
            self._mass_cancels.record_loss(self.epoch, self._time, refused.cl_ord_id)
            return
        order_id = getattr(refused, "order_id", None)
        order = self._index.by_id.get(order_id) if order_id else None
        self._record_lost_reports(order)

    def _record_lost_reports(
        self, order: Order | None = None, *, answers: bool = True, cancels: bool = False
    ) -> None:
        """Record that reports about an order, or about all orders, may be missing from now on.

        Args:
            order: the order concerned; None for all orders.
            answers: whether answers to requests may be missing too.
            cancels: whether the venue should have cancelled the orders.
        """
        self.epoch += 1
        loss = Loss(self.epoch, self._time, dict(self._reports.live))
        if order is not None:
            if not order.is_done:
                self._index.begin(order)
                order.record_losses(loss, loss.epoch, loss, loss.epoch)
            return
        self._losses.add(loss, answers=answers, cancels=cancels)
        if answers:
            self._mass_cancels.record_loss(self.epoch, self._time)
        if self._index.live:
            self._index.touched.append(OrderUpdate(None, lost=self._index.live))

    # --- dump and load --------------------------------------------------------------------------------

    def dump(self, *, full: bool = False) -> Iterator[tuple[str, Any]]:
        """Yield the rows that have changed since the last dump, each as its key and its JSON value, for
        `load`. Each changed order has one row, and the row "orders" contains the remaining state. A row
        replaces an earlier one with the same key: `rows.update(orders.dump())`.

        The row "orders" is yielded twice: first as None, and last with its value. Until that value is stored,
        the rows are incomplete and cannot be loaded. Messages may be applied between two rows.

        Args:
            full: yield all rows. Needed to store them elsewhere, or when the rows of an earlier dump were not
                stored. Later dumps contain the changes since this dump, not since an earlier one.

        Raises:
            LocalProtocolError: `load` was called, and its result was not iterated to the end.
        """
        if self._loading:
            self._raise_not_loaded()
        yield _ROW, None
        for slot, row in self._index.dump(full=full):
            yield f"{_ROW}/{slot}", row
        yield _ROW, dump_attributes(self, _State)

    def load(self, rows: Mapping[str, Any]) -> Iterator[list[OrderUpdate]]:
        """Replace the state with the rows of `dump`, written by this process or an earlier one. Rows with
        other keys are ignored.

        Loading takes about 40 ms per 1,000 orders, so this returns an iterator that loads in steps of about
        10 ms. It yields an empty list after each step and the updates at the end. The last step replaces the
        state. Until then, do not change the rows; `apply` and `dump` raise LocalProtocolError.

        The session at the time of the dump counts as ended. On a session type without resends, or if the
        venue cancels orders on disconnect, this makes the open orders uncertain. An update reports the
        uncertain orders, including those that were uncertain when the dump was written.

        Raises:
            ValueError: the rows were not produced by `dump` of this class and version, or some are missing.
                The state is unchanged.
        """
        self._loading = True
        return self._load(rows)

    def _load(self, rows: Mapping[str, Any]) -> Iterator[list[OrderUpdate]]:
        fresh = Orders(
            self._session_type.name,
            product=self._product,
            max_orders=self._index.max_orders,
            max_fills=self._max_fills,
        )
        head = rows.get(_ROW)
        try:
            with loading(head if isinstance(head, Mapping) else {}, _State, "Orders") as state:
                yield from fresh._load_orders(state, rows)
                updates = fresh._load_rest(state)
            for name, value in vars(fresh).items():
                setattr(self, name, value)
        finally:
            self._loading = False
        yield updates

    def _load_orders(self, state: _State, rows: Mapping[str, Any]) -> Iterator[list[OrderUpdate]]:
        self._number, self.epoch, self._time = state._number, state.epoch, state._time
        marks = self._losses.load(state._losses)
        self._set_logon(state._logon)
        load_attributes(self._reports, state._reports)
        load_attributes(self._answers, state._answers)
        prefix = f"{_ROW}/"
        slots = 0
        for count, name in enumerate(rows):
            if not count % _KEYS_PER_STEP:
                yield []
            slots += name.startswith(prefix)
        for _ in self._index.load((rows.get(f"{prefix}{slot}", MISSING_ROW) for slot in range(slots)), marks):
            yield []

    def _load_rest(self, state: _State) -> list[OrderUpdate]:
        load_attributes(self._mass_cancels, state._mass_cancels)
        self.unattributed = state.unattributed
        self._reports.loaded = self._reports.newest()
        if state._logged_on:
            self._handle_end()
        updates = self._take_updates()
        if not updates and any(each.state in UNCERTAIN_STATES for each in self._index.maybe_uncertain()):
            updates.append(OrderUpdate(None, lost=self._index.live))
        return updates


_HANDLERS: Final[Mapping[type, Callable[[Orders, Any], None]]] = {
    MessageReceived: Orders._handle_received,
    ExecutionReport: Orders._handle_report,
    OrderCancelReject: Orders._handle_cancel_reject,
    OrderMassCancelReport: Orders._handle_mass_cancel_report,
    NewOrderSingle: Orders._handle_request,
    OrderCancelReplaceRequest: Orders._handle_request,
    OrderCancelRequest: Orders._handle_request,
    OrderMassCancelRequest: Orders._handle_request,
    DropCopyReport: lambda orders, copied: orders._handle_report(copied.report, copied),
    DropCopyRange: lambda orders, covered: orders._uncertainty.apply_range(covered),
    RejectReceived: Orders._handle_reject_received,
    OutcomesUnknown: Orders._handle_outcomes_unknown,
    LoggedOn: Orders._handle_logon,
    SessionEnded: lambda orders, _: orders._handle_end(),
    MessagesLost: lambda orders, _: orders._record_lost_reports(),
    SequenceSkipped: Orders._handle_skipped,
    MessageRejected: Orders._handle_message_rejected,
    Message: Orders._record_time,
}
"""The method that handles each type accepted by `Orders.apply`."""


def _inherited_handler(cls: type) -> Callable[[Orders, Any], None] | None:
    return next((_HANDLERS[each] for each in cls.__mro__ if each in _HANDLERS), None)


def _record_account(order: Order, account: Account | None, key: ExecKey) -> None:
    """Set the account of an order from a report, unless a newer report contains one."""
    if account is None:
        return
    stated = order.reported_account
    # Two sessions may receive reports with the same key and different accounts. Comparing the accounts too
    # makes the result independent of which report arrives first.
    if stated is None or (key, *_account_sort_key(account)) > (stated[0], *_account_sort_key(stated[1])):
        order.reported_account = key, account


def _account_sort_key(account: Account) -> tuple[int, str]:
    return account.subaccount, account.customer or ""


def _revives(last: ReportFacts, end: ReportFacts) -> bool:
    return last.key > end.key != NO_KEY and not last.ends and last.leaves_qty > ZERO
