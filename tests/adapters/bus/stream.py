"""Constructors for the events that a client delivers, and for the bus messages that carry them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from kalshi_fix_adapters.bus import Batcher, Channel, OutgoingMessage, Receiver
from kalshi_fix_sansio import (
    Header,
    Logon,
    MarketDataIncrementalRefresh,
    MarketDataSnapshotFullRefresh,
    MDEntryType,
    MDFullEntry,
    MDIncEntry,
    MDUpdateAction,
    decode,
    encode,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import LoggedOn, MessageReceived
from tests.samples import execution_report

MARKET_DATA = Channel("demo", "prediction", "KalshiMD", "desk")
REPORTS = Channel("demo", "prediction", "KalshiRT", "desk")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def received(number: int, message: Message) -> MessageReceived:
    """Return the event of a received message with this sequence number."""
    header = Header(sender_comp_id="K", target_comp_id="me", msg_seq_num=number, sending_time=NOON)
    frame = encode(message, header)
    return MessageReceived(decode(frame), frame=frame)


def delta(number: int, *symbols: str, price: str = "0.35", size: str = "5") -> MessageReceived:
    """Return the event of an incremental refresh with one entry for each symbol."""
    entries = [
        MDIncEntry(
            md_update_action=MDUpdateAction.NEW,
            symbol=symbol,
            md_entry_type=MDEntryType.BID,
            md_entry_px=price,
            md_entry_size=size,
        )
        for symbol in symbols
    ]
    return received(number, MarketDataIncrementalRefresh(md_entries=entries))


def snapshot(number: int, symbol: str, levels: int = 1) -> MessageReceived:
    """Return the event of a full refresh with this many bids."""
    entries = [
        MDFullEntry(md_entry_type=MDEntryType.BID, md_entry_px=f"0.{index + 1:04}", md_entry_size="1")
        for index in range(levels)
    ]
    return received(number, MarketDataSnapshotFullRefresh(symbol=symbol, md_entries=entries))


def report(number: int, symbol: str = "KX") -> MessageReceived:
    """Return the event of an execution report."""
    return received(number, execution_report(str(number), symbol=symbol))


def logged_on(generation: int = 0, *, reset: bool = True) -> LoggedOn:
    """Return the event of a logon."""
    logon = Logon(encrypt_method=0, heart_bt_int=30)
    return LoggedOn(logon, 30, reset, MappingProxyType({"use_dollars": True}), generation=generation)


def batcher(channel: Channel = MARKET_DATA, fence: int = 1, **changes: Any) -> Batcher:
    """Return a batcher with low limits."""
    options = {"durable_numbers": channel is REPORTS, "max_bytes": 10_000, **changes}
    return Batcher(channel, fence, **options)


def rounds(publisher: Batcher, events: Iterable[object] = ()) -> list[tuple[OutgoingMessage, ...]]:
    """Add events, and return the messages of all waiting rounds."""
    for event in events:
        publisher.add(event)
    found = []
    while (next_round := publisher.next_round()) is not None:
        found.append(next_round.messages)
    return found


def published(publisher: Batcher, events: Iterable[object] = ()) -> list[OutgoingMessage]:
    """Add events, and return all waiting messages."""
    return [message for messages in rounds(publisher, events) for message in messages]


def numbers(events: Iterable[object]) -> list[int]:
    """Return the sequence numbers of the messages among events."""
    return [event.message.header.msg_seq_num for event in events if isinstance(event, MessageReceived)]


def apply(receiver: Receiver, messages: Iterable[OutgoingMessage]) -> list[object]:
    """Return the events that a receiver delivers for messages."""
    return [
        MessageReceived(decode(event), frame=event) if isinstance(event, bytes) else event
        for message in messages
        for event in receiver.receive(message.id, message.lane, message.previous, message.data)
    ]
