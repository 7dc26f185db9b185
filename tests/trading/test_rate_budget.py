"""Rate budgets: the bucket and the wait of each message, and the tokens reserved for cancels."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from math import inf, nan
from random import Random
from typing import Any

import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    Heartbeat,
    Logon,
    Logout,
    OrderGroupRequest,
    QuoteCancel,
    QuoteConfirm,
)
from kalshi_fix_sansio._generated import limits
from kalshi_fix_sansio._generated.messages import session
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import RejectReceived
from kalshi_fix_sansio.trading import RateBudget, TokenLimits
from kalshi_fix_sansio.trading.rate_budget import LOGON_BURST, LOGON_INTERVAL, MAX_SHARDS
from tests.charges import CHARGES, MASS_CANCEL, QUOTE, SNAPSHOT, amend, cancel
from tests.helpers import Clock, order


@pytest.fixture
def clock() -> Clock:
    return Clock()


ROUND_LIMITS = TokenLimits(write_rate=300, write_capacity=600, read_rate=300, read_capacity=600)


def exact_budget(tier: str | TokenLimits = ROUND_LIMITS, **changes: Any) -> RateBudget:
    """Return a budget that yields round figures: without safety margins, and 10 tokens per message."""
    return RateBudget(tier, **({"use": 1.0, "cancel_reserve": 0.0, "default_cost": 10} | changes))


@pytest.fixture
def budget() -> RateBudget:
    """Return a budget of 300 tokens per second, and 600 at once."""
    return exact_budget()


def count_without_waiting(budget: RateBudget, message: Message | type[Logon], clock: Clock) -> int:
    """Send a message as often as possible without waiting; return the number of messages sent."""
    count = 0
    while not budget.wait(message, clock.now):
        budget.sent(message, clock.now)
        count += 1
    return count


def refusal(msg_type: str, reason: BusinessRejectReason = BusinessRejectReason.RATE_LIMIT_EXCEEDED) -> Any:
    return BusinessMessageReject(ref_seq_num=7, ref_msg_type=msg_type, business_reject_reason=reason)


# --- buckets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", limits.WRITE_TOKENS)
@pytest.mark.parametrize("product", ["prediction", "margin"])
def test_each_tier_has_its_buckets(tier: str, product: Any, clock: Clock) -> None:
    budget = exact_budget(tier, product=product, default_cost=1)
    write, read = limits.WRITE_TOKENS[tier], limits.READ_TOKENS[tier]
    read_burst = limits.MARGIN_READ_BURST if product == "margin" else limits.READ_BURST[tier]
    assert count_without_waiting(budget, order(), clock) == write * limits.WRITE_BURST[tier]
    assert count_without_waiting(budget, SNAPSHOT, clock) == read * read_burst
    assert budget.wait(order(), clock.now) == pytest.approx(1 / write)
    clock.advance(1)
    assert count_without_waiting(budget, order(), clock) == write
    assert count_without_waiting(budget, SNAPSHOT, clock) == read
    clock.advance(3600)
    assert budget.left(clock.now) == write * limits.WRITE_BURST[tier]
    assert budget.left(clock.now, bucket="read") == read * read_burst


def test_by_default_five_percent_of_the_limits_is_unused(clock: Clock) -> None:
    budget = RateBudget(ROUND_LIMITS)
    assert budget.left(clock.now) == pytest.approx(0.95 * 600)
    budget.record_spending(570, clock.now)
    clock.advance(1)
    assert budget.left(clock.now) == pytest.approx(0.95 * 300)


def test_custom_limits_are_used_unchanged(clock: Clock) -> None:
    budget = exact_budget(TokenLimits(write_rate=50, write_capacity=60, read_rate=20, read_capacity=40))
    assert count_without_waiting(budget, order(), clock) == 6
    assert count_without_waiting(budget, SNAPSHOT, clock) == 4


@pytest.mark.parametrize(
    ("message", "shard", "cost"),
    [
        *CHARGES,
        (Heartbeat(), "free", limits.DEFAULT_COST),
        (session.TestRequest(test_req_id="t"), "free", limits.DEFAULT_COST),
        (Logout(), "free", limits.DEFAULT_COST),
    ],
    ids=lambda value: value.MSG_TYPE if isinstance(value, Message) else "",
)
def test_each_message_is_charged_to_its_bucket(
    message: Message, shard: int | str | None, cost: int, clock: Clock
) -> None:
    budget = RateBudget(ROUND_LIMITS, use=1.0)
    assert not budget.wait(message, clock.now)
    budget.sent(message, clock.now)
    assert budget.cost(message) == cost
    left: dict[Any, float] = {
        name: budget.left(clock.now, shard=name) for name in (None, 1, 2, limits.RFQ_SHARD)
    }
    everywhere = {**left, "read": budget.left(clock.now, bucket="read")}
    assert {name: 600 - tokens for name, tokens in everywhere.items() if tokens != 600} == (
        {} if shard == "free" else {shard: cost}
    )


def test_an_order_that_accepts_a_quote_is_charged_to_the_rfq_shard_and_to_the_shard_that_it_names(
    clock: Clock,
) -> None:
    """The venue's pages disagree on which of the two is charged."""
    shard = limits.RFQ_SHARD + 1
    for product, expected in (("prediction", [600, 590, 590]), ("margin", [590, 590, 590])):
        budget = exact_budget(product=product)
        budget.sent(order(ex_destination=shard, quote_id="q"), clock.now)
        assert [budget.left(clock.now, shard=item) for item in (None, limits.RFQ_SHARD, shard)] == expected
    budget = exact_budget()
    budget.record_spending(595, clock.now, shard=shard)
    assert budget.wait(order(quote_id="q"), clock.now) == 0
    assert budget.wait(order(ex_destination=shard, quote_id="q"), clock.now) == pytest.approx(5 / 300)


