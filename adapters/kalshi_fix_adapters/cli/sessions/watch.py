"""`kalshi-fix watch`: shows order books live."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Final

import click

from kalshi_fix_adapters.blocking import Client
from kalshi_fix_adapters.cli.kit.bus_server import Server, server_options
from kalshi_fix_adapters.cli.kit.failures import CommandError, converting_errors
from kalshi_fix_adapters.cli.kit.terminal import TRUNCATION_MARK, Line, Span, plain, printable, side_by_side
from kalshi_fix_adapters.cli.sessions.bus_source import BusSource
from kalshi_fix_adapters.cli.sessions.live import follow, session_name, time_of_day
from kalshi_fix_adapters.cli.sessions.order_entry import ID
from kalshi_fix_adapters.cli.sessions.target import Target, target_options
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.errors import NotConnectedError
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_sansio import DIALECT, MarketDataRequest, MDEntryType
from kalshi_fix_sansio.events import LoggedOn
from kalshi_fix_sansio.trading import BookState, BookUpdate, Level, OrderBook, OrderBooks, StaleReason

RESUBSCRIBE_REASONS = frozenset((StaleReason.GAP, StaleReason.DISCREPANCY, StaleReason.MESSAGE_REFUSED))
"""The reasons for staleness after which this command requests a book again. The end of a session is not among
them, because the client then renews its subscriptions.
"""
MAX_SYMBOLS: Final = 100
DEPTH: Final = 5
"""Default number of levels of a book with --once."""
MAX_DEPTH: Final = 100
MIN_DEPTH: Final = 2
"""If fewer levels fit on a terminal, each book is shown on one line."""
BLOCK_WIDTH: Final = 56
"""Width of a book in columns."""
GAP: Final = 4
"""Number of columns between two books side by side."""
BLOCK_ROWS: Final = 5
"""Number of rows of a book in addition to its levels."""
HIGHLIGHT_SECONDS: Final = 1.0
"""Number of seconds for which a changed level is highlighted."""
_MIN_SYMBOL_WIDTH: Final = 22
"""Minimum width of the symbols in the table that shows each market on one line."""


@click.command()
@click.argument("symbols", nargs=-1, required=True, type=ID)
@click.option(
    "--depth",
    type=click.IntRange(1, MAX_DEPTH),
    help=f"Number of levels. Default: as many as fit, {DEPTH} with --once.",
)
@click.option("--once", is_flag=True, help="Print the books once, and exit.")
@click.option(
    "--bus", "channel", metavar="CHANNEL", help="NATS channel to read, such as demo.prediction.KalshiMD.desk."
)
@server_options
@target_options
def watch(
    target: Target,
    server: Server,
    channel: str | None,
    symbols: tuple[str, ...],
    depth: int | None,
    once: bool,
) -> None:
    """Show the order books of markets. On a terminal the books are redrawn in place; in a pipe, each change
    is printed as a line.

    Prices are for Yes, in dollars; sizes are in contracts, and times in UTC. If the terminal is too small,
    each market is shown on one line; arrow keys scroll, and q quits. After a connection loss the command
    reconnects.

    With --bus, the events are read from NATS, where a session process publishes them. No key is needed, and
    no request is sent. Each book starts from its last snapshot on the bus.

    Exit status: 0 if the books were shown, 1 if the logon failed or, with --once, if a book was not received
    in time, 130 after Ctrl-C.
    """
    if len(symbols) > MAX_SYMBOLS:
        raise click.UsageError(f"specify at most {MAX_SYMBOLS} markets")
    seconds = target.timeout if once else None
    with converting_errors():
        if channel is not None:
            with BusSource(server, channel, target.timeout) as source:
                books = BusBooks(source, symbols, depth)
                is_complete = follow(source, f"{channel} on {server}", books, once=seconds)
        else:
            is_complete = _watch_venue(target, symbols, depth, seconds)
        if once and not is_complete:
            raise CommandError(f"not all books were received within {target.timeout:g} seconds")


def _watch_venue(target: Target, symbols: Sequence[str], depth: int | None, seconds: float | None) -> bool:
    reconnect = ReconnectPolicy() if seconds is None else None
    plan = target.plan(DIALECT.session_type_for("market_data").name, reconnect=reconnect)
    with Client(plan) as client:
        books = Books(client, symbols, depth)
        return follow(client, session_name(plan), books, once=seconds)


class BookView:
    """The order books of the requested markets, as a view that is redrawn, and as lines that describe
    changes.
    """

    def __init__(self, books: OrderBooks, symbols: Sequence[str], depth: int | None = None) -> None:
        """Show the books with `depth` levels each; the default is as many levels as fit."""
        self._books, self._depth = books, depth
        self._symbols = tuple(dict.fromkeys(symbols))
        self._changed: dict[str, str] = {}
        """The time of day of the last change, by market."""
        self._trades: dict[str, str] = {}
        """The displayed text of the last trade, by market."""
        self._recent: dict[tuple[str, MDEntryType, Decimal], float] = {}
        """The monotonic time of the last change to each recently changed level."""

    @property
    def is_complete(self) -> bool:
        """Whether the venue has answered the request for each book."""
        return all(book.state is not BookState.WAITING for book in self._requested_books())

    def tick(self) -> list[str]:
        """Return no lines, because only events change the books."""
        return []

    def render(self, width: int, height: int | None) -> list[Line]:
        """Return all books, side by side if they fit; on a small terminal, one line for each book."""
        now = time.monotonic()
        self._recent = {level: at for level, at in self._recent.items() if now - at < HIGHLIGHT_SECONDS}
        columns = max(1, (width + GAP) // (BLOCK_WIDTH + GAP))
        depth = self._depth or DEPTH
        if height is not None and self._depth is None:
            rows = -(-len(self._symbols) // columns)
            # `height + 1`, because the last row of books needs no blank line below it.
            depth = min(MAX_DEPTH, (height + 1) // rows - BLOCK_ROWS)
            if depth < MIN_DEPTH:
                return list(self._table(width))
        blocks = [list(self._block(book, depth)) for book in self._requested_books()]
        lines: list[Line] = []
        for first in range(0, len(blocks), columns):
            lines += [*side_by_side(blocks[first : first + columns], BLOCK_WIDTH + GAP), ()]
        return lines[:-1]

    def _requested_books(self) -> list[OrderBook]:
        return [self._books.get(symbol) or OrderBook(symbol) for symbol in self._symbols]

    def _describe(self, updates: Sequence[BookUpdate]) -> list[str]:
        return [line for each in updates if each.symbol in self._symbols for line in self._lines(each)]

    def _lines(self, update: BookUpdate) -> list[str]:
        """Record changes; return lines that describe them."""
        symbol, book, now = update.symbol, update.book, time_of_day()
        if update.levels or update.snapshot or update.state_changed:
            self._changed[symbol] = now
        for change in update.levels:
            self._recent[symbol, change.side, change.price] = time.monotonic()
        prefix = f"{now} {printable(symbol)}"
        lines = []
        for trade in update.trades:
            traded = f"traded {trade.size:f} at {trade.price:f}"
            self._trades[symbol] = f"last trade: {trade.size:f} at {trade.price:f}, {now}"
            lines.append(f"{prefix} {traded}")
        if book.state is BookState.STALE:
            if update.state_changed:
                lines.append(f"{prefix} {_state_text(book)}")
        elif update.best_changed or update.state_changed:
            lines.append(f"{prefix} {_level_text(update.best_bid)} {_level_text(update.best_offer)}")
        return lines

    def _block(self, book: OrderBook, depth: int) -> Iterator[Line]:
        """Yield the lines of a book, the best prices first."""
        symbol, changed = printable(book.symbol), self._changed.get(book.symbol)
        text = "" if changed is None else f", {changed}"
        if book.state is not BookState.LIVE:
            yield (("bold", symbol),)
            yield (("bold yellow", f"  {_state_text(book)}{text}"),)
            return
        spread = "" if book.spread is None else f"spread {book.spread:f}, "
        # A snapshot on the bus does not contain the time at which a book changed.
        details = f"{spread}changed {changed or 'earlier'}"
        room = BLOCK_WIDTH - len(symbol) - len(details)
        if room >= 2:
            yield ("bold", symbol), ("", " " * room), ("", details)
        else:
            yield (("bold", symbol),)
            yield plain(f"  {details}")
        bids, offers = book.bids.depth(depth), book.offers.depth(depth)
        if not bids and not offers:
            yield plain("  no orders, or no such market")
            return
        yield (("dim", f"{'contracts':>14}{'bid':>10}    {'offer':<10}{'contracts':<14}".rstrip()),)
        for bid, offer in zip_longest(bids, offers):
            left = ("", " " * 24) if bid is None else self._level(book, MDEntryType.BID, bid)
            right = () if offer is None else (("", "    "), self._level(book, MDEntryType.OFFER, offer))
            yield (left, *right)
        if book.symbol in self._trades:
            yield (("dim", f"  {self._trades[book.symbol]}"),)

    def _level(self, book: OrderBook, side: MDEntryType, level: Level) -> Span:
        size, price = f"{level.size:f}", f"{level.price:f}"
        is_bid = side is MDEntryType.BID
        style = "green" if is_bid else "red"
        if (book.symbol, side, level.price) in self._recent:
            style = f"bold {style}"
        return style, f"{size:>14}{price:>10}" if is_bid else f"{price:<10}{size}"

    def _table(self, width: int) -> Iterator[Line]:
        """Yield a line for each book."""
        room = max(_MIN_SYMBOL_WIDTH, min(width - 38, max(map(len, self._symbols))))
        header = f"{'market':<{room}} {'bid':>8} {'offer':>8} {'spread':>8}  changed"
        yield (("dim", header),)
        for book in self._requested_books():
            symbol = printable(book.symbol)
            symbol = symbol if len(symbol) <= room else symbol[: room - 1] + TRUNCATION_MARK
            changed = self._changed.get(book.symbol, "")
            if book.state is not BookState.LIVE:
                yield ("", f"{symbol:<{room}} "), ("bold yellow", f"{_state_text(book)}, {changed}")
                continue
            bid, offer = (
                "-" if best is None else f"{best.price:f}" for best in (book.best_bid, book.best_offer)
            )
            spread = "-" if book.spread is None else f"{book.spread:f}"
            yield (
                ("", f"{symbol:<{room}} "),
                ("green", f"{bid:>8} "),
                ("red", f"{offer:>8} "),
                ("", f"{spread:>8}  {changed}"),
            )


class Books(BookView):
    """Books that are requested from the venue, and requested again when they become stale."""

    def __init__(self, client: Client, symbols: Sequence[str], depth: int | None = None) -> None:
        """Request the books."""
        super().__init__(OrderBooks(), symbols, depth)
        self._client = client
        self._unrequested: tuple[str, ...] = ()
        """Symbols of books whose request could not be sent, because the connection was lost. They are
        requested after the next logon.
        """
        self._request(self._symbols)

    def apply(self, event: ClientEvent) -> list[str]:
        """Apply an event; return lines that describe the changes. Each live or waiting book that the event
        makes stale is requested again, if the reason is one of RESUBSCRIBE_REASONS.
        """
        updates = self._books.apply(event)
        lines = self._describe(updates)
        stale = [
            update.symbol
            for update in updates
            if update.book.state is BookState.STALE and update.book.stale_reason in RESUBSCRIBE_REASONS
        ]
        if isinstance(event, LoggedOn):
            stale += self._unrequested
            self._unrequested = ()
        if stale:
            self._request(stale)
        return lines

    def _request(self, symbols: Sequence[str]) -> None:
        request = MarketDataRequest.subscribe(*symbols)
        self._books.apply(request)
        try:
            self._client.send(request)
        except NotConnectedError:
            self._unrequested = (*self._unrequested, *symbols)


class BusBooks(BookView):
    """Books of another process's session. That process requests a new snapshot of a stale book."""

    def __init__(self, source: BusSource, symbols: Sequence[str], depth: int | None = None) -> None:
        """Show the books of the source."""
        super().__init__(source.books, symbols, depth)
        self._source = source
        self._unprinted = dict.fromkeys(symbols)
        """The markets for which no line has been printed yet."""

    @property
    def is_complete(self) -> bool:
        """Whether each book has been received, and all events that were stored at the start have been
        applied.
        """
        return self._source.is_current and super().is_complete

    def apply(self, event: ClientEvent) -> list[str]:
        """Return lines that describe the changes made by an event. The source has already applied it."""
        del event
        for update in self._source.updates:
            self._unprinted.pop(update.symbol, None)
        return self._describe(self._source.updates)

    def tick(self) -> list[str]:
        """Return a line for each book that was loaded from a snapshot and not printed yet, because in a quiet
        market no event follows that would print it.
        """
        lines = []
        for symbol in [*self._unprinted]:
            book = self._books.get(symbol)
            if book is not None and book.state is not BookState.WAITING:
                del self._unprinted[symbol]
                best = f"{_level_text(book.best_bid)} {_level_text(book.best_offer)}"
                text = best if book.state is BookState.LIVE else _state_text(book)
                lines.append(f"{time_of_day()} {printable(symbol)} {text}")
        return lines


def _level_text(level: Level | None) -> str:
    return "-" if level is None else f"{level.price:f}x{level.size:f}"


def _state_text(book: OrderBook) -> str:
    reason = book.stale_reason
    return book.state.value if reason is None else f"stale: {reason.value}"
