"""A client with a rate budget: which calls wait, for how long and in which order, and how much each is
charged."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from kalshi_fix_adapters.engine.pacing import Turn
from kalshi_fix_adapters.errors import ConnectionFailedError, NotConnectedError
from kalshi_fix_adapters.events import Resubscribed
from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    Logon,
    MarketDataRequest,
    MassCancelRequestType,
    OrderCancelRequest,
    OrderMassCancelRequest,
    Side,
)
from kalshi_fix_sansio._generated.limits import MASS_CANCEL_INTERVAL
from kalshi_fix_sansio._generated.sessions import SESSION_TYPES
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import MessageReceived, RejectReceived
from kalshi_fix_sansio.trading import RateBudget, TokenLimits
from tests.adapters.engine.stage import Stage, open_stage, plan
from tests.helpers import order


def budget(rate: float = 10, capacity: float = 20, **changes: Any) -> RateBudget:
    """Return a budget for one order a second, and two at once; a cancel costs a fifth of an order."""
    limits = TokenLimits(write_rate=rate, write_capacity=capacity, read_rate=rate, read_capacity=capacity)
    costs = {OrderCancelRequest.MSG_TYPE: 2}
    fixed: dict[str, Any] = {"use": 1.0, "cancel_reserve": 0.0, "default_cost": 10, "costs": costs}
    return RateBudget(limits, **(fixed | changes))


def cancel(number: int = 1) -> OrderCancelRequest:
    return OrderCancelRequest(
        cl_ord_id=f"c{number}", orig_cl_ord_id="a", side=Side.BUY, symbol="KXHIGHNY-26AUG21-B80"
    )


def mass_cancel(number: int) -> OrderMassCancelRequest:
    return OrderMassCancelRequest(
        cl_ord_id=f"m{number}", mass_cancel_request_type=MassCancelRequestType.CANCEL_FOR_SESSION
    )


class Callers:
    """Callers that wait to send, as in an adapter: they try again whenever the core has work to do."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.waiting: dict[Turn, Any] = {}
        self.begin = stage.clock.monotonic
        self.sent: list[tuple[float, str]] = []
        """The ClOrdIDs sent, each with the seconds since the start."""

    def send(self, *messages: Message) -> None:
        for message in messages:
            turn = self.stage.core.turn(message)
            assert turn.lock.acquire(blocking=False)
            self.waiting[turn] = message
        self.check()

    def check(self) -> None:
        self.stage.run()
        has_sent = True
        while has_sent:
            has_sent = False
            # The newest caller tries first, which is the opposite of the queue's order.
            for turn, message in reversed(tuple(self.waiting.items())):
                if self.stage.core.send(message, turn=turn) is not None:
                    del self.waiting[turn]
                    turn.lock.release()
                    self.sent.append((round(self.stage.clock.monotonic - self.begin, 6), message.cl_ord_id))
                    has_sent = True

    def give_up(self, turn: Turn) -> None:
        del self.waiting[turn]
        self.stage.core.leave_queue(turn)
        turn.lock.release()

    def wait(self, seconds: float) -> None:
        end = self.stage.clock.monotonic + seconds
        while (left := end - self.stage.clock.monotonic) > 0:
            due = self.stage.core.timeout()
            self.stage.advance(left if due is None else min(left, due))
            self.check()


def new_callers(rates: RateBudget, **changes: Any) -> Callers:
    return Callers(open_stage(plan(budget=rates, **changes)))


# --- waiting


def test_messages_are_sent_in_order_and_as_soon_as_their_tokens_are_available() -> None:
    callers = new_callers(budget())
    for number in range(4):
        callers.send(order(f"a{number}"))
    assert len(callers.sent) == 2
    callers.wait(5)
    assert callers.sent == [(0, "a0"), (0, "a1"), (1, "a2"), (2, "a3")]
    assert callers.stage.core.pacing is not None
    assert callers.stage.core.pacing._queues == {}


def test_a_cancel_overtakes_waiting_orders_without_delay() -> None:
    callers = new_callers(budget(capacity=40, cancel_reserve=0.5))
    for number in range(6):
        callers.send(order(f"a{number}"))
    assert [name for _, name in callers.sent] == ["a0", "a1"]
    for number in range(10):
        callers.send(cancel(number))
    assert [name for _, name in callers.sent[2:]] == [f"c{number}" for number in range(10)]
    callers.send(cancel(10))
    callers.wait(0.25)
    assert callers.sent[-1] == (0.2, "c10")
    callers.wait(10)
    assert [at for at, name in callers.sent[-4:]] == [3.2, 4.2, 5.2, 6.2]


def test_a_mass_cancel_waiting_for_its_interval_delays_no_cancel() -> None:
    callers = new_callers(budget(capacity=1000))
    callers.send(mass_cancel(1))
    callers.send(mass_cancel(2))
    callers.send(cancel(1))
    callers.wait(2 * MASS_CANCEL_INTERVAL)
    assert callers.sent == [(0, "m1"), (0, "c1"), (MASS_CANCEL_INTERVAL, "m2")]


