"""`kalshi-fix cancel`: cancels an open order, and reports the outcome."""

from __future__ import annotations

import click

from kalshi_fix_adapters.cli.sessions import order_entry
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_sansio import OrderCancelRequest


@click.command()
@click.argument("order", type=order_entry.ID)
@order_entry.side_argument
@click.argument("symbol", type=order_entry.ID)
@order_entry.order_id_option
@order_entry.request_command
def cancel(
    plan: ConnectionPlan,
    order: str,
    side: str,
    symbol: str,
    order_id: str | None,
    cl_ord_id: str,
    yes: bool,
) -> None:
    """Cancel the open quantity of an order. ORDER is its latest ClOrdID.

    SIDE and SYMBOL must be those of the order. Exit status: 0 if the order was cancelled, 1 if the request
    was rejected or not sent, 3 if the outcome is unknown.
    """
    request = OrderCancelRequest(
        cl_ord_id=cl_ord_id,
        orig_cl_ord_id=order,
        order_id=order_id,
        symbol=symbol,
        side=order_entry.SIDES[side],
    )
    description = [f"cancel {order}", f"an order to {side} {symbol}", "costs nothing; fills are kept"]
    outcome = order_entry.perform(plan, request, description, yes=yes)
    order_entry.print_order(outcome)
