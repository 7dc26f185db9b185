"""Writes the market data of recordings as a Parquet table. This needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any, Final

from kalshi_fix_adapters.logs.past_sessions import Source, read_events
from kalshi_fix_sansio import MarketDataIncrementalRefresh, MarketDataSnapshotFullRefresh
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import MessageReceived

MAX_ROWS: Final = 100_000
"""Maximum number of rows in one write."""
PRECISION, SCALE = 38, 10
"""Precision and scale of prices and sizes: the number of digits, and of decimal places."""
COLUMNS: Final = ("time", "sent", "number", "snapshot", "symbol", "type", "action", "price", "size")
_Row = tuple[
    datetime, datetime | None, int, bool, str | None, str | None, str | None, Decimal | None, Decimal | None
]


def to_parquet(source: Source | Iterable[Source], path: str | Path) -> int:
    """Write the market data of recordings or wire logs as one table; return the number of rows.

    A row is one entry of a snapshot (35=W) or an update (35=X). A message without entries is one row without
    type, action, price and size. Columns: `time` (time of receipt), `sent` (SendingTime), `number`
    (MsgSeqNum), `snapshot`, `symbol`, `type` (BID, OFFER, TRADE), `action` (NEW, CHANGE, DELETE; null in a
    snapshot), `price` in dollars, and `size` in contracts. Prices and sizes are exact decimals.

    Raises:
        ConfigurationError: pyarrow is not installed.
        ValueError: a price or size has more than ten decimal places.
        RecordingError, OSError, EOFError, zlib.error: as raised by `read_events`.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise ConfigurationError("Parquet needs pyarrow: pip install 'kalshi-fix-sansio[parquet]'") from None
    timestamp, decimal = pa.timestamp("us", tz="UTC"), pa.decimal128(PRECISION, SCALE)
    types = (timestamp, timestamp, pa.int64(), pa.bool_(), *[pa.dictionary(pa.int32(), pa.string())] * 3)
    schema = pa.schema(list(zip(COLUMNS, (*types, decimal, decimal), strict=True)))
    count, all_rows = 0, _rows(source)
    with parquet.ParquetWriter(str(path), schema) as writer:
        while rows := list(islice(all_rows, MAX_ROWS)):
            columns = [
                pa.array(values, field.type)
                for values, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            count += len(rows)
    return count


def _rows(source: Source | Iterable[Source]) -> Iterator[_Row]:
    for event in read_events(source):
        if not isinstance(event.event, MessageReceived):
            continue
        message: Any = event.event.message
        is_snapshot = isinstance(message, MarketDataSnapshotFullRefresh)
        if not is_snapshot and not isinstance(message, MarketDataIncrementalRefresh):
            continue
        header = message.header
        leading_values = (event.time, header.sending_time, header.msg_seq_num, is_snapshot)
        for entry in message.md_entries:
            symbol = message.symbol if is_snapshot else entry.symbol
            action = None if is_snapshot else _name(entry.md_update_action)
            yield (
                *leading_values,
                symbol,
                _name(entry.md_entry_type),
                action,
                entry.md_entry_px,
                entry.md_entry_size,
            )
        if not message.md_entries:
            yield (*leading_values, message.symbol if is_snapshot else None, None, None, None, None)


def _name(code: Any) -> str | None:
    return None if code is None else code.name if isinstance(code, Enum) else str(code)
