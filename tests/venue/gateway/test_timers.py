"""A gateway performs its delayed actions once, in order and when they are due, unless they are
cancelled."""

from __future__ import annotations

from datetime import datetime, timedelta

from kalshi_fix_sansio import OrderMassCancelReport, Side, TimeInForce
from kalshi_fix_venue.gateway.logins import Delivery, Login, Result
from kalshi_fix_venue.gateway.timers import Action, Timers
from tests.venue.exchange_harness import START
from tests.venue.gateway.gateway_harness import GatewayHarness

SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


def drain(timers: Timers, now: datetime) -> None:
    while (action := timers.pop_due(now)) is not None:
        action(now)


def recorder(log: list[str], name: str) -> Action:
    def record(now: datetime) -> Result:
        log.append(f"{name} {(now - START).total_seconds():g}")
        return [], ()

    return record


def test_an_action_is_due_at_its_time_and_not_just_before() -> None:
    timers, log = Timers(), list[str]()
    timers.schedule(START + SECOND, recorder(log, "a"))
    drain(timers, START + SECOND - MICROSECOND)
    assert (log, timers.next_deadline()) == ([], START + SECOND)
    drain(timers, START + SECOND)
    drain(timers, START + 9 * SECOND)
    assert (log, timers.next_deadline()) == (["a 1"], None)


def test_actions_are_ordered_by_time_and_then_by_creation() -> None:
    timers, log = Timers(), list[str]()
    for name, seconds in (("c", 3), ("a", 1), ("b", 1)):
        timers.schedule(START + seconds * SECOND, recorder(log, name))
    drain(timers, START + 9 * SECOND)
    assert log == ["a 9", "b 9", "c 9"]


def test_a_cancelled_action_is_not_performed_and_sets_no_deadline() -> None:
    timers, log = Timers(), list[str]()
    first = timers.schedule(START + SECOND, recorder(log, "a"))
    timers.schedule(START + 2 * SECOND, recorder(log, "b"))
    timers.cancel(first)
    timers.cancel(first)
    timers.cancel(None)
    assert timers.next_deadline() == START + 2 * SECOND
    drain(timers, START + 9 * SECOND)
    timers.cancel(first)
    assert log == ["b 9"]


def test_an_action_may_schedule_another_one() -> None:
    timers, log = Timers(), list[str]()

    def repeat(now: datetime) -> Result:
        log.append("repeat")
        if len(log) < 3:
            timers.schedule(now, repeat)
        return [], ()

    timers.schedule(START, repeat)
    drain(timers, START)
    assert log == ["repeat"] * 3


def sender(to: Login, cl_ord_id: str) -> Action:
    """Return an action that sends a message with this ClOrdID."""
    report = OrderMassCancelReport(cl_ord_id=cl_ord_id, order_id="x", mass_cancel_response="6")
    return lambda now: ([(to, report)], ())


def received_ids(deliveries: list[Delivery]) -> list[str | None]:
    return [getattr(message, "cl_ord_id", None) for _, message in deliveries]


def test_the_gateway_performs_due_actions_before_it_processes_a_message(
    harness: GatewayHarness, ann: Login
) -> None:
    harness.gateway.timers.schedule(harness.now + SECOND, sender(ann, "due"))
    assert harness.gateway.next_deadline() == harness.now + SECOND
    harness.wait(seconds=1)
    assert received_ids(harness.send(ann, harness.order("a1", Side.BUY, 1, "0.40"))) == ["due", "a1"]


def test_the_gateway_does_not_perform_actions_early(harness: GatewayHarness, ann: Login) -> None:
    harness.gateway.timers.schedule(harness.now + SECOND, sender(ann, "due"))
    assert harness.gateway.handle_timer(harness.now + SECOND - MICROSECOND) == []
    assert received_ids(harness.gateway.handle_timer(harness.now + SECOND)) == ["due"]
    assert harness.gateway.next_deadline() is None


def test_timers_and_order_expiries_are_processed_in_time_order(harness: GatewayHarness, ann: Login) -> None:
    for cl_ord_id, seconds in (("first", 1), ("third", 3)):
        at = {"time_in_force": TimeInForce.GOOD_TILL_DATE, "expire_time": harness.now + seconds * SECOND}
        harness.send(ann, harness.order(cl_ord_id, Side.BUY, 1, "0.40", **at))
    harness.gateway.timers.schedule(harness.now + 2 * SECOND, sender(ann, "second"))
    harness.gateway.timers.schedule(harness.now + 3 * SECOND, sender(ann, "last"))
    assert received_ids(harness.gateway.handle_timer(harness.now + 2 * SECOND)) == ["first", "second"]
    assert received_ids(harness.gateway.handle_timer(harness.now + 3 * SECOND)) == ["third", "last"]
