"""`kalshi-fix mass-cancel`: cancels all orders of the session, and reports the outcome."""

from __future__ import annotations

import click

from kalshi_fix_adapters.cli.sessions import order_entry
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_sansio import ExecType, OrderMassCancelRequest


@click.command(name="mass-cancel")
@order_entry.request_command
def mass_cancel(plan: ConnectionPlan, cl_ord_id: str, yes: bool) -> None:
    """Cancel all open orders that this API key has placed on KalshiNR.

    Exit status: 0 if the venue accepted the request, 1 if it was rejected or not sent, 3 if the outcome is
    unknown.
    """
    request = OrderMassCancelRequest(cl_ord_id=cl_ord_id)
    description = [
        f"cancel ALL open orders of this key on {order_entry.SESSION}",
        f"key {plan.config.sender_comp_id}",
        "costs nothing; fills are kept",
    ]
    outcome = order_entry.perform(plan, request, description, yes=yes, wait_for_reports=True)
    ended = {each.order_id: each for each in outcome.reports if each.exec_type == ExecType.CANCELED}
    order_entry.print_labelled(
        "accepted", f"the venue is cancelling all orders; {len(ended)} cancelled so far"
    )
    for report in ended.values():
        order_entry.print_labelled("ended", f"{report.symbol} {report.orig_cl_ord_id or report.cl_ord_id}")