def test_heartbeats_are_sent_without_tokens(budget: RateBudget, clock: Clock) -> None:
    budget.record_spending(600, clock.now, bucket="read")
    budget.record_spending(600, clock.now)
    assert [budget.wait(item, clock.now) for item in (Heartbeat(), Logout())] == [0, 0]


def test_each_shard_has_the_full_budget_up_to_a_maximum_number_of_shards(
    budget: RateBudget, clock: Clock
) -> None:
    for shard in range(1, MAX_SHARDS + 1):
        budget.sent(order(ex_destination=shard), clock.now)
    for shard in range(1000, 100_000, 999):
        budget.sent(order(ex_destination=shard), clock.now)
    assert len(budget._buckets) <= MAX_SHARDS + 1
    assert budget.left(clock.now) == 600 - 10 * 100
    assert budget.left(clock.now, shard=MAX_SHARDS) == 590


def test_a_cancel_for_the_margin_product_has_a_separate_cost(clock: Clock) -> None:
    budget = exact_budget(product="margin")
    assert [budget.cost(item) for item in (cancel(), order())] == [limits.MARGIN_CANCEL_COST, 10]
    budget.sent(cancel(), clock.now)
    assert budget.left(clock.now) == 600 - limits.MARGIN_CANCEL_COST


def test_the_margin_product_has_no_shards(clock: Clock) -> None:
    budget = exact_budget(product="margin")
    budget.sent(order(ex_destination=1), clock.now)
    budget.record_spending(10, clock.now, shard=2)
    assert budget.left(clock.now, shard=1) == budget.left(clock.now) == 580


# --- waits ----------------------------------------------------------------------------------------------


def test_a_message_may_be_sent_exactly_when_its_wait_has_passed() -> None:
    random = Random(3)
    for tier in limits.WRITE_TOKENS:
        clock, budget = Clock(random.random() * 1e6), RateBudget(tier)
        for _ in range(300):
            message: Message = random.choice((order(), QUOTE, cancel(), SNAPSHOT, amend(1)))
            seconds = budget.wait(message, clock.now)
            if seconds > 1e-6:
                clock.advance(seconds * 0.9)
                assert budget.wait(message, clock.now) > 0
                clock.advance(seconds * 0.1)
            assert budget.wait(message, clock.now) < 1e-9
            budget.sent(message, clock.now)
            clock.advance(random.choice((0.0, 0.0, 0.0, 0.01)))


