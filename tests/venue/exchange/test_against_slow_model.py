"""The exchange model against the slow model, with random sequences of requests."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange import SelfTradePrevention, TimeInForce
from kalshi_fix_venue.exchange.outcomes import BookChanged, OrderReplaced, OrderTraded, Outcome
from kalshi_fix_venue.exchange.terms import opposite
from tests.venue.exchange.slow_matching import Fill, SlowBook
from tests.venue.exchange_harness import BUY, SELL, ExchangeHarness

OWNERS = ("ann", "bob", "cat")
prices = st.integers(46, 54).map(lambda cents: Decimal(cents) / 100)
quantities = st.integers(1, 1000).map(lambda hundredths: Decimal(hundredths) / 100)


@attrs.frozen
class Place:
    owner: str
    side: Side
    quantity: Decimal
    price: Decimal
    tif: TimeInForce
    post_only: bool
    stp: SelfTradePrevention

    def place_in(self, harness: ExchangeHarness, name: str, price: Decimal) -> tuple[Outcome, ...]:
        """Place the order in the exchange model, at this price."""
        return harness.place(
            self.owner,
            name,
            self.side,
            str(self.quantity),
            str(price),
            tif=self.tif,
            post_only=self.post_only,
            stp=self.stp,
        )


@attrs.frozen
class Cancel:
    index: int


@attrs.frozen
class Amend:
    index: int
    quantity: Decimal
    price: Decimal


TIFS = [TimeInForce.GOOD_TILL_CANCEL] * 4 + [
    TimeInForce.IMMEDIATE_OR_CANCEL,
    TimeInForce.FILL_OR_KILL,
]


def place(
    owner: str,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    tif: TimeInForce,
    one_in_eight: int,
    stp: SelfTradePrevention,
) -> Place:
    post_only = one_in_eight == 0 and tif is TimeInForce.GOOD_TILL_CANCEL
    return Place(owner, side, quantity, price, tif, post_only, stp)


places = st.builds(
    place,
    st.sampled_from(OWNERS),
    st.sampled_from([BUY, SELL]),
    quantities,
    prices,
    st.sampled_from(TIFS),
    st.integers(0, 7),
    st.sampled_from(SelfTradePrevention),
)
cancels = st.builds(Cancel, st.integers(0, 50))
amends = st.builds(Amend, st.integers(0, 50), quantities, prices)
requests = st.lists(st.one_of(places, places, places, places, cancels, amends), max_size=60)


def busy_market_requests(seed: int, length: int) -> list[Place | Cancel | Amend]:
    """Return many requests that lead to many trades; Hypothesis prefers few requests with few trades."""
    random = Random(seed)

    def random_multiple(step: Decimal, low: int, high: int) -> Decimal:
        return step * random.randint(low, high)

    def request() -> Place | Cancel | Amend:
        quantity = random_multiple(Decimal("0.01"), 1, 1000)
        price = random_multiple(Decimal("0.01"), 48, 52)
        kind = random.randrange(8)
        if kind == 0:
            return Cancel(random.randrange(50))
        if kind == 1:
            return Amend(random.randrange(50), quantity, price)
        return place(
            random.choice(OWNERS),
            random.choice([BUY, SELL]),
            quantity,
            price,
            random.choice(TIFS),
            random.randrange(8),
            random.choice(list(SelfTradePrevention)),
        )

    return [request() for _ in range(length)]


def _original_id(cl_ord_id: str) -> str:
    return cl_ord_id.partition(".")[0]


class Comparison:
    """Applies each request to both models, and keeps the values derived from the outcomes."""

    def __init__(self, balance: str) -> None:
        self.harness = ExchangeHarness(balances=dict.fromkeys(OWNERS, balance))
        self.slow = SlowBook()
        self.stps: dict[str, SelfTradePrevention] = {}
        self.ids: dict[str, str] = {}
        """The current ClOrdID of each order by its first ClOrdID, which the slow model always uses."""
        self.fills: list[Fill] = []
        self.rebuilt: dict[Side, dict[Decimal, Decimal]] = {BUY: {}, SELL: {}}

    def apply(self, number: int, request: Place | Cancel | Amend) -> None:
        if isinstance(request, Place):
            self._place(f"o{number}", request)
        elif self.slow.resting:
            order = self.slow.resting[request.index % len(self.slow.resting)]
            if isinstance(request, Cancel):
                self._record(self.harness.cancel(order.owner, f"c{number}", self.ids[order.name], order.side))
                self.slow.cancel(order.name)
            else:
                self._record(
                    self.harness.amend(
                        order.owner,
                        f"{order.name}.{number}",
                        self.ids[order.name],
                        str(request.quantity),
                        str(request.price),
                        order.side,
                    )
                )
                self.slow.amend(order.name, request.quantity, request.price, self.stps[order.name])

    def _place(self, name: str, place: Place) -> None:
        self.stps[name], self.ids[name] = place.stp, name
        self._record(place.place_in(self.harness, name, place.price))
        self.slow.place(
            name,
            place.owner,
            place.side,
            place.quantity,
            place.price,
            place.tif,
            place.post_only,
            place.stp,
        )

    def _record(self, outcomes: tuple[Outcome, ...]) -> None:
        trades = [o for o in outcomes if isinstance(o, OrderTraded)]
        for taker, maker in zip(trades[::2], trades[1::2], strict=True):
            assert (taker.aggressor, maker.aggressor) == (True, False)
            assert taker.order.side is opposite(maker.order.side)
            names = (_original_id(taker.order.cl_ord_id), _original_id(maker.order.cl_ord_id))
            self.fills.append((*names, maker.price, maker.quantity))
            assert (taker.trade_id, taker.price, taker.quantity) == (
                maker.trade_id,
                maker.price,
                maker.quantity,
            )
        for outcome in outcomes:
            if isinstance(outcome, OrderReplaced):
                self.ids[_original_id(outcome.order.cl_ord_id)] = outcome.order.cl_ord_id
            if isinstance(outcome, BookChanged):
                for change in outcome.changes:
                    levels = self.rebuilt[change.side]
                    assert levels.get(change.price, Decimal(0)) == change.previous_size
                    if change.size:
                        levels[change.price] = change.size
                    else:
                        del levels[change.price]

    def levels(self, side: Side) -> dict[Decimal, Decimal]:
        return dict(self.harness.exchange.levels(self.harness.market, side))


def compare(sequence: list[Place | Cancel | Amend]) -> int:
    """Apply requests to both models and compare the models after each; return the number of trades."""
    comparison = Comparison("1000000")
    for number, request in enumerate(sequence):
        comparison.apply(number, request)
        assert comparison.fills == comparison.slow.fills
        for side in (BUY, SELL):
            assert comparison.levels(side) == comparison.slow.levels(side) == comparison.rebuilt[side]
        bids, asks = comparison.levels(BUY), comparison.levels(SELL)
        assert not bids or not asks or max(bids) < min(asks)
    return len(comparison.fills)


@given(requests)
def test_matching_agrees_with_the_slow_model(sequence: list[Place | Cancel | Amend]) -> None:
    compare(sequence)


@pytest.mark.parametrize("seed", range(20))
def test_matching_agrees_with_the_slow_model_in_a_busy_market(seed: int) -> None:
    assert compare(busy_market_requests(seed, 300)) > 50