def test_the_next_message_is_sent_when_a_caller_gives_up() -> None:
    callers = new_callers(budget())
    for number in range(1, 5):
        callers.send(order(f"a{number}"))
    callers.wait(0.5)
    for _ in range(2):
        callers.send(cancel(0))  # Uses the tokens that the next order waits for.
    abandoned = next(iter(callers.waiting))
    callers.give_up(abandoned)
    callers.wait(3)
    assert [name for _, name in callers.sent] == ["a1", "a2", "c0", "c0", "a4"]
    callers.stage.core.leave_queue(abandoned)


def test_an_abandoned_wait_delays_no_other_message() -> None:
    callers = new_callers(budget())
    for number in range(1, 5):
        callers.send(order(f"a{number}"))
    abandoned = next(iter(callers.waiting))
    del callers.waiting[abandoned]
    abandoned.lock.release()
    callers.wait(3)
    assert [name for _, name in callers.sent] == ["a1", "a2", "a4"]


def test_all_messages_wait_for_a_venue_that_does_not_read() -> None:
    callers = new_callers(budget(rate=1e6, capacity=1e7))
    callers.stage._carry_to_venue = lambda venue: False  # type: ignore[method-assign]
    for number in range(500):
        callers.send(order(f"a{number}"))
    waiting = len(callers.waiting)
    assert callers.stage.core.congested
    assert waiting > 0
    callers.wait(1)
    assert len(callers.waiting) == waiting
    del callers.stage._carry_to_venue
    for _ in range(100):
        callers.check()
    assert not callers.waiting


# --- charging


@pytest.mark.parametrize("wait", [0, 5])
def test_a_lost_connection_ends_the_wait_and_nothing_is_sent_or_charged(wait: float) -> None:
    """With a `wait`, the caller checks only after the client is logged on again."""
    rates = budget()
    callers = new_callers(rates)
    callers.send(order("a1"), order("a2"))
    callers.send(order("a3"))
    callers.stage.cut(wait=wait)
    with pytest.raises(NotConnectedError):
        callers.check()
    callers.give_up(next(iter(callers.waiting)))
    callers.stage.advance(5)
    assert rates.left(callers.stage.clock.now) == 20
    assert callers.stage.core.is_logged_on
    callers.send(order("a4"))
    assert callers.sent[-1][1] == "a4"


def test_a_rate_limit_refusal_empties_the_bucket() -> None:
    rates = budget()
    callers = new_callers(rates)
    callers.send(order("a1"))
    reject = BusinessMessageReject(
        ref_seq_num=2, ref_msg_type="D", business_reject_reason=BusinessRejectReason.RATE_LIMIT_EXCEEDED
    )
    callers.stage.venue_sends(reject)
    assert any(isinstance(event, RejectReceived) for event in callers.stage.take())
    assert rates.left(callers.stage.clock.now) == 0
    callers.send(order("a2"))
    callers.wait(2)
    assert callers.sent == [(0, "a1"), (1, "a2")]


def test_messages_wait_for_tokens_that_rest_calls_have_spent() -> None:
    rates = budget()
    callers = new_callers(rates)
    callers.stage.core.record_spending(15, "write", None)
    callers.send(order("a1"))
    callers.wait(1)
    assert callers.sent == [(0.5, "a1")]
    callers.stage.core.record_spending(15, "read", None)
    assert rates.left(callers.stage.clock.now, bucket="read") == 5


def test_two_clients_of_an_account_share_its_budget() -> None:
    rates = budget()
    first, second = new_callers(rates), new_callers(rates)
    second.stage.clock = first.stage.clock
    second.stage.core._clocks = first.stage.core._clocks
    first.send(order("a1"))
    second.send(order("b1"))
    first.send(order("a2"))
    second.send(order("b2"))
    assert (first.sent, second.sent) == ([(0, "a1")], [(0, "b1")])
    first.wait(1)
    second.check()
    assert (first.sent[-1], len(second.sent)) == ((1, "a2"), 1)
    first.wait(1)
    second.check()
    assert second.sent[-1] == (2, "b2")


def test_the_end_of_a_wait_is_reported_once() -> None:
    """The core reports a due time once, and does not repeat it until the waiting call has checked."""
    callers = new_callers(budget())
    callers.send(order("a1"), order("a2"))
    callers.send(order("a3"))
    callers.stage.advance(1)
    assert callers.stage.core.timeout() != 0
    callers.check()
    assert callers.sent[-1] == (1, "a3")


# --- messages that the client sends on its own


def test_logons_are_charged_and_wait_for_the_budget() -> None:
    rates = budget()
    stage = Stage(plan(budget=rates))
    for _ in range(10):
        rates.sent(Logon, stage.clock.now)
    stage.open()
    assert stage.attempts == []
    stage.advance(0.99)
    assert stage.attempts == []
    stage.advance(0.02)
    assert [at for at, _ in stage.attempts] == [1]
    assert stage.core.is_logged_on
    assert rates.wait(Logon, stage.clock.now) > 0.9


