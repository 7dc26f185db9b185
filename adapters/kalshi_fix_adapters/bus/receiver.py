"""The consumer's side: ignores replaced publishers and duplicates, detects gaps, and joins the parts of large
messages.

JetStream recognizes a repeated message id for only two minutes, and a publisher that continues after a crash
may batch messages differently. Therefore a receiver recognizes duplicates by their MsgSeqNums, which always
increase within a lane and a generation (see `batches` and `BatchId`). This works however late a duplicate is
received, and needs only bounded memory.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import attrs

from kalshi_fix_adapters.bus.batches import EVENT
from kalshi_fix_adapters.bus.event_json import decode_event
from kalshi_fix_adapters.bus.marks import MAX_CONTENT, Mark, Position
from kalshi_fix_adapters.bus.names import BatchId
from kalshi_fix_sansio.events import MessagesLost
from kalshi_fix_sansio.framing import CHECK_SUM_SIZE
from kalshi_fix_sansio.framing.frame import HEAD

MAX_LANES: Final = 4096
"""Maximum number of lanes that a receiver remembers."""
_NUMBER: Final = re.compile(rb"\x0134=(\d{1,18})\x01")
_HEAD_SIZE: Final = 24
"""Number of bytes at the start of a message that normally include BodyLength and the tag of MsgType."""


class Verdict(Enum):
    """How the receiver has handled a bus message.

    Attributes:
        APPLIED: The message contained a new event or message from the venue, or a part of one.
        DUPLICATE: All of the content had been received before.
        FENCED: The message was ignored, because a later publisher has taken over. That publisher also
            publishes the content, unless the receiver had it before.
    """

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    FENCED = "fenced"


START: Final = Mark()
"""The mark of a consumer that has received no message."""
NO_POSITION: Final = Position(-1, -1, 0)
"""The position of a lane before its first message."""


@attrs.define
class _Parts:
    """The parts of a large message that have been received so far."""

    batch: BatchId
    """The id of the first part."""
    count: int = 0
    data: bytearray = attrs.field(factory=bytearray)


class Receiver:
    """Turns the messages of one channel into the events of its session, without duplicates.

    Pass messages in the order of the stream; a repeated message has no effect.
    """

    def __init__(self, mark: Mark = START) -> None:
        """Resume from a mark."""
        self._fence = mark.fence
        self._event = mark.event
        """The number of the last event from the publisher with `_fence`."""
        self._generation = mark.generation
        """The generation of that event."""
        self._lanes = dict(mark.lanes)
        self._parts: _Parts | None = None
        self.unproven: frozenset[str] = frozenset(mark.unproven)
        """Lanes in which the stream may have dropped messages after the last received message."""
        self.verdict: Verdict = Verdict.APPLIED
        """The verdict on the last message."""

    def mark(self, sequence: int = 0) -> Mark:
        """Return the mark after the last message; `sequence` is the broker's number for that message."""
        return Mark(sequence, self._fence, self._event, self._generation, dict(self._lanes), self.unproven)

    def record_possible_loss(self) -> None:
        """Record that the stream has dropped messages after the last received message, perhaps messages of
        this channel.

        The next message of each lane must then prove that no message of this lane is missing; otherwise
        messages are reported as lost. A message from a later publisher or generation cannot prove this.
        """
        if self._fence:
            self.unproven = frozenset({*self._lanes, EVENT})

    def receive(self, batch: BatchId, lane: str, previous: int | None, data: bytes) -> list[object]:
        """Return the new events of a message, preceded by a MessagesLost if earlier messages or events are
        missing. Messages from the venue are returned as bytes.

        MessagesLost contains the range of the missing MsgSeqNums. If it is unknown which messages are
        missing, the range contains all earlier messages of the generation.

        Raises:
            ValueError: the message was not written by this library; it has no effect, except on the parts
                collected for a large message.
        """
        if batch.fence < self._fence:
            self.verdict = Verdict.FENCED
            return []
        if lane == EVENT:
            is_duplicate = batch.fence == self._fence and batch.event <= self._event
        else:
            is_duplicate = not self._is_new(batch, lane)
        if is_duplicate:
            self.verdict = Verdict.DUPLICATE
            return []
        content = data if batch.parts == 1 else self._collect(batch, data)
        lost = None if content is None else self._find_loss(batch, lane, previous)
        events = [] if content is None else self._read(batch, lane, content)
        # Everything above may raise an exception, so the state changes only below. An unreadable message thus
        # has no effect, except on the collected parts.
        if batch.fence > self._fence:
            self._fence, self._event = batch.fence, 0
        self.verdict = Verdict.APPLIED
        if content is None:
            return []
        # One MessagesLost covers all unproven lanes.
        self.unproven = frozenset() if lost is not None else self.unproven - {lane}
        if lane == EVENT:
            self._event, self._generation = batch.event, batch.generation
        else:
            self._lanes.pop(lane, None)
            self._lanes[lane] = Position(batch.fence, batch.generation, batch.last)
            if len(self._lanes) > MAX_LANES:
                del self._lanes[next(iter(self._lanes))]
        return events if lost is None else [lost, *events]

    def _is_new(self, batch: BatchId, lane: str) -> bool:
        position = self._lanes.get(lane, NO_POSITION)
        if batch.generation != position.generation:
            # A publisher with a higher fence may use a new store, whose generations start at 0.
            return batch.generation > position.generation or batch.fence > position.fence
        return batch.last > position.number

    def _find_loss(self, batch: BatchId, lane: str, previous: int | None) -> MessagesLost | None:
        """Return the loss that a new message reveals; None if nothing is missing."""
        unproven = lane in self.unproven
        if lane == EVENT:
            # A publisher numbers its events from 1 without gaps. So only the first event of a later publisher
            # leaves open whether the stream has dropped events of the earlier one.
            last_event = self._event if batch.fence == self._fence else 0
            is_missing = batch.event > last_event + 1 or (unproven and batch.fence > self._fence)
            return MessagesLost(1, max(batch.last, 1)) if self._fence and is_missing else None
        position = self._lanes.get(lane, NO_POSITION)
        same_generation = position.generation == batch.generation
        last = position.number if same_generation else 0
        if position is not NO_POSITION and previous is not None and previous > last:
            return MessagesLost(last + 1, previous)
        # A generation begins with LoggedOn. If that event has not been received, the stream has dropped it,
        # and perhaps messages after it.
        if not same_generation and batch.generation != self._generation and self._event:
            return MessagesLost(1, max(batch.first - 1, 1))
        if unproven and not (same_generation and (previous is not None or batch.first <= last + 1)):
            return MessagesLost(last + 1, max(batch.first - 1, last + 1))
        return None

    def _read(self, batch: BatchId, lane: str, data: bytes) -> list[object]:
        """Return the new events of a complete message."""
        if lane == EVENT:
            return [decode_event(data)]
        position = self._lanes.get(lane, NO_POSITION)
        frames = split_frames(data)
        if position.generation == batch.generation and batch.first <= position.number:
            frames = [each for each in frames if number_of(each) > position.number]
        return [*frames]

    def _collect(self, batch: BatchId, data: bytes) -> bytes | None:
        """Return the complete message if this is its last part, otherwise None.

        Also return None if an earlier part is missing, or if the parts exceed MAX_CONTENT before the last
        one; the next message of the lane then reveals that this message is missing.
        """
        first = attrs.evolve(batch, part=1)
        if batch.part == 1:
            self._parts = _Parts(first)
        parts = self._parts
        if parts is None or parts.batch != first or batch.part != parts.count + 1:
            return None
        parts.data += data
        parts.count = batch.part
        if len(parts.data) <= MAX_CONTENT and batch.part < batch.parts:
            return None
        self._parts = None
        return bytes(parts.data) if batch.part == batch.parts else None


