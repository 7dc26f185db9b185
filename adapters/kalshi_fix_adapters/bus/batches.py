"""The publisher's side without a broker: events that are published together, their order and their ids.

Messages of a session are published in lanes. A market data session has a lane for each bucket of symbols, so
consumers may follow some symbols only, and one for messages about several buckets; every other session has
one lane. Within a lane the order is kept, and every message states the MsgSeqNum before it (`previous`), so
consumers see what is missing.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final
from zlib import crc32

import attrs

from kalshi_fix_adapters.bus.event_json import PUBLISHED, encode_event
from kalshi_fix_adapters.bus.names import BatchId, Channel, parse_subject
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.events import LoggedOn, MessageReceived

BATCH: Final = "batch"
"""In place of MsgType in subjects of market data, whose symbol is a bucket or MIXED."""
EVENT: Final = "event"
"""In place of MsgType in subjects of events, whose symbol is the name of their class."""
MIXED: Final = "mixed"
SESSION: Final = "session"
"""The lane of a session that has only one."""
MAX_FRAMES: Final = 64
"""Maximum number of the venue's messages in one message of the bus."""


def bucket_of(symbol: str, buckets: int) -> int:
    """Return the bucket of a symbol, the same in every process."""
    return crc32(symbol.encode()) % buckets


def is_market_data(channel: Channel) -> bool:
    """Return whether the session type of a channel is for market data."""
    found = DIALECT.session_types.get(channel.session)
    return found is not None and found.service == "market_data"


@attrs.frozen
class Outgoing:
    """A message to be published.

    Attributes:
        subject: Its subject.
        id: Its id.
        lane: Its lane.
        previous: MsgSeqNum of the message before it in its lane; 0 for the first one of a generation, None if
            unknown.
        data: The bytes of one or more messages of the venue as received, an event, or a part of either.
    """

    subject: str
    id: BatchId
    lane: str
    previous: int | None
    data: bytes = attrs.field(repr=False)


@attrs.frozen
class Round:
    """Messages of different lanes that are published at the same time, before the next round.

    Attributes:
        messages: The messages, at most one for each lane; none if its events are not published.
        last: The last event that is complete with this round; None if it needs another round.
        count: The number of events that are complete with this round.
    """

    messages: tuple[Outgoing, ...]
    last: object | None
    count: int


@attrs.define
class _Entry:
    event: object
    lane: str
    subject: str
    data: bytes
    number: int
    previous: int | None
    generation: int
    count: int = 0
    """The number of an event without a MsgSeqNum."""

    @property
    def alone(self) -> bool:
        """Whether it must not overtake, or be overtaken by, messages of other lanes."""
        return self.count > 0 or self.lane == MIXED