def test_clients_that_begin_together_stay_within_the_logon_rate() -> None:
    rates = budget()
    stages = [Stage(plan(budget=rates)) for _ in range(20)]
    connecting = []
    for stage in stages:
        stage.clock = stages[0].clock
        stage.core.begin()
        if stage.core.next_attempt() is not None:
            connecting.append(stage)
    # No client has sent its Logon yet, and tokens reserved for unsent Logons are not refilled.
    assert len(connecting) == 10
    for _ in range(10):
        stages[0].clock.advance(1)
        assert not any(stage.core.next_attempt() for stage in stages)
    for stage in connecting:
        stage.accept()
        stage.run()
    for seconds in range(1, 10):
        stages[0].clock.advance(1)
        for stage in reversed(stages):
            stage.run()
        # The Logons are sent in the order in which the clients began.
        assert [stage.core.is_logged_on for stage in stages].index(False) == 10 + seconds


def connecting_stage(rates: RateBudget, **changes: Any) -> Stage:
    """Return a client that is connecting."""
    stage = Stage(plan(budget=rates, **changes))
    stage.core.begin()
    assert stage.core.next_attempt() is not None
    return stage


def stage_waiting_for_logon(rates: RateBudget) -> Stage:
    """Return a client that waits until the budget allows its Logon."""
    stage = Stage(plan(budget=rates))
    for owner in range(9):
        assert not rates.reserve_logon(owner, 0.1, stage.clock.now)
    rates.sent(Logon, stage.clock.now)
    stage.core.begin()
    assert stage.core.next_attempt() is None
    assert stage.core.timeout() == pytest.approx(1)
    return stage


def log_out_while_connecting(rates: RateBudget) -> None:
    stage = connecting_stage(rates)
    stage.core.logout()
    stage.core.connected()


def end_while_waiting(rates: RateBudget, call: str, *args: Any) -> None:
    stage = stage_waiting_for_logon(rates)
    getattr(stage.core, call)(*args)
    assert stage.core.over


def fail_to_sign(_: object) -> bytes:
    raise ValueError("no key")


NOT_SENT: dict[str, Callable[[RateBudget], object]] = {
    "no connection": lambda rates: connecting_stage(rates).core.connect_failed(
        ConnectionFailedError("refused")
    ),
    "logout while connecting": log_out_while_connecting,
    "no signature": lambda rates: connecting_stage(
        rates, session={"sign_logon": fail_to_sign}
    ).core.connected(),
    "an internal error": lambda rates: connecting_stage(rates).core.record_failure(OSError()),
    "logout while waiting": lambda rates: end_while_waiting(rates, "logout"),
    "stop_reconnecting while waiting": lambda rates: end_while_waiting(rates, "stop_reconnecting"),
    "failure while waiting": lambda rates: end_while_waiting(rates, "record_failure", OSError()),
}


@pytest.mark.parametrize("why", NOT_SENT)
def test_the_tokens_of_an_unsent_logon_are_returned(why: str) -> None:
    rates = budget()
    NOT_SENT[why](rates)
    stage = Stage(plan(budget=rates))
    stage.clock.advance(1)
    logons = 0
    while not rates.reserve_logon(logons, 10, stage.clock.now):
        logons += 1
    assert logons == (10 if "waiting" not in why else 1)


def test_repeated_reconnects_stay_within_the_logon_rate() -> None:
    stage = open_stage(plan(budget=budget()))
    stage.drawn = 0.0  # the policy adds no wait
    for _ in range(20):
        stage.cut(wait=1)
    times = [at for at, _ in stage.attempts]
    assert len(times) > 15
    for begin in count():
        if begin + 10 >= len(times):
            break
        assert times[begin + 10] - times[begin] >= 1 - 1e-6


def test_repeated_subscriptions_are_charged_and_wait_for_the_budget() -> None:
    rates = budget()
    stage = open_stage(plan("KalshiMD", budget=rates))
    stage.drawn = 0.0  # the policy adds no wait
    maximum = SESSION_TYPES["KalshiMD"].symbols_per_request or 0
    symbols = [f"S{number}" for number in range(2 * maximum + 1)]
    for begin in range(0, len(symbols), maximum):
        assert stage.core.send(MarketDataRequest.subscribe(*symbols[begin : begin + maximum]))
        stage.advance(5)  # the budget is full again
    stage.take()
    stage.venue_events.clear()
    stage.cut()

    def received_count() -> int:
        return sum(isinstance(event, MessageReceived) for event in stage.venue_events)

    assert stage.core.is_logged_on
    assert received_count() == 2
    assert rates.left(stage.clock.now, bucket="read") < 1
    stage.advance(0.9)
    assert received_count() == 2
    stage.advance(0.2)
    assert received_count() == 3
    assert sum(isinstance(event, Resubscribed) for event in stage.take()) == 3
