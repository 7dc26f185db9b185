"""Requests for an amount of cash: the number of contracts in a quote, with and without fees."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kalshi_fix_sansio import ExecutionReport, Quote, QuoteRequest, QuoteStatusReport, Side
from kalshi_fix_venue.exchange.fees import PREDICTION_FEES
from tests.venue.exchange_harness import d, ds
from tests.venue.rfq.rfq_harness import (
    BUY,
    OTHER,
    SELL,
    RfqHarness,
    accounts,
    discard,
    only,
    quote,
    request_quotes,
    trade,
)
from tests.venue.venue_harness import Client

STEP = Decimal("0.01")


def with_fees() -> RfqHarness:
    """Return a venue that charges fees and on which the maker has more money."""
    return RfqHarness(fees={"prediction": PREDICTION_FEES}, accounts=accounts(bob=100_000))


def test_makers_receive_the_amount_of_cash_and_no_quantity(ann: Client, bob: Client) -> None:
    request_quotes(ann, cash_order_qty="50")
    (entry,) = bob.take_only(QuoteRequest).related_sym
    assert (entry.order_qty, entry.cash_order_qty) == ds("0.00", "50.00")


def test_each_side_is_sized_by_the_creators_price_on_it(ann: Client, bob: Client) -> None:
    rfq_id = request_quotes(ann, cash_order_qty="50")
    discard(bob)
    status, received = (
        bob.answer_to(quote(rfq_id, "q1", "0.40", "0.55"), QuoteStatusReport),
        ann.take_only(Quote),
    )
    for message in (status, received):
        # The taker of the bid for YES pays 60 cents per NO contract, the other taker 45 cents per YES
        # contract.
        assert (message.bid_size, message.offer_size) == ds("83.33", "111.11")
        assert message.order_qty is None


@pytest.mark.parametrize(("side", "size", "paid"), [(BUY, "111.11", "49.9995"), (SELL, "83.33", "49.998")])
def test_a_trade_has_the_size_of_the_quote(
    harness: RfqHarness, ann: Client, bob: Client, side: Side, size: str, paid: str
) -> None:
    bob.send(quote(request_quotes(ann, cash_order_qty="50")))
    trade(ann, bob, side=side)
    assert only(ann.take(), ExecutionReport).last_qty == d(size)
    assert 1000 - harness.balance("ann") == d(paid)


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
    each = 1 - d(price)
    assert size < d(cash) / each, "fees are reserved"
    trade(ann, bob, side=side)
    spent = 1000 - harness.balance("ann")
    assert spent <= d(cash)
    more = size + STEP
    assert more * each + PREDICTION_FEES.fee(each, more, aggressor=True) > d(cash) - d("0.0001")


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


def test_a_side_is_not_quoted_with_less_than_the_smallest_quantity(ann: Client, bob: Client) -> None:
    rfq_id = request_quotes(ann, symbol=OTHER, cash_order_qty="0.01")
    discard(bob)
    status = bob.answer_to(quote(rfq_id, "q1", "0.40", "0.0001", symbol=OTHER), QuoteStatusReport)
    assert status.offer_size is None or status.offer_size >= STEP


def test_a_part_of_the_affordable_quantity_can_be_accepted(
    harness: RfqHarness, ann: Client, bob: Client
) -> None:
    bob.send(quote(request_quotes(ann, cash_order_qty="50", rest_remainder=True)))
    trade(ann, bob, order_qty="11.11")
    assert (harness.net("ann"), harness.bids()) == (d("11.11"), [ds("0.45", 100)])
