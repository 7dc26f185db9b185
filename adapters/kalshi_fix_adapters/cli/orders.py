"""`kalshi-fix orders`: what is open, as far as drop copy and live reports tell."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from kalshi_fix_adapters.blocking import Client
from kalshi_fix_adapters.cli.failures import CommandError, told_plainly
from kalshi_fix_adapters.cli.live import follow
from kalshi_fix_adapters.cli.requests import SESSION
from kalshi_fix_adapters.cli.target import Target, target_options
from kalshi_fix_adapters.cli.terminal import printable
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_adapters.reconnect import ReconnectPolicy
from kalshi_fix_sansio import LogonFields, Side
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.trading import CopyState, DropCopy, ExecKey, Order, Orders, OrderState, OrderUpdate

NOT_TOLD = "Not told: orders of before that nothing has happened to since."


class _ExecId(click.ParamType[ExecKey]):
    name = "execid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ExecKey:
        try:
            key = ExecKey.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if key is None:
            self.fail("pending reports have this ExecID; take another one", param, ctx)
        return key


@click.command()
@click.option("--since", type=_ExecId(), multiple=True, help="ExecID of the last hours, one for each shard.")
@click.option("--once", is_flag=True, help="Print what is open, and end.")
@target_options
def orders(target: Target, since: tuple[ExecKey, ...], once: bool) -> None:
    """Show the account's orders that are open, and follow them live.

    FIX has no list of open orders. So this asks drop copy for the reports since an ExecID, of three hours at
    most, and listens to those that come: an order that nothing happened to meanwhile is not shown. It logs on
    as a listener, which needs an API key of its own. Exit status: 0 it was shown, 1 drop copy does not tell,
    or there is no session.
    """
    begins = {key.shard: key for key in since}
    if len(begins) != len(since):
        raise click.UsageError("one --since for each shard")
    with told_plainly(), contextlib.suppress(KeyboardInterrupt):
        plan = target.plan(
            SESSION,
            reconnect=None if once else ReconnectPolicy(),
            logon_fields=LogonFields(listener_session=True, skip_pending_exec_reports=True),
        )
        with Client(plan) as client:
            view = _Open(client, target.product, begins)
            follow(client, view, once=once, timeout=target.timeout)
            if not view.is_told:
                raise CommandError("not all past reports have come; what is open may be more, or less")


class _Open:
    def __init__(self, client: Client, product: str, begins: dict[int, ExecKey]) -> None:
        self._client = client
        self._orders = Orders(SESSION, product=product)
        self._copies = DropCopy(SESSION, product=product)
        self._since = begins
        # From before all others; the venue takes it for too old once it has forgotten something.
        self._begins = begins or {0: ExecKey(0, 0, 0)}
        self._asked = False

    @property
    def is_complete(self) -> bool:
        """Whether drop copy has told all that it will."""
        return self._asked and all(each.state is CopyState.FAILED for each in self._copies.wanted)

    @property
    def is_told(self) -> bool:
        """Whether all reports that were asked for have come."""
        return self._asked and not self._copies.wanted

    def apply(self, event: ClientEvent) -> list[str]:
        lines = self._take(event)
        now = _now()
        if not self._asked and self._client.is_logged_on:
            self._asked = True
            self._copies.ask(self._begins, self._orders.moment, now)
        # What a lost connection has left in doubt.
        doubtful = self._orders.copy_from(self._copies.forgotten) if not self._copies.wanted else {}
        if doubtful:
            self._copies.ask(doubtful, self._orders.moment, now)
        for request in self._copies.handle_timer(now):
            lines += self._take(request)
            self._client.send(request)
        return lines

    def picture(self) -> list[str]:
        live = self._orders.live()
        lines = [line for order in live for line in _picture(order)]
        return [f"{len(live)} open", "", *lines, *self._unknown()]

    def _take(self, happened: object) -> list[str]:
        return [
            line
            for told in self._copies.apply(happened, _now())
            for update in self._orders.apply(told)
            for line in _lines(update)
        ]

    def _unknown(self) -> list[str]:
        """Return what is not known, in words."""
        lines = [NOT_TOLD]
        newest = self._orders.newest
        for shard, begin in self._since.items():
            # A range begins with the report that it names, if there is one.
            if self.is_told and (shard not in newest or newest[shard] < begin):
                lines.append(f"No report of shard {shard} since {begin}: is it an ExecID of this account?")
        for each in self._copies.wanted:
            lines.append(f"Reports of shard {each.shard} since {each.begin}: {each.state.value}")
            if each.why:
                lines.append(f"  {printable(each.why)}")
            if each.state is CopyState.FAILED:
                lines.append("  give --since an ExecID (17) of your last hours")
        lines += [f"In doubt: {doubt.about}" for doubt in self._orders.doubts()]
        return [wrapped for line in lines for wrapped in click.wrap_text(line, 60, "", "  ").splitlines()]


def _now() -> Instant:
    return Instant(time.monotonic(), datetime.now(UTC))


def _side(order: Order) -> str:
    return "buy" if order.side == Side.BUY else "sell" if order.side == Side.SELL else printable(order.side)


def _lines(update: OrderUpdate) -> Sequence[str]:
    order = update.order
    if order is None or not (update.state_changed or update.fills or update.answered):
        return []
    begin = f"{time.strftime('%H:%M:%S')} {printable(order.cl_ord_id)}"
    lines = [f"{begin} filled {fill.quantity:f} at {fill.price:f}" for fill in update.fills]
    how = order.state.value if order.ending is None else order.ending.value
    return [*lines, f"{begin} {how}, {order.remaining:f} left"]


def _picture(order: Order) -> list[str]:
    price = "-" if order.price is None else f"{order.price:f}"
    state = "" if order.state is OrderState.OPEN else f" ({order.state.value})"
    return [
        f"{_side(order)} {order.remaining:f} {printable(order.symbol)} at {price}{state}",
        f"  filled {order.told:f}",
        f"  ClOrdID {printable(order.cl_ord_id)}",
        f"  OrderID {printable(order.order_id or '-')}",
        "",
    ]
