"""State machines that derive orders, books, positions and more from session events, without I/O."""

from __future__ import annotations

from kalshi_fix_sansio.trading.books.book import (
    BookSide,
    BookState,
    Level,
    OrderBook,
    StaleReason,
    Sweep,
    Trade,
)
from kalshi_fix_sansio.trading.books.changes import BookUpdate, Discrepancy, DiscrepancyKind, LevelChange
from kalshi_fix_sansio.trading.books.order_books import TOLERATED, OrderBooks
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.common.unanswered import UnattributedRequest, UnattributedRequests
from kalshi_fix_sansio.trading.common.uncertain_items import (
    HasUncertainItems,
    Remedy,
    UncertainItem,
    UncertainItems,
)
from kalshi_fix_sansio.trading.drop_copy import CopyRange, CopyState, DropCopy, PendingRange
from kalshi_fix_sansio.trading.groups.order_group import GroupState, OrderGroup
from kalshi_fix_sansio.trading.groups.order_groups import (
    GroupDiscrepancy,
    GroupDiscrepancyKind,
    GroupUpdate,
    OrderGroups,
)
from kalshi_fix_sansio.trading.money.cash import Balance, BalanceKey, Cash
from kalshi_fix_sansio.trading.money.fees import (
    Charge,
    FeeDiscrepancy,
    FeeDiscrepancyKind,
    FeeTerms,
    check_fees,
    expected_charges,
    revenue,
)
from kalshi_fix_sansio.trading.money.positions import Position, PositionDiscrepancy, PositionKey, Positions
from kalshi_fix_sansio.trading.money.settlements import (
    IncompleteSettlement,
    SettledParty,
    Settlement,
    SettlementDiscrepancy,
    SettlementDiscrepancyKind,
    Settlements,
    SettlementUpdate,
)
from kalshi_fix_sansio.trading.orders.mass_cancels import MassCancel, MassCancelState
from kalshi_fix_sansio.trading.orders.order import (
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
from kalshi_fix_sansio.trading.orders.order_requests import OrderRequestError
from kalshi_fix_sansio.trading.orders.orders import Orders
from kalshi_fix_sansio.trading.orders.uncertain_orders import (
    DropCopyRange,
    DropCopyReport,
    UncertainOrder,
    UncertainOrderKind,
)
from kalshi_fix_sansio.trading.rate_budget import TOKEN_COSTS, RateBudget, TokenBucket, TokenLimits
from kalshi_fix_sansio.trading.rfq.creator import RfqCreator
from kalshi_fix_sansio.trading.rfq.creator_state import (
    Acceptance,
    CreatorQuote,
    CreatorRfq,
    CreatorUpdate,
    RfqState,
)
from kalshi_fix_sansio.trading.rfq.maker import RfqMaker
from kalshi_fix_sansio.trading.rfq.maker_state import (
    MakerQuote,
    MakerRfq,
    MakerUpdate,
    QuoteState,
    QuoteTerms,
)
from kalshi_fix_sansio.trading.rfq.values import (
    Exposure,
    RfqDiscrepancy,
    RfqDiscrepancyKind,
    RfqRequestError,
    RfqWindows,
    UncertainRfq,
    UncertainRfqKind,
)

__all__ = [
    "TOKEN_COSTS",
    "TOLERATED",
    "Acceptance",
    "Account",
    "Balance",
    "BalanceKey",
    "BookSide",
    "BookState",
    "BookUpdate",
    "Cash",
    "Charge",
    "CopyRange",
    "CopyState",
    "CreatorQuote",
    "CreatorRfq",
    "CreatorUpdate",
    "Discrepancy",
    "DiscrepancyKind",
    "DropCopy",
    "DropCopyRange",
    "DropCopyReport",
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
    "HasUncertainItems",
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
    "OrderGroup",
    "OrderGroups",
    "OrderRequestError",
    "OrderState",
    "OrderUpdate",
    "Orders",
    "PendingRange",
    "PendingRequest",
    "Position",
    "PositionDiscrepancy",
    "PositionKey",
    "Positions",
    "QuoteState",
    "QuoteTerms",
    "RateBudget",
    "Remedy",
    "RfqCreator",
    "RfqDiscrepancy",
    "RfqDiscrepancyKind",
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
    "TokenBucket",
    "TokenLimits",
    "Trade",
    "UnattributedRequest",
    "UnattributedRequests",
    "UncertainItem",
    "UncertainItems",
    "UncertainOrder",
    "UncertainOrderKind",
    "UncertainRfq",
    "UncertainRfqKind",
    "check_fees",
    "expected_charges",
    "revenue",
]
