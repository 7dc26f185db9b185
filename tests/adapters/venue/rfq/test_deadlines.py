"""Every timer of an RFQ at its edge, and what reaches it too late."""

from __future__ import annotations

import pytest

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.exchange import MarketState, PauseState
from kalshi_fix_adapters.venue.gateway.rfq import RfqSettings, Windows
from kalshi_fix_sansio import (
    AcceptQuoteStatus,
    ExecType,
    ExecutionReport,
    QuoteConfirmStatus,
    QuoteConfirmStatusCode,
    QuoteRequestReject,
    QuoteStatus,
    QuoteStatusReport,
    RFQCancelStatus,
    RFQCancelStatusCode,
)
from kalshi_fix_sansio.errors import ConfigurationError
from tests.adapters.venue.desk import MARKET, ds
from tests.adapters.venue.rfq.rfq_town import (
    VOLATILE,
    RfqTown,
    accept,
    ask,
    cancel_quote,
    cancel_rfq,
    confirm,
    hear,
    only,
    quote,
    quoted,
)
from tests.adapters.venue.town import Client, kinds

INSTANT = 0.001
SYMBOLS = [(MARKET, 30.0, 15.0), (VOLATILE, 3.0, 1.0)]


def accepted(ann: Client, bob: Client, symbol: str = MARKET) -> str:
    rfq_id = ask(ann, symbol=symbol)
    bob.send(quote(rfq_id, symbol=symbol))
    ann.send(accept())
    hear(ann, bob)
    return rfq_id


def expect_over(ann: Client, bob: Client, rfq_id: str) -> None:
    """Both sides were told that an acceptance came to nothing."""
    ended = only(ann.take(), RFQCancelStatus)
    assert (ended.quote_req_id, ended.rfq_id) == ("r1", rfq_id)
    assert (ended.rfq_cancel_status, ended.text) == (RFQCancelStatusCode.EXPIRED, None)
    told = bob.take()
    assert only(told, QuoteStatusReport).quote_status == QuoteStatus.CANCELED
    assert only(told, QuoteRequestReject).quote_req_id == rfq_id


@pytest.mark.parametrize(("symbol", "window", "execution"), SYMBOLS)
def test_a_confirmation_just_in_time_counts(
    town: RfqTown, ann: Client, bob: Client, symbol: str, window: float, execution: float
) -> None:
    accepted(ann, bob, symbol)
    town.wait(window - INSTANT)
    bob.send(confirm())
    assert bob.take_only(QuoteConfirmStatus).quote_confirm_status == QuoteConfirmStatusCode.ACCEPTED
    town.wait(execution - INSTANT)
    assert town.net("ann", symbol) == 0
    town.wait(INSTANT)
    assert town.net("ann", symbol) == 100


@pytest.mark.parametrize(("symbol", "window", "execution"), SYMBOLS)
@pytest.mark.parametrize("late", [0.0, INSTANT, 100.0])
def test_a_confirmation_at_the_end_of_the_window_is_too_late(
    town: RfqTown, ann: Client, bob: Client, symbol: str, window: float, execution: float, late: float
) -> None:
    rfq_id = accepted(ann, bob, symbol)
    town.wait(window + late)
    expect_over(ann, bob, rfq_id)
    answer = bob.answer_to(confirm(), QuoteConfirmStatus)
    assert (answer.quote_confirm_status, answer.text) == (QuoteConfirmStatusCode.REJECTED, "EXPIRED")
    town.wait(execution)
    assert town.net("ann", symbol) == 0
    assert town.balance("ann") == town.balance("bob") == 1000