def test_waits_agree_with_exact_arithmetic(clock: Clock) -> None:
    """The expected wait for each message is computed from the whole history, with rational numbers."""
    limited = TokenLimits(100, 100, 100, 100)
    random, budget = Random(5), exact_budget(limited)
    history, now = list[tuple[Fraction, int]](), Fraction(1000)
    for _ in range(150):
        now += Fraction(random.randrange(8), 128)
        clock.monotonic = float(now)
        level, before = Fraction(100), Fraction(1000)
        for time, cost in history:
            level = min(Fraction(100), level + (time - before) * 100) - cost
            before = time
        level = min(Fraction(100), level + (now - before) * 100)
        message: Message = random.choice((order(), cancel()))
        cost = int(budget.cost(message))
        expected = max(Fraction(0), (cost - level) / 100)
        assert budget.wait(message, clock.now) == pytest.approx(float(expected), abs=1e-4)
        if not expected:
            budget.sent(message, clock.now)
            history.append((now, cost))
    assert 30 < len(history) < 140


def test_a_clock_that_goes_back_adds_no_tokens(budget: RateBudget, clock: Clock) -> None:
    budget.record_spending(600, clock.now)
    clock.advance(-10)
    assert budget.left(clock.now) == 0
    clock.advance(11)
    assert budget.left(clock.now) == 300


# --- cancels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["Basic", "Advanced", "Premier"])
def test_orders_and_quotes_never_delay_a_cancel(tier: str) -> None:
    random, clock, budget = Random(7), Clock(), RateBudget(tier)
    kept = int(0.2 * 0.95 * limits.WRITE_TOKENS[tier] * limits.WRITE_BURST[tier])
    factories: tuple[Callable[[], Message], ...] = (order, amend, lambda: OrderGroupRequest.create(5))
    for _ in range(5):
        for _ in range(random.randrange(1, 5)):
            count_without_waiting(budget, random.choice(factories)(), clock)
            count_without_waiting(budget, QUOTE, clock)
            clock.advance(random.random() / 10)
        assert count_without_waiting(budget, cancel(), clock) >= kept // limits.CANCEL_COST
        assert count_without_waiting(budget, QuoteCancel(quote_id="q"), clock) >= kept // limits.QUOTE_COST
        clock.advance(limits.WRITE_BURST[tier])


@pytest.mark.parametrize(
    "message",
    [cancel(), MASS_CANCEL, OrderGroupRequest.trigger("g"), OrderGroupRequest.delete("g")],
    ids=lambda message: message.MSG_TYPE,
)
def test_cancels_may_use_the_reserved_tokens(message: Message, clock: Clock) -> None:
    budget = RateBudget("Advanced", cancel_reserve=0.5)
    count_without_waiting(budget, order(), clock)
    assert budget.wait(order(), clock.now) > 0
    assert budget.wait(message, clock.now) == 0


def test_independent_messages_have_different_queues(budget: RateBudget) -> None:
    messages: tuple[Any, ...] = (order(), QUOTE, cancel(), cancel(1), MASS_CANCEL, SNAPSHOT, Logon)
    assert len({budget.queue_of(message) for message in messages}) == 7
    assert budget.queue_of(cancel()) == budget.queue_of(OrderGroupRequest.trigger("g"))
    assert budget.queue_of(order()) == budget.queue_of(amend(0))


def test_no_tokens_are_reserved_for_reads(clock: Clock) -> None:
    budget = exact_budget(cancel_reserve=0.5)
    assert count_without_waiting(budget, SNAPSHOT, clock) == 60


def test_mass_cancels_are_separated_by_an_interval(budget: RateBudget, clock: Clock) -> None:
    assert count_without_waiting(budget, MASS_CANCEL, clock) == 1
    assert budget.wait(MASS_CANCEL, clock.now) == pytest.approx(limits.MASS_CANCEL_INTERVAL)
    assert budget.wait(cancel(), clock.now) == 0
    clock.advance(limits.MASS_CANCEL_INTERVAL - 0.25)
    assert budget.wait(MASS_CANCEL, clock.now) == pytest.approx(0.25)
    clock.advance(60)
    assert count_without_waiting(budget, MASS_CANCEL, clock) == 1