class Batcher:
    """Turns the events of a client into rounds of messages.

    The caller bounds the events that wait in it: it takes no more of the client for a while, or it drops
    those of market data (`drop`), with a gap that consumers see.
    """

    def __init__(
        self,
        channel: Channel,
        fence: int,
        *,
        lasting: bool,
        max_bytes: int,
        buckets: int = 8,
    ) -> None:
        """Start without events.

        Args:
            channel: the session whose events are published.
            fence: a number higher than that of every earlier publisher of the channel.
            lasting: whether the numbers of the session continue in the next process, so the generations of
                its store identify messages. Otherwise every logon begins a generation of this publisher.
            max_bytes: bytes of a message that the broker accepts.
            buckets: number of buckets of symbols; all publishers and filtering consumers of a channel must
                use the same.
        """
        if min(max_bytes, buckets) < 1:
            raise ValueError("max_bytes and buckets must be at least 1")
        self._channel, self._fence, self._lasting = channel, fence, lasting
        self._max_bytes, self._buckets = max_bytes, buckets
        self._market_data = is_market_data(channel)
        self._subjects: dict[str, str] = {}
        self._entries: deque[_Entry] = deque()
        self._lanes: dict[str, int] = {}
        """The last MsgSeqNum of each lane in this generation, including dropped messages."""
        # A lasting session may continue the lanes of an earlier process, which this one does not know.
        self._first: int | None = None if lasting else 0
        self._generation = 0
        self._logons = 0
        self._number = 0
        self._events = 0
        self._parts: deque[Outgoing] = deque()
        self.dropped: int = 0
        """Number of messages that `drop` has dropped."""

    def __len__(self) -> int:
        return len(self._entries)

    def continue_generation(self, logged_on: LoggedOn) -> None:
        """Use the generation of a LoggedOn that was taken before this object existed."""
        self._begin_generation(logged_on)

    def add(self, event: object) -> None:
        """Add an event. Those that only concern the client's process are part of a round without a
        message."""
        self._entries.append(self._entry(event))

    def drop(self, event: object) -> bool:
        """Drop a message of a market data session; return False, and do nothing, for any other event.

        The next message of its lane states the gap.
        """
        if not self._market_data or not isinstance(event, MessageReceived):
            return False
        self._entry(event)
        self.dropped += 1
        return True

    def next_round(self) -> Round | None:
        """Remove and return the next messages; None if no event is waiting.

        All of them must be acknowledged before the messages of the next round are published.
        """
        if self._parts:
            return self._next_part()
        entries = self._entries
        if not entries:
            return None
        lanes: dict[str, list[_Entry]] = {}
        sizes: dict[str, int] = {}
        event: object = None
        count = 0
        while entries:
            entry = entries[0]
            if not entry.subject:
                entries.popleft()
                event, count = entry.event, count + 1
                continue
            taken = lanes.get(entry.lane)
            if count and (entry.alone or len(entry.data) > self._max_bytes):
                break
            if taken is not None and (
                len(taken) >= MAX_FRAMES
                or sizes[entry.lane] + len(entry.data) > self._max_bytes
                or entry.subject != taken[-1].subject
                or entry.generation != taken[-1].generation
                or entry.previous != taken[-1].number
            ):
                break
            entries.popleft()
            lanes.setdefault(entry.lane, []).append(entry)
            sizes[entry.lane] = sizes.get(entry.lane, 0) + len(entry.data)
            event, count = entry.event, count + 1
            if len(entry.data) > self._max_bytes:
                self._split(entry)
                return self._next_part()
            if entry.alone:
                break
        return Round(tuple([self._message(batch) for batch in lanes.values()]), event, count)

    def _entry(self, event: object) -> _Entry:
        if isinstance(event, MessageReceived):
            message = event.message
            number = message.header.msg_seq_num
            lane, subject = self._place(message)
            previous = self._lanes.get(lane, self._first)
            self._lanes[lane] = self._number = number
            return _Entry(event, lane, subject, event.frame, number, previous, self._generation)
        if not isinstance(event, PUBLISHED):
            return _Entry(event, "", "", b"", 0, None, 0)
        if isinstance(event, LoggedOn):
            self._begin_generation(event)
        self._events += 1
        subject = self._channel.subject(EVENT, type(event).__name__)
        data = encode_event(event)
        return _Entry(event, EVENT, subject, data, self._number, None, self._generation, self._events)

    def _begin_generation(self, logged_on: LoggedOn) -> None:
        self._logons += 1
        # Generations of this publisher exceed those of every lower fence.
        generation = logged_on.generation if self._lasting else (self._fence << 32) + self._logons
        if generation != self._generation:
            self._generation, self._number = generation, 0
            self._lanes.clear()
            if self._logons > 1:
                self._first = 0

    def _place(self, message: Any) -> tuple[str, str]:
        if not self._market_data:
            symbol = getattr(message, "symbol", None)
            return SESSION, self._subject(message.msg_type, symbol if isinstance(symbol, str) else "")
        symbols = {getattr(message, "symbol", None)} if hasattr(message, "symbol") else set()
        symbols.update(
            [entry.symbol for entry in getattr(message, "md_entries", None) or () if hasattr(entry, "symbol")]
        )
        buckets = {bucket_of(each, self._buckets) for each in symbols if isinstance(each, str)}
        lane = str(buckets.pop()) if len(buckets) == 1 and None not in symbols else MIXED
        return lane, self._subject(BATCH, lane)

    def _subject(self, msg_type: str, symbol: str) -> str:
        key = f"{msg_type}.{symbol}"
        found = self._subjects.get(key)
        if found is None:
            if len(self._subjects) >= 10_000:
                self._subjects.clear()
            found = self._subjects[key] = self._channel.subject(msg_type, symbol)
        return found

    def _message(self, batch: list[_Entry]) -> Outgoing:
        first, last = batch[0], batch[-1]
        number = BatchId(
            account=self._channel.account,
            session=self._channel.session,
            fence=self._fence,
            generation=first.generation,
            first=first.number,
            last=last.number,
            event=first.count,
        )
        return Outgoing(first.subject, number, first.lane, first.previous, b"".join([e.data for e in batch]))

    def _split(self, entry: _Entry) -> None:
        whole, size = self._message([entry]), self._max_bytes
        parts = -(-len(whole.data) // size)
        for part in range(parts):
            self._parts.append(
                attrs.evolve(
                    whole,
                    id=attrs.evolve(whole.id, part=part + 1, parts=parts),
                    data=whole.data[part * size : (part + 1) * size],
                )
            )
        self._split_event = entry.event

    def _next_part(self) -> Round:
        part = self._parts.popleft()
        return Round((part,), None, 0) if self._parts else Round((part,), self._split_event, 1)


def lane_of(subject: str) -> str:
    """Return the lane of a subject.

    Raises:
        ValueError: it is not a subject of this library.
    """
    _, msg_type, symbol = parse_subject(subject)
    return symbol if msg_type == BATCH else EVENT if msg_type == EVENT else SESSION
