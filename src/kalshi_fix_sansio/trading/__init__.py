"""State rebuilt from messages: machines that are fed what a session tells, and do no I/O either."""

from __future__ import annotations

from kalshi_fix_sansio.trading.book import BookSide, BookState, Level, OrderBook, StaleReason, Sweep, Trade
from kalshi_fix_sansio.trading.changes import BookUpdate, Discrepancy, DiscrepancyKind, LevelChange
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.order_books import TOLERATED, OrderBooks
from kalshi_fix_sansio.trading.order_groups import (
    GroupDiscrepancy,
    GroupDiscrepancyKind,
    GroupState,
    GroupUpdate,
    OrderGroup,
    OrderGroups,
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
    "TOLERATED",
    "BookSide",
    "BookState",
    "BookUpdate",
    "Discrepancy",
    "DiscrepancyKind",
    "ExecKey",
    "GroupDiscrepancy",
    "GroupDiscrepancyKind",
    "GroupState",
    "GroupUpdate",
    "IncompleteSettlement",
    "Level",
    "LevelChange",
    "OrderBook",
    "OrderBooks",
    "OrderGroup",
    "OrderGroups",
    "SettledParty",
    "Settlement",
    "SettlementDiscrepancy",
    "SettlementDiscrepancyKind",
    "SettlementUpdate",
    "Settlements",
    "StaleReason",
    "Sweep",
    "Trade",
]
