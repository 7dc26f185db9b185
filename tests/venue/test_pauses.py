"""Scheduled and manual pauses: requests refused, orders cancelled, and messages sent to sessions."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kalshi_fix_sansio import (
    CxlRejReason,
    ExecType,
    ExecutionReport,
    MassCancelResponse,
    OrderCancelReject,
    OrderMassCancelReport,
    OrdRejReason,
    Side,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import CloseReason
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_venue.exchange import PREDICTION, PauseState, SetPause
from kalshi_fix_venue.operations.operator import Halt, Open
from kalshi_fix_venue.pauses import MAX_COMMANDED, Pauses, PauseWindow, WeeklyPause
from kalshi_fix_venue.venue import VenueModel
from tests.venue.exchange_harness import MARKET
from tests.venue.venue_harness import (
    START,
    Client,
    VenueHarness,
    amend,
    cancel,
    config,
    mass_cancel,
    order,
    reports,
)

BUY, SELL = Side.BUY, Side.SELL
EASTERN = ZoneInfo("America/New_York")
EVE = datetime(2026, 8, 27, 2, 59, tzinfo=EASTERN).astimezone(UTC)
"""A minute before maintenance begins."""

MAINTENANCE = WeeklyPause(weekday=3, begins=time(3), ends=time(5))
"""Thursday from 3 to 5 in New York."""


def eve(**changes: Any) -> VenueHarness:
    """Return a venue a minute before maintenance begins."""
    harness = VenueHarness(**changes)
    harness.utc = EVE
    return harness


def a_week_later(harness: VenueHarness, before: float = 0) -> None:
    """Let a week pass, less `before` seconds, without any heartbeats."""
    for client in tuple(harness.clients):
        client.drop()
    harness._move_to(harness.monotonic + 7 * 86_400 - before)
    harness.venue.handle_timer(harness.now)


def state(harness: VenueHarness, product: str = PREDICTION) -> PauseState:
    return harness.venue.exchange(product).pause


def resting(harness: VenueHarness) -> set[str]:
    return {each.cl_ord_id for each in harness.venue.exchange(PREDICTION).open_orders()}


# --- requests refused during a pause --------------------------------------------------------------------


@pytest.fixture
def trader() -> Client:
    """Return a client with one order that is cancelled on a pause, and one that is not."""
    harness = VenueHarness()
    ann = harness.connect("ann")
    ann.send(order("stays", BUY, 5, "0.30"))
    ann.send(order("goes", BUY, 5, "0.31", cancel_order_on_pause=True))
    ann.take()
    return ann


@pytest.mark.parametrize("what", ["trading", "exchange"])
def test_orders_with_cancel_on_pause_are_cancelled_when_a_pause_begins(trader: Client, what: str) -> None:
    trader.harness.do("pause", what=what)
    (report,) = reports(trader)
    assert (report.cl_ord_id, report.exec_type) == ("goes", ExecType.CANCELED)
    assert report.text == f"{what.upper()}_PAUSED"
    assert resting(trader.harness) == {"stays"}


def test_a_trading_pause_refuses_orders_and_amends_and_accepts_cancels(trader: Client) -> None:
    trader.harness.do("pause")
    trader.take()
    report = trader.answer_to(order("new", BUY, 1, "0.20"), ExecutionReport)
    assert (report.exec_type, report.text) == (ExecType.REJECTED, "TRADING_PAUSED")
    assert report.ord_rej_reason == OrdRejReason.EXCHANGE_CLOSED
    assert trader.answer_to(amend("more", "stays", 9), OrderCancelReject).text == "TRADING_PAUSED"
    assert trader.answer_to(cancel("c", "stays"), ExecutionReport).exec_type == ExecType.CANCELED


def test_an_exchange_pause_refuses_cancels_too(trader: Client) -> None:
    trader.harness.do("pause", what="exchange")
    trader.take()
    assert trader.answer_to(order("new", BUY, 1, "0.20"), ExecutionReport).text == "EXCHANGE_PAUSED"
    for request in (amend("more", "stays", 9), cancel("c", "stays")):
        refusal = trader.answer_to(request, OrderCancelReject)
        assert (refusal.text, refusal.cxl_rej_reason) == ("EXCHANGE_PAUSED", CxlRejReason.OTHER)
    refused = trader.answer_to(mass_cancel(), OrderMassCancelReport)
    assert (refused.mass_cancel_response, refused.mass_cancel_reject_reason) == (
        MassCancelResponse.REJECTED,
        99,
    )
    assert resting(trader.harness) == {"stays"}


def test_resting_orders_trade_again_after_the_pause(trader: Client) -> None:
    harness = trader.harness
    harness.do("pause", what="exchange")
    bob = harness.connect("bob")
    assert bob.answer_to(order("b", SELL, 2, "0.30"), ExecutionReport).text == "EXCHANGE_PAUSED"
    harness.do("resume")
    trader.take()
    bob.send(order("b", SELL, 2, "0.30"))
    assert trader.take_only(ExecutionReport).cum_qty == 2


def test_a_mass_cancel_works_while_trading_is_paused(trader: Client) -> None:
    trader.harness.do("pause")
    trader.take()
    trader.send(mass_cancel())
    assert resting(trader.harness) == set()


# --- manual pauses --------------------------------------------------------------------------------------


def test_a_pause_affects_one_product_or_both(harness: VenueHarness) -> None:
    assert harness.do("pause", product="margin")["states"] == {"margin": "trading paused"}
    assert (state(harness), state(harness, "margin")) == (PauseState.OPEN, PauseState.TRADING_PAUSED)
    harness.do("pause", what="exchange")
    assert {state(harness), state(harness, "margin")} == {PauseState.EXCHANGE_PAUSED}
    harness.do("resume", product="prediction")
    assert (state(harness), state(harness, "margin")) == (PauseState.OPEN, PauseState.EXCHANGE_PAUSED)
    harness.do("resume", product="margin")
    assert state(harness, "margin") is PauseState.OPEN


def test_a_pause_replaces_the_previous_one(harness: VenueHarness) -> None:
    for what, expected in (("exchange", PauseState.EXCHANGE_PAUSED), ("trading", PauseState.TRADING_PAUSED)):
        harness.do("pause", what=what)
        assert state(harness) is expected
    harness.do("resume")
    assert state(harness) is PauseState.OPEN
    harness.do("resume")
    assert state(harness) is PauseState.OPEN


def test_a_pause_ends_exactly_on_time(harness: VenueHarness, ann: Client) -> None:
    harness.do("pause", lasting=10)
    harness.wait(9.999)
    assert state(harness) is PauseState.TRADING_PAUSED
    harness.wait(0.001)
    assert state(harness) is PauseState.OPEN
    ann.send(order("a", BUY, 1, "0.10"))
    assert resting(harness) == {"a"}


def test_a_late_call_still_applies_the_due_pause(harness: VenueHarness, ann: Client) -> None:
    harness.do("pause", lasting=10)
    harness._move_to(harness.monotonic + 11)  # handle_timer has not been called
    ann.send(order("a", BUY, 1, "0.10"))
    assert resting(harness) == {"a"}


def test_manual_pauses_are_bounded() -> None:
    pauses = Pauses((), EASTERN)
    for number in range(3 * MAX_COMMANDED):
        begins = START + timedelta(days=3 * MAX_COMMANDED - number)
        pauses.pause(PauseWindow(begins=begins, ends=None, products=("prediction",)))
    assert len(pauses._windows) == MAX_COMMANDED


def test_a_pause_by_command_does_not_end_a_scheduled_one() -> None:
    scheduled = PauseWindow(begins=START, ends=START + timedelta(hours=1), state=PauseState.EXCHANGE_PAUSED)
    pauses = Pauses((scheduled,), EASTERN)
    now = START
    for minutes, what in ((1, PauseState.TRADING_PAUSED), (2, PauseState.TRADING_PAUSED)):
        now = START + timedelta(minutes=minutes)
        pauses.pause(PauseWindow(begins=now, ends=now + timedelta(minutes=5), state=what))
        pauses.change(now)
        assert pauses.states[PREDICTION] is PauseState.EXCHANGE_PAUSED
    pauses.resume(None, now)  # ends both
    pauses.change(now)
    assert pauses.states[PREDICTION] is PauseState.OPEN


def test_a_pause_of_the_exchange_itself_is_known_to_the_schedule() -> None:
    harness = eve(pauses=(MAINTENANCE,))
    harness.connect("ann")
    harness.venue.execute(PREDICTION, SetPause(PauseState.EXCHANGE_PAUSED), harness.now)
    harness.wait(60 + 3 * 3600)
    assert state(harness) is PauseState.EXCHANGE_PAUSED
    harness.venue.execute(PREDICTION, SetPause(PauseState.OPEN), harness.now)
    assert (state(harness), state(harness, "margin")) == (PauseState.OPEN, PauseState.OPEN)


# --- maintenance ----------------------------------------------------------------------------------------


def test_maintenance_is_weekly_by_the_clock_of_new_york() -> None:
    harness = eve(pauses=(MAINTENANCE,))
    ann = harness.connect("ann", heart_bt_int=3600)
    harness.wait(60 - 0.001)
    assert state(harness) is PauseState.OPEN
    assert ann.session.is_established
    harness.wait(0.001)
    assert {state(harness), state(harness, "margin")} == {PauseState.TRADING_PAUSED}
    ended = ann.ending()
    assert ended.reason is CloseReason.LOGGED_OUT
    assert "maintenance" in ended.text
    again = harness.connect("ann", heart_bt_int=3600)  # cancels are accepted meanwhile
    assert again.is_logged_on
    harness.wait(2 * 3600 - 0.001)
    assert state(harness) is PauseState.TRADING_PAUSED
    harness.wait(0.001)
    assert state(harness) is PauseState.OPEN
    assert again.session.is_established
    a_week_later(harness, before=2 * 3600)
    assert state(harness) is PauseState.TRADING_PAUSED


def test_without_a_schedule_there_is_no_pause() -> None:
    harness = eve()
    ann = harness.connect("ann", heart_bt_int=3600)
    harness.wait(60 + 60)
    assert state(harness) is PauseState.OPEN
    assert ann.session.is_established


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        (datetime(2026, 3, 5, 2, 59, tzinfo=EASTERN), datetime(2026, 3, 5, 8, tzinfo=UTC)),
        (datetime(2026, 3, 5, 4, 59, tzinfo=EASTERN), datetime(2026, 3, 5, 8, tzinfo=UTC)),
        (datetime(2026, 3, 5, 5, tzinfo=EASTERN), datetime(2026, 3, 12, 7, tzinfo=UTC)),
        (datetime(2026, 10, 29, 6, tzinfo=EASTERN), datetime(2026, 11, 5, 8, tzinfo=UTC)),
        (datetime(2026, 3, 6, 4, tzinfo=UTC), datetime(2026, 3, 12, 7, tzinfo=UTC)),
    ],
    ids=["before", "in it", "after, into summer time", "into winter time", "Friday in London"],
)
def test_maintenance_follows_new_york_time_in_summer_and_winter(now: datetime, begins: datetime) -> None:
    window = MAINTENANCE.window(EASTERN, now.astimezone(UTC))
    assert window.begins == begins
    assert window.ends == begins + timedelta(hours=2)


def test_a_venue_that_begins_in_the_middle_of_maintenance_is_paused() -> None:
    venue = VenueModel(config(pauses=(MAINTENANCE,)), Random(1))
    now = Instant(5.0, datetime(2026, 8, 27, 4, tzinfo=EASTERN).astimezone(UTC))
    venue.begin(now)
    assert venue.exchange(PREDICTION).pause is PauseState.TRADING_PAUSED
    assert venue.next_deadline() == 5.0 + 3600


def test_sequence_numbers_continue_over_maintenance_with_resend() -> None:
    harness, store = eve(pauses=(MAINTENANCE,)), MemoryStore()
    ann, bob = harness.connect("ann", "KalshiRT", store=store, heart_bt_int=3600), harness.connect("bob")
    ann.send(order("a", BUY, 5, "0.40", cancel_order_on_pause=True))
    ann.take()
    harness.wait(60)
    assert bob not in harness.clients
    again = harness.connect("ann", "KalshiRT", store=store, heart_bt_int=3600)
    assert again.is_logged_on
    received = reports(ann) + reports(again)
    assert [(each.cl_ord_id, each.text) for each in received] == [("a", "TRADING_PAUSED")]


def test_maintenance_can_be_ended_early_and_returns_next_week() -> None:
    harness = eve(pauses=(MAINTENANCE,))
    harness.connect("ann")
    harness.wait(60 + 60)
    harness.do("resume", product="prediction")
    assert (state(harness), state(harness, "margin")) == (PauseState.OPEN, PauseState.TRADING_PAUSED)
    harness.wait(60)
    assert state(harness) is PauseState.OPEN
    a_week_later(harness)
    assert state(harness) is PauseState.TRADING_PAUSED


def test_the_most_severe_pause_applies() -> None:
    harness = eve(pauses=(MAINTENANCE,))
    harness.connect("ann")
    harness.do("pause", what="exchange", lasting=120)
    harness.wait(90)
    assert state(harness) is PauseState.EXCHANGE_PAUSED
    harness.wait(30)
    assert state(harness) is PauseState.TRADING_PAUSED


def test_maintenance_by_command_logs_out_and_pauses(harness: VenueHarness) -> None:
    ann, bob = harness.connect("ann"), harness.connect("perp", product="margin")
    ann.send(order("a", BUY, 5, "0.40"))
    harness.do("maintenance", what="exchange", product="prediction", lasting=60)
    assert "maintenance" in ann.ending().text
    assert bob.session.is_established
    assert state(harness) is PauseState.EXCHANGE_PAUSED
    again = harness.connect("ann")
    assert again.answer_to(cancel("c", "a"), OrderCancelReject).text == "EXCHANGE_PAUSED"
    harness.wait(60)
    assert state(harness) is PauseState.OPEN
    assert again.session.is_established


def test_a_pause_may_refuse_logons() -> None:
    pause = WeeklyPause(weekday=3, begins=time(3), ends=time(5), takes_logons=False)
    harness = eve(pauses=(pause,))
    harness.connect("ann")
    harness.wait(60)
    assert "maintenance" in harness.connect("ann").ending().text
    harness.wait(2 * 3600)
    assert harness.connect("ann").is_logged_on


def test_a_single_pause_can_be_scheduled() -> None:
    begins = START + timedelta(minutes=5)
    window = PauseWindow(
        begins=begins,
        ends=begins + timedelta(minutes=1),
        state=PauseState.EXCHANGE_PAUSED,
        products=("margin",),
    )
    harness = VenueHarness(pauses=(window, MAINTENANCE))
    ann = harness.connect("ann", heart_bt_int=3600)
    harness.wait(299)
    assert state(harness, "margin") is PauseState.OPEN
    harness.wait(1)
    assert (state(harness), state(harness, "margin")) == (PauseState.OPEN, PauseState.EXCHANGE_PAUSED)
    harness.wait(60)
    assert state(harness, "margin") is PauseState.OPEN
    assert ann.session.is_established


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekday": 7, "begins": time(1), "ends": time(2)},
        {"weekday": -1, "begins": time(1), "ends": time(2)},
        {"weekday": 1, "begins": time(2), "ends": time(2)},
        {"weekday": 1, "begins": time(23), "ends": time(1)},
    ],
)
def test_an_invalid_pause_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"weekday|cannot end"):
        WeeklyPause(**wrong)


# --- markets --------------------------------------------------------------------------------------------


def test_resting_orders_are_cancelled_when_a_halted_market_is_reactivated(trader: Client) -> None:
    harness = trader.harness
    harness.perform(Halt(market=MARKET))
    (report,) = reports(trader)
    assert (report.cl_ord_id, report.text) == ("goes", "TRADING_PAUSED")
    assert trader.answer_to(order("new", BUY, 1, "0.20"), ExecutionReport).text == "MARKET_INACTIVE"
    harness.perform(Open(market=MARKET))
    (report,) = reports(trader)
    assert (report.cl_ord_id, report.exec_type, report.text) == ("stays", ExecType.CANCELED, None)
    assert resting(harness) == set()
    trader.send(order("new", BUY, 1, "0.20"))
    assert resting(harness) == {"new"}
    harness.perform(Open(market=MARKET))  # it is already open
    assert resting(harness) == {"new"}
