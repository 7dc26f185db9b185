"""Limits on the number of symbols in market data requests."""

from __future__ import annotations

from kalshi_fix_sansio import MarketDataRequest, MarketDataRequestReject
from kalshi_fix_venue.gateway.market_data import SymbolLimits
from tests.venue.gateway.gateway_harness import GatewayHarness, only


def request(kind: str, *symbols: str) -> MarketDataRequest:
    return MarketDataRequest.subscribe(*symbols) if kind == "1" else MarketDataRequest.snapshot(*symbols)


def test_symbols_are_limited_per_request() -> None:
    harness = GatewayHarness(limits=SymbolLimits(per_request=2, per_session=3))
    md = harness.login("ann", "KalshiMD")
    refused = only(harness.send(md, request("0", "A", "B", "C")), MarketDataRequestReject)
    assert (refused.md_req_rej_reason, refused.text) == ("2", "at most 2 symbols per request")
    assert len(harness.send(md, request("1", "A", "B"))) == 2


def test_a_duplicate_symbol_in_a_request_counts_once() -> None:
    harness = GatewayHarness(limits=SymbolLimits(per_request=2))
    md = harness.login("ann", "KalshiMD")
    assert len(harness.send(md, request("0", "A", "A", "B"))) == 3
    only(harness.send(md, request("0", "A", "C", "B")), MarketDataRequestReject)


def test_without_limits_any_number_of_symbols_is_accepted() -> None:
    harness = GatewayHarness(limits=SymbolLimits(per_request=None, per_session=None))
    symbols = [f"S{number}" for number in range(3)]
    assert len(harness.send(harness.login("ann", "KalshiMD"), request("1", *symbols))) == 3
