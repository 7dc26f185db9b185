"""A maker's quotes at extreme times, after reports in every order, and at the limits on their number.

histories/rfq_maker.yaml tests all other cases.
"""

from __future__ import annotations

from datetime import datetime
from itertools import permutations
from typing import Any

import pytest

from kalshi_fix_sansio import QuoteStatus, Side
from kalshi_fix_sansio._generated.limits import RFQ_CONFIRMATION
from kalshi_fix_sansio.clock import BEGINNING, END
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import QuoteTerms, RfqWindows
from kalshi_fix_sansio.trading.drop_copy import MAX_SHARDS
from kalshi_fix_sansio.trading.rfq.coverage import MAX_SYMBOLS, ReportKeys
from kalshi_fix_sansio.trading.rfq.maker import MAX_QUOTES
from tests.helpers import KEY_ID, by_tags
from tests.trading import order_flow
from tests.trading.histories.rfq import MakerPlayer
from tests.trading.order_flow import header
from tests.trading.rfq_flow import LONG_ID, MARKET, confirm_status, status


@pytest.mark.parametrize("time", [BEGINNING, END])
def test_extreme_times_do_not_raise(time: datetime) -> None:
    player = MakerPlayer()
    player.play("rfq R1")
    for message in (status("q1", QuoteStatus.ACCEPTED, side=Side.BUY), confirm_status("q1")):
        message.header = header(message, at=time)
        player.machine.apply(MessageReceived(message), END)
    player.play("resolve q1 CONFIRMED")
    quote = player.machine.quote_of("q1")
    assert quote is not None
    assert quote.deadline == END


def test_reports_in_any_sequence_lead_to_the_same_state() -> None:
    reports = (
        "quote-status q1 PENDING bid_size=100 offer_size=100",
        "quote-status q1 ACCEPTED side=BUY bid_size=30",
        "confirm-status q1",
    )
    for order in permutations(reports):
        twice = "\n".join(order * 2)
        MakerPlayer().play(
            f"""
            rfq R1
            user-confirm q1
            {twice}
            q1 CONFIRMED quantity=30
            deadline 20
            report quote:0:q1 TRADE 100
            {twice}
            q1 EXECUTED
            exposure -
            """
        )


@pytest.mark.parametrize(("kind", "request_"), [("standard", "rfq"), ("high_volatility", "combo-rfq")])
def test_no_quote_is_confirmed_after_the_deadline(kind: str, request_: str) -> None:
    window = RFQ_CONFIRMATION[kind]
    MakerPlayer(windows={}).play(
        f"""
        auto-confirm no
        {request_} R1
        quote-status q1 ACCEPTED side=BUY
        q1 ACCEPTED
        deadline {window}
        bought 100
        timer {window - 0.000001}
        no-update
        q1 ACCEPTED
        timer {window}
        update before=ACCEPTED
        q1 LAPSED
        bought 0
        deadline -
        fails "not confirmed in time" confirm q1 {window}
        at {window + 1}
        quote-status q1 CANCELED
        q1 CANCELED
        """
    )


def test_time_limits_and_volatile_markets_are_configurable() -> None:
    volatile: set[str] = set()
    player = MakerPlayer(
        standard=RfqWindows(confirmation=20, execution=10),
        high_volatility=RfqWindows(confirmation=2, execution=1),
        volatile_symbols=volatile,
        grace=0.5,
    )
    player.play("auto-confirm no \n rfq R1 \n quote-status q1 ACCEPTED side=BUY \n q1 deadline=20")
    volatile.add(MARKET)
    player.play("rfq R2 \n quote-status q2 ACCEPTED R2 side=BUY \n q2 deadline=2")
    player.play("confirm q2 0 \n confirm-status q2 \n deadline 1.5")
    with pytest.raises(ValueError, match="confirmation"):
        RfqWindows(confirmation=-1, execution=1)


