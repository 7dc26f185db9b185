"""Limits on the number of symbols in market data requests."""

from __future__ import annotations

from kalshi_fix_sansio import MarketDataRequest, MarketDataRequestReject
from kalshi_fix_venue.gateway.market_data import SymbolLimits
from tests.venue.gateway.gateway_desk import GatewayDesk, only


def request(kind: str, *symbols: str) -> MarketDataRequest:
    return MarketDataRequest.subscribe(*symbols) if kind == "1" else MarketDataRequest.snapshot(*symbols)


def test_symbols_are_limited_per_request() -> None:
    desk = GatewayDesk(limits=SymbolLimits(per_request=2, per_session=3))
    md = desk.login("ann", "KalshiMD")
    refused = only(desk.send(md, request("0", "A", "B", "C")), MarketDataRequestReject)
    assert (refused.md_req_rej_reason, refused.text) == ("2", "at most 2 symbols per request")
    assert len(desk.send(md, request("1", "A", "B"))) == 2


def test_a_duplicate_symbol_in_a_request_counts_once() -> None:
    desk = GatewayDesk(limits=SymbolLimits(per_request=2))
    md = desk.login("ann", "KalshiMD")
    assert len(desk.send(md, request("0", "A", "A", "B"))) == 3
    only(desk.send(md, request("0", "A", "C", "B")), MarketDataRequestReject)


def test_without_limits_any_number_of_symbols_is_accepted() -> None:
    desk = GatewayDesk(limits=SymbolLimits(per_request=None, per_session=None))
    symbols = [f"S{number}" for number in range(3)]
    assert len(desk.send(desk.login("ann", "KalshiMD"), request("1", *symbols))) == 3
