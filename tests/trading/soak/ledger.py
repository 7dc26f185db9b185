"""The venue's ledger, and its differences from a trader's state machines."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from kalshi_fix_sansio.clock import shift_time
from kalshi_fix_sansio.trading import Account, GroupState, OrderState
from kalshi_fix_sansio.trading.groups.order_group import WINDOW
from kalshi_fix_venue.exchange import AccountId
from kalshi_fix_venue.exchange.orders import OrderSnapshot
from tests.trading.soak.market import INITIAL_BALANCE, SHARDS, SUBACCOUNTS
from tests.venue.testing.machines import Machines

if TYPE_CHECKING:
    from tests.trading.soak.trader import Trader


WRONG_CONTEXT = "an amount is computed in the caller's decimal context"


class Difference(AssertionError):
    """A value of the state machines that differs from the ledger."""

    def __init__(self, kind: str, *details: object) -> None:
        super().__init__(kind, *details)
        self.kind = kind

    def __str__(self) -> str:
        return "; ".join(map(str, self.args))


def check_equal(kind: str, kept: object, ledger: object, *details: object) -> None:
    """Compare a value kept by a machine with the ledger.

    Raises:
        Difference: they differ.
    """
    if kept != ledger:
        raise Difference(kind, f"kept {kept}", f"ledger {ledger}", *details)


def open_orders(trader: Trader) -> dict[str, OrderSnapshot]:
    """Return the open orders of a trader, by OrderID."""
    exchange = trader.venue.exchange
    return {order.order_id: order for order in exchange.open_orders() if order.account.owner == trader.name}


def _row(order: OrderSnapshot) -> tuple[object, ...]:
    account = Account(order.account.subaccount)
    return order.cl_ord_id, account, order.filled_qty, order.leaves, order.price, order.filled_value


def compare(trader: Trader) -> None:
    """Compare everything while nothing is uncertain and no message from the venue is unread.

    Raises:
        Difference: a value differs from the ledger.
    """
    machines = trader.machines
    kept = machines.resting()
    ledger = {order_id: _row(order) for order_id, order in open_orders(trader).items()}
    if kept != ledger:
        # Orders that were sent but have not reached the venue are known only by their ClOrdID.
        unsent = {order.cl_ord_id for order in machines.orders.live() if order.state is OrderState.SENT}
        kept = {name: row for name, row in kept.items() if row[0] not in unsent}
        check_equal("orders", kept, ledger)
    if not trader.in_transit:
        _compare_answers(machines)
    _compare_positions(trader)
    _compare_money(trader)
    compare_groups(trader)


def _compare_answers(machines: Machines) -> None:
    """Check that the venue has answered every request, and that the state machines have the answers."""
    for order in machines.orders.live():
        if order.pending or order.state is OrderState.SENT:
            raise Difference("an answered request is pending", order, order.pending)
    if machines.orders.mass_cancels:
        raise Difference("an answered mass cancel is open", machines.orders.mass_cancels)
    if machines.groups.in_flight is not None:
        raise Difference("an answered order group request is in flight", machines.groups.in_flight)


def _compare_positions(trader: Trader) -> None:
    exchange, machines = trader.venue.exchange, trader.machines
    ledger = {
        (Account(number), symbol): holding.position.net
        for number in SUBACCOUNTS
        for shard in SHARDS
        for symbol, holding in exchange.account(AccountId(trader.name, number, shard)).holdings.items()
        if holding.position.net
    }
    check_equal("positions", machines.held(), ledger)
    for symbol, price in trader.venue.settled.items():
        for number in SUBACCOUNTS:
            with localcontext(machines.context):
                position = machines.positions.of(symbol, Account(number))
                counted, settled_at = position.counted, position.settled_at
            if counted:
                check_equal("settlement of a position", settled_at, price, symbol, position)


def _compare_money(trader: Trader) -> None:
    exchange, machines = trader.venue.exchange, trader.machines
    for number in SUBACCOUNTS:
        account = Account(number)
        on_shards = {
            shard: exchange.account(AccountId(trader.name, number, shard)).balance for shard in SHARDS
        }
        total = sum(on_shards.values(), Decimal(0))
        check_equal(
            "money", machines.balance(INITIAL_BALANCE * len(SHARDS), account), total, account, on_shards
        )
        for shard, balance in on_shards.items():
            check_equal(
                "money of a shard", machines.balance(INITIAL_BALANCE, account, shard), balance, account, shard
            )


def compare_groups(trader: Trader) -> None:
    """Compare which order groups exist, whether they accept orders, and how many contracts may still be
    filled.

    Raises:
        Difference: a group differs from the ledger.
    """
    now, groups = trader.harness.utc, trader.machines.groups
    if groups.in_flight is not None:
        return
    venue_groups = list(order_groups(trader))
    ledger = {group.id: (group.account.subaccount, group.limit, group.triggered) for group in venue_groups}
    kept = {
        item.group_id: (item.alloc_account, item.limit, item.state is GroupState.TRIGGERED)
        for item in groups.values()
    }
    check_equal("order groups", kept, ledger)
    # The exchange removes old fills from the window only when it executes its next command.
    counted = trader.venue.exchange._state.groups
    counted.advance(now)
    for group in venue_groups:
        known = groups[group.id]
        # A reset may precede or follow a fill at the same time, and a lost reset may precede or follow any
        # earlier fill.
        at_once = any(fill.time == known.reset_at for fill in counted._fills if fill.window is group.window)
        if at_once or shift_time(known._may_be_reset_by, WINDOW) > now:
            continue
        with localcontext(trader.machines.context):
            room = groups.room(group.id, now)
        expected = Decimal(0) if group.triggered else group.limit - group.window.volume
        check_equal("room of an order group", room, expected, group.id, group.limit)


def order_groups(trader: Trader) -> Iterator[Any]:
    """Iterate over the order groups of a trader."""
    return (group for group in trader.venue.exchange.order_groups() if group.account.owner == trader.name)


def compare_uncertain(trader: Trader) -> None:
    """Compare while items are uncertain: an order that differs must be among the uncertain items.

    Raises:
        Difference: an order that differs is not uncertain.
    """
    machines = trader.machines
    ledger = {order_id: _row(order) for order_id, order in open_orders(trader).items()}
    kept = machines.resting()
    with localcontext(machines.context):
        uncertain_items = machines.orders.uncertain()
    uncertain = {item.order.order_id for item in uncertain_items if item.order is not None}
    cl_ord_ids = {item.order.cl_ord_id for item in uncertain_items if item.order is not None}
    cl_ord_ids |= {item.request.cl_ord_id for item in uncertain_items if item.request is not None}
    for order_id in {*kept, *ledger}:
        if kept.get(order_id) == ledger.get(order_id) or order_id in uncertain:
            continue
        row = ledger.get(order_id) or kept[order_id]
        # If only one side has the OrderID, the machines may list the order by its ClOrdID alone, because its
        # request is unanswered.
        if (order_id in kept and order_id in ledger) or row[0] not in cl_ord_ids:
            raise Difference(
                "an order differs from the ledger but is not listed as uncertain",
                order_id,
                f"kept {kept.get(order_id)}",
                f"ledger {row}",
            )