def test_a_confirmation_that_overtakes_the_timer_is_too_late_too(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    """The caller brings the bytes before it calls `handle_timer`."""
    rfq_id = accepted(ann, bob)
    town._move_to(town.monotonic + 30)
    bob.send(confirm())
    told = bob.take()
    assert kinds(told) == ["AI", "AG", "U8"]
    assert only(told, QuoteConfirmStatus).text == "EXPIRED"
    assert only(ann.take(), RFQCancelStatus).rfq_id == rfq_id


def test_the_venue_asks_to_be_woken_for_each_timer(town: RfqTown, ann: Client, bob: Client) -> None:
    def due() -> float:
        deadline = town.venue._gateways["prediction"].next_deadline()
        assert deadline is not None
        return round((deadline - town.utc).total_seconds(), 3)

    rfq_id = ask(ann)
    assert due() == 3600
    bob.send(quote(rfq_id))
    town.wait(2)
    assert due() == 3598
    ann.send(accept())
    assert due() == 30
    bob.send(confirm())
    assert due() == 15
    town.wait(15)
    assert town.venue._gateways["prediction"].next_deadline() is None


def test_an_open_request_expires(town: RfqTown, ann: Client, bob: Client) -> None:
    rfq_id = quoted(ann, bob)
    town.wait(3600 - INSTANT)
    assert (kinds(ann.take()), kinds(bob.take())) == ([], [])
    town.wait(INSTANT)
    expect_over(ann, bob, rfq_id)
    assert ann.answer_to(accept(), AcceptQuoteStatus).text == "EXPIRED"
    assert bob.answer_to(quote(rfq_id, "q2"), QuoteStatusReport).text == "RFQ_CLOSED"
    assert ask(ann, "r1")


def test_a_request_need_not_expire() -> None:
    town = RfqTown(rfqs=RfqSettings(lifetime=None))
    ann, bob = town.creator(heart_bt_int=300), town.maker(heart_bt_int=300)
    rfq_id = ask(ann)
    town.wait(50_000)
    bob.send(quote(rfq_id))
    assert kinds(ann.take()) == ["S"]


def test_an_acceptance_stops_the_clock_of_the_request(town: RfqTown, ann: Client, bob: Client) -> None:
    bob.send(quote(ask(ann)))
    town.wait(3600 - 1)
    ann.send(accept())
    town.wait(29)
    bob.send(confirm())
    town.wait(15)
    assert town.net("ann") == 100


def test_times_are_settings() -> None:
    town = RfqTown(rfqs=RfqSettings(standard=Windows(confirmation=0.5, execution=0)))
    ann, bob = town.creator(), town.maker()
    accepted(ann, bob)
    town.wait(0.499)
    bob.send(confirm())
    town.wait(0)
    assert town.net("ann") == 100
    accepted_again = ask(ann, "r2")
    bob.send(quote(accepted_again, "q2"))
    ann.send(accept("q2"))
    town.wait(0.5)
    hear(ann, bob)
    assert bob.answer_to(confirm("q2"), QuoteConfirmStatus).text == "EXPIRED"


@pytest.mark.parametrize(
    "bad",
    [
        {"standard": Windows(confirmation=-1, execution=0)},
        {"high_volatility": Windows(confirmation=1, execution=-0.1)},
        {"lifetime": 0},
        {"max_open": 0},
        {"max_quotes": 0},
        {"retained": 0},
        {"max_combos": 0},
    ],
)
def test_settings_that_cannot_be_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        RfqSettings(**bad)  # type: ignore[arg-type]


# Where an acceptance comes to nothing, another way


def test_an_accepted_quote_that_its_maker_takes_back_ends_the_request(ann: Client, bob: Client) -> None:
    rfq_id = accepted(ann, bob)
    bob.send(cancel_quote())
    assert kinds(bob.take()) == ["U9", "AI", "AG"]
    assert only(ann.take(), RFQCancelStatus).rfq_id == rfq_id


def test_a_request_can_be_open_again_without_a_confirmation() -> None:
    town = RfqTown(assumptions=Assumptions(unconfirmed_acceptance_closes_rfq=False))
    ann, bob, cat = town.creator(), town.maker(), town.maker("cat")
    rfq_id = quoted(ann, bob)
    cat.send(quote(rfq_id, "c1"))
    ann.send(accept("q1"))
    hear(ann, bob, cat)
    town.wait(30)
    assert (kinds(ann.take()), kinds(bob.take()), kinds(cat.take())) == ([], ["AI"], [])
    assert ann.answer_to(accept("q1"), AcceptQuoteStatus).text == "EXPIRED"
    bob.send(quote(rfq_id, "q2"))
    ann.send(accept("c1"))
    cat.send(confirm("c1"))
    town.wait(15)
    assert (town.net("cat"), town.net("bob")) == ds(-100, 0)


def test_a_request_that_is_open_again_still_expires() -> None:
    town = RfqTown(assumptions=Assumptions(unconfirmed_acceptance_closes_rfq=False))
    ann, bob = town.creator(), town.maker()
    accepted(ann, bob)
    town.wait(3600 - INSTANT)
    assert kinds(ann.take()) == []
    town.wait(INSTANT)
    assert kinds(ann.take()) == ["UB"]


# Markets and pauses under the timers


@pytest.mark.parametrize("step", ["open", "quoted", "accepted"])
@pytest.mark.parametrize("state", [MarketState.CLOSED, MarketState.DETERMINED])
def test_a_market_that_ends_closes_its_requests(
    town: RfqTown, ann: Client, bob: Client, state: MarketState, step: str
) -> None:
    rfq_id = ask(ann)
    if step != "open":
        bob.send(quote(rfq_id))
    if step == "accepted":
        ann.send(accept())
    other = ask(ann, "r2", symbol=VOLATILE)
    hear(ann, bob)
    town.market(state)
    assert only(ann.take(), RFQCancelStatus).rfq_id == rfq_id
    assert kinds(bob.take()) == (["AG"] if step == "open" else ["AI", "AG"])
    town.wait(60)
    assert town.balance("ann") == 1000
    bob.send(quote(other, "q2", symbol=VOLATILE))
    assert kinds(ann.take()) == ["S"], "other markets go on"


def test_confirmed_orders_are_refused_when_the_market_has_closed(
    town: RfqTown, ann: Client, bob: Client
) -> None:
    accepted(ann, bob)
    bob.send(confirm())
    hear(bob)
    town.market(MarketState.CLOSED)
    assert (ann.take(), bob.take()) == ([], [])
    town.wait(15)
    for client in (ann, bob):
        report = only(client.take(), ExecutionReport)
        assert (report.exec_type, report.text) == (ExecType.REJECTED, "MARKET_INACTIVE")
    assert town.balance("ann") == town.balance("bob") == 1000
    assert ann.answer_to(cancel_rfq(quote_req_id="r1"), RFQCancelStatus).text == "RFQ_CLOSED"


def test_confirmed_orders_are_refused_in_a_pause(town: RfqTown, ann: Client, bob: Client) -> None:
    accepted(ann, bob)
    bob.send(confirm())
    town.pause(PauseState.TRADING_PAUSED)
    hear(ann, bob)
    town.wait(15)
    reports = [only(client.take(), ExecutionReport) for client in (ann, bob)]
    assert [report.text for report in reports] == ["TRADING_PAUSED"] * 2


def test_a_pause_does_not_stop_the_confirmation_window(town: RfqTown, ann: Client, bob: Client) -> None:
    rfq_id = accepted(ann, bob)
    town.pause(PauseState.TRADING_PAUSED)
    assert bob.answer_to(confirm(), QuoteConfirmStatus).text == "TRADING_PAUSED"
    town.wait(30)
    expect_over(ann, bob, rfq_id)
