"""`kalshi-fix orders`: shows the open orders, according to drop copy and live reports."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import click

from kalshi_fix_adapters.blocking import Client
from kalshi_fix_adapters.cli.kit.failures import CommandError, converting_errors
from kalshi_fix_adapters.cli.kit.terminal import Line, folded, plain, pluralize, printable
from kalshi_fix_adapters.cli.kit.values import ParsedParam
from kalshi_fix_adapters.cli.sessions.live import follow, session_name, time_of_day
from kalshi_fix_adapters.cli.sessions.order_entry import SESSION
from kalshi_fix_adapters.cli.sessions.target import Target, target_options
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.errors import NotConnectedError
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_sansio import EventResendRejectReason, LogonFields, Side
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import LoggedOn
from kalshi_fix_sansio.trading import CopyState, DropCopy, ExecKey, Order, Orders, OrderState, OrderUpdate

OLDER_ORDERS_NOTE = "Older orders without recent activity are not shown."
MAX_RECENT_EVENTS: Final = 8
"""Maximum number of lines with recent events that are shown on a terminal."""
MAX_CHANGE_TIMES: Final = 10_000
"""Maximum number of orders whose time of last change is kept. If there are more, the times of finished orders
are dropped.
"""


def _exec_key(text: str) -> ExecKey:
    key = ExecKey.parse(text)
    if key is None:
        raise ValueError("all pending reports have this ExecID; specify the ExecID of another report")
    return key


@click.command()
@click.option(
    "--since",
    type=ParsedParam("execid", _exec_key),
    multiple=True,
    help="ExecID of the first report to request. Repeat the option for each shard of the venue.",
)
@click.option("--once", is_flag=True, help="Print the open orders once, and exit.")
@target_options
def orders(target: Target, since: tuple[ExecKey, ...], once: bool) -> None:
    """Show the account's open orders, and follow them live.

    FIX has no request for a list of open orders. Therefore this command requests past reports from drop copy,
    which keeps them for some hours, and follows live reports. Older orders without recent activity are not
    shown. The command logs on as a listener, which needs a separate API key. Times are UTC. On a terminal,
    arrow keys scroll, and q quits. After a connection loss the command reconnects.

    Exit status: 0 if the orders were shown, 1 if drop copy is incomplete or the logon failed, 130 after
    Ctrl-C.
    """
    starts = {key.shard: key for key in since}
    if len(starts) != len(since):
        raise click.UsageError("specify --since only once for each shard")
    with converting_errors():
        plan = target.plan(
            SESSION,
            reconnect=None if once else ReconnectPolicy(),
            logon_fields=LogonFields(listener_session=True, skip_pending_exec_reports=True),
        )
        with Client(plan) as client:
            view = OpenOrders(client, target.product, starts)
            follow(client, session_name(plan), view, once=plan.timeout if once else None)
            if not view.has_all_reports:
                raise CommandError("some past reports are missing; the list of open orders may be wrong")


class OpenOrders:
    """The open orders, according to past and live reports."""

    def __init__(self, client: Client, product: str, starts: dict[int, ExecKey]) -> None:
        """Request past reports, starting with these ExecIDs by shard. Without ExecIDs, request all reports
        that drop copy still has.
        """
        self._client = client
        self._orders = Orders(SESSION, product=product)
        self._drop_copy = DropCopy(SESSION, product=product)
        self._since = starts
        # The default is the lowest possible ExecID. The venue rejects it as too small if it has dropped old
        # reports.
        self._starts = starts or {0: ExecKey(0, 0, 0)}
        self._requested = False
        self._change_times: dict[int, str] = {}
        """Time of day of the last change to each order, by `Order.number`."""
        self._recent: deque[str] = deque(maxlen=MAX_RECENT_EVENTS)
        self._started = False
        """Whether the reports requested at the start have been received, or are unavailable. Before that,
        every older order is uncertain, so neither changes nor unknown outcomes are printed.
        """
        self._requested_from: Mapping[int, ExecKey] = {}
        """By shard, the start of the range that was requested because orders were uncertain."""
        self._printed: list[str] = []
        """The lines about unknown outcomes that were printed last."""

    @property
    def is_complete(self) -> bool:
        """Whether all requests for past reports have completed or failed."""
        return self._requested and all(each.state is CopyState.FAILED for each in self._drop_copy.pending)

    @property
    def has_all_reports(self) -> bool:
        """Whether all requested reports have been received."""
        return self._requested and not self._drop_copy.pending

    def apply(self, event: ClientEvent) -> list[str]:
        """Apply an event; return lines that describe the changes."""
        lines = self._apply(event)
        if isinstance(event, LoggedOn):
            self._requested = True
            self._requested_from = {}
            # Reports that were sent while there was no connection are only available from drop copy.
            self._drop_copy.request({**self._starts, **self._orders.newest}, self._orders.epoch, _now())
        return lines

    def tick(self) -> list[str]:
        """Send requests that are due; return lines as `apply` does, including newly uncertain items."""
        lines: list[str] = []
        now = _now()
        # Request the reports of orders that a lost connection has made uncertain.
        uncertain = (
            self._orders.drop_copy_start(self._drop_copy.forgotten) if not self._drop_copy.pending else {}
        )
        # A range is requested only once. Orders that its reports do not resolve stay uncertain.
        if uncertain and uncertain != self._requested_from:
            self._requested_from = uncertain
            self._drop_copy.request(uncertain, self._orders.epoch, now)
        for request in self._drop_copy.handle_timer(now):
            lines += self._apply(request)
            try:
                self._client.send(request)
            except NotConnectedError:  # the event about the lost connection has not been received yet
                self._drop_copy.withdraw(request)
        if self.is_complete and not self._started:
            self._started = True
            lines += self._open_order_lines()
        unknown = list(self._unknown_lines()) if self._started else []
        lines += [f"{time_of_day()} {line}" for line in unknown if line not in self._printed]
        if self._printed and not unknown:
            lines.append(f"{time_of_day()} all outcomes are known")
        self._printed = unknown
        return lines

    def render(self, width: int, height: int | None) -> list[Line]:
        """Return the open orders, the uncertain items and, in live mode, the recent events."""
        live = list(self._orders.live())
        uncertain = sum(order.state is not OrderState.OPEN for order in live)
        lines: list[Line] = [
            (("bold", f"{len(live)} open" + (f", {uncertain} uncertain" if uncertain else "")),),
            (),
        ]
        for order in live:
            lines += [*self._order_lines(order, width), ()]
        lines += folded((("dim", OLDER_ORDERS_NOTE),), width)
        for text in self._unknown_lines() if self._started or height is None else ():
            lines += folded((("bold yellow", text),), width)
        if height is not None and self._recent:
            lines += [(), (("bold", "Latest"),), *map(plain, self._recent)]
        return lines

    def _order_lines(self, order: Order, width: int) -> list[Line]:
        style = "green" if order.side == Side.BUY else "red"
        head: Line = (("bold " + style, _description(order)),)
        if order.state is not OrderState.OPEN:
            head = (*head, ("bold yellow", f" ({order.state.value})"))
        changed = self._change_times.get(order.number)
        details = [f"filled {order.cum_qty:f}", *([] if changed is None else [f"changed {changed}"])]
        details += [f"ClOrdID {printable(order.cl_ord_id)}", f"OrderID {printable(order.order_id or '-')}"]
        return [head, *_pack(details, width)]

    def _open_order_lines(self) -> Iterator[str]:
        """Yield the number of open orders, and a line for each of them."""
        live = list(self._orders.live())
        yield f"{time_of_day()} {pluralize(len(live), 'open order')}"
        for order in live:
            state = "" if order.state is OrderState.OPEN else f", {order.state.value}"
            yield f"{time_of_day()} {printable(order.cl_ord_id)} {_description(order)}{state}"

    def _apply(self, event: object) -> list[str]:
        lines: list[str] = []
        for result in self._drop_copy.apply(event, _now()):
            for update in self._orders.apply(result):
                if update.order is not None:
                    self._change_times[update.order.number] = time_of_day()
                lines += _lines(update) if self._started else ()
        self._recent += lines
        if len(self._change_times) > MAX_CHANGE_TIMES:
            numbers = [order.number for order in self._orders.live()]
            self._change_times = {
                each: self._change_times[each] for each in numbers if each in self._change_times
            }
        return lines

    def _unknown_lines(self) -> Iterator[str]:
        """Yield a sentence for each unknown outcome or missing report."""
        newest = self._orders.newest
        for shard, begin in self._since.items():
            # A range includes its first ExecID, so there should be a report with this ExecID or a later one.
            if self.has_all_reports and (shard not in newest or newest[shard] < begin):
                yield f"No report from shard {shard} since {begin}: does this ExecID belong to this account?"
        for each in self._drop_copy.pending:
            yield f"Reports from shard {each.shard} since {each.begin}: {each.state.value}"
            if each.why in EventResendRejectReason.__members__:
                yield f"  {each.why}; see kalshi-fix spec {each.why}"
            elif each.why:
                yield f"  {printable(each.why)}"
            if each.why == EventResendRejectReason.BEGIN_TOO_SMALL.name:
                yield "  set --since to an ExecID (17) from the last few hours"
        for item in self._orders.uncertain():
            yield f"Uncertain: {printable(str(item))}"


def _now() -> Instant:
    return Instant(time.monotonic(), datetime.now(UTC))


def _side(order: Order) -> str:
    return "buy" if order.side == Side.BUY else "sell" if order.side == Side.SELL else printable(order.side)


def _description(order: Order) -> str:
    price = "-" if order.price is None else f"{order.price:f}"
    return f"{_side(order)} {order.leaves_qty:f} {printable(order.symbol)} at {price}"


def _lines(update: OrderUpdate) -> Sequence[str]:
    order = update.order
    if update.lost_reports:
        return [f"{time_of_day()} reports may be missing; open orders are uncertain"]
    if update.verified:
        open_orders = pluralize(sum(1 for _ in update.verified), "open order")
        return [f"{time_of_day()} drop copy is complete, with {open_orders}"]
    if order is None or not (update.state_changed or update.fills or update.answered):
        return []
    prefix = f"{time_of_day()} {printable(order.cl_ord_id)}"
    lines = [f"{prefix} filled {fill.quantity:f} at {fill.price:f}" for fill in update.fills]
    state = order.state.value if order.ending is None else order.ending.value
    return [*lines, f"{prefix} {state}, {order.leaves_qty:f} left"]


def _pack(items: Sequence[str], width: int) -> list[Line]:
    """Pack the items into as few lines as possible."""
    lines = [f"  {items[0]}"]
    for item in items[1:]:
        if len(lines[-1]) + len(item) + 2 <= width:
            lines[-1] += f"  {item}"
        else:
            lines.append(f"  {item}")
    return [plain(line) for line in lines]
