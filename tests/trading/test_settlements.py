"""Settlements are assembled from their pages, received in any order and any number of times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_sansio import (
    CollateralAmountChange,
    CollateralAmountType,
    MarketResult,
    MarketSettlementParty,
    MarketSettlementReport,
    MiscFee,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import (
    IncompleteSettlement,
    SettledParty,
    Settlement,
    SettlementDiscrepancyKind,
    Settlements,
    SettlementUpdate,
)
from kalshi_fix_sansio.trading.common.received import MAX_ID_SIZE
from tests.helpers import CODEC, KEY_ID, by_tags, raw
from tests.trading.order_flow import d, dump, over_the_wire, reloaded

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MARKET = "KXHIGHNY-26NOV20-T55"
LONG_ID = "n" * (MAX_ID_SIZE + 1)
Kind = SettlementDiscrepancyKind


def party(party_id: str, payout: str = "1", fee: str = "0", *, long: str = "1") -> MarketSettlementParty:
    return MarketSettlementParty(
        market_settlement_party_id=party_id,
        market_settlement_party_role=24,
        long_qty=d(long),
        short_qty=d(0),
        collateral_amount_changes=[
            CollateralAmountChange(
                collateral_amount_change=payout, collateral_amount_type=CollateralAmountType.PAYOUT
            ),
            CollateralAmountChange(
                collateral_amount_change="99", collateral_amount_type=CollateralAmountType.BALANCE
            ),
        ],
        misc_fees=[
            MiscFee(misc_fee_amt=fee, misc_fee_curr="USD", misc_fee_type="4", misc_fee_basis=0),
        ],
    )


def report(report_id: str, *parties: MarketSettlementParty, at: int | None = 0, **more: Any) -> Message:
    values: dict[str, Any] = {
        "symbol": MARKET,
        "clearing_business_date": DAY,
        "market_result": MarketResult.YES,
        "settlement_price": "100",
    }
    message = MarketSettlementReport(
        market_settlement_report_id=report_id,
        market_settlement_party_ids=parties,
        **(values | more),
    )
    decoded = over_the_wire(message, at=NOON + timedelta(seconds=at or 0))
    if at is None:
        decoded.header = None
    return decoded


def apply_one(settlements: Settlements, event: object) -> SettlementUpdate:
    """Return the single update caused by an event."""
    update = settlements.apply(event)
    assert update is not None
    return update


def kinds(update: SettlementUpdate) -> list[Kind]:
    return [discrepancy.kind for discrepancy in update.discrepancies]


@pytest.fixture
def settlements() -> Settlements:
    """Return settlements that have received no report."""
    return Settlements()


def test_a_report_without_page_fields_is_a_complete_settlement(settlements: Settlements) -> None:
    update = apply_one(settlements, report("r1", party("ann", "41.10", "0.00006", long="42.5")))
    settled = Settlement(
        MARKET,
        DAY,
        MarketResult.YES,
        d(1),
        (SettledParty("ann", d("42.5"), d(0), d("41.1"), d("0.00006")),),
        1,
    )
    assert (update.symbol, update.settlement, update.discrepancies) == (MARKET, settled, [])
    assert dict(settlements) == {(MARKET, DAY): settled}
    assert (len(settlements), settlements.incomplete()) == (1, [])
    assert (settled.payout, settled.fee, settled.gross) == (d("41.1"), d("0.00006"), d("41.10006"))
    assert settled.parties[0].gross == d("41.10006")


def test_other_messages_have_no_effect(settlements: Settlements) -> None:
    assert settlements.apply(object()) is None
    assert settlements.apply(MessageReceived(CODEC.decode(raw("35=0|34=2|")), False, False, b"")) is None


def test_session_events_are_accepted(settlements: Settlements) -> None:
    settlements.apply(MessageReceived(report("r1", party("ann")), False, False, b""))
    assert settlements[MARKET, DAY].payout == 1


def test_pages_are_joined_until_the_last_one_is_received(settlements: Settlements) -> None:
    first = apply_one(settlements, report("r1", party("bob"), last_fragment=False, at=7))
    assert (first.settlement, len(settlements)) == (None, 0)
    assert settlements.incomplete() == [
        IncompleteSettlement(MARKET, DAY, NOON + timedelta(seconds=7), pages=1, total_pages=None)
    ]
    with pytest.raises(KeyError):
        settlements[MARKET, DAY]
    last = apply_one(settlements, report("r2", party("ann"), last_fragment=True, at=9))
    assert last.settlement is not None
    assert [item.party_id for item in last.settlement.parties] == ["ann", "bob"]
    assert (last.settlement.pages, settlements.incomplete()) == (2, [])


def test_the_last_page_does_not_complete_a_settlement_with_missing_pages(settlements: Settlements) -> None:
    count: dict[str, Any] = {"tot_num_market_settlement_reports": 3}
    settlements.apply(report("r3", party("cat"), last_fragment=True, **count, at=5))
    settlements.apply(report("r1", party("ann"), last_fragment=False, **count, at=3))
    assert settlements.incomplete() == [
        IncompleteSettlement(MARKET, DAY, NOON + timedelta(seconds=3), pages=2, total_pages=3)
    ]
    update = apply_one(settlements, report("r2", party("bob"), last_fragment=False, **count))
    assert update.settlement is not None
    assert update.settlement.pages == 3


def test_a_settlement_without_a_last_page_is_completed_by_its_number_of_pages(
    settlements: Settlements,
) -> None:
    settlements.apply(report("r1", tot_num_market_settlement_reports=2))
    assert len(settlements) == 0
    settlements.apply(report("r2", tot_num_market_settlement_reports=2))
    assert len(settlements) == 1


def test_a_redelivered_report_counts_once_even_with_a_later_time(settlements: Settlements) -> None:
    settlements.apply(report("r1", party("ann", "5")))
    assert settlements.apply(report("r1", party("ann", "5"), at=60)) is None
    assert settlements[MARKET, DAY].payout == 5


def test_a_changed_report_with_the_same_id_is_reported_and_only_the_first_counts(
    settlements: Settlements,
) -> None:
    settlements.apply(report("r1", party("ann", "5")))
    update = apply_one(settlements, report("r1", party("ann", "6")))
    assert kinds(update) == [Kind.CHANGED]
    assert settlements[MARKET, DAY].payout == 5
    assert str(update.discrepancies[0]) == f"{MARKET}: {Kind.CHANGED.value}: report r1"


def test_contradictory_pages_are_reported(settlements: Settlements) -> None:
    settlements.apply(report("r1", last_fragment=False))
    update = apply_one(
        settlements,
        report("r2", settlement_price="30.60", market_result="scalar", last_fragment=True),
    )
    assert kinds(update) == [Kind.CONFLICT]
    assert "yes at 1.00, and scalar at 0.3060" in update.discrepancies[0].detail


def test_a_duplicate_party_is_reported_and_counted(settlements: Settlements) -> None:
    assert kinds(apply_one(settlements, report("r1", party("ann"), party("ann"), last_fragment=False))) == [
        Kind.PARTY_TWICE
    ]
    assert kinds(apply_one(settlements, report("r2", party("ann"), last_fragment=True))) == [Kind.PARTY_TWICE]
    assert settlements[MARKET, DAY].payout == 3


def test_a_page_after_the_last_is_reported_and_counted(settlements: Settlements) -> None:
    settlements.apply(report("r1", party("ann")))
    update = apply_one(settlements, report("r2", party("bob")))
    assert kinds(update) == [Kind.TOO_MANY_PAGES]
    assert update.settlement == settlements[MARKET, DAY]
    assert settlements[MARKET, DAY].payout == 2


def test_markets_and_dates_are_separate(settlements: Settlements) -> None:
    settlements.apply(report("r1", party("ann")))
    settlements.apply(report("r2", party("ann", "2"), clearing_business_date=DAY + timedelta(days=1)))
    settlements.apply(report("r3", party("ann", "4"), symbol="OTHER"))
    assert [settlement.payout for settlement in settlements.values()] == [1, 2, 4]


def test_an_unknown_result_is_kept_unchanged(settlements: Settlements) -> None:
    settlements.apply(report("r1", market_result="void"))
    assert settlements[MARKET, DAY].market_result == "void"
    settlements.apply(report("r1", symbol="OTHER", market_result="no"))
    assert settlements["OTHER", DAY].market_result is MarketResult.NO


@pytest.mark.parametrize(
    "fields",
    [
        f"55={MARKET}|715=20261120|MarketResult=yes|730=100|",
        "MarketSettlementReportID=r1|715=20261120|MarketResult=yes|730=100|",
        f"MarketSettlementReportID=r1|55={MARKET}|MarketResult=yes|730=100|",
        f"MarketSettlementReportID=r1|55={MARKET}|715=20261120|730=100|",
        f"MarketSettlementReportID=r1|55={MARKET}|715=20261120|MarketResult=yes|",
        f"MarketSettlementReportID=r1|55={MARKET}|715=20261120|MarketResult=yes|730=many|",
        f"MarketSettlementReportID=r1|55={MARKET}|715=20261120|MarketResult=yes|730=100|893=maybe|",
        f"MarketSettlementReportID={LONG_ID}|55={MARKET}|715=20261120|MarketResult=yes|730=100|",
        f"MarketSettlementReportID=r1|55={MARKET}|715=20261120|MarketResult=yes|730=100|NoMarketSettlementPartyIDs=1|MarketSettlementPartyID={LONG_ID}|MarketSettlementPartyRole=24|",
    ],
)
def test_an_unreadable_report_is_reported_and_not_counted(settlements: Settlements, fields: str) -> None:
    head = f"35=UMS|49=KalshiPT|56={KEY_ID}|34=2|52=20261120-12:00:00.000|"
    message = CODEC.decode(raw(head + by_tags(fields)))
    update = apply_one(settlements, message)
    assert kinds(update) == [Kind.UNREADABLE]
    assert (len(settlements), settlements.incomplete()) == (0, [])
    assert len(str(update.discrepancies[0])) < 3 * MAX_ID_SIZE


def test_a_report_without_a_header_has_no_time(settlements: Settlements) -> None:
    settlements.apply(report("r1", last_fragment=False, at=None))
    settlements.apply(report("r1", symbol="OTHER", last_fragment=False))
    assert [item.since for item in settlements.incomplete()] == [NOON, None]


# --- bounds ---------------------------------------------------------------------------------------------


def test_one_more_settlement_evicts_the_oldest_complete_one() -> None:
    settlements = Settlements(max_settlements=2)
    settlements.apply(report("r1", symbol="WAITS", last_fragment=False))
    for symbol in ("A", "B"):
        assert kinds(apply_one(settlements, report("r1", symbol=symbol))) == []
    assert ([symbol for symbol, _ in settlements], len(settlements.incomplete())) == (["B"], 1)


def test_incomplete_settlements_are_not_evicted() -> None:
    settlements = Settlements(max_settlements=1)
    settlements.apply(report("r1", party("ann"), last_fragment=False))
    assert kinds(apply_one(settlements, report("r1", party("bob"), symbol="OTHER"))) == [Kind.TOO_MANY]
    settlements.apply(report("r2", last_fragment=True))
    assert settlements[MARKET, DAY].payout == 1


def test_the_parties_of_all_settlements_are_bounded() -> None:
    settlements = Settlements(max_parties=4)
    settlements.apply(report("r1", party("ann"), party("bob"), symbol="A"))
    settlements.apply(report("r1", party("ann"), symbol="B"))
    # Complete settlements are evicted, the oldest first, but no more than necessary.
    assert kinds(apply_one(settlements, report("r1", party("ann"), party("bob"), symbol="C"))) == []
    assert [symbol for symbol, _ in settlements] == ["B", "C"]
    trio = [party(str(number)) for number in range(3)]
    assert kinds(apply_one(settlements, report("r1", *trio, symbol="E"))) == []
    assert [symbol for symbol, _ in settlements] == ["E"]
    crowd = [party(str(number)) for number in range(5)]
    assert kinds(apply_one(settlements, report("r1", *crowd, symbol="D"))) == [Kind.TOO_MANY]
    assert [symbol for symbol, _ in settlements] == ["E"]


def test_no_settlement_is_evicted_for_a_page_that_is_not_counted() -> None:
    settlements = Settlements(max_parties=10)
    for symbol in ("A", "B"):
        settlements.apply(report("r1", *(party(str(number)) for number in range(3)), symbol=symbol))
    settlements.apply(report("r1", *(party(str(number)) for number in range(4)), last_fragment=False))
    crowd = [party(f"other {number}") for number in range(7)]
    assert kinds(apply_one(settlements, report("r2", *crowd, last_fragment=True))) == [Kind.TOO_MANY]
    assert [symbol for symbol, _ in settlements] == ["A", "B"]


def test_pages_without_parties_are_also_bounded() -> None:
    settlements = Settlements(max_parties=3)
    found = [kinds(apply_one(settlements, report(f"r{n}", last_fragment=False))) for n in range(5)]
    assert found == [[], [], [], [Kind.TOO_MANY], [Kind.TOO_MANY]]


# --- dumps ----------------------------------------------------------------------------------------------


def test_a_loaded_dump_restores_the_state_and_continues() -> None:
    settlements = Settlements()
    settlements.apply(report("r1", party("ann", "0.1000"), symbol="OTHER"))
    settlements.apply(report("r1", party("ann"), last_fragment=False))
    settlements.apply(report("r1", market_result="void", last_fragment=False, symbol="VOID", at=None))
    other = reloaded(settlements)
    assert (dict(other), other.incomplete()) == (dict(settlements), settlements.incomplete())
    assert dump(other) == dump(settlements)
    assert other.apply(report("r1", party("ann"), last_fragment=False)) is None
    other.apply(report("r2", party("bob"), last_fragment=True))
    assert other[MARKET, DAY].payout == 2


# --- against a slow model -------------------------------------------------------------------------------


@st.composite
def settlement_reports(draw: st.DrawFn) -> list[Message]:
    """Draw all the reports of some settlements, each with a fixed number of pages."""
    messages: list[Message] = []
    for number in range(draw(st.integers(1, 3))):
        pages = draw(st.integers(1, 4))
        counted = draw(st.booleans())
        for page in range(pages):
            parties = [
                party(
                    f"p{page}-{n}",
                    draw(st.sampled_from(["0", "1.25", "7"])),
                    draw(st.sampled_from(["0", "0.01"])),
                )
                for n in range(draw(st.integers(0, 2)))
            ]
            messages.append(
                report(
                    f"m{number}-{page}",
                    *parties,
                    symbol=f"M{number}",
                    last_fragment=page == pages - 1,
                    tot_num_market_settlement_reports=pages if counted else None,
                    at=draw(st.integers(0, 9)),
                )
            )
    return messages


def slow_totals(messages: Sequence[Message]) -> dict[str, tuple[Decimal, Decimal] | None]:
    """Return the payout and fee of each complete settlement by symbol, and None for incomplete ones."""
    found: dict[str, dict[str, Any]] = {}
    for message in messages:
        assert isinstance(message, MarketSettlementReport)
        found.setdefault(message.symbol, {})[message.market_settlement_report_id] = message
    totals_by_symbol: dict[str, tuple[Decimal, Decimal] | None] = {}
    for symbol, pages in found.items():
        totals = [item.tot_num_market_settlement_reports for item in pages.values()]
        is_complete = (
            len(pages) == totals[0] if totals[0] else any(item.last_fragment for item in pages.values())
        )
        parties = [item for page in pages.values() for item in page.market_settlement_party_ids]
        paid = sum((party.collateral_amount_changes[0].collateral_amount_change for party in parties), d(0))
        fees = sum((party.misc_fees[0].misc_fee_amt for party in parties), d(0))
        totals_by_symbol[symbol] = (paid, fees) if is_complete else None
    return totals_by_symbol


@given(st.data())
def test_settlements_agree_with_a_slow_model_for_lost_duplicate_and_late_reports(data: st.DataObject) -> None:
    sent = data.draw(settlement_reports())
    received = data.draw(st.lists(st.sampled_from(sent), max_size=2 * len(sent)))
    settlements, shuffled = Settlements(), Settlements()
    for message in received:
        settlements.apply(message)
    for message in data.draw(st.permutations(received)):
        shuffled.apply(message)
    known: dict[str, tuple[Decimal, Decimal] | None] = {
        symbol: (settlement.payout, settlement.fee) for (symbol, _), settlement in settlements.items()
    }
    known |= dict.fromkeys((item.symbol for item in settlements.incomplete()), None)
    assert known == slow_totals(received)
    assert dict(shuffled) == dict(settlements)
    assert shuffled.incomplete() == settlements.incomplete()