def number_of(frame: bytes) -> int:
    """Return the MsgSeqNum of a message from the venue.

    Raises:
        ValueError: the message has no MsgSeqNum.
    """
    match = _NUMBER.search(frame)
    if match is None:
        raise ValueError(f"the message has no MsgSeqNum: {frame[:80]!r}")
    return int(match[1])


def split_frames(data: bytes) -> list[bytes]:
    """Split the content of a bus message into the venue's messages. `decode` checks their CheckSums.

    Raises:
        ValueError: the data is not a sequence of messages, each with a correct BodyLength.
    """
    frames: list[bytes] = []
    # Messages with the same start, which includes BodyLength, have the same size. Without this cache,
    # receiving a message and decoding it takes 1.06 times as long.
    sizes: dict[bytes, int] = {}
    position, end = 0, len(data)
    while position < end:
        start = data[position : position + _HEAD_SIZE]
        size = sizes.get(start)
        if size is None:
            head = HEAD.match(data, position)
            if head is None:
                raise ValueError(f"not a message from the venue at byte {position} of {end}")
            size = head.end(2) + 1 + int(head[2]) + CHECK_SUM_SIZE - position
            if head.end() <= position + _HEAD_SIZE:
                sizes[start] = size
        begin, position = position, position + size
        frame = data[begin:position]
        if position > end or frame[-CHECK_SUM_SIZE:-4] != b"10=":
            raise ValueError(f"not a complete message from the venue at byte {begin} of {end}")
        frames.append(frame)
    return frames
