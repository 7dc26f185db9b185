"""The messages that are measured: execution reports, orders, market data; as values and as bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from benchmarks.canonical import sending_time, text
from kalshi_fix_sansio import (
    DIALECT,
    CollateralAmountChange,
    ExecutionReport,
    Header,
    LogonFields,
    MarketDataIncrementalRefresh,
    MarketDataSnapshotFullRefresh,
    MDFullEntry,
    MDIncEntry,
    Message,
    MiscFee,
    NewOrderSingle,
    encode,
)
from kalshi_fix_sansio.config import Role, SessionConfig

KEY_ID = "0b3f9c1e-6a37-4a7c-9d1b-2f6f1d1f0c11"
VENUE = "KalshiNR"
NOON = datetime(2026, 8, 17, 16, 0, 0, 123000, tzinfo=UTC)
COUNT = 1000
"""Number of different messages used in turn: more than fit in the library's own caches or the processor's
caches, and more than the branch predictor can learn."""
MARKETS = tuple(f"KXHIGH{city}-26AUG{day}-B80" for city in ("NY", "CH", "MI", "AU") for day in (17, 18))
SYMBOL = MARKETS[0]
LEVELS = 40
"""Number of levels of a book."""
BURST_STEP = timedelta(microseconds=1370)
"""Interval between the times of successive messages in a burst."""
CENT, FINEST = Decimal("0.01"), Decimal("0.0001")
Fields = list[tuple[int, str]]
"""Tags and values, for engines without types."""
_TWENTY_VALUES = (
    *("order_id", "cl_ord_id", "exec_id", "exec_type", "ord_status", "side", "symbol", "order_qty"),
    *("leaves_qty", "cum_qty", "avg_px", "price", "last_px", "last_qty", "transact_time", "trd_match_id"),
    *("aggressor_indicator", "misc_fees[0].misc_fee_amt", "misc_fees[0].misc_fee_curr"),
    "collateral_amount_changes[0].collateral_amount_change",
)
FLAT_TAGS = (37, 11, 17, 150, 39, 54, 55, 38, 151, 14, 6, 44, 31, 32, 60, 880, 1057)
TAGS = (*FLAT_TAGS, 137, 138, 1704)
"""Tags of the 20 values read from a report, for engines without types; the last three are in groups."""


def identifier(kind: str, number: int) -> str:
    """Return an id like those that programs generate; it is the same in every run."""
    return str(uuid5(NAMESPACE_OID, f"{kind} {number}"))


def cents(number: int) -> Decimal:
    """Return a price in dollars, a whole number of cents, as in most markets."""
    return Decimal(1 + number * 7919 % 99) / 100


def contracts(kind: str, number: int, digits: int = 4) -> Decimal:
    """Return a quantity. Each power of ten is equally likely, so only small quantities repeat often."""
    chance = int.from_bytes(blake2b(f"{kind} {number}".encode(), digest_size=4).digest(), "big") / 2**32
    return Decimal(int(10 ** (chance * digits))).quantize(CENT)


def order_values(number: int = 0) -> dict[str, Any]:
    """Return the attributes of an order; all of them except the order type depend on `number`."""
    return {
        "cl_ord_id": identifier("order", number),
        "symbol": MARKETS[number % len(MARKETS)],
        "side": "12"[number % 2],
        "ord_type": "2",
        "order_qty": str(contracts("order", number, 3)),
        "price": str(cents(number)),
        "time_in_force": "134"[number % 3],
        "self_trade_prevention_type": 1 + number % 2,
        "cancel_order_on_pause": number % 3 > 0,
        "secondary_cl_ord_id": f"group-{number % 10}",
    }


_ORDER_TAGS = {
    member.attribute: member.tag
    for member in NewOrderSingle.LAYOUT.members
    if member.attribute in order_values()
}


def order_fields(values: dict[str, Any]) -> Fields:
    """Return the tags and values of an order, in the sequence in which this library writes them."""
    return [(tag, text(values[name])) for name, tag in _ORDER_TAGS.items()]


def order_header_fields() -> Iterator[Fields]:
    """Yield the header fields of an endless series of orders, for engines without types.

    Successive headers differ in number and time.
    """
    times = [sending_time(moment) for moment in burst_times()]
    for number in itertools.count(1000):
        time = times[number % len(times)]
        yield [(8, "FIXT.1.1"), (35, "D"), (34, str(number)), (49, KEY_ID), (52, time), (56, VENUE)]


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


def session_config(session_type: str = VENUE, **more: Any) -> SessionConfig:
    """Return the settings of a client's session; `more` adds to them or replaces them."""
    settings: dict[str, Any] = {
        "sender_comp_id": KEY_ID,
        "sign_logon": lambda _: b"c2lnbmF0dXJl",
        "logon_fields": LogonFields(use_dollars=True),
    }
    return SessionConfig(
        role=Role.INITIATOR,
        dialect=DIALECT,
        session_type=DIALECT.session_types[session_type],
        product="prediction",
        target_comp_id=session_type,
        **(settings | more),
    )


