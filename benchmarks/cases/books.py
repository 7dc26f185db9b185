"""(e) Market data: bytes to typed message, and on to the order book."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import samples
from benchmarks.canonical import require_equal
from benchmarks.engines import ours
from benchmarks.engines.present import engine
from benchmarks.measure import Contender
from kalshi_fix_sansio.messages import CODEC

LEVELS = 40
MESSAGE, BOOK = "to message", "to book"
KINDS = ("incremental of 1", "incremental of 3", f"snapshot of {LEVELS}")


def title(kind: str, end: str) -> str:
    """Name a case."""
    return f"e: {kind} {end}"


def wire(kind: str) -> list[bytes]:
    """Return two messages of a kind whose sizes differ, to be applied in turn."""
    if kind.startswith("snapshot"):
        return [samples.snapshot_bytes(LEVELS, 2), samples.snapshot_bytes(LEVELS, 3)]
    count = int(kind.rpartition(" ")[2])
    return [samples.incremental_bytes(count, 3, size=size) for size in (50, 70)]


def market_data() -> list[Contender]:
    """Contenders that read market data, and that keep a book of it."""
    snapshot = samples.snapshot_bytes(LEVELS)
    sdk = engine("kalshi_sdk")
    found = []
    for kind in KINDS:
        data = wire(kind)
        books: dict[str, Any] = {ours.NAME: ours.Book(snapshot)}
        decoders: dict[str, Callable[[bytes], object]] = {ours.NAME: CODEC.decode}
        if sdk is not None:
            books[sdk.NAME] = sdk.Book(snapshot)
            decoders[sdk.NAME] = lambda whole: sdk.decode_app_message_strict(sdk.codec.decode(whole))
        for book in books.values():
            for whole in data * 3:
                book.apply(whole)
        require_equal("a book", {name: book.levels() for name, book in books.items()})
        for name, decode in decoders.items():
            found.append(Contender(title(kind, MESSAGE), name, _both(decode, data), 2))
        for name, book in books.items():
            found.append(Contender(title(kind, BOOK), name, _both(book.apply, data), 2))
    return found


def _both(act: Callable[[bytes], object], data: list[bytes]) -> Callable[[], None]:
    first, second = data

    def run() -> None:
        act(first)
        act(second)

    return run