def test_a_cost_of_zero_does_not_change_the_size_of_the_bucket(clock: Clock) -> None:
    budget = RateBudget("Prime", costs={MASS_CANCEL.MSG_TYPE: 0})
    assert budget.left(clock.now) == RateBudget("Prime").left(clock.now)


def test_a_free_mass_cancel_waits_only_for_its_interval(clock: Clock) -> None:
    budget = exact_budget(costs={MASS_CANCEL.MSG_TYPE: 0})
    budget.record_spending(600, clock.now)
    assert count_without_waiting(budget, MASS_CANCEL, clock) == 1
    assert budget.left(clock.now) == 0


def test_logons_have_their_own_bucket(budget: RateBudget, clock: Clock) -> None:
    budget.record_spending(600, clock.now)
    assert count_without_waiting(budget, Logon, clock) == LOGON_BURST
    assert budget.wait(Logon(encrypt_method="0", heart_bt_int=30), clock.now) == pytest.approx(1)
    assert budget.left(clock.now) == 0


# --- Logons reserved before their connection is made ----------------------------------------------------


def test_reserved_logons_that_are_sent_late_never_exceed_the_limit(clock: Clock) -> None:
    """The venue's bucket is charged when a Logon arrives, however long its connection takes."""
    budget, draw = RateBudget("Basic", use=1.0), Random(7)
    venue, connecting = float(LOGON_BURST), list[int]()
    for owner in range(2000):
        if draw.random() < 0.7:
            if not budget.reserve_logon(owner, 1e9, clock.now):
                connecting.append(owner)
            else:
                budget.end_logon_reservation(owner, clock.now, sent=False)
        passed = draw.choice((0.0, 0.3, 1.0, 30.0))
        clock.advance(passed)
        venue = min(float(LOGON_BURST), venue + passed / LOGON_INTERVAL)
        for done in draw.sample(connecting, draw.randint(0, len(connecting))):
            connecting.remove(done)
            sent = draw.random() < 0.8
            budget.end_logon_reservation(done, clock.now, sent=sent)
            venue -= sent
            assert venue > -1e-3


def test_waiting_logons_are_served_in_order(clock: Clock) -> None:
    budget = exact_budget()
    assert [budget.reserve_logon(owner, 10, clock.now) for owner in range(LOGON_BURST)] == [0] * LOGON_BURST
    for owner in range(LOGON_BURST):
        budget.end_logon_reservation(owner, clock.now, sent=True)
    assert [budget.reserve_logon(owner, 10, clock.now) for owner in "abc"] == pytest.approx([1, 2, 3])
    clock.advance(1)
    assert budget.reserve_logon("c", 10, clock.now) == pytest.approx(2)
    assert budget.reserve_logon("late", 10, clock.now) == pytest.approx(3)
    assert budget.reserve_logon("a", 10, clock.now) == 0
    budget.end_logon_reservation("b", clock.now, sent=False)
    clock.advance(1)
    assert budget.reserve_logon("c", 10, clock.now) == 0


def test_a_second_reservation_by_one_owner_extends_the_first(clock: Clock) -> None:
    budget = exact_budget()
    for wait in (0, 9, 9):
        clock.advance(wait)
        assert budget.reserve_logon("a", 10, clock.now) == 0
    budget.end_logon_reservation("a", clock.now, sent=False)
    assert count_without_waiting(budget, Logon, clock) == LOGON_BURST


def test_a_waiter_that_does_not_try_again_loses_its_place_in_the_queue(clock: Clock) -> None:
    budget = exact_budget()
    count_without_waiting(budget, Logon, clock)
    assert budget.reserve_logon("gone", 10, clock.now) == pytest.approx(1)
    assert budget.reserve_logon("here", 10, clock.now) == pytest.approx(2)
    clock.advance(1.5)
    assert budget.reserve_logon("here", 10, clock.now) == pytest.approx(0.5)
    clock.advance(5)
    assert budget.reserve_logon("here", 10, clock.now) == 0


