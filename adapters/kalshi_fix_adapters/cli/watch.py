"""`kalshi-fix watch`: order books, live."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import click

from kalshi_fix_adapters.blocking import Client
from kalshi_fix_adapters.cli.failures import CommandError, told_plainly
from kalshi_fix_adapters.cli.live import follow
from kalshi_fix_adapters.cli.requests import ID
from kalshi_fix_adapters.cli.target import Target, target_options
from kalshi_fix_adapters.cli.terminal import printable
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_adapters.reconnect import ReconnectPolicy
from kalshi_fix_sansio import MarketDataRequest
from kalshi_fix_sansio.trading import BookState, BookUpdate, Level, OrderBook, OrderBooks, StaleReason

ASKED_AGAIN = frozenset((StaleReason.GAP, StaleReason.DISCREPANCY, StaleReason.MESSAGE_REFUSED))
"""Why a book is asked for again; a client subscribes again by itself where a session ended."""
MAX_SYMBOLS = 100


@click.command()
@click.argument("symbols", nargs=-1, required=True, type=ID)
@click.option(
    "--depth", type=click.IntRange(1, 100), default=5, show_default=True, help="Levels that are shown."
)
@click.option("--once", is_flag=True, help="Print the books as they are, and end.")
@target_options
def watch(target: Target, symbols: tuple[str, ...], depth: int, once: bool) -> None:
    """Show the order books of markets: redrawn in place on a terminal, a line for each change in a pipe.

    Prices are dollars for Yes, sizes are contracts. Ctrl-C ends it. Exit status: 0 it was shown, 1 with
    --once a book has not come in time, or there is no session.
    """
    if len(symbols) > MAX_SYMBOLS:
        raise click.UsageError(f"at most {MAX_SYMBOLS} markets")
    with told_plainly(), contextlib.suppress(KeyboardInterrupt):
        plan = target.plan("KalshiMD", reconnect=None if once else ReconnectPolicy())
        with Client(plan) as client:
            books = _Books(client, symbols, depth)
            if not follow(client, books, once=once, timeout=target.timeout):
                raise CommandError(f"not all books have come within {target.timeout:g} seconds")


class _Books:
    def __init__(self, client: Client, symbols: Sequence[str], depth: int) -> None:
        self._client, self._depth = client, depth
        self._books = OrderBooks()
        self._symbols = tuple(dict.fromkeys(symbols))
        self._ask(self._symbols)

    @property
    def is_complete(self) -> bool:
        return all(book.state is not BookState.WAITING for book in self._shown())

    def apply(self, event: ClientEvent) -> list[str]:
        updates = self._books.apply(event)
        lines = [line for update in updates for line in _lines(update)]
        again = [
            update.symbol
            for update in updates
            if update.book.state is BookState.STALE and update.book.stale_reason in ASKED_AGAIN
        ]
        if again and self._client.is_logged_on:
            self._ask(again)
        return lines

    def picture(self) -> list[str]:
        return [line for book in self._shown() for line in _picture(book, self._depth)]

    def _shown(self) -> list[OrderBook]:
        return [self._books[symbol] for symbol in self._symbols]

    def _ask(self, symbols: Sequence[str]) -> None:
        request = MarketDataRequest.subscribe(*symbols)
        self._books.apply(request)
        self._client.send(request)


def _lines(update: BookUpdate) -> list[str]:
    begin = f"{time.strftime('%H:%M:%S')} {printable(update.symbol)}"
    lines = [f"{begin} traded {trade.size:f} at {trade.price:f}" for trade in update.trades]
    if update.book.state is BookState.STALE:
        if update.state_changed:
            lines.append(f"{begin} {_why(update.book)}")
    elif update.best_changed or update.state_changed:
        lines.append(f"{begin} {_side(update.best_bid)} {_side(update.best_offer)}")
    return lines


def _side(level: Level | None) -> str:
    return "-" if level is None else f"{level.price:f}x{level.size:f}"


def _why(book: OrderBook) -> str:
    reason = book.stale_reason
    return book.state.value if reason is None else f"stale: {reason.value}"


def _picture(book: OrderBook, depth: int) -> list[str]:
    """Return a book as a table, the best prices first."""
    state = "" if book.state is BookState.LIVE else f"  {_why(book)}"
    lines = [f"{printable(book.symbol)}{state}"]
    bids, offers = book.bids.depth(depth), book.offers.depth(depth)
    if not bids and not offers:
        return [*lines, "  no orders, or no such market", ""] if not state else [*lines, ""]
    lines.append(f"{'contracts':>14}{'bid':>10}  {'offer':<10}{'contracts':<14}".rstrip())
    for row in range(max(len(bids), len(offers))):
        bid = bids[row] if row < len(bids) else None
        offer = offers[row] if row < len(offers) else None
        left = " " * 24 if bid is None else f"{bid.size:>14f}{bid.price:>10f}"
        right = "" if offer is None else f"  {offer.price:<10f}{offer.size:<14f}"
        lines.append((left + right).rstrip())
    return [*lines, ""]
