"""Block trades: printed by the operator, published on KalshiMD with TrdType (828), and paid for by both
sides.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import (
    EventResendComplete,
    EventResendRequest,
    ExecType,
    ExecutionReport,
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MDEntryType,
    OrdStatus,
    Side,
    TrdType,
)
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.config import AccountConfig
from kalshi_fix_venue.exchange import (
    AccountId,
    MarketResult,
    MarketState,
    PrintBlockTrade,
    SetMarketState,
    margin_market,
    prediction_market,
)
from tests.venue.exchange_harness import MARKET, PERP
from tests.venue.venue_harness import Client, VenueHarness, accounts, order

BUY, SELL = Side.BUY, Side.SELL
LIMITED = "KXLIMITED-26AUG20"
ANN, BOB = AccountId("ann"), AccountId("bob")
ACCOUNTS = (
    *accounts(ann={"subaccounts": {3: Decimal(100)}}),
    AccountConfig(owner="other", product="margin", balance=Decimal(1000)),
)
MARKETS = {
    "prediction": (prediction_market(MARKET), prediction_market(LIMITED, position_limit=Decimal(5))),
    "margin": (margin_market(PERP),),
}
BLOCK = PrintBlockTrade(market=MARKET, buyer=ANN, seller=BOB, price=Decimal("0.40"), quantity=Decimal(100))


def venue(**changes: Any) -> VenueHarness:
    return VenueHarness(**({"accounts": ACCOUNTS, "markets": MARKETS} | changes))


@pytest.fixture
def harness() -> VenueHarness:
    return venue()


def listeners(harness: VenueHarness) -> tuple[Client, Client]:
    return (
        harness.connect("ann", listener_session=True),
        harness.connect("bob", "KalshiRT", listener_session=True),
    )


def printed(harness: VenueHarness, command: PrintBlockTrade = BLOCK, product: str = "prediction") -> None:
    harness.venue.execute(product, command, harness.now)
    harness.run()


def cash(harness: VenueHarness, product: str = "prediction") -> Decimal:
    """Return the total cash of all accounts and the exchange."""
    found = harness.venue.exchange(product)
    return sum((account.balance for account in found.accounts()), found.fees_kept)


def test_both_sides_get_a_report_and_the_position(harness: VenueHarness) -> None:
    clients = listeners(harness)
    printed(harness)
    bought, sold = (client.take_only(ExecutionReport) for client in clients)
    for report in (bought, sold):
        assert (report.exec_type, report.ord_status) == (ExecType.TRADE, OrdStatus.FILLED)
        assert (report.last_px, report.last_qty) == (Decimal("0.4000"), Decimal(100))
        assert (report.leaves_qty, report.cum_qty) == (Decimal(0), Decimal(100))
        assert report.aggressor_indicator is None
        assert report.exec_id != "-1;-1"
    assert (bought.side, bought.long_qty, bought.short_qty) == (BUY, Decimal(100), Decimal(0))
    assert (sold.side, sold.long_qty, sold.short_qty) == (SELL, Decimal(0), Decimal(100))
    assert bought.trd_match_id == sold.trd_match_id
    assert bought.order_id != sold.order_id
    state = harness.venue.exchange("prediction")
    assert [state.position(account, MARKET).net for account in (ANN, BOB)] == [100, -100]
    # 40 and 60 dollars for the contracts, and the taker's fee of 0.07 * 100 * 0.4 * 0.6 for each.
    assert state.account(ANN).balance == Decimal(1000) - 40 - Decimal("1.68")
    assert state.account(BOB).balance == Decimal(1000) - 60 - Decimal("1.68")
    changes = [each.collateral_amount_changes[0].collateral_amount_change for each in (bought, sold)]
    assert changes == [Decimal("-41.68"), Decimal("-61.68")]


def test_a_block_trade_conserves_value(harness: VenueHarness) -> None:
    before = cash(harness)
    printed(harness)
    held = Decimal(100)  # The dollars are in the contracts: each pair is worth one.
    assert cash(harness) + held == before
    printed(harness, attrs.evolve(BLOCK, buyer=BOB, seller=ANN, price=Decimal("0.55")))
    assert cash(harness) == before
    assert harness.venue.exchange("prediction").position(ANN, MARKET).net == 0
    for account in harness.venue.exchange("prediction").accounts():
        assert account.reserved == 0


def test_market_data_marks_a_block_trade_by_its_type(harness: VenueHarness) -> None:
    watcher, trader = harness.connect("ann-md", "KalshiMD"), harness.connect("bob")
    watcher.send(MarketDataRequest.subscribe(MARKET))
    watcher.take()
    listener = harness.connect("ann", listener_session=True)
    printed(harness)
    (entry,) = watcher.take_only(MarketDataIncrementalRefresh).md_entries
    assert (entry.md_entry_type, entry.trd_type) == (MDEntryType.TRADE, TrdType.BLOCK_TRADE)
    assert (entry.md_entry_px, entry.md_entry_size) == (Decimal("0.4000"), Decimal(100))
    assert entry.aggressor_side is None
    assert entry.trade_id == listener.take_only(ExecutionReport).trd_match_id
    trader.send(order("b1", SELL, 1, "0.40"))
    (level,) = watcher.take_only(MarketDataIncrementalRefresh).md_entries
    assert level.trd_type is None


def test_a_block_trade_does_not_change_the_book(harness: VenueHarness, bob: Client) -> None:
    bob.send(order("b1", SELL, 5, "0.30"))
    bob.take()
    printed(harness)
    assert bob.take() == []
    levels = harness.venue.exchange("prediction").levels(MARKET, Side.SELL)
    assert levels == ((Decimal("0.30"), Decimal(5)),)


def test_a_block_trade_is_in_drop_copy() -> None:
    harness = venue(accounts=(attrs.evolve(ACCOUNTS[0], drop_copy=True), *ACCOUNTS[1:]))
    listener = harness.connect("ann", listener_session=True)
    printed(harness)
    live = listener.take_only(ExecutionReport)
    copy = harness.connect("ann-2", "KalshiDC")
    copy.send(EventResendRequest(begin_exec_id=live.exec_id))
    again, complete = copy.take()
    assert isinstance(again, ExecutionReport)
    assert isinstance(complete, EventResendComplete)
    assert (again.exec_id, again.trd_match_id) == (live.exec_id, live.trd_match_id)


def test_order_sessions_get_a_report_where_that_is_assumed() -> None:
    harness = venue(assumptions=Assumptions(blocks_are_reported_to_order_sessions=True))
    ann, bob = harness.connect("ann"), harness.connect("bob", "KalshiRT")
    printed(harness)
    assert ann.take_only(ExecutionReport).side == BUY
    assert bob.take_only(ExecutionReport).side == SELL


def test_a_block_trade_on_margin(harness: VenueHarness) -> None:
    watcher = harness.connect("perp", "KalshiMD", product="margin")
    watcher.send(MarketDataRequest.subscribe(PERP))
    watcher.take()
    block = PrintBlockTrade(
        market=PERP,
        buyer=AccountId("perp"),
        seller=AccountId("other"),
        price=Decimal(19),
        quantity=Decimal(3),
    )
    printed(harness, block, "margin")
    (entry,) = watcher.take_only(MarketDataIncrementalRefresh).md_entries
    assert entry.trd_type == TrdType.BLOCK_TRADE


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"market": "NO-SUCH"}, "no market NO-SUCH"),
        ({"price": Decimal("0.405")}, "does not take the price"),
        ({"price": Decimal(1)}, "does not take the price"),
        ({"quantity": Decimal(0)}, "does not take the quantity"),
        ({"quantity": Decimal("0.001")}, "does not take the quantity"),
        ({"seller": ANN}, "cannot trade with itself"),
        ({"seller": AccountId("ann", 3)}, "cannot trade with itself"),
        ({"seller": AccountId("nobody")}, "there is no account"),
        ({"seller": AccountId("bob", shard=2)}, "there is no account"),
        ({"quantity": Decimal(2000)}, "INSUFFICIENT_BALANCE"),
        ({"quantity": Decimal(1600), "price": Decimal("0.39")}, "bob cannot sell: INSUFFICIENT_BALANCE"),
        ({"market": LIMITED}, "EXCEEDED_PER_MARKET_RISK_LIMIT"),
    ],
)
def test_an_impossible_block_trade_changes_nothing(
    harness: VenueHarness, changes: dict[str, Any], problem: str
) -> None:
    clients = listeners(harness)
    before = [
        (account.balance, account.reserved) for account in harness.venue.exchange("prediction").accounts()
    ]
    with pytest.raises(ValueError, match=problem):
        printed(harness, attrs.evolve(BLOCK, **changes))
    after = [
        (account.balance, account.reserved) for account in harness.venue.exchange("prediction").accounts()
    ]
    assert after == before
    assert [client.take() for client in clients] == [[], []]


def test_a_decided_market_refuses_block_trades(harness: VenueHarness) -> None:
    harness.execute(SetMarketState(MARKET, MarketState.DETERMINED, MarketResult.YES))
    with pytest.raises(ValueError, match="is determined"):
        printed(harness)


def test_the_operator_prints_a_block_trade_by_name(harness: VenueHarness) -> None:
    values = {"market": MARKET, "quantity": "10", "price": "0.25", "buyer": "ann/3", "seller": "bob"}
    harness.do("block-trade", **values)
    assert harness.venue.exchange("prediction").position(AccountId("ann", 3), MARKET).net == 10
    for wrong, problem in (({"seller": "bob/x"}, "names no account"), ({"seller": "zoe"}, "no account")):
        with pytest.raises(ConfigurationError, match=problem):
            harness.do("block-trade", **{**values, **wrong})


def test_the_operator_bounds_a_settlement_by_name(harness: VenueHarness, ann: Client) -> None:
    ann.send(order("a1", BUY, 1, "0.10"))
    ann.take()
    harness.do("settlement-bounds", market=MARKET, lowest="0.2", highest="0.8")
    assert ann.take_only(ExecutionReport).text == "SETTLEMENT_BOUNDS_CANCEL"
