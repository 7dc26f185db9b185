"""Market data at the gateway: snapshots, updates, trades, limits and trading status."""

from __future__ import annotations

from datetime import date, time

import pytest

from kalshi_fix_adapters.venue.exchange import (
    MARGIN,
    MarketResult,
    MarketState,
    SetMarketState,
    prediction_market,
)
from kalshi_fix_adapters.venue.gateway.logins import Delivery, Login
from kalshi_fix_adapters.venue.gateway.market_data import SymbolLimits
from kalshi_fix_sansio import (
    BusinessMessageReject,
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MarketDataRequestReject,
    MarketDataSnapshotFullRefresh,
    MDReqSymbol,
    SecurityStatus,
    SecurityStatusRequest,
    Side,
)
from tests.adapters.venue.desk import MARKET, PERP
from tests.adapters.venue.gateway.gateway_desk import GatewayDesk, only, told

BUY, SELL = Side.BUY, Side.SELL
OTHER = "LOWNY-26AUG20"
TWO_MARKETS = (prediction_market(MARKET), prediction_market(OTHER))


def request(kind: str, *symbols: str) -> MarketDataRequest:
    return MarketDataRequest(
        subscription_request_type=kind, related_sym=[MDReqSymbol(symbol=symbol) for symbol in symbols]
    )


def status_request(kind: str, symbol: str = MARKET) -> SecurityStatusRequest:
    return SecurityStatusRequest(subscription_request_type=kind, symbol=symbol)


def snapshots(deliveries: list[Delivery]) -> list[str]:
    found = []
    for _, message in deliveries:
        assert isinstance(message, MarketDataSnapshotFullRefresh)
        levels = [f"{e.md_entry_type} {e.md_entry_size}@{e.md_entry_px}" for e in message.md_entries]
        found.append(" ".join([message.symbol, *levels]))
    return found


def updates(deliveries: list[Delivery], login: Login) -> list[list[str]]:
    found = []
    for message in told(deliveries, login):
        assert isinstance(message, MarketDataIncrementalRefresh)
        found.append(
            [
                f"{e.symbol} {e.md_update_action}:{e.md_entry_type} {e.md_entry_size}@{e.md_entry_px}"
                + (f" by {e.aggressor_side}" if e.aggressor_side else "")
                for e in message.md_entries
            ]
        )
    return found


def test_a_snapshot_holds_both_sides_the_best_prices_first() -> None:
    desk = GatewayDesk(markets=TWO_MARKETS)
    ann, md = desk.login("ann"), desk.login("ann", "KalshiMD")
    for number, (side, price) in enumerate([(BUY, "0.40"), (BUY, "0.41"), (SELL, "0.45"), (BUY, "0.40")]):
        desk.send(ann, desk.order(f"a{number}", side, 5, price))
    assert snapshots(desk.send(md, request("0", MARKET, OTHER, "NO-SUCH"))) == [
        f"{MARKET} 0 5.00@0.4100 0 10.00@0.4000 1 5.00@0.4500",
        OTHER,
        "NO-SUCH",
    ]
    assert told(desk.send(ann, desk.order("a9", BUY, 5, "0.40")), md) == []


def test_a_subscription_begins_with_a_snapshot_and_goes_on_with_changes(desk: GatewayDesk) -> None:
    ann, bob, md = desk.login("ann"), desk.login("bob"), desk.login("ann", "KalshiMD")
    assert snapshots(desk.send(md, request("1", MARKET))) == [MARKET]
    assert updates(desk.send(ann, desk.order("a1", BUY, 5, "0.40")), md) == [[f"{MARKET} 0:0 5.00@0.4000"]]
    assert updates(desk.send(ann, desk.order("a2", BUY, 2, "0.40")), md) == [[f"{MARKET} 1:0 7.00@0.4000"]]
    assert updates(desk.send(bob, desk.order("b1", SELL, 6, "0.40")), md) == [
        [
            f"{MARKET} 0:2 5.00@0.4000 by 2",
            f"{MARKET} 0:2 1.00@0.4000 by 2",
            f"{MARKET} 1:0 1.00@0.4000",
        ]
    ]
    assert updates(desk.send(bob, desk.order("b2", SELL, 3, "0.40")), md) == [
        [f"{MARKET} 0:2 1.00@0.4000 by 2", f"{MARKET} 2:0 0.00@0.4000", f"{MARKET} 0:1 2.00@0.4000"]
    ]


