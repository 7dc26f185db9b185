"""Rate limits: the allowance of a tier, the refusals above it, and the bucket of each message."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    ExecutionReport,
    MarketDataRequest,
    NewOrderSingle,
    OrderCancelRequest,
    OrderMassCancelReport,
    QuoteConfirm,
    Side,
)
from kalshi_fix_sansio._generated import limits
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import RejectReceived
from kalshi_fix_sansio.trading import RateBudget
from kalshi_fix_sansio.trading.rate_budget import LOGON_BURST
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.exchange import PREDICTION, prediction_market
from kalshi_fix_venue.gateway.logins import Login
from kalshi_fix_venue.operations.faults import Unavailable
from kalshi_fix_venue.rate_limits import QUOTE_CONFIRM_COST_WITH_RFQ_ID, RateLimits
from tests.charges import CHARGES
from tests.venue.exchange_harness import MARKET, PERP
from tests.venue.venue_harness import Client, VenueHarness, accounts, amend, cancel, mass_cancel, order

BUY = Side.BUY
TIER = "Advanced"
COST, RATE = limits.DEFAULT_COST, limits.WRITE_TOKENS[TIER]
CAPACITY = RATE * limits.WRITE_BURST[TIER]
BURST, TOKENS_LEFT = divmod(CAPACITY, COST)
"""Number of orders that a full bucket covers, and the tokens left after them."""
READ_BURST = limits.READ_TOKENS[TIER] * limits.READ_BURST[TIER] // COST
INTERVAL = limits.MASS_CANCEL_INTERVAL


def limited(tier: str | None = TIER, **changes: Any) -> VenueHarness:
    """Return a venue on which Ann and the margin trader have a tier, and Bob has none."""
    return VenueHarness(accounts=accounts(ann={"tier": tier}, perp={"tier": tier}), **changes)


@pytest.fixture
def harness() -> VenueHarness:
    return limited()


def refusals(client: Client) -> list[BusinessMessageReject]:
    found = [event.reject for event in client.events if isinstance(event, RejectReceived)]
    client.events.clear()
    return [reject for reject in found if isinstance(reject, BusinessMessageReject)]


def accepted_count(client: Client, message: Any, count: int) -> int:
    """Send `count` messages without a pause; return the number of messages within the limits."""
    for number in range(count):
        client.send(message(number))
    refused = refusals(client)
    assert {reject.business_reject_reason for reject in refused} <= {BusinessRejectReason.RATE_LIMIT_EXCEEDED}
    return count - len(refused)


def new(number: int, **fields: Any) -> NewOrderSingle:
    return order(f"o{number}", BUY, 1, fields.pop("price", "0.01"), **fields)


def snapshot(number: int) -> MarketDataRequest:
    return MarketDataRequest.snapshot(MARKET)


# --- the limit ------------------------------------------------------------------------------------------


def test_a_full_bucket_covers_the_burst_and_refills_over_time(harness: VenueHarness, ann: Client) -> None:
    assert accepted_count(ann, new, BURST + 10) == BURST
    assert accepted_count(ann, lambda number: new(1000 + number), 1) == 0
    harness.wait((COST - TOKENS_LEFT) / RATE - 0.0005)
    assert accepted_count(ann, lambda number: new(2000 + number), 1) == 0
    harness.wait(0.001)
    assert accepted_count(ann, lambda number: new(3000 + number), 2) == 1
    harness.wait(1)
    assert accepted_count(ann, lambda number: new(4000 + number), 2 * BURST) == RATE // COST
    harness.wait(3600)
    assert accepted_count(ann, lambda number: new(5000 + number), BURST + 10) == BURST


def test_requests_over_the_limit_are_refused_with_j_and_never_reach_the_exchange(
    harness: VenueHarness, ann: Client
) -> None:
    for number in range(BURST + 1):
        ann.send(new(number))
    (refusal,) = refusals(ann)
    assert refusal.business_reject_reason == BusinessRejectReason.RATE_LIMIT_EXCEEDED
    assert (refusal.ref_msg_type, refusal.business_reject_ref_id) == ("D", f"o{BURST}")
    assert refusal.ref_seq_num == BURST + 2
    assert f"o{BURST}" not in {order.cl_ord_id for order in harness.venue.exchange(PREDICTION).open_orders()}
    assert ann.session.is_established


def test_an_account_without_a_tier_is_not_limited(bob: Client) -> None:
    assert accepted_count(bob, new, 200) == 200


def test_there_are_no_limits_by_default() -> None:
    harness = VenueHarness()
    assert accepted_count(harness.connect("ann"), new, 200) == 200
    for _ in range(30):
        harness.connect("bob").logout()
    assert harness.connect("bob").is_logged_on


# --- accounts and keys ----------------------------------------------------------------------------------


def test_all_keys_of_an_account_share_its_buckets_and_others_do_not(harness: VenueHarness) -> None:
    ann, second, perp = (
        harness.connect("ann"),
        harness.connect("ann-2", "KalshiRT"),
        harness.connect("perp", product="margin"),
    )
    assert accepted_count(ann, new, BURST - 20) == BURST - 20
    assert accepted_count(second, lambda number: new(1000 + number), 40) == 20
    assert accepted_count(perp, lambda number: new(number, symbol=PERP, price="1.00"), BURST + 10) == BURST


def test_reads_and_writes_have_separate_buckets(harness: VenueHarness) -> None:
    ann, md = harness.connect("ann"), harness.connect("ann-md", "KalshiMD")
    assert accepted_count(ann, new, BURST + 1) == BURST
    assert accepted_count(md, snapshot, READ_BURST + 10) == READ_BURST
    assert accepted_count(ann, lambda number: new(1000 + number), 1) == 0


def test_heartbeats_test_requests_and_logout_are_free(harness: VenueHarness) -> None:
    ann = harness.connect("ann", heart_bt_int=10)
    assert accepted_count(ann, new, BURST) == BURST
    for number in range(100):
        ann.session.test_request(harness.now, test_req_id=str(number))
        harness.run()
    assert refusals(ann) == []
    ann.logout()
    assert ann.session_end().clean


# --- costs ----------------------------------------------------------------------------------------------

SHARDS = {"prediction": (0, 1, 2), "margin": (0,)}


def charge_of(message: Message, product: str = "prediction") -> tuple[int | str | None, float]:
    """Return the bucket to which a message is charged, and the cost."""
    buckets = RateLimits({("ann", product): "Prime"}, SHARDS)
    login = Login(key_id="key", owner="ann", session_type="KalshiRT", product=product, keeps_messages=True)
    assert buckets.accepts(message, login, 0.0)
    ((key, bucket),) = (
        (key, found) for key, found in buckets._buckets.items() if key.purpose in ("read", "write")
    )
    return "read" if key.purpose == "read" else key.shard, bucket.capacity - bucket.level


@pytest.mark.parametrize(
    ("message", "bucket", "cost"),
    [
        *CHARGES,
        (new(1, ex_destination=1000), None, COST),
        (new(1, ex_destination=2, quote_id="q"), limits.RFQ_SHARD, COST),
        (QuoteConfirm(quote_id="q", rfq_id="r"), limits.RFQ_SHARD, QUOTE_CONFIRM_COST_WITH_RFQ_ID),
    ],
)
def test_each_message_is_charged_to_its_bucket(message: Message, bucket: int | str | None, cost: int) -> None:
    assert charge_of(message) == (bucket, cost)


@pytest.mark.parametrize("by_market", [False, True])
def test_the_venue_charges_an_order_that_accepts_a_quote_to_one_of_two_shards_and_a_rate_budget_to_both(
    by_market: bool,
) -> None:
    shard = limits.RFQ_SHARD + 1
    harness = limited(
        markets={"prediction": (prediction_market(MARKET, shard=shard),), "margin": ()},
        assumptions=Assumptions(accepted_quotes_use_market_shard=by_market),
    )
    ann, budget = harness.connect("ann"), RateBudget(TIER, use=1.0, cancel_reserve=0.0)
    accepting = [new(number, quote_id="q", ex_destination=shard) for number in range(2 * BURST)]
    for number, message in enumerate(accepting):
        assert (budget.wait(message, harness.now) == 0) == (number < BURST)
        if number < BURST:
            budget.sent(message, harness.now)
            ann.send(message)
    reasons = {refusal.business_reject_reason for refusal in refusals(ann)}
    assert reasons == {BusinessRejectReason.UNKNOWN_ID}
    other = lambda number: new(1000 + number, ex_destination=shard)  # noqa: E731
    assert accepted_count(ann, other, BURST + 1) == (0 if by_market else BURST)
    assert accepted_count(ann, lambda number: new(3000 + number, quote_id="q"), 1) == 0


def test_each_shard_has_the_whole_budget_and_an_unknown_one_has_none() -> None:
    markets = {"prediction": (prediction_market(MARKET, shard=1),), "margin": ()}
    harness = limited(markets=markets)
    ann = harness.connect("ann")
    assert accepted_count(ann, lambda number: new(number, ex_destination=1), BURST + 10) == BURST
    assert accepted_count(ann, lambda number: new(1000 + number), BURST + 10) == BURST
    for shard in range(1000, 1198):
        ann.send(new(5000 + shard, ex_destination=shard))
    assert len(refusals(ann)) == 198
    assert len(harness.venue._rate_limits._buckets) <= 3


# --- mass cancels ---------------------------------------------------------------------------------------


def numbered_mass_cancel(number: int) -> Message:
    return mass_cancel(f"m{number}")


@pytest.mark.parametrize("tier", [TIER, None])
def test_mass_cancels_must_be_separated_by_an_interval(tier: str | None) -> None:
    harness = limited(tier)
    ann = harness.connect("ann")
    assert accepted_count(ann, numbered_mass_cancel, 3) == 1
    harness.wait(INTERVAL - 0.001)
    assert accepted_count(ann, numbered_mass_cancel, 1) == 0
    harness.wait(0.001)
    assert ann.answer_to(mass_cancel("m9"), OrderMassCancelReport).cl_ord_id == "m9"
    harness.wait(10 * INTERVAL)
    assert accepted_count(ann, numbered_mass_cancel, 2) == 1


def test_orders_on_margin_with_a_shard_are_charged_to_the_single_budget() -> None:
    for message in (
        new(1, ex_destination=1),
        amend("g", "o", 1, ex_destination=1),
        cancel("f", "o", ex_destination=1),
    ):
        cost = limits.MARGIN_CANCEL_COST if isinstance(message, OrderCancelRequest) else COST
        assert charge_of(message, "margin") == (None, cost)


def test_a_mass_cancel_that_the_budget_does_not_cover_may_be_repeated_immediately(
    harness: VenueHarness, ann: Client
) -> None:
    assert accepted_count(ann, new, BURST) == BURST
    assert accepted_count(ann, numbered_mass_cancel, 1) == 0
    harness.wait((COST - TOKENS_LEFT) / RATE + 0.001)
    assert accepted_count(ann, numbered_mass_cancel, 1) == 1


# --- logons ---------------------------------------------------------------------------------------------


def test_a_tier_without_fix_is_refused() -> None:
    harness = limited("Basic")
    assert "API usage level is not allowed for FIX" in harness.connect("ann").session_end().text
    assert harness.connect("bob").is_logged_on


def test_logons_have_a_separate_limit(harness: VenueHarness) -> None:
    for number in range(LOGON_BURST):
        client = harness.connect("ann")
        assert accepted_count(client, lambda _, number=number: new(number), 1) == 1
        client.logout()
    assert "rate limit exceeded" in harness.connect("ann").session_end().text
    assert harness.connect("bob").is_logged_on
    harness.wait(0.9)
    assert "rate limit exceeded" in harness.connect("ann").session_end().text
    harness.wait(0.2)
    ann = harness.connect("ann")
    assert accepted_count(ann, lambda number: new(100 + number), 30) == 30


def test_an_unknown_tier_is_refused_with_a_list_of_the_valid_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'premier'; use Basic, .*Prestige, or None"):
        limited("premier")


def test_the_limit_is_checked_before_faults(harness: VenueHarness, ann: Client) -> None:
    harness.perform(Unavailable(skip=BURST))
    assert accepted_count(ann, new, BURST + 1) == BURST
    assert harness.venue.faults()[0]["fault"] == "unavailable"
    harness.wait(1)
    ann.send(new(1000))
    (report,) = (m for m in ann.take() if isinstance(m, ExecutionReport))
    assert report.text == "EXCHANGE_UNAVAILABLE"


def test_margin_has_the_same_budgets_as_prediction_and_mass_cancels_cost_tokens(
    harness: VenueHarness,
) -> None:
    perp = harness.connect("perp", product="margin")
    assert accepted_count(perp, lambda n: order(f"p{n}", BUY, 1, "0.0001", symbol=PERP), BURST + 5) == BURST
    ann = harness.connect("ann")
    ann.send(mass_cancel())
    assert accepted_count(ann, lambda n: order(f"a{n}", BUY, 1, "0.01"), BURST) == BURST - 1
    ann.send(order("more", BUY, 1, "0.01"))
    assert [refused.text for refused in refusals(ann)] == ["Rate limit exceeded"]
