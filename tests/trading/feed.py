"""Market data as a venue sends it, written as short texts; every message is encoded and decoded."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from kalshi_fix_sansio import (
    AggressorSide,
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MarketDataSnapshotFullRefresh,
    MDEntryType,
    MDFullEntry,
    MDIncEntry,
    MDReqSymbol,
    MDUpdateAction,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import BookUpdate, Level, OrderBook, OrderBooks
from tests.helpers import CODEC, KEY_ID, raw
from tests.trading.order_flow import over_the_wire

A, B, C = "KXHIGHNY-26AUG21-B80", "KXHIGHNY-26AUG21-B82", "BTC-PERP"
NOON = datetime(2026, 8, 21, 12, tzinfo=UTC)

_TYPES = {"bid": MDEntryType.BID, "offer": MDEntryType.OFFER, "trade": MDEntryType.TRADE}
_ACTIONS = {"new": MDUpdateAction.NEW, "change": MDUpdateAction.CHANGE, "delete": MDUpdateAction.DELETE}
_ENTRY = re.compile(
    r"(?:(?P<action>new|change|delete|[3-9]) )?(?P<type>bid|offer|trade|[A-Za-z3-9])(?: (?P<size>[-0-9.]+))?"
    r" at (?P<price>[-0-9.]+)(?: by (?P<by>buy|sell))?(?: in (?P<symbol>\S+))?"
)


def from_wire(fields: str) -> Message:
    """Decode a message, given as its fields from MsgType on with `|` in place of SOH."""
    msg_type, _, body = fields.partition("|")
    head = f"49=KalshiMD|56={KEY_ID}|34=2|52=20260821-12:00:00.000|"
    return CODEC.decode(raw(f"{msg_type}|{head}{body}"))


def parts(text: str) -> dict[str, Any]:
    """Parse an entry: `new bid 5 at 0.40`, `trade 3 at 0.41 by buy`, `delete offer at 0.50 in OTHER`."""
    match = _ENTRY.fullmatch(text)
    assert match is not None, text
    return match.groupdict()


def snapshot(*levels: str, symbol: str = A) -> MarketDataSnapshotFullRefresh:
    """Return a snapshot of a book from its levels, such as `bid 5 at 0.40`."""
    md_entries = [
        MDFullEntry(
            md_entry_type=_TYPES.get(entry["type"], entry["type"]),
            md_entry_px=entry["price"],
            md_entry_size=entry["size"],
            md_entry_date=NOON.date(),
            md_entry_time=NOON.time(),
        )
        for entry in map(parts, levels)
    ]
    return over_the_wire(MarketDataSnapshotFullRefresh(symbol=symbol, md_entries=md_entries))


def update(*entries: str, at: float | None = 0.0, symbol: str = A) -> MarketDataIncrementalRefresh:
    """Return an update dated `at` seconds after noon, or without a time, as for the margin product."""
    day, instant = stamp(at)
    md_entries = [
        MDIncEntry(
            md_update_action=_ACTIONS.get(entry["action"] or "new", entry["action"]),
            symbol=entry["symbol"] or symbol,
            md_entry_type=_TYPES.get(entry["type"], entry["type"]),
            md_entry_px=entry["price"],
            md_entry_size=entry["size"] or "0.00",
            md_entry_date=day,
            md_entry_time=instant,
            aggressor_side=entry["by"] and AggressorSide[entry["by"].upper()],
        )
        for entry in map(parts, entries)
    ]
    return over_the_wire(MarketDataIncrementalRefresh(md_entries=md_entries))


def stamp(at: float | None) -> tuple[date | None, time | None]:
    if at is None:
        return None, None
    when = NOON + timedelta(seconds=at)
    return when.date(), when.time()


def request(kind: str, *symbols: str) -> MarketDataRequest:
    """Return a MarketDataRequest with this SubscriptionRequestType: 0 for one snapshot, 1 for a snapshot and
    updates, 2 to unsubscribe.
    """
    return MarketDataRequest(
        subscription_request_type=kind, related_sym=[MDReqSymbol(symbol=symbol) for symbol in symbols]
    )


def apply(books: OrderBooks, *messages: Message) -> BookUpdate:
    """Apply messages in the given order; return the only update that the last message causes."""
    updates: list[BookUpdate] = []
    for message in messages:
        updates = books.apply(MessageReceived(message))
    (only,) = updates
    return only


def format_levels(book: OrderBook) -> str:
    """Return the bids and offers, with the best prices next to the bar: `10@0.39 5@0.40 | 3@0.41`."""
    bids = [_level(level) for level in book.bids][::-1]
    return " ".join([*bids, "|", *(_level(level) for level in book.offers)])


def _level(level: Level) -> str:
    return f"{level.size.normalize():f}@{level.price.quantize(Decimal('0.01'))}"


def states_by_symbol(books: OrderBooks) -> dict[str, str]:
    """Return the name of the state of each book."""
    return {symbol: book.state.name for symbol, book in books.items()}


def states(books: OrderBooks) -> list[str]:
    """Return the names of the states, in the order of the books."""
    return list(states_by_symbol(books).values())


def kinds(update: BookUpdate) -> list[str]:
    """Return the names of the update's discrepancies."""
    return [discrepancy.kind.name for discrepancy in update.discrepancies]
