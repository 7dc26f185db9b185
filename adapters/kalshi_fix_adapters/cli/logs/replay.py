"""`kalshi-fix replay`: prints the final state of a recording or wire log, as computed by the state
machines.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import click

from kalshi_fix_adapters.cli.kit.failures import NOTHING_FOUND, converting_errors
from kalshi_fix_adapters.cli.kit.terminal import (
    Line,
    Screen,
    StatusLine,
    plain,
    pluralize,
    print_stderr,
    printable,
    without_log_lines,
)
from kalshi_fix_adapters.cli.kit.values import choice_option
from kalshi_fix_adapters.cli.logs.as_of import as_of_option
from kalshi_fix_adapters.logs import Recording, read_events
from kalshi_fix_adapters.logs.dates import AsOf
from kalshi_fix_adapters.logs.recording import is_recording
from kalshi_fix_sansio import PRODUCTS, SESSION_TYPES, trading
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import MessageReceived, SessionEnded

PROGRESS_CHECK_INTERVAL = 1_000
"""Number of messages between two checks of whether a progress line is due."""
_SERVICES = {name: session_type.service for name, session_type in SESSION_TYPES.items()}


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@choice_option("--product", choices=PRODUCTS, default="prediction", text="The product of the orders.")
@click.option("--all", "everything", is_flag=True, help="Also print finished orders.")
@as_of_option
def replay(files: tuple[str, ...], product: str, everything: bool, as_of: AsOf) -> None:
    """Replay recordings or wire logs through books, orders, positions and cash, and print the final state.

    The output shows the state before the end of the last session, because the end clears the books. Several
    files are read in the given order, like one file. Exit status: 3 if the files contain no session
    messages.
    """
    state = _State(product)
    screen = Screen()
    started = time.monotonic()
    recordings: list[Recording] = []
    with converting_errors(), StatusLine() as line, without_log_lines():
        sources = [Recording(file) if is_recording(file) else file for file in files]
        recordings = [each for each in sources if isinstance(each, Recording)]
        for event in read_events(sources, as_of=as_of):
            state.apply(event.session_type, event.event, event.time)
            if not state.count % PROGRESS_CHECK_INTERVAL and line.is_due():
                speed = state.count / (time.monotonic() - started)
                line.show(f"{state.count:,}, up to {event.time:%Y-%m-%d %H:%M:%S}; {speed:,.0f} a second")
    screen.print_lines(list(state.lines(everything=everything)))
    screen.flush()
    for recording in recordings:
        _report_damage(recording)
    if not state.count:
        print_stderr("no session messages were found")
        sys.exit(NOTHING_FOUND)


def _report_damage(recording: Recording) -> None:
    if recording.damaged:
        first, count = recording.damaged[0], len(recording.damaged)
        ranges = f"bytes {first.start:,} to {first.stop:,}" + (f" and {count - 1:,} more" * (count > 1))
        print_stderr(
            f"{recording.path} is damaged ({ranges}, {recording.damaged_bytes:,} bytes in total); the "
            "complete records after the damage were read"
        )
    if recording.torn:
        print_stderr(
            f"{recording.path} ends in an incomplete record of {pluralize(recording.torn, 'byte')}, which "
            "was skipped"
        )


class _State:
    """The state machines of the replay, and their output."""

    def __init__(self, product: str) -> None:
        self.count = 0
        self.books = trading.OrderBooks()
        self.orders = {
            name: trading.Orders(name, product=product)
            for name, service in sorted(_SERVICES.items())
            if service == "orders"
        }
        self.drop_copy = trading.DropCopy(product=product)
        self.positions, self.cash = trading.Positions(), trading.Cash(product=product)
        self.settlements = trading.Settlements()
        self.discrepancies: Counter[str] = Counter()
        self._ended: dict[str, SessionEnded] = {}
        """The end of the last session of each type, unless a message has followed it."""

    def apply(self, session_type: str, event: object, time: Any) -> None:
        self.count += 1
        # The end of a session clears books and makes orders uncertain. It is applied only if messages follow,
        # so the output shows the state before the end of the last session.
        ended = self._ended.pop(session_type, None)
        if ended is not None:
            self._apply(session_type, ended, time)
        if isinstance(event, SessionEnded):
            self._ended[session_type] = event
        else:
            self._apply(session_type, event, time)

    def _apply(self, session_type: str, event: object, time: Any) -> None:
        service = _SERVICES.get(session_type)
        if service == "market_data":
            self._count_discrepancies(self.books.apply(event))
        elif service == "orders":
            self._apply_updates(self.orders[session_type].apply(event))
        elif service == "drop_copy":
            if isinstance(event, MessageReceived):
                for report in self.drop_copy.apply(event, Instant(time.timestamp(), time)):
                    for orders in self.orders.values():
                        self._apply_updates(orders.apply(report))
        elif service == "settlement":
            update = self.settlements.apply(event)
            self._apply_updates([] if update is None else [update])

    def _apply_updates(self, updates: list[Any]) -> None:
        for update in updates:
            self.positions.apply(update)
            self.cash.apply(update)
        self._count_discrepancies(updates)

    def _count_discrepancies(self, updates: Iterable[Any]) -> None:
        self.discrepancies.update(
            discrepancy.kind.value for update in updates for discrepancy in update.discrepancies
        )

    def lines(self, *, everything: bool) -> Iterator[Line]:
        """Yield the output."""
        yield from self._books()
        orders = [order for each in self.orders.values() for order in each]
        shown = [order for order in orders if everything or order.state is not trading.OrderState.DONE]
        if orders:
            yield _title(f"orders: {len(orders):,}, of which {len(shown):,} shown")
        for order in shown:
            price = "-" if order.price is None else f"{order.price}"
            yield plain(
                f"  {printable(order.cl_ord_id or '-')} {order.state.name} {_name(order.side)} "
                f"{order.filled_qty}/{order.filled_qty + order.leaves_qty} "
                f"{printable(order.symbol or '-')} at {price}"
            )
        if len(self.positions):
            yield _title("positions")
        for key in self.positions:
            position = self.positions[key]
            yield plain(f"  {printable(key.symbol)} {position.net} realized {position.realized} dollars")
        for balance in (self.cash[key] for key in self.cash):
            yield plain(f"  fills: {balance.fills:,}, fees {balance.fees} dollars")
        uncertain_items = trading.UncertainItems(*self.orders.values())
        if len(uncertain_items):
            yield (("bold red", f"uncertain: {len(uncertain_items):,}"),)
        for item in uncertain_items:
            yield plain(f"  {printable(str(item))}")
        if self.discrepancies:
            yield (("bold red", "discrepancies"),)
        for kind, count in sorted(self.discrepancies.items()):
            yield plain(f"  {count:,} {kind}")

    def _books(self) -> Iterator[Line]:
        if len(self.books):
            yield _title(f"books: {len(self.books):,}")
        for symbol in self.books:
            book = self.books[symbol]
            bid, offer = (
                "-" if level is None else f"{level.price} x {level.size}"
                for level in (book.bids.best, book.offers.best)
            )
            yield plain(f"  {printable(symbol)} {book.state.name} bid {bid} offer {offer}")


def _title(text: str) -> Line:
    return (("bold", text),)


def _name(code: Any) -> str:
    return getattr(code, "name", None) or "-"