@pytest.mark.parametrize("kind", ["0", "1"])
def test_the_book_of_an_unknown_ticker_is_empty(desk: GatewayDesk, kind: str) -> None:
    md = desk.login("ann", "KalshiMD")
    answer = only(desk.send(md, request(kind, "NO-SUCH")), MarketDataSnapshotFullRefresh)
    assert (answer.symbol, answer.md_entries) == ("NO-SUCH", [])


def test_subscribing_again_brings_a_new_snapshot_and_no_double_updates(desk: GatewayDesk) -> None:
    ann, md = desk.login("ann"), desk.login("ann", "KalshiMD")
    desk.send(md, request("1", MARKET))
    assert snapshots(desk.send(md, request("1", MARKET))) == [MARKET]
    assert len(updates(desk.send(ann, desk.order("a1", BUY, 5, "0.40")), md)) == 1


def test_unsubscribing_from_one_and_from_all() -> None:
    desk = GatewayDesk(markets=TWO_MARKETS)
    ann, md = desk.login("ann"), desk.login("ann", "KalshiMD")
    desk.send(md, request("1", MARKET, OTHER))
    assert desk.send(md, request("2", MARKET, "NO-SUCH")) == []
    assert updates(desk.send(ann, desk.order("a1", BUY, 5, "0.40")), md) == []
    assert len(updates(desk.send(ann, desk.order("a2", BUY, 5, "0.40", symbol=OTHER)), md)) == 1
    assert desk.send(md, request("2")) == []
    assert updates(desk.send(ann, desk.order("a3", BUY, 5, "0.40", symbol=OTHER)), md) == []


def test_entries_carry_date_and_time_and_trades_their_id(desk: GatewayDesk) -> None:
    ann, md = desk.login("ann"), desk.login("ann", "KalshiMD")
    desk.send(ann, desk.order("a1", BUY, 5, "0.40"))
    desk.wait(milliseconds=123)
    snapshot = only(desk.send(md, request("1", MARKET)), MarketDataSnapshotFullRefresh)
    stamp = (date(2026, 8, 20), time(15, 0, 0, 123_000))
    (entry,) = snapshot.md_entries
    assert (entry.md_entry_date, entry.md_entry_time) == stamp
    (update,) = told(desk.send(ann, desk.order("a2", BUY, 5, "0.40")), md)
    assert isinstance(update, MarketDataIncrementalRefresh)
    assert (update.md_entries[0].md_entry_date, update.md_entries[0].md_entry_time) == stamp
    (update,) = told(desk.send(desk.login("bob"), desk.order("b1", SELL, 1, "0.40")), md)
    assert isinstance(update, MarketDataIncrementalRefresh)
    assert [entry.trade_id for entry in update.md_entries] == ["trade-1", None]

    margin = GatewayDesk(MARGIN)
    ann, md = margin.login("ann"), margin.login("ann", "KalshiMD")
    margin.send(md, request("1", PERP))
    (update,) = told(margin.send(ann, margin.order("a1", BUY, 5, "19.5")), md)
    assert isinstance(update, MarketDataIncrementalRefresh)
    (level,) = update.md_entries
    stamp = (margin.now.date(), margin.now.time())
    assert (str(level.md_entry_px), (level.md_entry_date, level.md_entry_time)) == ("19.5000", stamp)


@pytest.mark.parametrize("kind", ["9", "A"])
def test_an_unknown_kind_of_subscription_is_refused(desk: GatewayDesk, kind: str) -> None:
    refused = only(desk.send(desk.login("ann", "KalshiMD"), request(kind, MARKET)), MarketDataRequestReject)
    assert refused.md_req_rej_reason == "4"