def values_reader() -> Callable[[Any], tuple[Any, ...]]:
    """Return a new function that reads 20 values of a typed report, three of them in groups.

    Each engine has a separate one, because CPython specializes a function's code to the classes it uses.
    """
    values = ", ".join(f"report.{name}" for name in _TWENTY_VALUES)
    read: Callable[[Any], tuple[Any, ...]] = eval(f"lambda report: ({values})")  # noqa: S307 - only names from the table above
    return read


def order(number: int = 0) -> NewOrderSingle:
    """Return an order that has 18 fields on the wire, including header and trailer."""
    return NewOrderSingle(**order_values(number))


def burst_times(count: int = 1000) -> list[datetime]:
    """Return the times of a burst of messages."""
    return [NOON + BURST_STEP * number for number in range(count)]


def order_headers() -> Iterator[Header]:
    """Return an endless iterator of headers for orders; successive headers differ in number and time."""
    headers = [header("D", 1000 + n, moment, to_venue=True) for n, moment in enumerate(burst_times())]
    return itertools.cycle(headers)


def report(number: int = 0) -> ExecutionReport:
    """Return a fill with a fee and a change in collateral; its values depend on `number`."""
    quantity, price = contracts("report", number, 3) + 1, cents(number)
    filled = (quantity * (1 + number % 9) / 10).quantize(CENT)
    fee = (Decimal("0.07") * price * (1 - price) * filled).quantize(FINEST)
    cost = (-price * filled).quantize(FINEST)
    return ExecutionReport(
        order_id=identifier("venue", number),
        cl_ord_id=f"c{number:08x}",
        exec_id=f"{1755446400 + number // 90};{number}",
        exec_type="F",
        ord_status="1",
        side="12"[number % 2],
        symbol=MARKETS[number % len(MARKETS)],
        order_qty=quantity,
        leaves_qty=quantity - filled,
        cum_qty=filled,
        avg_px=price.quantize(FINEST),
        price=price.quantize(FINEST),
        last_px=price.quantize(FINEST),
        last_qty=filled,
        transact_time=NOON + BURST_STEP * number,
        trd_match_id=f"match-{number}",
        aggressor_indicator=number % 2 == 1,
        misc_fees=[
            MiscFee(misc_fee_amt=fee, misc_fee_curr="USD", misc_fee_type="4", misc_fee_basis=0),
        ],
        collateral_amount_changes=[
            CollateralAmountChange(collateral_amount_change=cost, collateral_amount_type="BALANCE"),
        ],
    )


def order_bytes(number: int = 0) -> bytes:
    """Return the order as the venue receives it."""
    sending_time = NOON + BURST_STEP * number
    return encode(order(number), header("D", 1000 + number, sending_time, to_venue=True))


def report_bytes(number: int = 0) -> bytes:
    """Return the report as it is received: 33 fields, about 390 bytes."""
    return encode(report(number), header("8", 99 + number, NOON + timedelta(milliseconds=number)))


def first_snapshots() -> list[bytes]:
    """Return the first snapshot for the book of each market."""
    return [snapshot_bytes(LEVELS, number) for number in range(len(MARKETS))]


def snapshot_bytes(levels: int, number: int = 0) -> bytes:
    """Return `snapshot` as it is received."""
    return encode_received(snapshot(levels, number), number)


def snapshot(levels: int, number: int = 0) -> MarketDataSnapshotFullRefresh:
    """Return a snapshot of one of the markets with this many price levels, half of them bids.

    It has no MDEntryDate and MDEntryTime, because kalshi-sdk cannot read them.
    """
    entries = [
        MDFullEntry(
            md_entry_type="0" if n < levels // 2 else "1",
            md_entry_px=Decimal(n + 1) / 100,
            md_entry_size=contracts(f"snapshot {n}", number),
        )
        for n in range(levels)
    ]
    return MarketDataSnapshotFullRefresh(symbol=MARKETS[number % len(MARKETS)], md_entries=entries)


def incremental_bytes(count: int, number: int = 0) -> bytes:
    """Return `incremental` as it is received."""
    return encode_received(incremental(count, number), number)


def incremental(count: int, number: int = 0) -> MarketDataIncrementalRefresh:
    """Return an incremental update that changes the size of this many levels of a book.

    Levels are changed, not added or removed, so messages can be applied repeatedly. kalshi-sdk supports no
    other updates.
    """
    indices = [(number * 7 + n * 11) % LEVELS for n in range(count)]
    entries = [
        MDIncEntry(
            md_update_action="1",
            symbol=MARKETS[number % len(MARKETS)],
            md_entry_type="0" if index < LEVELS // 2 else "1",
            md_entry_px=Decimal(index + 1) / 100,
            md_entry_size=contracts(f"level {index}", number),
        )
        for index in indices
    ]
    return MarketDataIncrementalRefresh(md_entries=entries)


def encode_received(message: Message, number: int) -> bytes:
    """Encode a message as it is received from the venue; `number` determines its MsgSeqNum and time."""
    head = header(message.msg_type, 2 + number, NOON + timedelta(milliseconds=number))
    return encode(message, head)
