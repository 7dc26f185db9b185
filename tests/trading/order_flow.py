"""Compact constructors for execution reports and order requests; reports are encoded and decoded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from kalshi_fix_sansio import (
    CollateralAmountChange,
    CollateralAmountType,
    CxlRejResponseTo,
    ExecType,
    ExecutionReport,
    Header,
    Logon,
    MiscFee,
    MiscFeeBasis,
    MiscFeeType,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdRejReason,
    OrdStatus,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import (
    CloseReason,
    LoggedOn,
    MessageReceived,
    OpenRequest,
    OutcomesUnknown,
    SessionEnded,
    Uncertainty,
)
from kalshi_fix_sansio.trading import Order, OrderDiscrepancyKind, Orders, OrderUpdate
from tests.helpers import CODEC, HOSTILE_CONTEXTS, KEY_ID

SYMBOL, OTHER = "KXHIGHNY-26NOV21-T55", "KXBTCD-26NOV21-B90"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BUY, SELL = Side.BUY, Side.SELL
SESSION_ENDED = SessionEnded(CloseReason.CONNECTION_LOST, "gone", clean=False)
M = TypeVar("M", bound=Message)
T = TypeVar("T")
VISIBLE_ATTRIBUTES = """symbol side account order_id state ending cl_ord_id status text key shard price
leaves_qty filled_qty value fees cum_qty unreported_qty average_price cancel_expected first_key"""

_KINDS: dict[str, tuple[ExecType, OrdStatus]] = {
    "new": (ExecType.NEW, OrdStatus.NEW),
    "trade": (ExecType.TRADE, OrdStatus.PARTIALLY_FILLED),
    "filled": (ExecType.TRADE, OrdStatus.FILLED),
    "ioc": (ExecType.TRADE, OrdStatus.CANCELED),
    "replaced": (ExecType.REPLACED, OrdStatus.REPLACED),
    "canceled": (ExecType.CANCELED, OrdStatus.CANCELED),
    "expired": (ExecType.EXPIRED, OrdStatus.EXPIRED),
    "rejected": (ExecType.REJECTED, OrdStatus.REJECTED),
    "pending new": (ExecType.PENDING_NEW, OrdStatus.PENDING_NEW),
    "pending cancel": (ExecType.PENDING_CANCEL, OrdStatus.PENDING_CANCEL),
    "pending replace": (ExecType.PENDING_REPLACE, OrdStatus.PENDING_REPLACE),
}


def d(number: str | int) -> Decimal:
    return Decimal(number)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def header(message: Message, number: int = 2, *, at: datetime = NOON) -> Header:
    return Header(
        msg_type=message.MSG_TYPE,
        sender_comp_id="KalshiNR",
        target_comp_id=KEY_ID,
        msg_seq_num=number,
        sending_time=at,
    )


def over_the_wire(message: M, number: int = 2, *, at: datetime = NOON) -> M:
    """Encode and decode a message."""
    decoded = CODEC.decode(CODEC.encode(message, header(message, number, at=at)))
    assert isinstance(decoded, type(message))
    assert not decoded.problems, decoded.problems
    return decoded


def report(
    kind: str,
    key: str,
    order_id: str = "o1",
    cl_ord_id: str = "a",
    *,
    qty: str = "10",
    cum: str = "0",
    last: tuple[str, str] | None = None,
    fee: str | None = None,
    number: int = 2,
    at: datetime = NOON,
    **fields: Any,
) -> ExecutionReport:
    """Return the venue's report about an order for `qty` contracts, of which `cum` are filled. In the report
    of a trade, `last` contains the quantity and the price.
    """
    exec_type, status = _KINDS[kind]
    ends = kind in ("filled", "ioc", "canceled", "expired", "rejected")
    leaves = Decimal(0) if ends else Decimal(qty) - Decimal(cum)
    values: dict[str, Any] = {
        "order_id": order_id,
        "cl_ord_id": cl_ord_id,
        "exec_id": key,
        "exec_type": exec_type,
        "ord_status": status,
        "side": BUY,
        "symbol": SYMBOL,
        "order_qty": leaves + Decimal(cum),
        "leaves_qty": leaves,
        "cum_qty": cum,
        "avg_px": "0",
        "price": "0.40",
    }
    if kind == "rejected":
        values["ord_rej_reason"] = OrdRejReason.OTHER
    if kind == "replaced":
        values["time_in_force"] = "1"
    if last is not None:
        values["last_qty"], values["last_px"] = last
    if fee is not None:
        values["misc_fees"] = [
            MiscFee(
                misc_fee_amt=fee,
                misc_fee_curr="USD",
                misc_fee_type=MiscFeeType.EXCHANGE_FEES,
                misc_fee_basis=MiscFeeBasis.ABSOLUTE,
            )
        ]
    if "balance" in fields:
        change = CollateralAmountChange(
            collateral_amount_change=fields.pop("balance"),
            collateral_amount_type=CollateralAmountType.BALANCE,
        )
        values["collateral_amount_changes"] = [change]
    return over_the_wire(ExecutionReport(**(values | fields)), number, at=at)


def raw_report(**changes: Any) -> ExecutionReport:
    """Return a report as a lenient session delivers it: any field may be None."""
    made = report("new", "1;1")
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def refusal(
    cl_ord_id: str,
    order_id: str = "o1",
    orig: str = "a",
    *,
    status: OrdStatus = OrdStatus.NEW,
    number: int = 2,
    **fields: Any,
) -> OrderCancelReject:
    return over_the_wire(
        OrderCancelReject(
            order_id=order_id,
            cl_ord_id=cl_ord_id,
            orig_cl_ord_id=orig,
            ord_status=status,
            cxl_rej_response_to=CxlRejResponseTo.ORDER_CANCEL_REQUEST,
            **fields,
        ),
        number,
    )


def place(cl_ord_id: str = "a", qty: str = "10", **fields: Any) -> NewOrderSingle:
    values: dict[str, Any] = {"symbol": SYMBOL, "side": BUY, "price": "0.40", "order_qty": qty}
    return NewOrderSingle(cl_ord_id=cl_ord_id, **(values | fields))


def change(cl_ord_id: str, orig: str = "a", qty: str = "20", **fields: Any) -> OrderCancelReplaceRequest:
    values: dict[str, Any] = {"symbol": SYMBOL, "side": BUY, "order_qty": qty}
    return OrderCancelReplaceRequest(cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, **(values | fields))


def cancel(cl_ord_id: str, orig: str = "a", **fields: Any) -> OrderCancelRequest:
    values: dict[str, Any] = {"symbol": SYMBOL, "side": BUY}
    return OrderCancelRequest(cl_ord_id=cl_ord_id, orig_cl_ord_id=orig, **(values | fields))


def logged_on(*, reset: bool = True, **flags: Any) -> LoggedOn:
    logon = Logon(encrypt_method=0, heart_bt_int=30, default_appl_ver_id="9")
    return LoggedOn(logon, 30, reset, MappingProxyType({"use_dollars": True} | flags))


def open_request(message: Any, number: int = 3, *, at: datetime = NOON) -> OpenRequest:
    """Return a request as the session keeps it until its answer is received."""
    names = [name for name in message.MESSAGE.request if name != "msg_seq_num" and getattr(message, name)]
    request_id = getattr(message, names[0]) if names else str(number)
    frame = CODEC.encode(message, header(message, number, at=at))
    return OpenRequest(request_id, message.MSG_TYPE, number, at, frame, number)


def unanswered(*messages: Any, at: datetime = NOON) -> OutcomesUnknown:
    """Return the event with which a restarted client reports requests of the previous process."""
    requests = (open_request(message, number, at=at) for number, message in enumerate(messages, 3))
    return OutcomesUnknown(tuple(requests), Uncertainty.RESTARTED)


def unanswered_with_frame(message: Any, frame: bytes = b"") -> OutcomesUnknown:
    """Return the event for a request of the previous process whose stored frame is `frame`."""
    [request] = unanswered(message).requests
    return OutcomesUnknown((attrs.evolve(request, frame=frame),), Uncertainty.RESTARTED)


def feed(orders: Orders, *events: object) -> list[OrderUpdate]:
    """Apply events and requests, and the venue's messages as `MessageReceived`; return the updates that the
    last one causes.

    Check that each order has at most one update, and that the update contains the order's previous state.
    Check also that every order whose state has changed has an update or is listed as verified by one, unless
    reports about any order may be missing. The events are applied in a hostile decimal context.
    """
    reported: list[OrderUpdate] = []
    for event in events:
        is_from_venue = isinstance(event, (ExecutionReport, OrderCancelReject))
        before = {order: order.state for order in orders}
        with localcontext(HOSTILE_CONTEXTS["every trap"]):
            reported = orders.apply(
                MessageReceived(event) if isinstance(event, Message) and is_from_venue else event
            )
        updates = {update.order: update for update in reported if update.order is not None}
        assert len(updates) == sum(update.order is not None for update in reported)
        assert all(update.before is before.get(order) for order, update in updates.items())
        if not any(update.lost_reports for update in reported):
            changed = {order for order, state in before.items() if order.state is not state}
            verified = [order for update in reported for order in update.verified]
            assert changed - updates.keys() == {*verified}
            assert len({*verified}) == len(verified)
            assert updates.keys().isdisjoint(verified)
    return reported


def dump(machine: Any) -> dict[str, Any]:
    """Return the dump of a machine, converted to JSON and back. The rows of `Orders` are sorted by key."""
    rows = sorted(dict(machine.dump(full=True)).items()) if isinstance(machine, Orders) else machine.dump()
    found: dict[str, Any] = json.loads(json.dumps(dict(rows)))
    return found


def load(machine: Any, dumped: Mapping[str, Any]) -> list[Any]:
    """Load a dump of a machine; return the updates."""
    updates = machine.load(dumped)
    return [*chain.from_iterable(updates)] if isinstance(machine, Orders) else updates or []


def reloaded(machine: T, *arguments: Any) -> T:
    """Return a machine loaded from the dump of another one, as in the next process."""
    found = type(machine)(*arguments)
    load(found, dump(machine))
    return found


def only(orders: Orders) -> Order:
    (order,) = orders
    return order


def kinds(updates: Iterable[OrderUpdate]) -> list[OrderDiscrepancyKind]:
    return [discrepancy.kind for update in updates for discrepancy in update.discrepancies]


def read_attributes(order: Order, names: str) -> Any:
    """Return these attributes of an order."""
    return tuple(getattr(order, name) for name in names.split())


def view(order: Order) -> dict[str, Any]:
    """Return the attributes of an order that a user can read."""
    shown = {name: getattr(order, name) for name in VISIBLE_ATTRIBUTES.split()}
    shown["fills"] = sorted(order.fills.values())
    shown["pending"] = [(item.msg_type, item.cl_ord_id, item.is_unknown) for item in order.pending]
    return shown


def views(orders: Orders) -> list[dict[str, Any]]:
    """Return the views of all orders, sorted by OrderID and ClOrdID."""
    return sorted(map(view, orders), key=lambda shown: (shown["order_id"] or "", shown["cl_ord_id"]))
