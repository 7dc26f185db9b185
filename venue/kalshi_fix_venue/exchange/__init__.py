"""A pure model of an exchange: markets, accounts, order books, matching.

It is independent of FIX, sockets and clocks: `Exchange.apply(command, now)` returns the outcomes of a
command.
"""

from kalshi_fix_venue.exchange.commands import (
    Advance,
    AmendOrder,
    CancelAll,
    CancelOrder,
    ChangeGroup,
    Command,
    ListMarket,
    MoveCash,
    PlaceOrder,
    PrintBlockTrade,
    SetMarketState,
    SetPause,
    SetSettlementBounds,
    TradeQuote,
)
from kalshi_fix_venue.exchange.exchange import Exchange
from kalshi_fix_venue.exchange.market import MarketRules, margin_market, prediction_market
from kalshi_fix_venue.exchange.netting import GroupKind, MarketGroup
from kalshi_fix_venue.exchange.prices import COMBO, STRUCTURES, PriceBand
from kalshi_fix_venue.exchange.terms import (
    MARGIN,
    PREDICTION,
    AccountId,
    CancelCause,
    ExchangeOrderState,
    ExecId,
    GroupAction,
    GroupRefusal,
    MarketResult,
    MarketState,
    PauseState,
    RefusalCause,
    RejectCause,
    SelfTradePrevention,
    TimeInForce,
)

__all__ = [
    "COMBO",
    "MARGIN",
    "PREDICTION",
    "STRUCTURES",
    "AccountId",
    "Advance",
    "AmendOrder",
    "CancelAll",
    "CancelCause",
    "CancelOrder",
    "ChangeGroup",
    "Command",
    "Exchange",
    "ExchangeOrderState",
    "ExecId",
    "GroupAction",
    "GroupKind",
    "GroupRefusal",
    "ListMarket",
    "MarketGroup",
    "MarketResult",
    "MarketRules",
    "MarketState",
    "MoveCash",
    "PauseState",
    "PlaceOrder",
    "PriceBand",
    "PrintBlockTrade",
    "RefusalCause",
    "RejectCause",
    "SelfTradePrevention",
    "SetMarketState",
    "SetPause",
    "SetSettlementBounds",
    "TimeInForce",
    "TradeQuote",
    "margin_market",
    "prediction_market",
]
