"""`kalshi-fix replay`: what a recording or wire log comes to, by the machines that a program keeps."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from kalshi_fix_adapters.cli.failures import told_plainly
from kalshi_fix_adapters.cli.terminal import Line, Screen, StatusLine, plain, printable, tell
from kalshi_fix_adapters.recording import happenings
from kalshi_fix_sansio import PRODUCTS, SESSION_TYPES
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import MessageReceived, SessionEnded
from kalshi_fix_sansio.trading import (
    Cash,
    Doubts,
    DropCopy,
    OrderBooks,
    Orders,
    OrderState,
    Positions,
    Settlements,
)

NOTHING_FOUND = 3
LOOKED_EVERY = 1_000
"""Messages after which it is seen whether it is time to say how far it is."""
_MARKET_DATA, _DROP_COPY, _SETTLEMENT = "KalshiMD", "KalshiDC", "KalshiPT"
_ORDERS = frozenset(name for name in SESSION_TYPES if name in ("KalshiNR", "KalshiRT"))
"""Session types that orders are sent on."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--product", type=click.Choice(list(PRODUCTS)), default="prediction", show_default=True)
@click.option("--all", "everything", is_flag=True, help="Print orders that are over, too.")
def replay(files: tuple[str, ...], product: str, everything: bool) -> None:
    """Put recordings or wire logs through books, orders, positions and cash; print what comes out.

    It is the state before the last session ended.

    Several files are taken as one, in this order. The exit status is 3 if nothing was found in them.
    """
    state = _State(product)
    screen = Screen()
    line = StatusLine()
    begin = time.monotonic()
    with told_plainly(), line:
        for happening in happenings(files):
            state.take(happening.session_type, happening.what, happening.time)
            if not state.count % LOOKED_EVERY and line.is_due():
                speed = state.count / (time.monotonic() - begin)
                line.show(f"{state.count:,}, up to {happening.time:%Y-%m-%d %H:%M:%S}; {speed:,.0f} a second")
    screen.lines(list(state.lines(everything=everything)))
    screen.flush()
    if not state.count:
        tell("no message of a session was found")
        sys.exit(NOTHING_FOUND)


class _State:
    """The machines."""

    def __init__(self, product: str) -> None:
        self.count = 0
        self.books = OrderBooks()
        self.orders = {name: Orders(name, product=product) for name in sorted(_ORDERS)}
        self.copies = DropCopy(product=product)
        self.positions, self.cash = Positions(), Cash(product=product)
        self.settlements = Settlements()
        self.discrepancies: dict[str, int] = {}
        self._ended: dict[str, SessionEnded] = {}
        """By session type, the end that nothing has followed yet."""

    def take(self, session_type: str, what: object, time: Any) -> None:
        self.count += 1
        # An end empties books, and puts orders in doubt: what stood before the last one is what is asked for.
        ended = self._ended.pop(session_type, None)
        if ended is not None:
            self._take(session_type, ended, time)
        if isinstance(what, SessionEnded):
            self._ended[session_type] = what
        else:
            self._take(session_type, what, time)

    def _take(self, session_type: str, what: object, time: Any) -> None:
        if session_type == _MARKET_DATA:
            for change in self.books.apply(what):
                for discrepancy in change.discrepancies:
                    self._note(discrepancy.kind.value)
        elif session_type in _ORDERS:
            self._settle(self.orders[session_type].apply(what))
        elif session_type == _DROP_COPY:
            if isinstance(what, MessageReceived):
                for copied in self.copies.apply(what, Instant(time.timestamp(), time)):
                    for orders in self.orders.values():
                        self._settle(orders.apply(copied))
        elif session_type == _SETTLEMENT:
            told = self.settlements.apply(what)
            if told is not None:
                self.positions.apply(told)
                self.cash.apply(told)
                for each in told.discrepancies:
                    self._note(each.kind.value)

    def _settle(self, updates: list[Any]) -> None:
        for update in updates:
            self.positions.apply(update)
            self.cash.apply(update)
            for each in update.discrepancies:
                self._note(each.kind.value)

    def _note(self, kind: str) -> None:
        self.discrepancies[kind] = self.discrepancies.get(kind, 0) + 1

    def lines(self, *, everything: bool) -> Iterator[Line]:
        """Yield what is printed."""
        yield from self._books()
        orders = [order for each in self.orders.values() for order in each]
        shown = [order for order in orders if everything or order.state is not OrderState.DONE]
        if orders:
            yield _title(f"orders: {len(orders):,}, of which {len(shown):,} shown")
        for order in shown:
            price = "-" if order.price is None else f"{order.price}"
            yield plain(
                f"  {printable(order.cl_ord_id or '-')} {order.state.name} {_name(order.side)} "
                f"{order.filled}/{order.filled + order.remaining} {printable(order.symbol or '-')} at {price}"
            )
        if len(self.positions):
            yield _title("positions")
        for key in self.positions:
            position = self.positions[key]
            yield plain(f"  {printable(key.symbol)} {position.net} realised {position.realised} dollars")
        for purse in (self.cash[key] for key in self.cash):
            yield plain(f"  fills: {purse.fills:,}, fees {purse.fees} dollars")
        doubts = Doubts(*self.orders.values())
        if len(doubts):
            yield (("bold red", f"doubts: {len(doubts):,}"),)
        for doubt in doubts:
            yield plain(f"  {printable(str(doubt))}")
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
