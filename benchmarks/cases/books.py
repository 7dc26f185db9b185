"""(e) Market data: bytes to typed message, and on to the order book."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import samples
from benchmarks.canonical import require_equal
from benchmarks.engines import ours
from benchmarks.engines.present import engine
from benchmarks.measure import Contender, over
from kalshi_fix_sansio.messages import CODEC

LEVELS = 40
MESSAGE, BOOK = "to message", "to book"
KINDS = ("incremental of 1", "incremental of 3", f"snapshot of {LEVELS}")


def title(kind: str, end: str) -> str:
    """Name a case."""
    return f"e: {kind} {end}"


def wire(kind: str, count: int = samples.COUNT) -> list[bytes]:
    """Return messages of a kind, of several markets, to be applied in turn."""
    if kind.startswith("snapshot"):
        return [samples.snapshot_bytes(LEVELS, number) for number in range(count)]
    entries = int(kind.rpartition(" ")[2])
    return [samples.incremental_bytes(entries, number, levels=LEVELS) for number in range(count)]


def market_data(count: int = samples.COUNT) -> list[Contender]:
    """Contenders that read market data, and that keep books of it."""
    first = [samples.snapshot_bytes(LEVELS, number) for number in range(len(samples.MARKETS))]
    sdk = engine("kalshi_sdk")
    found = []
    for kind in KINDS:
        data = wire(kind, count)
        books: dict[str, Any] = {ours.NAME: ours.Book()}
        decoders: dict[str, Callable[[bytes], object]] = {ours.NAME: CODEC.decode}
        if sdk is not None:
            books[sdk.NAME], decoders[sdk.NAME] = sdk.Book(), sdk.decode
        for book in books.values():
            for whole in (*first, *data):
                book.apply(whole)
        for symbol in samples.MARKETS:
            require_equal(
                f"the book of {symbol}", {name: book.levels(symbol) for name, book in books.items()}
            )
        found += [
            Contender(title(kind, MESSAGE), name, over(do, data), count) for name, do in decoders.items()
        ]
        found += [
            Contender(title(kind, BOOK), name, over(book.apply, data), count) for name, book in books.items()
        ]
    return found
