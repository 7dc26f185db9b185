"""Orders kept from requests, reports and what becomes of the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

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
from kalshi_fix_sansio.base import Message, values_of
from kalshi_fix_sansio.events import (
    LoggedOn,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.trading.amounts import ZERO, add, from_cents, multiply_add
from kalshi_fix_sansio.trading.doubts import Remedy
from kalshi_fix_sansio.trading.dumping import (
    UNREADABLE,
    VERSION,
    check_version,
    dump_time,
    load_key,
    load_time,
)
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.mass_cancels import MassCancel, MassCancels, MassCancelState
from kalshi_fix_sansio.trading.order import (
    NO_KEY,
    Order,
    OrderDiscrepancyKind,
    OrderState,
    OrderUpdate,
    PendingRequest,
    Placed,
    Said,
    orders_table,
)
from kalshi_fix_sansio.trading.order_doubts import Copied, Covered, DoubtKind, OrderDoubt
from kalshi_fix_sansio.trading.order_dump import dump_order, load_order
from kalshi_fix_sansio.trading.order_index import OrderIndex
from kalshi_fix_sansio.trading.order_making import (
    OrderRequestError,
    check_cap,
    check_free,
    check_live,
    repeated,
    total,
    wire_price,
)
from kalshi_fix_sansio.trading.order_reports import (
    CHANGES,
    GONE,
    PENDING,
    identity,
    leaves_open,
    missing_field,
    read_account,
    read_fill,
    read_said,
    too_long,
)
from kalshi_fix_sansio.trading.received import clipped, remember, sending_time

MAX_SHARDS: Final = 64
"""Shards whose newest report is remembered."""
MAX_ANSWERS: Final = 10_000
"""Answers without ExecID that are known again when they come twice, and requests that an end overtook."""
NO_SHARD: Final = -1
MARGIN: Final = "margin"
_CHANGES: Final = (OrderCancelReplaceRequest, OrderCancelRequest)
_REQUESTS: Final = frozenset(("D", "F", "G", "q"))
_REPORTS: Final = frozenset(("8", "9", "3", "j", "r"))
_REJECTED: Final = ExecType.REJECTED
_TRADE: Final = ExecType.TRADE
_WORKING: Final = frozenset((OrderState.OPEN, OrderState.UNVERIFIED))
_read_key: Final = ExecKey.parse
_Change = OrderCancelReplaceRequest | OrderCancelRequest


class Orders:
    """The orders of one session, over any number of its connections: KalshiNR or KalshiRT, or a listener.

    Give `apply` each request just before it is sent, every event of the session, and what drop copy returns.
    An order's state follows from the set of what has come and not from its order, fills are counted once, and
    what is not known stays unknown until something tells it. Nothing that the venue sends raises.
    """

    __slots__ = (
        "_answers",
        "_dollars",
        "_kept",
        "_last_cut",
        "_logon",
        "_mass_cancels",
        "_max_fills",
        "_newest",
        "_number",
        "_on",
        "_overtaken",
        "_product",
        "_session_type",
        "_shards",
        "_time",
        "moment",
    )

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
            session_type: name of the session type, which says whether missed reports are sent again.
            product: on margin, prices are in dollars whatever the Logon says.
            logon: what the session logs on with; needed only before the first LoggedOn, which tells it.
                Default: UseDollars.
            max_orders: orders that are kept, about 3 KB each without fills. One more takes the place of the
                one that was done first; where none is done, one that the venue tells of is not kept.
            max_fills: fills of one order that are kept and counted, about 1 KB each.
        """
        self._session_type = SESSION_TYPES[session_type]
        self._product = product
        given: Any = {"use_dollars": True} if logon is None else logon
        self._set_logon(values_of(given) if isinstance(given, LogonFields) else given)
        self._max_fills = max_fills
        self._kept = OrderIndex(max_orders)
        self._mass_cancels = MassCancels()
        self.moment: int = 1
        """Grows with each thing that leaves something in doubt. Note it when drop copy is asked, for
        `Covered.moment`."""
        self._on = False
        self._last_cut = 1
        """The moment since which reports may be missing about any order."""
        self._number = 0
        self._time: datetime | None = None
        self._newest: dict[int, ExecKey] = {}
        self._shards: dict[str, int] = {}
        """By symbol: the shard that its reports come from."""
        self._answers: dict[str, None] = {}
        """Hashes of answers without ExecID, the oldest first."""
        self._overtaken: dict[str, None] = {}
        """ClOrdIDs of changes and cancels of orders that ended before their answer, the oldest first: a
        refusal of them says nothing new, and may name nothing that is known."""

    def _set_logon(self, logon: Mapping[str, Any]) -> None:
        self._logon = dict(logon)
        self._dollars = self._product == MARGIN or self._logon.get("use_dollars") is True

    # --- to be asked ----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Order]:
        return iter(self._kept.orders.values())

    def _repr_html_(self) -> str:
        live = list(self.live())
        return orders_table(f"{len(live)} order{'' if len(live) == 1 else 's'} not done", live)

    def __len__(self) -> int:
        return len(self._kept.orders)

    def by_order_id(self, order_id: str) -> Order | None:
        """Return the order with this OrderID (37), if it is known."""
        return self._kept.by_id.get(order_id)

    def by_cl_ord_id(self, cl_ord_id: str) -> Order | None:
        """Return the order that has this ClOrdID (11) now, that was placed with it, or that a pending request
        of this id is about. Of several the newest, but one that is not done before one that is."""
        return self._kept.named(cl_ord_id)

    def live(self, symbol: str | None = None, side: Side | None = None) -> list[Order]:
        """Return the orders that are not done, in any state, the oldest first."""
        return self._kept.live_ones(symbol, side)

    def working(self, symbol: str | None = None, side: Side | None = None) -> list[Order]:
        """Return the orders that rest with the venue, as far as is known: OPEN and UNVERIFIED ones."""
        return [order for order in self.live(symbol, side) if order.state in _WORKING]

    @property
    def mass_cancels(self) -> list[MassCancel]:
        """The cancels of all orders that are not over, the oldest first."""
        return list(self._mass_cancels.open)

    def doubts(self) -> list[OrderDoubt]:
        """Return what is not known, and will not be told by itself."""
        found: list[OrderDoubt] = []
        for number in sorted(self._kept.unsettled):
            order = self._kept.unsettled[number]
            state = order.state
            if state is OrderState.UNKNOWN and order.placed is not None:
                begin = self._newest_before(order)
                found.append(_doubt(DoubtKind.ORDER_UNKNOWN, order, order.placed.since, begin))
            elif state is OrderState.UNVERIFIED:
                begin = order.hole or order.first_key
                found.append(_doubt(DoubtKind.ORDER_UNVERIFIED, order, order.since, begin))
            if order.unseen:
                found.append(_doubt(DoubtKind.FILLS_UNSEEN, order, None, order.first_key))
            found.extend(
                _doubt(DoubtKind.REQUEST_UNKNOWN, order, request.since, request.after, request)
                for request in order.pending
                if request.is_unknown
            )
        found.extend(
            OrderDoubt(
                kind=DoubtKind.MASS_CANCEL_UNKNOWN,
                what=DoubtKind.MASS_CANCEL_UNKNOWN.value,
                about=f"mass cancel {each.cl_ord_id}",
                since=each.since,
                remedies=(Remedy.DROP_COPY, Remedy.REST),
                mass_cancel=each,
                begin=min(filter(None, each.waiting.values()), default=None),
            )
            for each in self._mass_cancels.open
            if each.is_unknown
        )
        return found

    @property
    def newest(self) -> Mapping[int, ExecKey]:
        """By shard, the newest report that came by itself, not by drop copy."""
        return dict(self._newest)

    def copy_from(
        self,
        forgotten: Mapping[int, ExecKey] = {},
    ) -> Mapping[int, ExecKey]:
        """Return by shard where drop copy must begin (EventResendRequest, BeginExecID) to settle what is in
        doubt. Doubts of which that is not known are left out.

        Args:
            forgotten: by shard, a key that drop copy no longer has: doubts that need it, or older ones, are
                left out as well.
        """
        found: dict[int, ExecKey] = {}
        for doubt in self.doubts():
            waiting = () if doubt.mass_cancel is None else doubt.mass_cancel.waiting.values()
            for key in (doubt.begin, *waiting):
                if key is not None and key > forgotten.get(key.shard, NO_KEY):
                    found[key.shard] = min(key, found.get(key.shard, key))
        return found

    @property
    def dollars(self) -> bool:
        """Whether prices of the session are in dollars, not in cents."""
        return self._dollars

    # --- to be sent -----------------------------------------------------------------------------------

    def new(
        self,
        cl_ord_id: str,
        symbol: str,
        side: Side,
        quantity: Decimal | int | str,
        price: Decimal | int | str,
        **fields: Any,
    ) -> NewOrderSingle:
        """Return a new order, with its price in dollars; `fields` are further ones of NewOrderSingle.

        Raises:
            OrderRequestError: an order with this ClOrdID is not done. One whose outcome is unknown is no
                obstacle: the venue takes it again, or says that it has it.
        """
        check_free(cl_ord_id, self.by_cl_ord_id(cl_ord_id))
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
        remaining: Decimal | int | str | None = None,
        time_in_force: TimeInForce | None = None,
        expire_time: datetime | None = None,
    ) -> OrderCancelReplaceRequest:
        """Return a change of an order.

        Args:
            order: which one.
            cl_ord_id: the id of the request, which the order has once it is done.
            price: the new one in dollars; None leaves it.
            remaining: how many contracts are to be open from then on; None leaves it. What is known to be
                filled is added for OrderQty (38). What fills meanwhile is taken off by the venue.
            time_in_force: the new expiry; None leaves it.
            expire_time: for GOOD_TILL_DATE.

        Raises:
            OrderRequestError: the order is done, or may not be changed now.
        """
        check_live(order)
        if self.reserves_cap:
            check_cap(order)
        return OrderCancelReplaceRequest(
            order_qty=total(order, remaining),
            price=None if price is None else wire_price(price, dollars=self._dollars),
            time_in_force=time_in_force,
            expire_time=expire_time,
            **repeated(order, cl_ord_id),
        )

    def cancel(self, order: Order, cl_ord_id: str) -> OrderCancelRequest:
        """Return a cancel of an order, with a ClOrdID of its own.

        Raises:
            OrderRequestError: the order is done.
        """
        check_live(order)
        return OrderCancelRequest(**repeated(order, cl_ord_id))

    def cancel_all(self, cl_ord_id: str) -> OrderMassCancelRequest:
        """Return a cancel of all orders of the session, as KalshiNR takes it at most once a second.

        Raises:
            OrderRequestError: another one has no answer yet.
        """
        for other in self._mass_cancels.open:
            if other.state is MassCancelState.SENT:
                raise OrderRequestError(f"mass cancel {other.cl_ord_id} has no answer yet")
        return OrderMassCancelRequest(cl_ord_id=cl_ord_id)

    @property
    def reserves_cap(self) -> bool:
        """Whether the session logged on with UseCapReservation."""
        return self._logon.get("use_cap_reservation") is True

    def withdraw(self, request: Message) -> list[OrderUpdate]:
        """Take back a request that `send` has refused, so that nothing of it left.

        One that may have left in part is not to be taken back: it is unknown once the session has ended.
        """
        asked: Any = request
        if isinstance(request, NewOrderSingle):
            waiting = [order for order, _ in self._kept.unlinked(asked.cl_ord_id)]
            # One of this ClOrdID that is unknown stays so.
            sent = [order for order in waiting if order.state is OrderState.SENT]
            if sent:
                self._kept.drop(max(sent, key=lambda order: order.number))
        elif isinstance(request, _CHANGES):
            found = self._kept.requests(asked.cl_ord_id, request.MSG_TYPE)
            pending = [each for each in found if not each[1].is_unknown]
            if pending:
                self._kept.answer(*pending[-1])
        elif isinstance(request, OrderMassCancelRequest):
            self._mass_cancels.withdraw(request.cl_ord_id)
        return self._told()

    # --- what happened --------------------------------------------------------------------------------

    def apply(self, happened: object) -> list[OrderUpdate]:
        """Take a request that is about to be sent, an event of the session or client, a message received, or
        what drop copy gives: `Copied` and `Covered`.

        Returns what it did, one update for each order. Any other event or message does nothing.
        """
        take = _TAKEN.get(type(happened)) or _inherited(type(happened))
        if take is not None:
            take(self, happened)
        return self._told()

    def resolve(self, order: Order, *, is_open: bool) -> list[OrderUpdate]:
        """Take what the user has found out about an order elsewhere, such as by REST: whether it is open.

        Its doubts go, and those about its changes and cancels. What the venue tells later counts all the
        same.
        """
        self._kept.begin(order)
        order.closed = not is_open
        order.found = is_open
        order.cut = order.denied = 0
        order.hole = None
        for request in list(order.pending):
            if request.is_unknown or not is_open:
                self._kept.answer(order, request)
        if is_open:
            self._mass_cancels.is_open(order.number)
        return self._told()

    def _told(self) -> list[OrderUpdate]:
        """Return what was done, and end it."""
        told = self._kept.told()
        if self._mass_cancels.open:
            for update in told:
                if update.order is not None and (update.forgotten or update.order.is_done):
                    self._mass_cancels.ended(update.order.number)
            told += [OrderUpdate(None, mass_cancel=each) for each in self._mass_cancels.told()]
        return told

    def _take_received(self, event: MessageReceived) -> None:
        message = event.message
        if isinstance(message, ExecutionReport):
            self._take_report(message)
        elif isinstance(message, OrderCancelReject):
            self._take_cancel_reject(message)
        elif isinstance(message, OrderMassCancelReport):
            self._take_mass_cancel_report(message)

    def _take_copied(self, copied: Copied) -> None:
        self._take_report(copied.report, copied)

    def _note_time(self, message: Message) -> None:
        self._time = sending_time(message) or self._time

    # --- requests -------------------------------------------------------------------------------------

    def _place(self, message: NewOrderSingle) -> None:
        self._note_time(message)
        if _is_repeated(message):
            return
        self._number += 1
        placed = Placed(
            self._number,
            message.cl_ord_id,
            self._price(message.price),
            message.order_qty,
            read_account(message),
            message.ex_destination,
            tuple(self._newest.values()),
        )
        order = Order(self._number, message.symbol, message.side, placed.account, None, placed)
        # An order of one's own is kept whatever the bound: it is the user who makes them.
        self._kept.make_room()
        self._kept.add(order)

    def _ask(self, message: _Change) -> None:
        self._note_time(message)
        if _is_repeated(message):
            return
        changes = isinstance(message, OrderCancelReplaceRequest)
        order = self._kept.by_id.get(message.order_id or "") or self.by_cl_ord_id(message.orig_cl_ord_id)
        if order is None:
            detail = f"{message.MSG_TYPE} {message.cl_ord_id} names {message.orig_cl_ord_id}"
            self._kept.note(None, OrderDiscrepancyKind.UNKNOWN_REQUEST, detail)
            return
        if order.is_done:  # nothing can come of it
            remember(self._overtaken, message.cl_ord_id, None, MAX_ANSWERS)
            return
        self._kept.begin(order)
        fields: Any = message
        order.pending.append(
            PendingRequest(
                message.MSG_TYPE,
                message.cl_ord_id,
                message.orig_cl_ord_id,
                None if not changes or fields.price is None else self._price(fields.price),
                fields.order_qty if changes else None,
                self._newest.get(NO_SHARD if (shard := self._shard(order)) is None else shard, order.key),
            )
        )

    def _ask_mass_cancel(self, message: OrderMassCancelRequest) -> None:
        self._note_time(message)
        if not _is_repeated(message):
            self._mass_cancels.send(message.cl_ord_id, self._keys_of_own())

    def _keys_of_own(self) -> dict[int, ExecKey | None]:
        """Return the numbers of this side's orders that are not done, with the newest key of their shard."""
        found: dict[int, ExecKey | None] = {}
        for order in self.live():
            if order.placed is not None:
                shard = self._shard(order)
                found[order.number] = order.key if shard is None else self._newest.get(shard, order.key)
        return found

    def _newest_before(self, order: Order) -> ExecKey | None:
        """Return the newest key of the order's shard from before it was sent."""
        shard = self._shard(order)
        after = () if order.placed is None else order.placed.after
        return next((key for key in after if key.shard == shard), None)

    def _price(self, price: Decimal) -> Decimal:
        return price if self._dollars else from_cents(price)

    # --- reports --------------------------------------------------------------------------------------

    def _take_report(self, message: ExecutionReport, copied: Copied | None = None) -> None:
        report: Any = message  # a field that could not be read is None, whatever its type says
        header = report.header
        if header is not None:
            self._time = header.sending_time or self._time
        missing = missing_field(report)
        if missing is not None:
            about = self._kept.by_id.get(report.order_id or "")
            self._kept.note(about, OrderDiscrepancyKind.UNREADABLE, f"a report without {missing}")
            # Nobody can say what it was: an order that it may have been about is in doubt.
            if report.exec_type not in PENDING:
                self._cut(None if about is None else [about])
            return
        kept = self._kept
        order = kept.by_id.get(report.order_id)
        names = (report.cl_ord_id,)
        if order is None or order.indexed != names or order.symbol != report.symbol or report.orig_cl_ord_id:
            # Most name a known order as it is known, which is no longer than what is kept.
            long = too_long(report)
            if long is not None:
                kept.note(None, OrderDiscrepancyKind.TOO_MANY, f"{long} of a report is too long")
                return
        kind = report.exec_type
        if kind == _REJECTED and leaves_open(report):
            self._leave_open(report)
            return
        key, malformed = None, ""
        try:
            key = _read_key(report.exec_id or "")
        except ValueError as error:
            malformed = str(error)
        if kind == _REJECTED:
            order = self._find_rejected(report)
        elif order is None:
            order = self._find(report, key)
        if order is None:
            return
        update = kept.begin(order)
        if malformed:
            kept.note(order, OrderDiscrepancyKind.BAD_EXEC_ID, malformed)
        if kind in PENDING:
            return
        told = report.cum_qty
        if told > order.told:
            order.told = told
        said = read_said(report, key)
        if said.ends and (order.end is None or said > order.end):
            order.end = said
        if key is not None:
            dollars = self._dollars if copied is None else copied.dollars
            price = report.price
            if price is not None and not dollars:
                price = from_cents(price)
            self._take_key(order, said, key, price, copied is None)
            if kind == _TRADE:
                self._take_fill(order, update, report, key, dollars)
        if report.symbol != order.symbol or report.side != order.side:
            detail = f"{report.symbol} side {report.side} in {order.order_id}"
            kept.note(order, OrderDiscrepancyKind.TERMS, detail)
        if order.end is not None and order.last is not None and _revives(order.last, order.end):
            kept.note(order, OrderDiscrepancyKind.REVIVED, f"report {order.last.key}")
        if (
            order.indexed == names
            and not order.pending
            and not report.orig_cl_ord_id
            and len(kept.names[names[0]]) == 1
        ):
            # Most orders have one ClOrdID, which no other has, and nothing is asked of them: a twentieth of
            # what following takes is saved.
            return
        if key is not None or order.end is not None:
            self._take_answers(order, report)
        kept.rematch(order)

    def _take_key(self, order: Order, said: Said, key: ExecKey, price: Decimal | None, live: bool) -> None:
        last, shard = order.last, key.shard
        if last is None or key > last.key:
            order.last = said
            if price is not None:
                order.limit = key, price
            if last is None:
                order.first_key = key
            if last is None or last.key.shard != shard:
                self._take_shard(order.symbol, shard)
            # Only something new can contradict what the user has found out.
            if order.closed and live and not said.ends:
                order.closed = False
        else:
            order.last = max(last, said)
            order.first_key = key if order.first_key is None else min(key, order.first_key)
            if price is not None and (order.limit is None or order.limit[0] <= key):
                order.limit = key, price
        if live:
            order.seen_live = True
            if order.cut and (order.live_key is None or key > order.live_key):
                order.live_key = key
            newest = self._newest
            if key > newest.get(shard, NO_KEY) and (shard in newest or len(newest) < MAX_SHARDS):
                newest[shard] = key

    def _take_shard(self, symbol: str, shard: int) -> None:
        if symbol in self._shards or len(self._shards) < self._kept.max_orders:
            self._shards[symbol] = shard

    def _take_fill(self, order: Order, update: OrderUpdate, report: Any, key: ExecKey, dollars: bool) -> None:
        price, quantity = report.last_px, report.last_qty
        if price is None or quantity is None or quantity <= ZERO:
            detail = f"trade {key} has no LastPx or no LastQty"
            self._kept.note(order, OrderDiscrepancyKind.UNREADABLE, detail)
            return
        if not dollars:
            price = from_cents(price)
        fills = order.fills
        known = fills.get(key)
        if known is not None:
            if known.price != price or known.quantity != quantity:
                detail = f"trade {key} of {known.quantity:f} and of {quantity:f}"
                self._kept.note(order, OrderDiscrepancyKind.CONFLICT, detail)
            return
        if len(fills) >= self._max_fills:
            self._kept.note(order, OrderDiscrepancyKind.TOO_MANY, f"{self._max_fills} fills are kept")
            return
        fill = fills[key] = read_fill(report, key, price, quantity)
        order.filled = add(order.filled, quantity)
        order.value = multiply_add(price, quantity, order.value)
        order.fees = add(order.fees, fill.fee)
        update.fills.append(fill)
        if order.filled > order.told:
            detail = f"{order.filled:f} in fills, CumQty is {order.told:f}"
            self._kept.note(order, OrderDiscrepancyKind.OVERFILLED, detail)

    def _take_answers(self, order: Order, report: Any) -> None:
        """Settle the requests that a report shows to have been dealt with."""
        if order.is_done:
            for request in list(order.pending):
                self._kept.answer(order, request)
                remember(self._overtaken, request.cl_ord_id, None, MAX_ANSWERS)
            return
        settles = report.exec_type in CHANGES
        for name in (report.cl_ord_id, report.orig_cl_ord_id):
            if not name:
                continue
            for holder, request in self._kept.requests(name):
                # A request may have the id that the order had before, of which its fills say nothing.
                if settles or request.cl_ord_id != request.orig_cl_ord_id:
                    self._settle_chain(holder, request)

    def _settle_chain(self, order: Order, request: PendingRequest) -> None:
        """A change that was done shows that those were which it was built upon."""
        done: PendingRequest | None = request
        while done is not None:
            self._kept.answer(order, done)
            before = done.orig_cl_ord_id
            done = next((each for each in order.pending if each.cl_ord_id == before), None)

    def _find(self, report: Any, key: ExecKey | None) -> Order | None:
        """Return the order of a report that is the first to tell its OrderID: one of this side's, or a new
        one that another session placed."""
        mine = self._mine(report)
        if mine is not None:
            mine.order_id = report.order_id
            self._kept.by_id[mine.order_id or ""] = mine
            return mine
        if report.exec_type in PENDING:
            return None
        if key is not None and key <= self._kept.floors.get(key.shard, NO_KEY):
            detail = f"report {key} of order {report.order_id}"
            self._kept.note(None, OrderDiscrepancyKind.FORGOTTEN, detail)
            return None
        if not self._kept.make_room():
            detail = f"{self._kept.max_orders} orders are kept, and none is done"
            self._kept.note(None, OrderDiscrepancyKind.TOO_MANY, detail)
            return None
        self._number += 1
        order = Order(self._number, report.symbol, report.side, read_account(report), report.order_id)
        # Until something else comes of it, it is as old as the last cut.
        order.cut, order.since = self._last_cut, self._time
        self._kept.add(order)
        return order

    def _mine(self, report: Any) -> Order | None:
        for name in (report.cl_ord_id, report.orig_cl_ord_id):
            for order, _ in self._kept.unlinked(name or ""):
                if order.order_id is None and (order.symbol, order.side) == (report.symbol, report.side):
                    return order
        return None

    # --- answers that are no news of an order ---------------------------------------------------------

    def _find_rejected(self, report: Any) -> Order | None:
        """Return the order that a Rejected report ends. It may name the OrderID of another one, which stands
        in its way; and it may refuse a change or a cancel."""
        if self._is_repeated_answer(report):
            return None
        waiting = self._kept.unlinked(report.cl_ord_id)
        if waiting:
            named = [order for order, _ in waiting if order.order_id == report.order_id]
            order = named[0] if named else waiting[0][0]
            # A pending report has told an OrderID. What was rejected has none: the one that it names may be
            # of another order.
            if order.order_id is not None:
                self._kept.begin(order)
                del self._kept.by_id[order.order_id]
                order.order_id = None
            return order
        for order, request in self._kept.requests(report.cl_ord_id)[:1]:
            self._kept.answer(order, request)
        return None

    def _leave_open(self, report: Any) -> None:
        """The venue does not know what became of a request."""
        if self._is_repeated_answer(report):
            return
        self.moment += 1
        waiting = self._kept.unlinked(report.cl_ord_id)
        if waiting:
            # The newest that was sent and has no answer: it is what has just been answered.
            named = [each for each in waiting if each[0].order_id == report.order_id]
            order, placed = max(named or waiting, key=lambda each: (not each[1].unsure, each[0].number))
            self._kept.begin(order)
            self._make_unknown(order, placed)
            placed.unsure = True
        else:
            for order, request in self._kept.requests(report.cl_ord_id)[:1]:
                self._kept.begin(order)
                self._make_request_unknown(request)

    def _take_cancel_reject(self, message: OrderCancelReject) -> None:
        self._note_time(message)
        if self._is_repeated_answer(message):
            return
        found = self._kept.requests(message.cl_ord_id or "")
        if not found and message.cl_ord_id in self._overtaken:
            return
        if not found:
            detail = f"OrderCancelReject for {clipped(message.cl_ord_id)}"
            order = self._kept.by_id.get(message.order_id or "")
            order = order or self._kept.named(message.orig_cl_ord_id or "")
            # The answer to a request about an order that is done says nothing new.
            if order is None or not order.is_done:
                self._kept.note(order, OrderDiscrepancyKind.UNKNOWN_REQUEST, detail)
            return
        order, request = found[0]
        self._kept.begin(order)
        if leaves_open(message):
            self.moment += 1
            self._make_request_unknown(request)
            return
        self._kept.answer(order, request)
        # The venue has no such order any more, whatever the reports say that have come.
        if message.ord_status in GONE and not order.is_done:
            self.moment += 1
            order.denied = self.moment
            order.hole = order.hole or order.key
            order.since = order.since or self._time

    def _take_mass_cancel_report(self, message: OrderMassCancelReport) -> None:
        self._note_time(message)
        if not self._is_repeated_answer(message) and not self._mass_cancels.answer(message):
            detail = f"OrderMassCancelReport for {clipped(message.cl_ord_id)}"
            self._kept.note(None, OrderDiscrepancyKind.UNKNOWN_REQUEST, detail)

    def _take_reject(self, event: RejectReceived) -> None:
        self._note_time(event.reject)
        sent: Any = event.sent
        if isinstance(sent, NewOrderSingle):
            for order, placed in self._kept.unlinked(sent.cl_ord_id)[:1]:
                self._kept.begin(order)
                placed.refused = True
        elif isinstance(sent, _CHANGES):
            for order, request in self._kept.requests(sent.cl_ord_id, sent.MSG_TYPE)[:1]:
                self._kept.answer(order, request)
        elif isinstance(sent, OrderMassCancelRequest):
            text: Any = getattr(event.reject, "text", None)
            self._mass_cancels.refuse(sent.cl_ord_id, clipped(text or event.reject.NAME))
        elif sent is None and getattr(event.reject, "ref_msg_type", None) in _REQUESTS:
            detail = f"{event.reject.NAME} of number {event.ref_seq_num}"
            self._kept.note(None, OrderDiscrepancyKind.UNKNOWN_REQUEST, detail)

    def _doubt(self, event: OutcomesUnknown) -> None:
        """The session says that these requests will have no answer."""
        self.moment += 1
        for request in event.requests:
            name, msg_type = request.request_id, request.msg_type
            if msg_type == NewOrderSingle.MSG_TYPE:
                waiting = [each for each in self._kept.unlinked(name) if each[0].state is OrderState.SENT]
                for order, placed in waiting[:1]:
                    self._kept.begin(order)
                    self._make_unknown(order, placed)
            elif msg_type == OrderMassCancelRequest.MSG_TYPE:
                self._mass_cancels.lose(self.moment, self._time, name)
            else:
                for order, pending in self._kept.requests(name, msg_type)[:1]:
                    self._kept.begin(order)
                    self._make_request_unknown(pending)

    def _make_unknown(self, order: Order, placed: Placed) -> None:
        if not placed.unknown:
            placed.unknown, placed.since = self.moment, self._time
        # What drop copy finds of it says nothing of what came after.
        order.cut, order.cut_key, order.live_key = self.moment, None, None
        order.hole = self._newest_before(order)
        order.since, order.found = order.since or self._time, False

    def _make_request_unknown(self, request: PendingRequest) -> None:
        if not request.unknown:
            request.unknown, request.since = self.moment, self._time

    def _is_repeated_answer(self, message: Message) -> bool:
        """Say whether an answer without ExecID of its own has come before."""
        known = identity(message)
        if known in self._answers:
            return True
        remember(self._answers, known, None, MAX_ANSWERS)
        return False

    # --- what becomes of the session ------------------------------------------------------------------

    def _take_logon(self, event: LoggedOn) -> None:
        self._note_time(event.logon)
        # On a session with resend, a reset loses what was sent before it; otherwise the end was not told.
        if event.reset if self._session_type.resend else self._on:
            self._cut()
        self._set_logon(event.flags)
        self._on = True

    def _take_end(self) -> None:
        self._on = False
        if not self._session_type.resend:
            self._cut()
        if self._logon.get("cancel_orders_on_disconnect") is not True:
            return
        if self._session_type.resend:
            # What became of them is reported at the next logon, but is not as it was.
            self._cut(requests=False)
        for order in self.live():
            order.presumed = order.seen_live or order.placed is not None

    def _take_skipped(self, event: SequenceSkipped) -> None:
        if not event.gap_fill:
            self._cut()

    def _take_refused(self, event: MessageRejected) -> None:
        """This side has refused a message, and did not deliver it."""
        refused = event.message
        if event.comes_again:
            return
        if refused is not None and refused.msg_type not in _REPORTS:
            return
        if isinstance(refused, OrderMassCancelReport):
            self.moment += 1
            self._mass_cancels.lose(self.moment, self._time, refused.cl_ord_id)
            return
        order_id = getattr(refused, "order_id", None)
        order = self._kept.by_id.get(order_id) if order_id else None
        self._cut(None if order is None else [order])

    def _cut(self, orders: list[Order] | None = None, *, requests: bool = True) -> None:
        """Reports may be missing from here on: about these orders, or about any."""
        self.moment += 1
        if orders is None:
            self._last_cut = self.moment
            if requests:
                self._mass_cancels.lose(self.moment, self._time)
        for order in self.live() if orders is None else orders:
            if order.is_done:
                continue
            before, doubted = order.state, sum(request.is_unknown for request in order.pending)
            if order.last is not None:
                if not order.in_doubt:
                    order.since, order.presumed = self._time, False
                    order.hole = self._newest.get(order.last.key.shard, order.last.key)
                order.cut, order.cut_key, order.live_key = self.moment, order.last.key, None
            elif requests and order.placed is not None:
                self._make_unknown(order, order.placed)
            if requests:
                for request in order.pending:
                    self._make_request_unknown(request)
            if order.state is not before or doubted < sum(request.is_unknown for request in order.pending):
                self._kept.begin(order)

    def _take_covered(self, covered: Covered) -> None:
        # A range with an end of its own says nothing of what came after it.
        if covered.end is not None:
            return
        for order in self.live():
            if self._shard(order) == covered.shard:
                self._cover(order, covered)
                if order.state is OrderState.OPEN:
                    self._mass_cancels.is_open(order.number, covered.begin, covered.moment)

    def _cover(self, order: Order, covered: Covered) -> None:
        """Take that drop copy has told all about an order, from before it came into doubt."""
        before = order.state
        arrived = [
            request
            for request in order.pending
            if 0 < request.unknown <= covered.moment and _covers(covered, request.after)
        ]
        if order.last is None:
            placed = order.placed
            if placed is not None and 0 < placed.unknown <= covered.moment:
                placed.missing = _covers(covered, self._newest_before(order))
        elif max(order.cut, order.denied) <= covered.moment and _covers(
            covered, order.hole or order.first_key
        ):
            order.cut = order.denied = 0
            order.hole = None
        if arrived or order.state is not before:
            self._kept.begin(order)
            for request in arrived:
                self._kept.answer(order, request)

    def _shard(self, order: Order) -> int | None:
        shard = order.shard
        return self._shards.get(order.symbol) if shard is None else shard

    # --- to be kept by the user -----------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return everything that is known, as values that JSON has; `load` takes it."""
        return {
            "version": VERSION,
            "moment": self.moment,
            "last_cut": self._last_cut,
            "number": self._number,
            "on": self._on,
            "time": dump_time(self._time),
            "logon": {name: value for name, value in self._logon.items() if isinstance(value, bool)},
            "newest": [str(key) for key in self._newest.values()],
            "floors": [str(key) for key in self._kept.floors.values()],
            "shards": dict(self._shards),
            "answers": list(self._answers),
            "overtaken": list(self._overtaken),
            "orders": [dump_order(order) for order in self._kept.orders.values()],
            "done": list(self._kept.done),
            "mass_cancels": self._mass_cancels.dump(),
        }

    def load(self, dumped: Mapping[str, Any]) -> list[OrderUpdate]:
        """Take the place of what is known by what `dump` gave, in the process of before or in this one.

        The session of before has ended: on a session type without resend, and wherever orders are cancelled
        then, what was open is in doubt, which the updates say.

        Raises:
            ValueError: it was given by another version, or not by `dump`; then nothing has changed.
        """
        check_version(dumped, "orders")
        fresh = Orders(
            self._session_type.name,
            product=self._product,
            max_orders=self._kept.max_orders,
            max_fills=self._max_fills,
        )
        try:
            told = fresh._load(dumped)
        except UNREADABLE as error:
            raise ValueError(f"this was not given by Orders.dump: {error!r}") from error
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))
        return told

    def _load(self, dumped: Mapping[str, Any]) -> list[OrderUpdate]:
        self._number, self.moment = int(dumped["number"]), int(dumped["moment"])
        self._last_cut = int(dumped["last_cut"])
        self._time = load_time(dumped["time"])
        self._set_logon(dumped["logon"])
        self._newest = {key.shard: key for key in map(load_key, dumped["newest"])}
        self._kept.floors = {key.shard: key for key in map(load_key, dumped["floors"])}
        self._shards = {str(symbol): int(shard) for symbol, shard in dumped["shards"].items()}
        self._answers = {str(each): None for each in dumped["answers"]}
        self._overtaken = {str(each): None for each in dumped["overtaken"]}
        for order in map(load_order, dumped["orders"]):
            self._kept.orders[order.number] = order
            if order.order_id is not None:
                self._kept.by_id[order.order_id] = order
            self._kept.index(order)
        # They were done in another order than that in which they were placed.
        for number in map(int, dumped["done"]):
            if number in self._kept.done:
                self._kept.done.move_to_end(number)
        self._mass_cancels.load(dumped["mass_cancels"])
        if bool(dumped["on"]):
            self._take_end()
        return self._told()


