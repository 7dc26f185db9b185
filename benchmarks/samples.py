"""The messages that are measured: one execution report, one order, market data; as values and as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import cycle
from typing import Any

from kalshi_fix_sansio import (
    CollateralAmountChange,
    ExecutionReport,
    Header,
    MarketDataIncrementalRefresh,
    MarketDataSnapshotFullRefresh,
    MDFullEntry,
    MDIncEntry,
    Message,
    MiscFee,
    NewOrderSingle,
    encode,
)

KEY_ID = "0b3f9c1e-6a37-4a7c-9d1b-2f6f1d1f0c11"
VENUE = "KalshiNR"
SYMBOL = "KXHIGHNY-26AUG17-B80"
NOON = datetime(2026, 8, 17, 16, 0, 0, 123000, tzinfo=UTC)
ORDER_VALUES: dict[str, Any] = {
    "cl_ord_id": "5d2c7a60-3f0e-4c56-8f1c-52a1c8c09e01",
    "symbol": SYMBOL,
    "side": "1",
    "ord_type": "2",
    "order_qty": "10",
    "price": "0.7525",
    "time_in_force": "1",
    "self_trade_prevention_type": 2,
    "cancel_order_on_pause": True,
    "secondary_cl_ord_id": "group-1",
}
ORDER_FIELDS = (
    (11, ORDER_VALUES["cl_ord_id"]),
    (38, "10"),
    (40, "2"),
    (44, "0.7525"),
    (54, "1"),
    (55, SYMBOL),
    (59, "1"),
    (526, "group-1"),
    (2964, "2"),
    (21006, "Y"),
)
"""The same order as tags and values, in the order in which this library writes them."""


def header(
    msg_type: str, seq_num: int, sending_time: datetime, *, to_venue: bool = False, venue: str = VENUE
) -> Header:
    """Return the header of a message from the venue, or to it."""
    names = (KEY_ID, venue) if to_venue else (venue, KEY_ID)
    return Header(
        msg_type=msg_type,
        msg_seq_num=seq_num,
        sender_comp_id=names[0],
        target_comp_id=names[1],
        sending_time=sending_time,
    )


def order() -> NewOrderSingle:
    """Return the order: 18 fields on the wire with those of header and trailer."""
    return NewOrderSingle(**ORDER_VALUES)


def moments(count: int = 1000, step: timedelta = timedelta(microseconds=1370)) -> list[datetime]:
    """Return moments as they follow one another in a burst of messages."""
    return [NOON + step * number for number in range(count)]


def order_headers() -> Iterator[Header]:
    """Yield headers for orders for ever: number and time are never those of the one before."""
    made = [header("D", 1000 + n, moment, to_venue=True) for n, moment in enumerate(moments())]
    return cycle(made)


def report(number: int = 0) -> ExecutionReport:
    """Return a fill with a fee and a change of collateral; `number` makes its ids and prices differ."""
    cents = Decimal(number % 90 + 5) / 100
    return ExecutionReport(
        order_id=f"{number:08x}-6a37-4a7c-9d1b-2f6f1d1f0c11",
        cl_ord_id=f"c{number:08x}",
        exec_id=f"1755446400;{number}",
        exec_type="F",
        ord_status="1",
        side="1",
        symbol=SYMBOL,
        order_qty="12.00",
        leaves_qty="7.50",
        cum_qty="4.50",
        avg_px="0.7450",
        price="0.75",
        last_px=cents,
        last_qty="4.50",
        transact_time=NOON + timedelta(milliseconds=number),
        trd_match_id=f"match-{number}",
        aggressor_indicator=False,
        misc_fees=[MiscFee(misc_fee_amt="0.0123", misc_fee_curr="USD", misc_fee_type="4", misc_fee_basis=0)],
        collateral_amount_changes=[
            CollateralAmountChange(collateral_amount_change="-3.3525", collateral_amount_type="BALANCE")
        ],
    )


def report_bytes(number: int = 0) -> bytes:
    """Return the report as it comes: 33 fields, about 400 bytes."""
    return encode(report(number), header("8", 99 + number, NOON + timedelta(milliseconds=number)))


def snapshot_bytes(levels: int, seq_num: int = 2) -> bytes:
    """Return a snapshot with this many price levels, half of them bids.

    Without MDEntryDate and MDEntryTime, which the other Kalshi client cannot read.
    """
    entries = [
        MDFullEntry(
            md_entry_type="0" if n < levels // 2 else "1",
            md_entry_px=Decimal(n + 1) / 100,
            md_entry_size=Decimal(100 + n),
        )
        for n in range(levels)
    ]
    return _from_market(MarketDataSnapshotFullRefresh(symbol=SYMBOL, md_entries=entries), seq_num)


def incremental_bytes(count: int, seq_num: int = 3, *, size: int = 50) -> bytes:
    """Return an incremental that changes this many levels."""
    entries = [
        MDIncEntry(
            md_update_action="1",
            symbol=SYMBOL,
            md_entry_type="0",
            md_entry_px=Decimal(n + 1) / 100,
            md_entry_size=Decimal(size + n),
        )
        for n in range(count)
    ]
    return _from_market(MarketDataIncrementalRefresh(md_entries=entries), seq_num)


def _from_market(message: Message, seq_num: int) -> bytes:
    head = header(message.msg_type, seq_num, NOON + timedelta(milliseconds=seq_num))
    return encode(message, head)
