"""The network: a link of two pipes, and the conditions of each direction.

The conditions outlast links, so a fault that occurs without a connection affects the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

from tests.simulation.schedule import Side

BUFFER_SIZE = 64 * 1024
"""Bytes that a direction buffers; more can be written only after the peer has read."""
EOF_DELAY = 0.02


class Scheduler(Protocol):
    """The part of virtual time that the network needs."""

    now: float

    def at(self, when: float, action: Callable[[], None]) -> None: ...


class End(Protocol):
    """One endpoint of a link."""

    @property
    def reading(self) -> bool: ...

    def receive(self, data: bytes) -> None: ...

    def eof(self) -> None: ...

    def writable(self) -> None: ...


class Conditions:
    """Faults that affect the bytes that one side sends, whichever link carries them."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.latency = random.uniform(0.001, 0.05)
        self.extra = 0.0
        """Additional delay in seconds."""
        self.split = 0
        """The maximum size of a chunk in bytes; 0 while each write arrives as a whole."""
        self.merge_interval = 0.0
        """Interval in seconds at which bytes arrive together; 0 if chunks are not merged."""
        self.stalled_until = 0.0
        self.buffer_size = BUFFER_SIZE
        self.cut_after: int | None = None
        """Number of bytes after which the connection dies; None for never."""
        self.changes: deque[Callable[[bytes], bytes]] = deque()
        """Changes to the next writes, one per write."""
        self.deviations: dict[str, Callable[[bytes], bytes]] = {}
        """Current deviations in how this side writes its messages."""

    def split_up(self, data: bytes) -> list[bytes]:
        if not self.split:
            return [data]
        longest = max(self.split, len(data) // 2000)
        chunks, at, draw = [], 0, self.random.random
        while at < len(data):
            size = 1 + int(draw() * longest)
            chunks.append(data[at : at + size])
            at += size
        return chunks

    def arrival(self, now: float) -> float:
        when = now + self.extra + self.latency * (0.5 + self.random.random())
        if self.merge_interval:
            when = (when // self.merge_interval + 1) * self.merge_interval
        return when

    def end_faults(self) -> None:
        """End every fault."""
        self.extra = self.merge_interval = self.stalled_until = 0.0
        self.split = 0
        self.buffer_size = BUFFER_SIZE
        self.cut_after = None
        self.changes.clear()
        self.deviations.clear()


class Pipe:
    """One direction of a link."""

    def __init__(self, world: Scheduler, conditions: Conditions, link: Link) -> None:
        self._world = world
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._last = 0.0
        self._due: float | None = None
        self._closing = False
        self.conditions = conditions
        self.link = link
        self.reader: End | None = None
        self.writer: End | None = None
        self.used = 0
        """Bytes written and not read."""
        self.broken = False

    @property
    def room(self) -> int:
        """The number of bytes that may be written."""
        return max(self.conditions.buffer_size - self.used, 0)

    def write(self, data: bytes) -> None:
        conditions = self.conditions
        if conditions.changes:
            data = conditions.changes.popleft()(data)
        if self.broken or self._closing:
            return
        when = self._last
        for chunk in conditions.split_up(data):
            when = max(when, conditions.arrival(self._world.now))
            self._chunks.append((when, chunk))
        self._last = when
        self.used += len(data)
        self.schedule_delivery()

    def finish(self) -> None:
        """Deliver the written bytes, and then the end of file."""
        self._closing = True
        self.schedule_delivery()

    def discard(self) -> None:
        """Drop everything from now on."""
        self.broken = True
        self._chunks.clear()
        self.used = 0

    def schedule_delivery(self) -> None:
        """Schedule the next delivery, if there is anything to deliver."""
        if self.broken or not (self._chunks or self._closing):
            return
        when = self._chunks[0][0] if self._chunks else self._world.now + EOF_DELAY
        when = max(when, self.conditions.stalled_until, self._world.now)
        if self._due is None or self._due > when:
            self._due = when
            self._world.at(when, self._deliver)

    def _deliver(self) -> None:
        world, reader = self._world, self.reader
        if self._due is None or self._due > world.now:
            return
        self._due = None
        if self.broken or reader is None or not reader.reading:
            return
        if self.conditions.stalled_until > world.now:
            self.schedule_delivery()
            return
        if not self._chunks:
            if self._closing:
                self.broken = True
                reader.eof()
            return
        if self._chunks[0][0] <= world.now:
            self._hand_over(reader)
        self.schedule_delivery()

    def _hand_over(self, reader: End) -> None:
        """Pass one chunk to the reader, or all bytes that have arrived if chunks are merged."""
        conditions, now = self.conditions, self._world.now
        _, data = self._chunks.popleft()
        if conditions.merge_interval:
            while self._chunks and self._chunks[0][0] <= now:
                data += self._chunks.popleft()[1]
        full = self.room == 0
        self.used -= len(data)
        cut = conditions.cut_after
        if cut is not None:
            if len(data) >= cut:
                conditions.cut_after = None
                data = data[:cut]
                self.link.die()
            else:
                conditions.cut_after = cut - len(data)
        if full and self.writer is not None:
            self._world.at(now, self.writer.writable)
        if data:
            reader.receive(data)


class Link:
    """A connection: two pipes, and the ways in which it ends."""

    def __init__(self, world: Scheduler, conditions: dict[Side, Conditions]) -> None:
        self._world = world
        self.pipes = {side: Pipe(world, conditions[side], self) for side in Side}
        """Pipes by the side that writes."""

    def attach(self, side: Side, end: End) -> None:
        self.pipes[side].writer = end
        self.pipes[side.other].reader = end

    def die(self) -> None:
        """Lose the bytes in transit; both ends are notified."""
        for pipe in self.pipes.values():
            if not pipe.broken:
                pipe.discard()
                if pipe.reader is not None:
                    self._world.at(self._world.now + EOF_DELAY, pipe.reader.eof)

    def vanish(self) -> None:
        """Lose the bytes in transit and all that follow; neither end is notified."""
        for pipe in self.pipes.values():
            pipe.discard()

    def close_end(self, side: Side) -> None:
        """Close one end: its written bytes arrive, its unread bytes are lost."""
        self.pipes[side].finish()
        self.pipes[side.other].discard()
