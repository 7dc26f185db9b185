"""Fuzz target `books`: order books with arbitrary market data, compared with books made of plain lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import Final

from kalshi_fix_sansio.fuzzing import Choices
from kalshi_fix_sansio.trading import TOLERATED, DiscrepancyKind
from tests.trading.book_comparison import BookComparison, Gap, Snapshot, Step, Update
from tests.trading.slow_books import Entry, Stamp

MAX_STEPS = 12
_SYMBOLS: Final = ("KXHIGHNY-26AUG21-B80", "BTC-PERP")
_KINDS: Final = ("0", "1", "0", "1", "0", "1", "2", "B")
_ACTIONS: Final = ("0", "1", "2", "0", "1", "2", "0", "5")
_PRICES: Final = tuple(
    map(
        Decimal,
        ("0.10", "0.2", "0.2000", "0.30", "0.50", "0.5", "0.61", "0.99", "0", "-0.10", "123456789.0001"),
    )
)
_SIZES: Final = tuple(map(Decimal, ("1", "2.50", "10.00", "0.01", "7", "0", "-1")))


def check(data: bytes) -> None:
    """For any market data, order books have the same content and return the same updates as books made of
    plain lists."""
    choices = Choices(data)
    kinds = tuple(DiscrepancyKind)
    tolerated = TOLERATED if not choices.one_in(4) else frozenset(kind for kind in kinds if choices.one_in(2))
    steps: list[Step] = []
    while choices.has_more and len(steps) < MAX_STEPS:
        match choices.below(8):
            case 0:
                steps.append(Gap())
            case 1 | 2:
                rows = [
                    (choices.pick(_KINDS), choices.pick(_PRICES), choices.pick(_SIZES))
                    for _ in range(choices.below(6))
                ]
                steps.append(Snapshot(choices.pick(_SYMBOLS), rows))
            case _:
                steps.append(Update([_entry(choices) for _ in range(choices.below(4))]))
    check_invariant(steps, tolerated)


def check_invariant(steps: Sequence[Step], tolerated: frozenset[DiscrepancyKind] = TOLERATED) -> None:
    """Check the invariant for these steps."""
    comparison = BookComparison(tolerated)
    for step in steps:
        comparison.play(step)


def _entry(choices: Choices) -> Entry:
    stamp: Stamp | None = None
    if choices.one_in(4):
        stamp = (date(2026, 8, 20 + choices.below(2)), time(12, 0, choices.below(4)))
    return Entry(
        choices.pick(_ACTIONS),
        choices.pick(_SYMBOLS),
        choices.pick(_KINDS),
        choices.pick(_PRICES),
        choices.pick(_SIZES),
        stamp,
    )
