"""Without resend, the orders resting at the disconnect are reported."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_sansio._generated import Quote, QuoteConfirm
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import (
    CloseReason,
    OrdersUnverified,
    OutcomesUnknown,
    RestingOrder,
    SessionEnded,
)
from tests.helpers import Wired, established, of_type, order

SYMBOL = "KXHIGHNY-26AUG21-B80"


@pytest.fixture
def wired() -> Wired:
    """Return a client on KalshiNR, which has no resend."""
    return established(Role.INITIATOR, "KalshiNR")


def report(wired: Wired, order_id: str, status: str, **more: Any) -> bytes:
    exec_type = {"1": "F", "2": "F"}.get(status, status)
    text = f"37={order_id}|11=c-{order_id}|17=1;1|150={exec_type}|39={status}|54=1|55={SYMBOL}|38=10|"
    return wired.peer.message("8", f"{text}151=10|14=0|6=0|44=0.5|{more.get('rest', '')}")


def unverified(wired: Wired) -> list[str]:
    """Return the orders reported as unverified when the connection is lost now."""
    return [each.order_id for reported in of_type(wired.cut(), OrdersUnverified) for each in reported.orders]


def test_a_resting_order_is_reported_between_uncertain_requests_and_the_end(wired: Wired) -> None:
    wired.session.send(order("a1"), wired.clock.now)
    wired.receive(report(wired, "o1", "0"))
    events = wired.cut()
    assert [type(event) for event in events] == [OutcomesUnknown, OrdersUnverified, SessionEnded]
    (reported,) = of_type(events, OrdersUnverified)
    assert reported == OrdersUnverified(
        (RestingOrder("o1", "c-o1", SYMBOL, "1", Decimal("0.5"), Decimal(10)),), complete=True
    )


@pytest.mark.parametrize("status", ["0", "1", "5", "6", "E"])
def test_open_orders_are_resting(wired: Wired, status: str) -> None:
    wired.receive(report(wired, "o1", status))
    assert unverified(wired) == ["o1"]


@pytest.mark.parametrize("status", ["2", "4", "8", "C"])
def test_ended_orders_are_not_resting(wired: Wired, status: str) -> None:
    wired.receive(report(wired, "o1", "0"), report(wired, "o2", "0"), report(wired, "o1", status))
    wired.receive(report(wired, "o3", status))
    assert unverified(wired) == ["o2"]


@pytest.mark.parametrize("status", ["A", "Z"])
def test_pending_and_unknown_states_have_no_effect(wired: Wired, status: str) -> None:
    wired.receive(report(wired, "o1", "0"), report(wired, "o1", status), report(wired, "o2", status))
    assert unverified(wired) == ["o1"]


def test_a_report_without_an_order_id_is_ignored(wired: Wired) -> None:
    wired.receive(report(wired, "", "0"))
    assert unverified(wired) == []


def test_a_report_decoded_by_the_careful_path_counts_too() -> None:
    wired = established(Role.INITIATOR, "KalshiNR", strict=True)
    wired.receive(report(wired, "o1", "0"))
    assert unverified(wired) == ["o1"]


def test_the_resting_remainder_of_an_executed_quote_is_reported_too() -> None:
    wired = established(Role.INITIATOR, "KalshiRFQ")
    quote = Quote(quote_id="q1", quote_req_id="r1", symbol=SYMBOL, bid_px="0.5", rest_remainder=True)
    wired.session.send(quote, wired.clock.now)
    wired.receive(wired.peer.message("AI", f"117=q1|131=r1|55={SYMBOL}|297=10|"))
    wired.session.send(QuoteConfirm(quote_id="q1"), wired.clock.now)
    wired.receive(wired.peer.message("U8", "117=q1|QuoteConfirmStatus=0|"))
    wired.receive(
        report(wired, "o1", "1", rest="31=0.5|32=4|"), report(wired, "o2", "2", rest="31=0.5|32=4|")
    )
    events = wired.cut()
    assert [type(event) for event in events] == [OrdersUnverified, SessionEnded]
    assert [each.order_id for reported in of_type(events, OrdersUnverified) for each in reported.orders] == [
        "o1"
    ]


@pytest.mark.parametrize("name", ["KalshiRT", "KalshiDC"])
def test_with_resend_or_for_foreign_orders_no_event_is_emitted(name: str) -> None:
    wired = established(Role.INITIATOR, name)
    wired.receive(report(wired, "o1", "0"))
    assert unverified(wired) == []


def test_resting_orders_are_reported_once_per_connection(wired: Wired) -> None:
    wired.receive(report(wired, "o1", "0"))
    assert unverified(wired) == ["o1"]
    wired.reconnect()
    wired.peer.next_number = 1
    wired.receive(wired.peer.logon("98=0|108=30|1137=9|141=Y|"), report(wired, "o2", "0"))
    assert unverified(wired) == ["o2"]


def test_our_logout_reports_no_resting_orders(wired: Wired) -> None:
    wired.receive(report(wired, "o1", "0"))
    wired.session.logout(wired.clock.now)
    events = wired.receive(wired.peer.message("5"))
    assert [type(event) for event in events] == [SessionEnded]


def test_a_logout_by_the_peer_or_unanswered_reports_resting_orders() -> None:
    for begun_here in (False, True):
        wired = established(Role.INITIATOR, "KalshiNR")
        wired.receive(report(wired, "o1", "0"))
        if begun_here:
            wired.session.logout(wired.clock.now)
            events = wired.wait(11)
        else:
            events = wired.receive(wired.peer.message("5"))
        assert len(of_type(events, OrdersUnverified)) == 1
        (ended,) = of_type(events, SessionEnded)
        assert ended.reason is CloseReason.LOGGED_OUT


def test_a_gap_reports_resting_orders(wired: Wired) -> None:
    wired.receive(report(wired, "o1", "0"))
    wired.receive(wired.peer.message("0", "", 9))
    assert of_type(wired.receive(wired.peer.message("5", "", 10)), OrdersUnverified)


def test_orders_beyond_the_bound_are_not_tracked_and_reported_as_incomplete() -> None:
    wired = established(Role.INITIATOR, "KalshiNR", max_resting_orders=2)
    wired.receive(report(wired, "o1", "0"), report(wired, "o2", "0"), report(wired, "o1", "1"))
    assert len(wired.session._core.resting) == 2
    wired.receive(report(wired, "o3", "0"), report(wired, "o1", "2"), report(wired, "o2", "2"))
    (reported,) = of_type(wired.cut(), OrdersUnverified)
    assert reported == OrdersUnverified((), complete=False)


def test_at_the_bound_the_orders_are_complete() -> None:
    wired = established(Role.INITIATOR, "KalshiNR", max_resting_orders=2)
    wired.receive(report(wired, "o1", "0"), report(wired, "o2", "0"), report(wired, "o2", "1"))
    (reported,) = of_type(wired.cut(), OrdersUnverified)
    assert (len(reported.orders), reported.complete) == (2, True)


def test_kept_reports_are_bounded_in_bytes() -> None:
    wired = established(Role.INITIATOR, "KalshiNR", max_resting_order_bytes=1000)
    resting = wired.session._core.resting
    large = f"58={'x' * 400}|"
    for number in range(5):
        wired.receive(report(wired, f"o{number}", "0", rest=large))
        assert resting._size == sum(map(len, resting._reports.values())) <= 1000
    wired.receive(report(wired, "o0", "1", rest=f"58={'x' * 900}|"))  # too large: the previous report stays
    assert resting._size == sum(map(len, resting._reports.values())) <= 1000
    (reported,) = of_type(wired.cut(), OrdersUnverified)
    assert [each.order_id for each in reported.orders] == ["o0"]
    assert not reported.complete


def test_an_ended_order_frees_room() -> None:
    wired = established(Role.INITIATOR, "KalshiNR", max_resting_orders=1)
    for number in range(5):
        wired.receive(report(wired, f"o{number}", "0"), report(wired, f"o{number}", "2"))
    assert wired.cut()[:-1] == []
    assert wired.session._core.resting._size == 0