def test_a_reservation_that_is_not_ended_holds_its_token_until_it_expires(clock: Clock) -> None:
    budget = exact_budget()
    for owner in range(LOGON_BURST):
        budget.reserve_logon(owner, 60, clock.now)
    clock.advance(59)
    assert budget.reserve_logon("b", 60, clock.now) > 0
    clock.advance(1)
    # The tokens of the expired reservations begin to refill only now.
    assert budget.reserve_logon("b", 60, clock.now) > 0
    budget.end_logon_reservation(0, clock.now, sent=False)
    assert budget.wait(Logon, clock.now) == pytest.approx(1)
    clock.advance(1)
    assert budget.reserve_logon("b", 60, clock.now) == 0


# --- refusals and external use --------------------------------------------------------------------------


def test_a_refusal_empties_the_bucket_of_its_message(budget: RateBudget, clock: Clock) -> None:
    assert budget.apply(RejectReceived(refusal("D"), 7, order(ex_destination=1)), clock.now)
    assert budget.left(clock.now, shard=1) == 0
    assert budget.left(clock.now) == 600
    assert budget.wait(order(ex_destination=1), clock.now) == pytest.approx(10 / 300)
    assert budget.apply(RejectReceived(refusal("q"), 8, MASS_CANCEL), clock.now)
    assert budget.wait(MASS_CANCEL, clock.now) == pytest.approx(limits.MASS_CANCEL_INTERVAL)


@pytest.mark.parametrize(("msg_type", "emptied"), [("D", {None, 1}), ("q", {None, 1}), ("V", {"read"})])
def test_a_refusal_of_a_forgotten_message_empties_every_possible_bucket(
    budget: RateBudget, msg_type: str, emptied: set[Any], clock: Clock
) -> None:
    for message in (order(), order(ex_destination=1), SNAPSHOT, MASS_CANCEL):
        budget.sent(message, clock.now)
    clock.advance(60)
    assert budget.apply(RejectReceived(refusal(msg_type), None, None), clock.now)
    left: dict[Any, float] = {name: budget.left(clock.now, shard=name) for name in (None, 1)}
    found = {**left, "read": budget.left(clock.now, bucket="read")}
    assert {name for name, tokens in found.items() if tokens == 0} == emptied
    assert (budget.wait(MASS_CANCEL, clock.now) >= 1) is (msg_type == "q")


def test_a_refusal_returns_no_tokens_and_other_rejects_do_not_count(budget: RateBudget, clock: Clock) -> None:
    budget.record_spending(700, clock.now)
    assert budget.apply(refusal("D"), clock.now)
    assert budget.left(clock.now) == -100
    assert not budget.apply(refusal("V", BusinessRejectReason.OTHER), clock.now)
    assert not budget.apply(order(), clock.now)
    assert budget.left(clock.now, bucket="read") == 600


def test_tokens_spent_via_rest_are_deducted(budget: RateBudget, clock: Clock) -> None:
    budget.record_spending(595, clock.now)
    budget.record_spending(10, clock.now, shard=2)
    budget.record_spending(10, clock.now, bucket="read", shard=2)
    assert budget.wait(order(), clock.now) == pytest.approx(5 / 300)
    assert budget.left(clock.now, shard=2) == 590
    assert budget.left(clock.now, bucket="read") == 590


def test_overspending_is_limited_to_one_full_bucket(budget: RateBudget, clock: Clock) -> None:
    budget.record_spending(800, clock.now)
    assert budget.wait(order(), clock.now) == pytest.approx(0.7)
    budget.record_spending(1e300, clock.now)
    assert budget.wait(order(), clock.now) == pytest.approx(610 / 300)
    for tokens in (-1, nan, inf):
        with pytest.raises(ValueError, match="tokens must be"):
            budget.record_spending(tokens, clock.now)


