"""A reset of the numbers within the session, begun by this side."""

from __future__ import annotations

from kalshi_fix_sansio._generated import ExecutionReport, OrderCancelReject
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, OutcomesUnknown
from kalshi_fix_sansio.outcomes import Uncertainty
from kalshi_fix_sansio.session import MemoryStore, State
from tests.helpers import NEWS, Wired, established, of_type, order, pair


def resetting(role: Role, name: str = "KalshiRT") -> Wired:
    """A session that has received number 2 and has begun a reset."""
    wired = established(role, name)
    wired.receive(wired.peer.message("9", NEWS))
    wired.session.reset(wired.clock.now)
    assert wired.session.state is State.RESETTING
    return wired


def test_two_sessions_agree_and_go_on() -> None:
    both = pair()
    both.connect()
    both.client.send(order("a1"), both.clock.now)
    both.settle()
    both.client.reset(both.clock.now)
    both.settle()
    assert [event.reset for event in of_type(both.client_events, LoggedOn)] == [False, True]
    assert [event.reset for event in of_type(both.venue_events, LoggedOn)] == [False, True]
    assert both.client.send(order("a2"), both.clock.now) == 2
    both.settle()
    both.venue.reset(both.clock.now)
    both.settle()
    report = OrderCancelReject(order_id="o", cl_ord_id="a", ord_status="8", cxl_rej_response_to="1")
    assert both.venue.send(report, both.clock.now) == 2
    both.settle()
    assert of_type(both.client_events, MessageReceived)[-1].message == report
    assert (both.client.next_incoming, both.venue.next_incoming) == (3, 2)


def test_resets_that_cross_are_one_reset() -> None:
    both = pair()
    both.connect()
    both.client.reset(both.clock.now)
    both.venue.reset(both.clock.now)
    both.settle()
    assert both.client.state is both.venue.state is State.ESTABLISHED
    assert (both.client.next_outgoing, both.venue.next_outgoing) == (2, 2)
    assert (both.client.next_incoming, both.venue.next_incoming) == (2, 2)


def test_an_abort_meanwhile_says_goodbye(role: Role) -> None:
    wired = resetting(role)
    wired.session.data_to_send()
    wired.session.abort("enough", wired.clock.now)
    (logout,) = wired.sent()
    assert logout.text == "enough"


def test_a_reset_that_the_user_was_never_told_of_is_told_by_the_next_process() -> None:
    stores = MemoryStore(), MemoryStore()
    both = pair(client_store=stores[0], venue_store=stores[1], client={"explicit_confirm": True})
    both.connect()
    both.client.confirm()
    both.venue.reset(both.clock.now)
    both.settle()
    assert [event.reset for event in of_type(both.client_events, LoggedOn)] == [False, True]
    for expected in (True, False):
        again = pair(client_store=stores[0], venue_store=stores[1])
        again.connect()
        assert [event.reset for event in of_type(again.client_events, LoggedOn)] == [expected]
        again.client.events()


def test_an_answer_that_a_reset_and_a_crash_swallowed_is_missed() -> None:
    stores = MemoryStore(), MemoryStore()
    both = pair(client_store=stores[0], venue_store=stores[1], client={"explicit_confirm": True})
    both.connect()
    both.client.send(order("a1"), both.clock.now)
    both.settle()
    report = ExecutionReport(
        order_id="o",
        cl_ord_id="a1",
        exec_id="e",
        exec_type="0",
        ord_status="0",
        side="1",
        symbol="S",
        order_qty=10,
        leaves_qty=10,
        cum_qty=0,
        avg_px=0,
    )
    both.venue.send(report, both.clock.now)
    both.settle()
    both.client.reset(both.clock.now)
    both.settle()
    assert not of_type(both.client_events, OutcomesUnknown)
    again = pair(client_store=stores[0], venue_store=stores[1])
    again.connect()
    (unknown,) = of_type(again.client_events, OutcomesUnknown)
    assert (unknown.request_ids, unknown.why) == (("a1",), Uncertainty.RESTARTED)
