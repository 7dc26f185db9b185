"""State rebuilt from messages: machines that are fed what a session tells, and do no I/O either."""

from __future__ import annotations

from kalshi_fix_sansio.trading.book import BookSide, BookState, Level, OrderBook, StaleReason, Sweep, Trade
from kalshi_fix_sansio.trading.cash import Cash, Purse, PurseKey
from kalshi_fix_sansio.trading.changes import BookUpdate, Discrepancy, DiscrepancyKind, LevelChange
from kalshi_fix_sansio.trading.doubts import Doubt, Doubtful, Doubts, Remedy
from kalshi_fix_sansio.trading.drop_copy import CopyRange, CopyState, DropCopy, Wanted
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.fees import (
    Charge,
    FeeDiscrepancy,
    FeeDiscrepancyKind,
    FeeTerms,
    check_fees,
    expected_charges,
    revenue,
)
from kalshi_fix_sansio.trading.mass_cancels import MassCancel, MassCancelState
from kalshi_fix_sansio.trading.order import (
    Account,
    Ending,
    Fill,
    Order,
    OrderDiscrepancy,
    OrderDiscrepancyKind,
    OrderState,
    OrderUpdate,
    PendingRequest,
)
from kalshi_fix_sansio.trading.order_books import TOLERATED, OrderBooks
from kalshi_fix_sansio.trading.order_doubts import Copied, Covered, DoubtKind, OrderDoubt
from kalshi_fix_sansio.trading.order_groups import (
    GroupDiscrepancy,
    GroupDiscrepancyKind,
    GroupState,
    GroupUpdate,
    OrderGroup,
    OrderGroups,
)
from kalshi_fix_sansio.trading.order_making import OrderRequestError
from kalshi_fix_sansio.trading.orders import Orders
from kalshi_fix_sansio.trading.positions import Position, PositionDiscrepancy, PositionKey, Positions
from kalshi_fix_sansio.trading.rate_budget import TOKEN_COSTS, RateBudget, TokenLimits
from kalshi_fix_sansio.trading.rfq import (
    Exposure,
    RfqDiscrepancy,
    RfqDiscrepancyKind,
    RfqDoubt,
    RfqDoubtKind,
    RfqRequestError,
    RfqWindows,
)
from kalshi_fix_sansio.trading.rfq_creator import RfqCreator
from kalshi_fix_sansio.trading.rfq_creator_state import (
    Acceptance,
    CreatorQuote,
    CreatorRfq,
    CreatorUpdate,
    RfqState,
)
from kalshi_fix_sansio.trading.rfq_maker import RfqMaker
from kalshi_fix_sansio.trading.rfq_maker_state import (
    MakerQuote,
    MakerRfq,
    MakerUpdate,
    QuoteState,
    QuoteTerms,
)
from kalshi_fix_sansio.trading.settlements import (
    IncompleteSettlement,
    SettledParty,
    Settlement,
    SettlementDiscrepancy,
    SettlementDiscrepancyKind,
    Settlements,
    SettlementUpdate,
)

__all__ = [
    "TOKEN_COSTS",
    "TOLERATED",
    "Acceptance",
    "Account",
    "BookSide",
    "BookState",
    "BookUpdate",
    "Cash",
    "Charge",
    "Copied",
    "CopyRange",
    "CopyState",
    "Covered",
    "CreatorQuote",
    "CreatorRfq",
    "CreatorUpdate",
    "Discrepancy",
    "DiscrepancyKind",
    "Doubt",
    "DoubtKind",
    "Doubtful",
    "Doubts",
    "DropCopy",
    "Ending",
    "ExecKey",
    "Exposure",
    "FeeDiscrepancy",
    "FeeDiscrepancyKind",
    "FeeTerms",
    "Fill",
    "GroupDiscrepancy",
    "GroupDiscrepancyKind",
    "GroupState",
    "GroupUpdate",
    "IncompleteSettlement",
    "Level",
    "LevelChange",
    "MakerQuote",
    "MakerRfq",
    "MakerUpdate",
    "MassCancel",
    "MassCancelState",
    "Order",
    "OrderBook",
    "OrderBooks",
    "OrderDiscrepancy",
    "OrderDiscrepancyKind",
    "OrderDoubt",
    "OrderGroup",
    "OrderGroups",
    "OrderRequestError",
    "OrderState",
    "OrderUpdate",
    "Orders",
    "PendingRequest",
    "Position",
    "PositionDiscrepancy",
    "PositionKey",
    "Positions",
    "Purse",
    "PurseKey",
    "QuoteState",
    "QuoteTerms",
    "RateBudget",
    "Remedy",
    "RfqCreator",
    "RfqDiscrepancy",
    "RfqDiscrepancyKind",
    "RfqDoubt",
    "RfqDoubtKind",
    "RfqMaker",
    "RfqRequestError",
    "RfqState",
    "RfqWindows",
    "SettledParty",
    "Settlement",
    "SettlementDiscrepancy",
    "SettlementDiscrepancyKind",
    "SettlementUpdate",
    "Settlements",
    "StaleReason",
    "Sweep",
    "TokenLimits",
    "Trade",
    "Wanted",
    "check_fees",
    "expected_charges",
    "revenue",
]