def test_tokens_of_a_message_refused_by_the_session_are_returned(budget: RateBudget, clock: Clock) -> None:
    for message in (order(), MASS_CANCEL, SNAPSHOT):
        budget.sent(message, clock.now)
        budget.withdraw(message, clock.now)
        budget.withdraw(message, clock.now)
        assert budget.wait(message, clock.now) == 0
    assert (budget.left(clock.now), budget.left(clock.now, bucket="read")) == (600, 600)


# --- settings -------------------------------------------------------------------------------------------


def test_the_user_can_set_costs(clock: Clock) -> None:
    budget = exact_budget(costs={QuoteConfirm.MSG_TYPE: 2, "F": 5}, default_cost=20)
    confirm = QuoteConfirm(quote_id="q")
    assert [budget.cost(item) for item in (confirm, cancel(), QUOTE, order())] == [
        2,
        5,
        limits.QUOTE_COST,
        20,
    ]
    assert count_without_waiting(budget, confirm, clock) == 300
    assert count_without_waiting(budget, order(), clock) == 30


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"tier": "premier"}, "no tier 'premier'; use one of Basic, .*Prestige"),
        ({"use": 0}, "use must be"),
        ({"use": 1.01}, "use must be"),
        ({"use": nan}, "use must be"),
        ({"cancel_reserve": 1}, "cancel_reserve must be"),
        ({"cancel_reserve": -0.1}, "cancel_reserve must be"),
        ({"costs": {"D": -1}}, "must cost 0 to 456 tokens, .*, not -1"),
        ({"costs": {"D": nan}}, "must cost 0 to 456 tokens, .*, not nan"),
        ({"default_cost": 457}, "must cost 0 to 456 tokens, .*, not 457"),
        ({"tier": TokenLimits(0, 100, 100, 100)}, "refill rate"),
        ({"tier": TokenLimits(100, 100, nan, 100)}, "refill rate"),
    ],
)
def test_invalid_settings_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        RateBudget(**({"tier": ROUND_LIMITS} | changes))


def test_the_repr_of_a_budget_contains_its_tier_and_product() -> None:
    assert repr(RateBudget("Prime", product="margin")) == "<RateBudget Prime margin>"


# --- dumps ----------------------------------------------------------------------------------------------


def test_a_loaded_budget_continues_to_refill(clock: Clock) -> None:
    budget = RateBudget(ROUND_LIMITS, default_cost=10)
    for message in (order(), order(ex_destination=2), SNAPSHOT, MASS_CANCEL, Logon):
        for _ in range(20):
            budget.sent(message, clock.now)
    dumped = json.loads(json.dumps(budget.dump(clock.now)))
    clock.monotonic = 3.0  # in another process or on another machine
    reloaded = RateBudget(ROUND_LIMITS)
    reloaded.load(dumped, clock.now)
    assert reloaded.dump(clock.now) == dumped
    clock.advance(0.5)
    assert reloaded.left(clock.now) == pytest.approx(0.95 * (600 + 150) - 400)


def test_a_dump_of_a_higher_tier_fills_the_bucket_and_no_more(clock: Clock) -> None:
    budget, higher = exact_budget(), exact_budget(TokenLimits(4800, 9600, 4800, 9600))
    higher.sent(order(), clock.now)
    budget.load(higher.dump(clock.now), clock.now)
    assert budget.left(clock.now) == 600
    clock.utc = clock.utc.replace(year=2020)  # The wall clock was set back.
    budget.load(higher.dump(Clock().now), clock.now)
    assert budget.left(clock.now) == 600


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"at": "yesterday"},
        {"at": None},
        {"levels": {"other": 1}},
        {"levels": {"write -1": 1}},
        {"levels": {"write": "many"}},
        {"levels": {"write": nan}},
        {"levels": {f"write {shard}": 1 for shard in range(1, MAX_SHARDS + 2)}},
        {"levels": None},
    ],
)
def test_an_invalid_dump_is_refused_and_changes_nothing(
    budget: RateBudget, changes: dict[str, Any], clock: Clock
) -> None:
    budget.sent(order(), clock.now)
    with pytest.raises(ValueError, match=r"version of a dump|not a valid dump"):
        budget.load({**budget.dump(clock.now), **changes}, clock.now)
    assert budget.left(clock.now) == 590