_TAKEN: Final[Mapping[type, Callable[[Orders, Any], None]]] = {
    MessageReceived: Orders._take_received,
    ExecutionReport: Orders._take_report,
    OrderCancelReject: Orders._take_cancel_reject,
    OrderMassCancelReport: Orders._take_mass_cancel_report,
    NewOrderSingle: Orders._place,
    OrderCancelReplaceRequest: Orders._ask,
    OrderCancelRequest: Orders._ask,
    OrderMassCancelRequest: Orders._ask_mass_cancel,
    Copied: Orders._take_copied,
    Covered: Orders._take_covered,
    RejectReceived: Orders._take_reject,
    OutcomesUnknown: Orders._doubt,
    LoggedOn: Orders._take_logon,
    SessionEnded: lambda orders, _: orders._take_end(),
    MessagesLost: lambda orders, _: orders._cut(),
    SequenceSkipped: Orders._take_skipped,
    MessageRejected: Orders._take_refused,
    Message: Orders._note_time,
}
"""What `Orders.apply` takes, and how."""


def _inherited(cls: type) -> Callable[[Orders, Any], None] | None:
    return next((_TAKEN[each] for each in cls.__mro__ if each in _TAKEN), None)


def _doubt(
    kind: DoubtKind,
    order: Order,
    since: datetime | None,
    begin: ExecKey | None,
    request: PendingRequest | None = None,
) -> OrderDoubt:
    name = order.cl_ord_id or order.order_id or order.symbol
    return OrderDoubt(
        kind=kind,
        what=kind.value,
        about=f"order {name}" if request is None else f"request {request.cl_ord_id} about order {name}",
        since=since,
        remedies=(Remedy.REST,) if begin is None else (Remedy.DROP_COPY, Remedy.REST),
        order=order,
        request=request,
        begin=begin,
    )


def _covers(covered: Covered, key: ExecKey | None) -> bool:
    """Say whether a range begins early enough to have all that followed a report."""
    return key is not None and key.shard == covered.shard and covered.begin <= key


def _revives(last: Said, end: Said) -> bool:
    return last.key > end.key and not last.ends and last.leaves > ZERO


def _is_repeated(message: Any) -> bool:
    """Say whether a request is one that went out before, as a log has it."""
    return message.header is not None and message.header.poss_dup_flag is True
