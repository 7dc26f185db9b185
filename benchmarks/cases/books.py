"""Benchmarks: (e) decode market data into typed messages, and apply them to the order book."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import samples
from benchmarks.canonical import levels, require_equal
from benchmarks.engines import installed, ours
from benchmarks.measure import Contender, call_for_each

MESSAGE, BOOK = "to message", "to book"
KINDS = ("incremental with 1 entry", "incremental with 3 entries", f"snapshot with {samples.LEVELS} entries")
"""Kinds of messages, each with its number of entries."""


def title(kind: str, result: str) -> str:
    """Return the title of a case."""
    return f"e: {kind} {result}"


def wire_messages(kind: str, count: int = samples.COUNT) -> list[bytes]:
    """Return messages of one kind; successive messages are for different markets."""
    if kind.startswith("snapshot"):
        return [samples.snapshot_bytes(samples.LEVELS, number) for number in range(count)]
    entries = int(kind.split()[2])
    return [samples.incremental_bytes(entries, number) for number in range(count)]


def books_with_snapshots(engine: Any = ours) -> tuple[Any, Callable[[bytes], object]]:
    """Return an engine's books after a snapshot of each market, and a function that decodes a message and
    applies it to them.
    """
    books, decode = engine.Books(), engine.decode

    def apply(data: bytes) -> None:
        books.apply(decode(data))

    for snapshot in samples.first_snapshots():
        apply(snapshot)
    return books, apply


def market_data(count: int = samples.COUNT) -> list[Contender]:
    """Return contenders that decode market data, and contenders that also apply it to books."""
    engines: dict[str, Any] = {each.NAME: each for each in (ours, *installed(["kalshi_sdk"]))}
    contenders = []
    for kind in KINDS:
        data = wire_messages(kind, count)
        books = {name: books_with_snapshots(engine) for name, engine in engines.items()}
        for _, apply in books.values():
            call_for_each(apply, data)()
        for symbol in samples.MARKETS:
            by_engine = {name: levels(book.get(symbol)) for name, (book, _) in books.items()}
            require_equal(f"the book of {symbol}", by_engine)
        for result, functions in (
            (MESSAGE, {name: engine.decode for name, engine in engines.items()}),
            (BOOK, {name: apply for name, (_, apply) in books.items()}),
        ):
            contenders += [
                Contender(title(kind, result), name, call_for_each(function, data), count)
                for name, function in functions.items()
            ]
    return contenders