def test_symbols_are_limited_per_request_and_per_session() -> None:
    desk = GatewayDesk(limits=SymbolLimits(per_request=2, per_session=3))
    ann, md = desk.login("ann"), desk.login("ann", "KalshiMD")
    refused = only(desk.send(md, request("0", "A", "B", "C")), MarketDataRequestReject)
    assert (refused.md_req_rej_reason, refused.text) == ("2", "at most 2 symbols per request")
    assert len(desk.send(md, request("1", "A", MARKET))) == 2
    assert len(desk.send(md, request("1", "A", "B"))) == 2
    refused = only(desk.send(md, request("1", "C")), MarketDataRequestReject)
    assert (refused.md_req_rej_reason, refused.text) == ("2", "at most 3 symbols per session")
    assert len(desk.send(md, request("0", "C"))) == 1
    assert len(updates(desk.send(ann, desk.order("a1", BUY, 5, "0.40")), md)) == 1
    desk.send(md, request("2", "A"))
    assert len(desk.send(md, request("1", "C"))) == 1


def test_a_symbol_that_stands_twice_in_a_request_counts_once() -> None:
    desk = GatewayDesk(limits=SymbolLimits(per_request=2))
    md = desk.login("ann", "KalshiMD")
    assert len(desk.send(md, request("0", "A", "A", "B"))) == 3
    only(desk.send(md, request("0", "A", "C", "B")), MarketDataRequestReject)


def test_without_limits_any_number_of_symbols_will_do() -> None:
    desk = GatewayDesk(limits=SymbolLimits(per_request=None, per_session=None))
    symbols = [f"S{number}" for number in range(3)]
    assert len(desk.send(desk.login("ann", "KalshiMD"), request("1", *symbols))) == 3


def test_trading_status_changes_are_told_until_the_market_is_settled() -> None:
    desk = GatewayDesk(markets=TWO_MARKETS)
    md = desk.login("ann", "KalshiMD")
    assert desk.send(md, status_request("1")) == []
    states = [
        MarketState.INACTIVE,
        MarketState.ACTIVE,
        MarketState.CLOSED,
        MarketState.DETERMINED,
        MarketState.SETTLED,
    ]
    found = []
    for state in states:
        result = MarketResult.YES if state is MarketState.DETERMINED else None
        desk.execute(SetMarketState(OTHER, state, result))
        messages = [message for _, message in desk.execute(SetMarketState(MARKET, state, result))]
        assert all(isinstance(message, SecurityStatus) for message in messages)
        found.append(
            [
                int(message.security_trading_status)
                for message in messages
                if isinstance(message, SecurityStatus)
            ]
        )
    assert found == [[2], [3], [], [100], [101]]
    desk.gateway.leave(md)


def test_a_settled_market_is_no_longer_subscribed(desk: GatewayDesk) -> None:
    early, late = desk.login("ann", "KalshiMD"), desk.login("bob", "KalshiMD")
    desk.send(early, status_request("1"))
    desk.execute(SetMarketState(MARKET, MarketState.DETERMINED, MarketResult.NO))
    desk.send(late, status_request("1"))
    deliveries = desk.execute(SetMarketState(MARKET, MarketState.SETTLED))
    assert [login for login, _ in deliveries] == [early, late]
    assert desk.send(early, status_request("2")) == []


def test_a_trading_status_subscription_can_end(desk: GatewayDesk) -> None:
    md = desk.login("ann", "KalshiMD")
    desk.send(md, status_request("1"))
    desk.send(md, status_request("2"))
    assert desk.execute(SetMarketState(MARKET, MarketState.INACTIVE)) == []


def test_a_snapshot_of_the_trading_status_is_not_to_be_had(desk: GatewayDesk) -> None:
    refused = only(desk.send(desk.login("ann", "KalshiMD"), status_request("0")), BusinessMessageReject)
    assert (refused.business_reject_reason, refused.text) == (0, "SubscriptionRequestType must be 1 or 2")
