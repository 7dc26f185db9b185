"""A pure model of an exchange: markets, accounts, order books, matching.

It knows nothing of FIX, sockets or clocks: `Exchange.apply(command, now)` returns what came of
a command.
"""

from kalshi_fix_adapters.venue.exchange.commands import (
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
from kalshi_fix_adapters.venue.exchange.exchange import Exchange
from kalshi_fix_adapters.venue.exchange.market import (
    Market,
    MarketRules,
    margin_market,
    prediction_market,
)
from kalshi_fix_adapters.venue.exchange.netting import GroupKind, MarketGroup
from kalshi_fix_adapters.venue.exchange.prices import COMBO, LINEAR, STRUCTURES, PriceBand, PriceRange
from kalshi_fix_adapters.venue.exchange.terms import (
    MARGIN,
    PREDICTION,
    AccountId,
    CancelCause,
    ExecId,
    GroupAction,
    GroupRefusal,
    MarketResult,
    MarketState,
    OrderState,
    PauseState,
    RefusalCause,
    RejectCause,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

__all__ = [
    "COMBO",
    "LINEAR",
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
    "ExecId",
    "GroupAction",
    "GroupKind",
    "GroupRefusal",
    "ListMarket",
    "Market",
    "MarketGroup",
    "MarketResult",
    "MarketRules",
    "MarketState",
    "MoveCash",
    "OrderState",
    "PauseState",
    "PlaceOrder",
    "PriceBand",
    "PriceRange",
    "PrintBlockTrade",
    "RefusalCause",
    "RejectCause",
    "SelfTradePrevention",
    "SetMarketState",
    "SetPause",
    "SetSettlementBounds",
    "Side",
    "TimeInForce",
    "TradeQuote",
    "margin_market",
    "prediction_market",
]
