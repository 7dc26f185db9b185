"""`kalshi-fix amend`: changes the price and quantity of an open order, and reports the outcome."""

from __future__ import annotations

from decimal import Decimal

import click

from kalshi_fix_adapters.cli.sessions import order_entry
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_sansio import OrderCancelReplaceRequest


@click.command()
@click.argument("order", type=order_entry.ID)
@order_entry.side_argument
@click.argument("symbol", type=order_entry.ID)
@click.argument("quantity", type=order_entry.NUMBER)
@click.argument("price", type=order_entry.NUMBER)
@order_entry.order_id_option
@order_entry.request_command
def amend(
    plan: ConnectionPlan,
    order: str,
    side: str,
    symbol: str,
    quantity: Decimal,
    price: Decimal,
    order_id: str | None,
    cl_ord_id: str,
    yes: bool,
) -> None:
    """Change an order to QUANTITY contracts at PRICE dollars each. ORDER is its latest ClOrdID.

    QUANTITY is the total, including fills. SIDE and SYMBOL must be those of the order. Afterwards the order
    has the ClOrdID of the change, which is printed. Exit status: 0 if the order was changed, 1 if the
    request was rejected or not sent, 3 if the outcome is unknown.
    """
    request = OrderCancelReplaceRequest(
        cl_ord_id=cl_ord_id,
        orig_cl_ord_id=order,
        order_id=order_id,
        symbol=symbol,
        side=order_entry.SIDES[side],
        order_qty=quantity,
        price=price,
    )
    description = [
        f"change {order}",
        f"to {side} {quantity:f} {symbol} in total",
        f"at {price:f} dollars",
        order_entry.cost(plan.config.product, side, quantity, price),
    ]
    outcome = order_entry.perform(plan, request, description, yes=yes, wait_for_reports=True)
    order_entry.print_order(outcome)
