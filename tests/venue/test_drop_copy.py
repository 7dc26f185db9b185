"""The pages of drop copy, and its limit on requests; dialogues/drop_copy.yaml tests ranges and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio import (
    EventResendComplete,
    EventResendReject,
    EventResendRejectReason,
    EventResendRequest,
    ExecutionReport,
    Side,
)
from kalshi_fix_venue.gateway import drop_copy
from kalshi_fix_venue.gateway.drop_copy import REQUESTS_PER_MINUTE
from tests.venue.venue_harness import (
    VenueHarness,
    accounts,
    order,
)

BUY = Side.BUY


def harness_with(**changes: Any) -> VenueHarness:
    """Return the harness of a venue on which Ann may request past reports."""
    return VenueHarness(accounts=accounts(ann={"drop_copy": True}), **changes)


def test_too_many_requests_in_a_minute_are_refused() -> None:
    harness = harness_with()
    dc, nr = harness.connect("ann", "KalshiDC"), harness.connect("ann-2")
    request = EventResendRequest(begin_exec_id="0;0")
    for client in (dc, nr) * (REQUESTS_PER_MINUTE // 2):
        assert client.answer_to(request, EventResendComplete).resend_event_count == 0
    for seconds in (59, 1):
        refused = nr.answer_to(request, EventResendReject)
        assert refused.event_resend_reject_reason == EventResendRejectReason.TOO_MANY_REQUESTS
        harness.wait(seconds)
    assert nr.answer_to(request, EventResendComplete).resend_event_count == 0


# --- pages ----------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy, "PAGE_SIZE", 10)


def place_orders(harness: VenueHarness, count: int) -> None:
    ann = harness.connect("ann-2")
    for number in range(count):
        ann.send(order(f"a{number}", BUY, 1, "0.01"))
    ann.logout()


@pytest.mark.parametrize("count", [9, 10, 11, 20, 35])
def test_a_long_answer_is_sent_completely_in_pages(count: int) -> None:
    harness = harness_with()
    place_orders(harness, count)
    dc = harness.connect("ann", "KalshiDC")
    dc.take()
    dc.send(EventResendRequest(begin_exec_id="0;0"))
    harness.wait(0)
    *found, complete = dc.take()
    assert [m.cl_ord_id for m in found if isinstance(m, ExecutionReport)] == [f"a{n}" for n in range(count)]
    assert isinstance(complete, EventResendComplete)
    assert complete.resend_event_count == count


def test_a_client_that_does_not_read_gets_no_further_pages() -> None:
    harness = harness_with(max_unsent=8000)
    place_orders(harness, 100)
    dc = harness.connect("ann", "KalshiDC")
    dc.take()
    dc.stopped_reading = True
    dc.send(EventResendRequest(begin_exec_id="0;0"))
    harness.wait(5)
    # Another request before the answer is complete is refused.
    request = EventResendRequest(begin_exec_id="0;0")
    dc.send(request)
    assert dc.session.is_established
    dc.stopped_reading = False
    harness.run()
    harness.wait(0)
    *found, complete = dc.take()
    assert [m.MSG_TYPE for m in found].count("U3") == 1
    assert isinstance(complete, EventResendComplete)
    assert complete.resend_event_count == 100


def test_live_reports_are_sent_between_the_pages() -> None:
    harness = harness_with()
    place_orders(harness, 25)
    ann = harness.connect("ann")
    ann.take()
    ann.session.send(EventResendRequest(begin_exec_id="0;0"), harness.now)
    ann.session.send(order("z1", BUY, 1, "0.01"), harness.now)
    harness.run()
    harness.wait(0)
    *found, complete = [m for m in ann.take() if isinstance(m, ExecutionReport | EventResendComplete)]
    cl_ord_ids = [m.cl_ord_id for m in found if isinstance(m, ExecutionReport)]
    assert sorted(cl_ord_ids) == sorted([f"a{number}" for number in range(25)] + ["z1"])
    assert isinstance(complete, EventResendComplete)
    assert complete.resend_event_count == 25


def test_an_answer_is_not_continued_after_the_end_of_its_session() -> None:
    harness = harness_with()
    place_orders(harness, 25)
    dc = harness.connect("ann", "KalshiDC")
    dc.send(EventResendRequest(begin_exec_id="0;0"))
    dc.drop()
    harness.wait(1)
    reconnected = harness.connect("ann", "KalshiDC")
    reconnected.take()
    harness.wait(1)
    assert reconnected.take() == []
    reconnected.send(EventResendRequest(begin_exec_id="0;0"))
    harness.wait(0)
    assert len(reconnected.take()) == 26
