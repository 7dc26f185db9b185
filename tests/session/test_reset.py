"""A reset of the numbers within the session, started by this side."""

from __future__ import annotations

from kalshi_fix_sansio.events import LoggedOn, OutcomesUnknown, Uncertainty
from kalshi_fix_sansio.session import MemoryStore
from tests.helpers import of_type, order, pair
from tests.samples import execution_report


def test_an_unreported_reset_is_reported_by_the_next_process() -> None:
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


def test_an_answer_lost_through_a_reset_and_a_crash_is_reported_as_missing() -> None:
    stores = MemoryStore(), MemoryStore()
    both = pair(client_store=stores[0], venue_store=stores[1], client={"explicit_confirm": True})
    both.connect()
    both.client.send(order("a1"), both.clock.now)
    both.settle()
    both.venue.send(execution_report("a1"), both.clock.now)
    both.settle()
    both.client.reset(both.clock.now)
    both.settle()
    assert not of_type(both.client_events, OutcomesUnknown)
    again = pair(client_store=stores[0], venue_store=stores[1])
    again.connect()
    (unknown,) = of_type(again.client_events, OutcomesUnknown)
    assert (unknown.request_ids, unknown.why) == (("a1",), Uncertainty.RESTARTED)
