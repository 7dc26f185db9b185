"""Requests for an amount of cash: the number of contracts in a quote, with and without fees."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kalshi_fix_sansio import Quote, Side
from kalshi_fix_venue.exchange.fees import PREDICTION_FEES
from tests.venue.exchange_harness import d
from tests.venue.rfq.rfq_harness import (
    BUY,
    SELL,
    RfqHarness,
    accounts,
    quote,
    request_quotes,
    trade,
)

STEP = Decimal("0.01")


def with_fees() -> RfqHarness:
    """Return a venue that charges fees and on which the maker has more money."""
    return RfqHarness(fees={"prediction": PREDICTION_FEES}, accounts=accounts(bob=100_000))


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("price", ["0.03", "0.40", "0.97"])
@pytest.mark.parametrize("cash", ["0.50", "7.77", "50", "999.99"])
def test_cash_includes_the_fees_and_is_used_fully(side: Side, price: str, cash: str) -> None:
    harness = with_fees()
    ann, bob = harness.creator(), harness.maker()
    bob.send(
        quote(
            request_quotes(ann, cash_order_qty=cash),
            "q1",
            *([price, None] if side == SELL else [None, price]),
        )
    )
    received = ann.take_only(Quote)
    size = received.bid_size if side == SELL else received.offer_size
    assert size is not None
    unit_cost = 1 - d(price)
    assert size < d(cash) / unit_cost, "fees are reserved"
    trade(ann, bob, side=side)
    spent = 1000 - harness.balance("ann")
    assert spent <= d(cash)
    larger = size + STEP
    fee = PREDICTION_FEES.fee(unit_cost, larger, aggressor=True)
    assert larger * unit_cost + fee > d(cash) - d("0.0001")


def test_fees_are_additional_if_the_cash_excludes_them() -> None:
    harness = with_fees()
    ann, bob = harness.creator(), harness.maker()
    bob.send(quote(request_quotes(ann, cash_order_qty="50", target_cost_excludes_fees=True)))
    assert ann.take_only(Quote).offer_size == d("111.11")
    trade(ann, bob)
    fee = PREDICTION_FEES.fee(d("0.45"), d("111.11"), aggressor=True)
    assert fee > 0
    assert 1000 - harness.balance("ann") == d("49.9995") + fee


def test_a_size_in_contracts_is_not_reduced_for_fees() -> None:
    harness = with_fees()
    ann, bob = harness.creator(), harness.maker()
    bob.send(quote(request_quotes(ann)))
    assert ann.take_only(Quote).offer_size == 100
    trade(ann, bob)
    assert harness.net("ann") == 100
