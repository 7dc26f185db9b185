"""`kalshi-fix order`: places one order, and reports the outcome."""

from __future__ import annotations

from decimal import Decimal

import click

from kalshi_fix_adapters.cli.kit.values import choice_option
from kalshi_fix_adapters.cli.sessions import order_entry
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_sansio import ExecInst, NewOrderSingle, TimeInForce

EXPIRIES = {
    "day": TimeInForce.DAY,
    "gtc": TimeInForce.GOOD_TILL_CANCEL,
    "ioc": TimeInForce.IMMEDIATE_OR_CANCEL,
    "fok": TimeInForce.FILL_OR_KILL,
}
IMMEDIATE_TIMES_IN_FORCE = frozenset((TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL))
"""Orders with these values are filled or cancelled at once, and never stay open."""


@click.command()
@order_entry.side_argument
@click.argument("symbol", type=order_entry.ID)
@click.argument("quantity", type=order_entry.NUMBER)
@click.argument("price", type=order_entry.NUMBER)
@choice_option("--expiry", choices=EXPIRIES, default="gtc", text="How long the order stays open.")
@click.option("--post-only", is_flag=True, help="Reject the order if it would be filled at once.")
@order_entry.request_command
def order(
    plan: ConnectionPlan,
    side: str,
    symbol: str,
    quantity: Decimal,
    price: Decimal,
    expiry: str,
    post_only: bool,
    cl_ord_id: str,
    yes: bool,
) -> None:
    """Buy or sell QUANTITY contracts of SYMBOL at PRICE dollars each or better.

    Asks for confirmation, sends the order, and prints the outcome. The order stays open when the command
    exits. Exit status: 0 if the order is open or filled, 1 if it was not sent, was rejected, or ended without
    a fill, 3 if the outcome is unknown.
    """
    request = NewOrderSingle(
        cl_ord_id=cl_ord_id,
        symbol=symbol,
        side=order_entry.SIDES[side],
        order_qty=quantity,
        price=price,
        time_in_force=EXPIRIES[expiry],
        exec_inst=ExecInst.POST_ONLY if post_only else None,
    )
    conditions = f", {expiry}" + (", post only" if post_only else "")
    description = [
        f"{side} {quantity:f} {symbol}",
        f"at {price:f} dollars{conditions}",
        order_entry.cost(plan.config.product, side, quantity, price),
    ]
    never_rests = request.time_in_force in IMMEDIATE_TIMES_IN_FORCE

    outcome = order_entry.perform(
        plan, request, description, yes=yes, wait_for_reports=not never_rests, never_rests=never_rests
    )
    order_entry.print_order(outcome)
    report = outcome.report
    if report is not None and not report.leaves_qty and not outcome.fills:
        raise click.exceptions.Exit(order_entry.REFUSED)
