"""Cancels, amends, mass cancels, pauses and market states in the exchange model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kalshi_fix_venue.exchange import (
    AccountId,
    Advance,
    CancelCause,
    MarketResult,
    MarketState,
    PauseState,
    SelfTradePrevention,
    SetMarketState,
    TimeInForce,
    prediction_market,
)
from kalshi_fix_venue.exchange.orders import Order
from kalshi_fix_venue.exchange.outcomes import (
    BookChanged,
    MarketStateChanged,
    MassCancelDone,
    MassCancelRefused,
    OrderCanceled,
    OrderReplaced,
    Outcome,
    RequestRefused,
)
from kalshi_fix_venue.exchange.registry import MAX_STALE, OrderRegistry
from tests.venue.exchange_harness import (
    BUY,
    MARKET,
    SELL,
    START,
    ExchangeHarness,
    d,
    ds,
    first,
    only,
    summary,
)

HOUR = timedelta(hours=1)


def levels(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [
        f"{change.side.name.lower()} {change.before}->{change.size}@{change.price}"
        for outcome in outcomes
        if isinstance(outcome, BookChanged)
        for change in outcome.changes
    ]


def test_a_cancel_cancels_the_remaining_quantity_and_changes_the_cl_ord_id(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 3, "0.40")
    harness.place("bob", "b1", SELL, 1, "0.40")
    outcomes = harness.cancel("ann", "a2", "a1")
    assert summary(outcomes) == ["a2 canceled REQUESTED"]
    canceled = outcomes[0]
    assert isinstance(canceled, OrderCanceled)
    assert (canceled.orig_cl_ord_id, canceled.requester) == ("a1", "ann")
    assert (canceled.order.filled_qty, canceled.order.leaves, canceled.order.quantity) == ds(1, 0, 3)
    assert harness.bids() == ""


@pytest.mark.parametrize("cl_ord_id", ["a1", "a2"])
def test_a_cancel_may_have_any_cl_ord_id(harness: ExchangeHarness, cl_ord_id: str) -> None:
    harness.place("ann", "a1", BUY, 3, "0.40")
    harness.place("ann", "a2", BUY, 3, "0.30")
    assert summary(harness.cancel("ann", cl_ord_id, "a1")) == [f"{cl_ord_id} canceled REQUESTED"]
    assert harness.bids() == "3@0.30"
    assert summary(harness.cancel("ann", "a3", "a2")) == ["a3 canceled REQUESTED"]


def test_a_cancel_must_contain_the_correct_order_fields() -> None:
    harness = ExchangeHarness(balances={"ann": "100", "ann/1": "100", "bob": "100"})
    harness.place("ann", "a1", BUY, 3, "0.40")
    attempts = [
        harness.cancel("ann", "c", "zz"),
        harness.cancel("ann", "c", "a1", SELL),
        harness.cancel("ann", "c", "a1", order_id="order-zz"),
        harness.cancel("ann/1", "c", "a1"),
        harness.cancel("bob", "c", "a1"),
    ]
    assert [summary(outcomes) for outcomes in attempts] == [["c refused ORDER_NOT_FOUND"]] * 5
    assert all(isinstance(o[0], RequestRefused) and o[0].order is None for o in attempts)
    assert summary(harness.cancel("ann", "c", "a1", order_id="order-a1")) == ["c canceled REQUESTED"]


def test_the_refusal_of_a_cancel_shows_how_the_order_ended(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 3, "0.40")
    harness.place("bob", "b1", SELL, 3, "0.40")
    refused = only(harness.cancel("ann", "c", "a1"), RequestRefused)
    assert summary((refused,)) == ["c refused ORDER_ALREADY_FILLED"]
    assert refused.order is not None
    assert refused.order.filled_qty == 3
    harness.place("ann", "a2", BUY, 3, "0.40")
    harness.cancel("ann", "a3", "a2")
    for known in ("a2", "a3"):
        refused = only(harness.cancel("ann", "c", known), RequestRefused)
        assert summary((refused,)) == ["c refused ORDER_NOT_FOUND"]
        assert refused.order is not None


def test_remembered_finished_orders_are_bounded() -> None:
    harness = ExchangeHarness(retained_orders=1)
    for number in (1, 2):
        harness.place("ann", f"a{number}", BUY, 1, "0.40")
        harness.place("bob", f"b{number}", SELL, 1, "0.40", tif=TimeInForce.IMMEDIATE_OR_CANCEL)
    assert summary(harness.cancel("ann", "c", "a1")) == ["c refused ORDER_NOT_FOUND"]
    assert summary(harness.cancel("ann", "c", "a2")) == ["c refused ORDER_ALREADY_FILLED"]


def test_a_smaller_quantity_keeps_the_place_in_the_queue(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40")
    harness.place("bob", "b1", BUY, 5, "0.40")
    outcomes = harness.amend("ann", "a2", "a1", 2)
    assert summary(outcomes) == ["a2 replaces a1"]
    assert levels(outcomes) == ["buy 10->7@0.40"]
    assert summary(harness.place("cat", "c1", SELL, 2, "0.40"))[-1] == "a2 makes 2 at 0.40"


def test_a_larger_quantity_goes_to_the_back(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40")
    harness.place("bob", "b1", BUY, 5, "0.40")
    outcomes = harness.amend("ann", "a2", "a1", 6)
    assert levels(outcomes) == ["buy 10->11@0.40"]
    assert summary(harness.place("cat", "c1", SELL, 2, "0.40"))[-1] == "b1 makes 2 at 0.40"


def test_a_new_price_goes_to_the_back_of_its_level(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.39")
    harness.place("bob", "b1", BUY, 5, "0.40")
    outcomes = harness.amend("ann", "a2", "a1", 5, "0.40")
    assert levels(outcomes) == ["buy 5->0@0.39", "buy 5->10@0.40"]
    assert summary(harness.place("cat", "c1", SELL, 2, "0.40"))[-1] == "b1 makes 2 at 0.40"


def test_an_amend_may_leave_all_values_unchanged(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40")
    harness.place("bob", "b1", BUY, 5, "0.40")
    assert summary(harness.amend("ann", "a2", "a1", 5, "0.40")) == ["a2 replaces a1"]
    assert summary(harness.place("cat", "c1", SELL, 2, "0.40"))[-1] == "a2 makes 2 at 0.40"


@pytest.mark.parametrize("quantity", [6, 5, 4])
def test_an_amend_needs_a_new_cl_ord_id(harness: ExchangeHarness, quantity: int) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40")
    assert summary(harness.amend("ann", "a1", "a1", quantity)) == ["a1 refused ORDER_ALREADY_EXISTS"]
    assert harness.bids() == "5@0.40"
    assert summary(harness.amend("ann", "a2", "a1", quantity)) == ["a2 replaces a1"]


def test_a_post_only_order_amended_to_cross_is_cancelled(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.39", post_only=True)
    harness.place("bob", "b1", SELL, 3, "0.45")
    assert summary(harness.amend("ann", "a2", "a1", 5, "0.45")) == [
        "a2 replaces a1",
        "a2 canceled POST_ONLY_CROSS",
    ]
    assert (harness.bids(), harness.asks()) == ("", "3@0.45")


GTD, GTC, DAY = TimeInForce.GOOD_TILL_DATE, TimeInForce.GOOD_TILL_CANCEL, TimeInForce.DAY


def test_a_changed_expiry_keeps_the_place_in_the_queue(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40")
    harness.place("bob", "b1", BUY, 5, "0.40")
    replaced = only(harness.amend("ann", "a2", "a1", 5, "0.40", tif=GTD, expire=START + HOUR), OrderReplaced)
    assert replaced.order.expire_time == START + HOUR
    assert summary(harness.place("cat", "c1", SELL, 2, "0.40"))[-1] == "a2 makes 2 at 0.40"
    harness.wait(hours=1)
    assert summary(harness.exchange.apply(Advance(), harness.now)) == ["a2 canceled EXPIRED"]


def test_an_amend_without_a_time_in_force_keeps_the_expiry(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40", tif=GTD, expire=START + HOUR)
    for number, (quantity, price) in enumerate([(4, "0.40"), (6, "0.40"), (6, "0.41")], 1):
        replaced = first(harness.amend("ann", f"a{number + 1}", f"a{number}", quantity, price), OrderReplaced)
        assert replaced.order.expire_time == START + HOUR
    harness.wait(hours=1)
    assert summary(harness.exchange.apply(Advance(), harness.now)) == ["a4 canceled EXPIRED"]


def test_a_replaced_expiry_no_longer_ends_the_order(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40", tif=GTD, expire=START + HOUR)
    harness.amend("ann", "a2", "a1", 5, tif=GTD, expire=START + 3 * HOUR)
    harness.amend("ann", "a3", "a2", 5, tif=GTD, expire=START + 2 * HOUR)
    assert harness.exchange.next_expiry() == START + 2 * HOUR
    harness.wait(hours=1)
    assert harness.exchange.apply(Advance(), harness.now) == ()
    harness.wait(hours=1)
    assert summary(harness.exchange.apply(Advance(), harness.now)) == ["a3 canceled EXPIRED"]
    assert harness.exchange.next_expiry() is None


def test_an_amend_to_good_till_cancel_removes_the_expiry_and_to_day_sets_it() -> None:
    harness = ExchangeHarness()
    harness.place("ann", "a1", BUY, 5, "0.40", tif=GTD, expire=START + HOUR)
    replaced = only(harness.amend("ann", "a2", "a1", 5, tif=GTC), OrderReplaced)
    assert replaced.order.expire_time is None
    assert harness.exchange.next_expiry() is None
    replaced = only(harness.amend("ann", "a3", "a2", 5, tif=DAY), OrderReplaced)
    assert replaced.order.expire_time == datetime(2026, 8, 21, 3, 59, 59, 999_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tif", "expire"),
    [
        (GTD, None),
        (GTD, START),
        (GTD, START - HOUR),
        (GTD, datetime(1970, 1, 1, tzinfo=UTC)),
        (None, START + HOUR),
        (DAY, START + HOUR),
        (GTC, START + HOUR),
        (TimeInForce.IMMEDIATE_OR_CANCEL, None),
        (TimeInForce.FILL_OR_KILL, None),
    ],
)
def test_an_impossible_expiry_is_refused_and_changes_nothing(
    harness: ExchangeHarness, tif: TimeInForce | None, expire: datetime | None
) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40", tif=GTD, expire=START + 2 * HOUR)
    assert summary(harness.amend("ann", "a2", "a1", 5, tif=tif, expire=expire)) == [
        "a2 refused INVALID_ORDER"
    ]
    assert harness.exchange.next_expiry() == START + 2 * HOUR


def test_outdated_expiries_are_bounded() -> None:
    registry = OrderRegistry()
    order = Order(
        order_id="o", cl_ord_id="a", account=AccountId("ann"), origin="ann", market=MARKET, side=BUY,
        price=d("0.40"), quantity=d(1), leaves=d(1), time_in_force=GTD, expire_time=None, post_only=False,
        self_trade_prevention=SelfTradePrevention.MAKER, cancel_on_pause=False, max_execution_cost=None,
    )  # fmt: skip
    registry.add(order)
    for number in range(3 * MAX_STALE):
        order.expire_time = START + timedelta(seconds=number)
        registry.schedule(order)
        assert len(registry._expiries) <= MAX_STALE + 2
    assert registry.next_expiry() == order.expire_time
    order.expire_time = None
    assert registry.next_expiry() is None
    registry.schedule(order)
    assert registry.next_expiry() is None


def test_the_quantity_of_an_amend_includes_the_filled_quantity(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40")
    harness.place("bob", "b1", SELL, 2, "0.40")
    replaced = first(harness.amend("ann", "a2", "a1", 6), OrderReplaced)
    assert (replaced.order.quantity, replaced.order.filled_qty, replaced.order.leaves) == ds(5, 2, 4)
    assert summary(harness.amend("ann", "a3", "a2", 1)) == ["a3 refused INVALID_AMEND_QTY_FOR_ORDER"]
    canceled = first(harness.amend("ann", "a4", "a2", 2), OrderCanceled)
    assert (canceled.cause, canceled.orig_cl_ord_id) == (CancelCause.AMENDED_TO_FILLED, "a2")
    assert canceled.order.cl_ord_id == "a4"
    assert canceled.order.filled_qty == 2


def test_a_filled_order_cannot_be_amended(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40")
    harness.place("bob", "b1", SELL, 5, "0.40")
    assert summary(harness.amend("ann", "a2", "a1", 6)) == ["a2 refused CANNOT_UPDATE_FILLED_ORDER"]
    assert summary(harness.amend("ann", "a2", "zz", 6)) == ["a2 refused ORDER_NOT_FOUND"]
    harness.place("ann", "a3", BUY, 5, "0.40")
    assert summary(harness.amend("ann", "a4", "a3", 6, order_id="order-zz")) == ["a4 refused ORDER_NOT_FOUND"]


def test_an_amend_may_not_cross_the_owners_own_orders(harness: ExchangeHarness) -> None:
    harness.place("bob", "b1", SELL, 5, "0.44")
    harness.place("ann", "a1", BUY, 5, "0.40")
    harness.place("ann", "a2", SELL, 5, "0.45")
    refused = harness.amend("ann", "a3", "a1", 5, "0.45")
    assert summary(refused) == ["a3 refused SELF_CROSS_ATTEMPT"]
    refused = harness.amend("ann", "a3", "a2", 5, "0.40", SELL)
    assert summary(refused) == ["a3 refused SELF_CROSS_ATTEMPT"]
    assert (harness.bids(), harness.asks()) == ("5@0.40", "5@0.44 5@0.45")
    assert summary(harness.amend("ann", "a3", "a1", 5, "0.44"))[1] == "a3 takes 5 at 0.44"


def test_an_amend_is_checked_like_a_new_order() -> None:
    harness = ExchangeHarness(
        markets=(prediction_market(MARKET, position_limit=d(20)),), balances={"ann": "5"}
    )
    harness.place("ann", "a1", BUY, 10, "0.40")
    harness.place("ann", "a2", BUY, 1, "0.40")
    refusals = [
        harness.amend("ann", "a2", "a1", 10, "0.50"),
        harness.amend("ann", "a3", "a1", 10, "0.405"),
        harness.amend("ann", "a3", "a1", "10.001"),
        harness.amend("ann", "a3", "a1", 10, "0.50"),
        harness.amend("ann", "a3", "a1", 25, "0.01"),
    ]
    assert [summary(outcomes) for outcomes in refusals] == [
        ["a2 refused ORDER_ALREADY_EXISTS"],
        ["a3 refused INVALID_PRICE"],
        ["a3 refused INVALID_ORDER"],
        ["a3 refused INSUFFICIENT_BALANCE"],
        ["a3 refused EXCEEDED_PER_MARKET_RISK_LIMIT"],
    ]
    assert harness.bids() == "11@0.40"
    assert harness.available("ann") == d("0.60")


def test_a_mass_cancel_cancels_the_orders_of_one_session(harness: ExchangeHarness) -> None:
    for number in (1, 2):
        harness.place("ann", f"a{number}", BUY, 1, "0.40")
    harness.place("bob", "b1", BUY, 1, "0.40")
    outcomes = harness.mass_cancel("ann")
    assert outcomes[0] == MassCancelDone(origin="ann", count=2)
    assert summary(outcomes) == ["a1 canceled MASS_CANCELED", "a2 canceled MASS_CANCELED"]
    assert harness.bids() == "1@0.40"
    assert harness.mass_cancel("ann") == (MassCancelDone(origin="ann", count=0),)


def test_a_disconnect_cancels_immediately(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 1, "0.40")
    harness.pause(PauseState.EXCHANGE_PAUSED)
    outcomes = harness.mass_cancel("ann", CancelCause.DISCONNECTED)
    assert summary(outcomes) == ["a1 canceled DISCONNECTED"]
    assert not any(isinstance(o, MassCancelDone) for o in outcomes)


def test_a_trading_pause_permits_cancels_and_an_exchange_pause_does_not(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40")
    harness.place("ann", "a2", BUY, 5, "0.40")
    harness.pause(PauseState.TRADING_PAUSED)
    assert summary(harness.amend("ann", "c", "a1", 4)) == ["c refused TRADING_PAUSED"]
    assert summary(harness.cancel("ann", "c", "a1")) == ["c canceled REQUESTED"]
    harness.pause(PauseState.EXCHANGE_PAUSED)
    assert summary(harness.amend("ann", "c", "a2", 4)) == ["c refused EXCHANGE_PAUSED"]
    refused = only(harness.cancel("ann", "c", "a2"), RequestRefused)
    assert summary((refused,)) == ["c refused EXCHANGE_PAUSED"]
    assert refused.order is not None
    only(harness.mass_cancel("ann"), MassCancelRefused)
    assert harness.bids() == "5@0.40"


def test_orders_are_kept_during_a_halt_and_cancelled_when_it_ends(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40", on_pause=True)
    harness.place("ann", "a2", BUY, 5, "0.40")
    halted = harness.market_state(MarketState.INACTIVE)
    assert halted[0] == MarketStateChanged(
        time=START, market=MARKET, state=MarketState.INACTIVE, before=MarketState.ACTIVE
    )
    assert summary(halted) == ["a1 canceled TRADING_PAUSED"]
    assert summary(harness.amend("ann", "c", "a2", 4)) == ["c refused MARKET_INACTIVE"]
    assert harness.market_state(MarketState.INACTIVE) == ()
    assert summary(harness.market_state(MarketState.ACTIVE)) == ["a2 canceled MARKET_REACTIVATED"]
    assert harness.bids() == ""


def test_market_states_only_advance(harness: ExchangeHarness) -> None:
    first(harness.market_state(MarketState.CLOSED), MarketStateChanged)
    first(harness.market_state(MarketState.DETERMINED, MarketResult.YES), MarketStateChanged)
    first(harness.market_state(MarketState.SETTLED), MarketStateChanged)
    with pytest.raises(ValueError, match="is settled and cannot become active"):
        harness.market_state(MarketState.ACTIVE)
    with pytest.raises(ValueError, match="no market NO-SUCH"):
        harness.exchange.apply(SetMarketState("NO-SUCH", MarketState.CLOSED), harness.now)
    assert harness.exchange.markets[MARKET].state is MarketState.SETTLED


def test_an_impossible_state_change_does_not_expire_overdue_orders(harness: ExchangeHarness) -> None:
    harness.place("ann", "a1", BUY, 5, "0.40", tif=TimeInForce.DAY)
    harness.wait(days=2)
    with pytest.raises(ValueError, match="cannot become settled"):
        harness.market_state(MarketState.SETTLED)
    assert summary(harness.market_state(MarketState.INACTIVE)) == ["a1 canceled EXPIRED"]


def test_only_cancels_caused_by_time_are_expiries() -> None:
    assert [cause for cause in CancelCause if cause.is_expiry] == [
        CancelCause.EXPIRED,
        CancelCause.MARKET_CLOSED,
    ]


def test_level_changes_are_reported_per_command(harness: ExchangeHarness) -> None:
    assert levels(harness.place("ann", "a1", SELL, 2, "0.40")) == ["sell 0->2@0.40"]
    harness.place("ann", "a2", SELL, 2, "0.41")
    outcomes = harness.place("bob", "b1", BUY, 5, "0.41")
    assert levels(outcomes) == ["sell 2->0@0.40", "sell 2->0@0.41", "buy 0->1@0.41"]
    assert levels(harness.place("cat", "c1", SELL, 1, "0.42", tif=TimeInForce.IMMEDIATE_OR_CANCEL)) == []
