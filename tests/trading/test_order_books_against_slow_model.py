"""Order books against the slow model, on random and hostile messages, encoded and decoded."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio.trading import TOLERATED, DiscrepancyKind
from tests.trading.book_comparison import BookComparison, Gap, Snapshot, Step, Update
from tests.trading.feed import A, B, C
from tests.trading.slow_books import Entry, Row, Stamp


def decimals(*texts: str) -> st.SearchStrategy[Decimal]:
    return st.sampled_from([Decimal(text) for text in texts])


symbols = st.sampled_from([A, A, B, C])
sides = st.sampled_from(["0", "1"])
kinds = st.sampled_from(["0", "1", "0", "1", "0", "1", "2", "B"])
actions = st.sampled_from(["0", "1", "2", "0", "1", "2", "5"])
bid_prices = decimals("0.10", "0.2", "0.2000", "0.30", "0.4567")
offer_prices = decimals("0.50", "0.5", "0.61", "0.7000", "0.99")
hostile_prices = decimals("0", "-0.10", "0.10", "0.50", "0.99", "123456789.0001")
sizes = decimals("1", "2.50", "10.00", "0.01", "1", "2.50", "10.00", "0.01", "0", "-1")
stamps: st.SearchStrategy[Stamp | None] = st.none() | st.builds(
    lambda day, seconds: (date(2026, 8, 20 + day), time(12, 0, seconds)), st.integers(0, 1), st.integers(0, 3)
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    kind = draw(kinds)
    if draw(st.integers(0, 7)) == 0:
        price = draw(hostile_prices)
    else:
        price = draw(offer_prices if kind == "1" else bid_prices)
    stamp = draw(stamps) if draw(st.integers(0, 3)) == 0 else None
    return Entry(draw(actions), draw(symbols), kind, price, draw(sizes), stamp)


rows: st.SearchStrategy[Row] = st.tuples(sides, bid_prices | offer_prices, sizes) | st.tuples(
    kinds, hostile_prices, sizes
)
clean_rows: st.SearchStrategy[list[Row]] = st.tuples(
    st.lists(st.tuples(st.just("0"), bid_prices, decimals("1", "5.25")), unique_by=lambda row: row[1]),
    st.lists(st.tuples(st.just("1"), offer_prices, decimals("1", "5.25")), unique_by=lambda row: row[1]),
).map(lambda pair: pair[0] + pair[1])
snapshots = st.builds(Snapshot, symbols, clean_rows | clean_rows | st.lists(rows, max_size=6))
updates = st.builds(Update, st.lists(entries(), max_size=4))
steps: st.SearchStrategy[Step] = snapshots | updates | updates | updates | st.builds(Gap)
tolerances = st.just(TOLERATED) | st.frozensets(st.sampled_from(DiscrepancyKind))


@settings(max_examples=300)
@given(st.lists(steps, max_size=25), tolerances)
def test_books_agree_with_the_slow_model(sequence: list[Step], tolerated: frozenset[DiscrepancyKind]) -> None:
    comparison = BookComparison(tolerated)
    for step in sequence:
        comparison.play(step)


def random_history(seed: int, length: int, hostile: float) -> list[Step]:
    """Return a snapshot of each of three books, and random updates, whose entries are inconsistent with
    probability `hostile`.
    """
    random = Random(seed)
    now = datetime(2026, 8, 20, 12, tzinfo=UTC)
    levels: dict[str, dict[tuple[str, Decimal], Decimal]] = {symbol: {} for symbol in (A, B, C)}
    history: list[Step] = [Snapshot(symbol, []) for symbol in levels]
    for _ in range(length):
        now += timedelta(milliseconds=random.randint(0, 3))
        stamp = (now.date(), now.time())
        entries = []
        for _ in range(random.choice([1, 1, 1, 2, 3])):
            symbol = random.choice([A, A, B, C])
            side = random.choice("01")
            cents = random.randint(1, 49) if side == "0" else random.randint(50, 99)
            price, size = Decimal(cents) / 100, Decimal(random.randint(1, 10_000)) / 100
            book_levels = levels[symbol]
            if random.random() < hostile:
                kind, action = random.choice("0123"), random.choice("01239")
                entries.append(Entry(action, symbol, kind, price - random.randint(0, 1), size - 50, stamp))
            elif (side, price) not in book_levels:
                book_levels[side, price] = size
                entries.append(Entry("0", symbol, side, price, size, stamp))
            elif random.random() < 0.6:
                del book_levels[side, price]
                entries.append(Entry("2", symbol, side, price, Decimal("0.00"), stamp))
            else:
                entries.append(Entry("1", symbol, side, price, size, stamp))
        history.append(Update(entries))
        if hostile and random.random() < 0.05:
            symbol = random.choice([A, B, C])
            known = [(kind, price, size) for (kind, price), size in levels[symbol].items()]
            random.shuffle(known)
            history.append(Snapshot(symbol, known))
    return history


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("hostile", [0.0, 0.02])
def test_books_agree_with_the_slow_model_on_long_histories(seed: int, hostile: float) -> None:
    comparison = BookComparison(TOLERATED)
    for step in random_history(seed, 400, hostile):
        comparison.play(step)
    if not hostile:
        assert all(book.is_live for book in comparison.books.values())
        assert sum(len(book.bids) + len(book.offers) for book in comparison.books.values()) > 60
