"""The publisher's side: combines events into messages for the broker, and determines their order and ids.

The messages of a session are published in lanes, and their order within a lane is preserved. A market data
session has a lane for each bucket (a group of symbols with the same hash), and one lane for messages about
several buckets. This lets a consumer follow a subset of the symbols. Every other session has one lane. Every
message contains the MsgSeqNum of the previous message of its lane (`previous`), so that consumers detect
missing messages.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

import attrs

from kalshi_fix_adapters.bus.event_json import PUBLISHED_EVENTS, encode_event
from kalshi_fix_adapters.bus.names import BatchId, Channel, parse_subject
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.events import LoggedOn, MessageReceived

BATCH: Final = "batch"
"""Replaces the MsgType in the subjects of market data, in which a bucket or MIXED replaces the symbol."""
EVENT: Final = "event"
"""Replaces the MsgType in the subjects of events, in which the name of the event's class replaces the
symbol.
"""
MIXED: Final = "mixed"
"""The lane of market data messages about several buckets, or about no symbol."""
SESSION: Final = "session"
"""The lane of a session that has only one lane."""
MAX_FRAMES: Final = 2048
"""Maximum number of the venue's messages in one bus message. Publishing a bus message takes as much CPU time
as adding 80 messages to it. A consumer splits a bus message of this size in one step of about 1 ms.
"""
MAX_CACHED: Final = 10_000
"""Maximum number of cached lanes and subjects."""


def bucket_of(symbol: str, buckets: int) -> int:
    """Return the bucket of a symbol, which is the same in every process."""
    return crc32(symbol.encode()) % buckets


def is_market_data(channel: Channel) -> bool:
    """Return whether the session type of a channel is for market data."""
    session_type = DIALECT.session_types.get(channel.session)
    return session_type is not None and session_type.service == "market_data"


@attrs.frozen
class OutgoingMessage:
    """A message to be published.

    Attributes:
        subject: Subject of the message.
        id: Id of the message.
        lane: Lane of the message.
        previous: MsgSeqNum of the previous message of the lane; 0 if this is the lane's first
            message in its generation (see `BatchId`), None if unknown.
        data: The bytes of one or more messages from the venue as received, an encoded event, or a part of
            either.
    """

    subject: str
    id: BatchId
    lane: str
    previous: int | None
    data: bytes = attrs.field(repr=False)


@attrs.define
class _Batch:
    """A bus message that is being collected."""

    lane: str
    subject: str
    previous: int | None
    id: BatchId
    """The id of the message while it contains only the first frame."""
    last: int
    frames: list[bytes]
    size: int

    def message(self) -> OutgoingMessage:
        """Return the collected message."""
        batch_id = attrs.evolve(self.id, last=self.last)
        return OutgoingMessage(self.subject, batch_id, self.lane, self.previous, b"".join(self.frames))


@attrs.define
class Round:
    """Messages of different lanes that are published at the same time, before the messages of the next round.

    Attributes:
        is_full: Whether no more events can be added.
        batches: The messages that are being collected, by lane.
        last: The last event whose publication ends with this round; None if the round contains a part of an
            event, and further parts follow.
        count: The number of events whose publication ends with this round.
    """

    is_full: bool
    batches: dict[str, _Batch] = attrs.field(factory=dict)
    last: object | None = None
    count: int = 0

    @property
    def messages(self) -> tuple[OutgoingMessage, ...]:
        """The messages, at most one for each lane; empty if the events of this round are not published."""
        return tuple([batch.message() for batch in self.batches.values()])

    @property
    def size(self) -> int:
        """Total size of the messages in bytes."""
        return sum([batch.size for batch in self.batches.values()])


class Batcher:
    """Turns the events of a client into rounds of messages.

    The caller limits the number of waiting events. At the limit, the caller stops receiving events from the
    client for a while, or drops market data (`drop`). In the second case, consumers detect a gap.
    """

    def __init__(
        self,
        channel: Channel,
        fence: int,
        *,
        durable_numbers: bool,
        max_bytes: int,
        buckets: int = 8,
    ) -> None:
        """Create a batcher without events.

        Args:
            channel: the session whose events are published.
            fence: a number higher than the fence of every earlier publisher of the channel.
            durable_numbers: whether the sequence numbers of the session continue in the next process. If so,
                the client's store determines the generation. Otherwise the publisher begins a new generation
                at every logon.
            max_bytes: maximum size of a message that the broker accepts, in bytes.
            buckets: number of buckets of symbols. All publishers of a channel, and the consumers that follow
                only some symbols, must use the same number.

        Raises:
            ValueError: `max_bytes` or `buckets` is below 1.
        """
        if min(max_bytes, buckets) < 1:
            raise ValueError("max_bytes and buckets must be at least 1")
        self._channel, self._fence, self._numbers_are_durable = channel, fence, durable_numbers
        self._max_bytes, self._buckets = max_bytes, buckets
        self._market_data = is_market_data(channel)
        self._routes: dict[object, tuple[str, str]] = {}
        """Cached lanes and subjects, by symbol for market data, otherwise by MsgType and symbol."""
        self._rounds: deque[Round] = deque()
        self._lanes: dict[str, int] = {}
        """The last MsgSeqNum of each lane in this generation, including dropped messages."""
        # A session with durable numbers may continue the lanes of an earlier process, whose last messages
        # are unknown here.
        self._initial_previous: int | None = None if durable_numbers else 0
        """`previous` of the first message of a lane in this generation."""
        self._generation = 0
        self._logons = 0
        self._number = 0
        """MsgSeqNum of the last message that was added or dropped; the ids of events contain it."""
        self._events = 0
        """Number of events added so far, not counting messages."""
        self.dropped: int = 0
        """Number of messages that `drop` has dropped."""

    def __len__(self) -> int:
        return sum(each.count for each in self._rounds)

    def begin_generation(self, logged_on: LoggedOn) -> None:
        """Use the generation of a LoggedOn. `add` does this itself; call it only for a LoggedOn that the
        client returned before this object was created.
        """
        self._logons += 1
        # The generations of this publisher are higher than those of every publisher with a lower fence.
        generation = logged_on.generation if self._numbers_are_durable else (self._fence << 32) + self._logons
        if generation != self._generation:
            self._generation, self._number = generation, 0
            self._lanes.clear()
            if self._logons > 1:
                self._initial_previous = 0

    def add(self, event: object) -> int:
        """Add an event, and return its size in bytes. Events that concern only the client's process are
        counted in a round, but are not published; their size is 0.
        """
        data = b""
        if isinstance(event, MessageReceived):
            data = event.frame
            self._add_message(event)
        elif isinstance(event, PUBLISHED_EVENTS):
            if isinstance(event, LoggedOn):
                self.begin_generation(event)
            self._events += 1
            subject = self._channel.subject(EVENT, type(event).__name__)
            data = encode_event(event)
            self._begin(EVENT, subject, None, self._number, data, self._events)
        elif not self._rounds or self._rounds[-1].is_full:
            self._rounds.append(Round(is_full=False))
        last_round = self._rounds[-1]
        last_round.last = event
        last_round.count += 1
        return len(data)

    def drop(self, event: object) -> bool:
        """Drop a message of a market data session. For any other event, do nothing and return False.

        The next message of the lane shows consumers that a message is missing.
        """
        if not self._market_data or not isinstance(event, MessageReceived):
            return False
        lane, _ = self._route(event.message)
        self._lanes[lane] = self._number = _number_of(event)
        self.dropped += 1
        return True

    def next_round(self) -> Round | None:
        """Remove and return the next round; None if no event is waiting.

        The broker must have acknowledged all messages of a round before the next round is published.
        """
        return self._rounds.popleft() if self._rounds else None

    def _add_message(self, event: MessageReceived) -> None:
        frame, number = event.frame, _number_of(event)
        lane, subject = self._route(event.message)
        previous = self._lanes.get(lane, self._initial_previous)
        self._lanes[lane] = self._number = number
        rounds = self._rounds
        batch = rounds[-1].batches.get(lane) if rounds and not rounds[-1].is_full else None
        if (
            batch is None
            or batch.last != previous
            or batch.subject != subject
            or len(batch.frames) >= MAX_FRAMES
            or batch.size + len(frame) > self._max_bytes
        ):
            self._begin(lane, subject, previous, number, frame)
        else:
            batch.last = number
            batch.frames.append(frame)
            batch.size += len(frame)

    def _begin(
        self, lane: str, subject: str, previous: int | None, number: int, data: bytes, event: int = 0
    ) -> None:
        """Begin a bus message, in the last round if possible. A message gets a separate round if it must keep
        its order relative to all lanes, or if it is a part of a large message. `event` is the number of an
        event, or 0 if the data is a message from the venue.
        """
        rounds, size = self._rounds, self._max_bytes
        parts = -(-len(data) // size) or 1
        separate = event > 0 or lane == MIXED or parts > 1
        for part in range(parts):
            if separate or not rounds or rounds[-1].is_full or lane in rounds[-1].batches:
                rounds.append(Round(is_full=separate))
            frame = data[part * size : (part + 1) * size]
            batch_id = BatchId(
                account=self._channel.account,
                session=self._channel.session,
                fence=self._fence,
                generation=self._generation,
                first=number,
                last=number,
                event=event,
                part=part + 1,
                parts=parts,
            )
            batch = _Batch(lane, subject, previous, batch_id, number, [frame], len(frame))
            rounds[-1].batches[lane] = batch

    def _route(self, message: Any) -> tuple[str, str]:
        """Return the lane and the subject of a message."""
        symbol = getattr(message, "symbol", None)
        if not self._market_data:
            key = (message.msg_type, symbol)
            return self._routes.get(key) or self._add_route(key, SESSION, message.msg_type, symbol)
        if symbol is not None:
            return self._routes.get(symbol) or self._add_bucket_route(symbol)
        common_route = None
        for entry in getattr(message, "md_entries", None) or ():
            symbol = getattr(entry, "symbol", None)
            route = self._routes.get(symbol) or self._add_bucket_route(symbol)
            if common_route is not None and route != common_route:
                return self._add_bucket_route(None)
            common_route = route
        return common_route or self._add_bucket_route(None)

    def _add_bucket_route(self, symbol: object) -> tuple[str, str]:
        lane = str(bucket_of(symbol, self._buckets)) if isinstance(symbol, str) else MIXED
        return self._add_route(symbol, lane, BATCH, lane)

    def _add_route(self, key: object, lane: str, msg_type: str, symbol: object) -> tuple[str, str]:
        if len(self._routes) >= MAX_CACHED:
            self._routes.clear()
        subject = self._channel.subject(msg_type, symbol if isinstance(symbol, str) else "")
        route = self._routes[key] = lane, subject
        return route


def _number_of(event: Any) -> int:
    number: int = event.message.header.msg_seq_num
    return number


@lru_cache(MAX_CACHED)
def lane_of(subject: str) -> str:
    """Return the lane of a subject.

    Raises:
        ValueError: the subject was not made by this library.
    """
    _, msg_type, symbol = parse_subject(subject)
    return symbol if msg_type == BATCH else EVENT if msg_type == EVENT else SESSION