@pytest.mark.parametrize("prices", [(None, None), ("0", "0"), ("0.5", "0.51"), ("-0.1", "0.2"), ("1", None)])
def test_invalid_terms_are_refused(prices: Any) -> None:
    with pytest.raises(ValueError, match="not a valid quote"):
        QuoteTerms(*prices)


def test_a_duplicate_quote_id_raises() -> None:
    player = MakerPlayer()
    player.machine._new_id = lambda: "same"
    player.play("rfq R1 \n fails 'already in use' rfq R2")


def test_the_markets_and_shards_of_reports_are_bounded() -> None:
    keys, other = ReportKeys(), order_flow.report("new", "5;1")
    for number in range(MAX_SYMBOLS + 1):
        other.symbol, other.exec_id = f"M{number}", f"5;1;{number}"
        keys.record_report(other, ())
    assert (len(keys._shards), len(keys._newest)) == (MAX_SYMBOLS, MAX_SHARDS)


@pytest.mark.parametrize("exec_id", ["?", None])
def test_a_report_without_a_valid_exec_id_records_no_shard(exec_id: str | None) -> None:
    keys = ReportKeys()
    keys.record_report(order_flow.raw_report(exec_id=exec_id), ())
    assert (keys._shards, keys._newest) == ({}, {})


COLLECTION, LEGS = "MultivariateCollectionTicker=C|", "NoMultivariateSelectedLegs=1|"
EVENT, TICKER = "MultivariateSelectedEventTicker=E|", "MultivariateSelectedMarketTicker=M|"
SIDE = "MultivariateSelectedSide=yes|"
HEADER = f"35=R|49=Kalshi|56={KEY_ID}|34=2|52=20261121-12:00:00.000|"
READABLE_REQUEST = f"{HEADER}131=R1|146=1|55=A|38=5|{COLLECTION}{LEGS}{EVENT}{TICKER}{SIDE}"


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("131=R1|", ""),
        ("131=R1|", f"131={LONG_ID}|"),
        ("55=A|", ""),
        ("146=1|55=A|38=5|", ""),
        ("38=5|", "38=five|"),
        (EVENT, ""),
        (TICKER, ""),
        (SIDE, ""),
        (TICKER, TICKER.replace("M|", f"{LONG_ID}|")),
    ],
)
def test_an_unreadable_request_is_reported_and_not_quoted(field: str, other: str) -> None:
    player = MakerPlayer()
    unreadable = by_tags(READABLE_REQUEST.replace(field, other))
    player.play(f"wire {unreadable} \n discrepancies UNREADABLE \n terms-requested \n rfqs")
    player.play(f"wire {by_tags(READABLE_REQUEST)} \n sends Quote")


def test_exceptions_from_the_users_callbacks_propagate() -> None:
    player = MakerPlayer()
    player.machine._quote = lambda rfq: 1 / 0  # type: ignore[assignment,return-value]
    with pytest.raises(ZeroDivisionError):
        player.play("rfq R1")
    player.play("rfqs R1")


def test_old_quotes_of_a_request_are_evicted_for_new_ones() -> None:
    player = MakerPlayer()
    player.play("rfq R1")
    for number in range(1, 3 * MAX_QUOTES):
        player.play(f"terms {number / 100} \n requote R1 \n sends Quote")
        player.play(f"quote-status q{number + 1} PENDING")
    rfq = player.machine.rfq("R1")
    assert rfq is not None
    assert len(rfq.quotes) == len(player.machine._quotes) == MAX_QUOTES
    player.play(f"live-quote R1 q{3 * MAX_QUOTES}")


def test_uncertain_quotes_are_not_evicted() -> None:
    player = MakerPlayer()
    player.play("rfq R1" + "\n disconnect \n requote R1" * (MAX_QUOTES - 1))
    player.play(f"disconnect \n uncertain-count {MAX_QUOTES}")
    player.play(f"fails '{MAX_QUOTES} quotes that may still be open' requote R1")
    player.play(f"uncertain-count {MAX_QUOTES} \n unanswered user-quote mine R1")
    player.play(f"uncertain-count {MAX_QUOTES + 1}")
