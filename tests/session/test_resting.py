"""Without resend, the orders resting at the disconnect are reported."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import OrdersUnverified, OutcomesUnknown, RestingOrder, SessionEnded
from tests.helpers import Wired, established, of_type, order
from tests.session.steps import Case, cases

SYMBOL = "KXHIGHNY-26AUG21-B80"
FIELDS = f"11=c-o|17=1;1|54=1|55={SYMBOL}|38=10|151=10|14=0|6=0|44=0.5|"


@pytest.fixture
def wired() -> Wired:
    """Return a client on KalshiNR, which has no resend."""
    return established(Role.INITIATOR, "KalshiNR")


def report(wired: Wired, order_id: str, status: str, rest: str = "") -> bytes:
    exec_type = {"1": "F", "2": "F"}.get(status, status)
    ids = f"37={order_id}|11=c-{order_id}|150={exec_type}|39={status}|"
    return wired.peer.message("8", f"{ids}{FIELDS.replace('11=c-o|', '')}{rest}")


@pytest.mark.parametrize("case", cases("resting", FIELDS=FIELDS))
def test_resting_orders(case: Case) -> None:
    case.play()


def test_a_resting_order_is_reported_between_uncertain_requests_and_the_end(wired: Wired) -> None:
    wired.session.send(order("a1"), wired.clock.now)
    wired.receive(report(wired, "o1", "0"))
    events = wired.cut()
    assert [type(event) for event in events] == [OutcomesUnknown, OrdersUnverified, SessionEnded]
    (reported,) = of_type(events, OrdersUnverified)
    assert reported == OrdersUnverified(
        (RestingOrder("o1", "c-o1", SYMBOL, "1", Decimal("0.5"), Decimal(10)),), complete=True
    )


def test_kept_reports_are_bounded_in_bytes() -> None:
    wired = established(Role.INITIATOR, "KalshiNR", max_resting_order_bytes=1000)
    resting = wired.session._core.resting
    large = f"58={'x' * 400}|"
    for number in range(5):
        wired.receive(report(wired, f"o{number}", "0", rest=large))
        assert resting._size == sum(map(len, resting._reports.values())) <= 1000
    # This report is too large, so the previous one is kept.
    wired.receive(report(wired, "o0", "1", rest=f"58={'x' * 900}|"))
    assert resting._size == sum(map(len, resting._reports.values())) <= 1000
    (reported,) = of_type(wired.cut(), OrdersUnverified)
    assert [order.order_id for order in reported.orders] == ["o0"]
    assert not reported.complete


def test_a_filled_order_frees_space_for_another() -> None:
    wired = established(Role.INITIATOR, "KalshiNR", max_resting_orders=1)
    for number in range(5):
        wired.receive(report(wired, f"o{number}", "0"), report(wired, f"o{number}", "2"))
    assert wired.cut()[:-1] == []
    assert wired.session._core.resting._size == 0
