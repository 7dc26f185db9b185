"""The consumer: reads the events of a channel from JetStream."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal, Self

import attrs
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from kalshi_fix_adapters.bus import BatchId, Channel, Machine, Mark, Receiver, Verdict
from kalshi_fix_adapters.bus.batches import lane_of
from kalshi_fix_adapters.bus.receiver import Position
from kalshi_fix_adapters.bus_nats.link import (
    LOGGER,
    MESSAGE_ID,
    NAME,
    NATS_ERRORS,
    PREVIOUS,
    Link,
    fetch,
)
from kalshi_fix_adapters.bus_nats.snapshots import read_snapshot
from kalshi_fix_sansio.events import MessageReceived

Start = Literal["first", "new"]
"""Where a consumer without a mark or snapshot starts: with the oldest stored message, or with the next new
message.
"""
FETCHED: Final = 100
"""Maximum number of messages in one request."""
IDLE: Final = 1.0
"""Seconds without a message after which a consumer checks that the server still has its state."""
RETRY: Final = 0.1
INACTIVE: Final = 60.0
"""Number of seconds without a request after which the server drops the state of a consumer."""


class Events:
    """An asynchronous iterator over the events of a channel: messages, losses and ends of sessions.

    An iterator returns each event once. The events of one lane are in order. After a restart of the server,
    the iterator continues after the last message.

    Attributes:
        channel: The channel whose events are returned.
        received: Number of messages of the bus that were received.
        redelivered: Number of messages that were received before, and skipped.
        fenced: Number of messages of a publisher that were sent after another publisher had taken over, and
            skipped.
        unreadable: Number of messages that were not made by this library; they are skipped and logged.
        lag: Number of messages that the server still had to deliver when it delivered the last message.
        updates: The result of the machine for the last event that was returned.
    """

    def __init__(
        self, link: Link, channel: Channel, machine: Machine | None, start: Start, mark: Mark | None
    ) -> None:
        self.channel = channel
        self._link, self._machine, self._start = link, machine, start
        self._receiver = Receiver()
        self._started = mark is not None
        self._pull: JetStreamContext.PullSubscription | None = None
        self._continue(Mark() if mark is None else mark)
        self._delivered = 0
        """The number of messages that this consumer has received; the server numbers them from 1."""
        self._fetched_at = -math.inf
        """Monotonic time of the end of the last request for messages, even if it returned no message."""
        self._interrupted = False
        """Whether a request was cancelled, so that messages may have been lost."""
        self._events: deque[tuple[Any, Callable[[], None] | None]] = deque()
        self.received: int = 0
        self.redelivered: int = 0
        self.fenced: int = 0
        self.unreadable: int = 0
        self.lag: int = 0
        self.updates: Any = None

    @property
    def mark(self) -> Mark:
        """The position after the last event that was returned."""
        return self._mark

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while not self._events:
            await self.wait(IDLE)
        return self.take()

    def take(self) -> Any:
        """Return the next received event, after the machine has applied it.

        Raises:
            IndexError: no event is waiting.
        """
        event, advance = self._events.popleft()
        if self._machine is not None:
            self.updates = self._machine.apply(event)
        if advance is not None:
            advance()
        return event

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109
        """Wait for events; return whether `take` can return one.

        Raises:
            ConnectionClosedError: the bus was closed.
        """
        if self._events:
            return True
        try:
            if self._interrupted:
                await self._check()
            self._interrupted = True
            await self._begin()
            pull = self._pull
            messages = [] if pull is None else await fetch(pull, FETCHED, timeout)
            oldest = await self._oldest()
            self._interrupted, self._fetched_at = False, time.monotonic()
        except ConnectionClosedError:
            raise
        except TimeoutError:
            self._fetched_at = time.monotonic()
            await self._check()
            self._interrupted = False
            return False
        except NATS_ERRORS as error:
            LOGGER.warning("no events of %s: %s", self.channel, error)
            await self._stop()
            await asyncio.sleep(RETRY)
            return False
        for message in messages:
            if not self._receive(message, oldest):
                # A message was lost in transit, or the caller was cancelled.
                await self._stop()
                break
        return bool(self._events)

    async def close(self) -> None:
        """Delete this consumer on the server."""
        await self._stop()

    def _continue(self, mark: Mark) -> None:
        self._mark = mark
        self._sequence = mark.sequence
        """The stream's number of the last received message."""
        self._receiver.start(mark.fence, mark.lanes, mark.event, mark.generation, mark.unproven)

    async def _begin(self) -> None:
        if self._pull is not None:
            return
        if not self._started and self._machine is not None:
            mark = await read_snapshot(self._link, self.channel, self._machine)
            if mark is not None:
                self._continue(mark)
        # "new" applies only to the first start. After an interruption the consumer continues after the last
        # message, because new messages may have arrived in the meantime.
        new = not self._started and self._start == "new" and not self._sequence
        config = ConsumerConfig(
            description=self._link.name,
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.NEW if new else DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=None if new else self._sequence + 1,
            inactive_threshold=INACTIVE,
            mem_storage=True,
        )
        self._pull = await self._link.jetstream.pull_subscribe(
            f"{self.channel.prefix}.>", stream=NAME, config=config
        )
        if new:
            found = await self._pull.consumer_info()
            self._sequence = 0 if found.delivered is None else found.delivered.stream_seq
            self._mark = attrs.evolve(self._mark, sequence=self._sequence)
        self._delivered, self._started = 0, True

    async def _check(self) -> None:
        """Stop the subscription, so that the next request creates a new one, if the server no longer knows
        this consumer (after a restart), or if messages from the server did not arrive (after a lost
        connection).
        """
        if self._pull is None:
            return
        try:
            found = await self._pull.consumer_info()
        except NotFoundError:
            await self._stop()
        except NATS_ERRORS:
            await asyncio.sleep(RETRY)
        else:
            # Messages that arrived after the timeout of a request are returned by the next request.
            arrived = self._delivered + self._pull.pending_msgs
            if found.delivered is not None and found.delivered.consumer_seq > arrived:
                await self._stop()

    async def _oldest(self) -> int:
        """Return the number of the oldest message in the stream if it may have dropped messages that this
        consumer has not received; otherwise 0.

        The server is only asked if the consumer may be behind.
        """
        if not self._sequence or (not self.lag and time.monotonic() - self._fetched_at < 2 * IDLE):
            return 0
        return (await self._link.jetstream.stream_info(NAME)).state.first_seq

    async def _stop(self) -> None:
        pull, self._pull = self._pull, None
        if pull is not None:
            try:
                await pull.unsubscribe()
            except NATS_ERRORS:
                LOGGER.debug("a subscription had ended", exc_info=True)

    def _receive(self, message: Msg, oldest: int) -> bool:
        """Add the events of a message; return False if a message before it is missing."""
        metadata = message.metadata
        if metadata.sequence.consumer != self._delivered + 1:
            return False
        self._delivered += 1
        self.received += 1
        self.lag = metadata.num_pending or 0
        receiver, sequence = self._receiver, metadata.sequence.stream
        if self._sequence + 1 < min(oldest, sequence):
            receiver.suspect()
        headers = message.headers or {}
        try:
            batch = BatchId.parse(headers.get(MESSAGE_ID, ""))
            lane = lane_of(message.subject)
            previous = headers.get(PREVIOUS)
            events = receiver.receive(batch, lane, None if previous is None else int(previous), message.data)
        except ValueError as error:
            self.unreadable += 1
            LOGGER.warning("message %d of %s was skipped: %s", sequence, self.channel, error)
        else:
            self.redelivered += receiver.verdict is Verdict.DUPLICATE
            self.fenced += receiver.verdict is Verdict.FENCED
            for event in events[:-1]:
                self._events.append((event, self._partly(lane, batch, event)))
            if events:
                self._events.append((events[-1], self._wholly(sequence)))
        self._sequence = sequence
        return True

    def _partly(self, lane: str, batch: BatchId, event: Any) -> Callable[[], None] | None:
        """Return the function that advances the mark to an event within a message of the bus. A process that
        continues from this mark requests the same message again, and skips the events up to the mark.
        """
        if not isinstance(event, MessageReceived):
            return None
        at = Position(batch.fence, batch.generation, event.message.header.msg_seq_num)

        def advance() -> None:
            mark = self._mark
            # Each publisher counts its events from 1.
            number = mark.event if batch.fence == mark.fence else 0
            lanes = {**mark.lanes, lane: at}
            unproven = {*mark.unproven} - {lane}
            self._mark = Mark(mark.sequence, batch.fence, number, mark.generation, lanes, unproven)

        return advance

    def _wholly(self, sequence: int) -> Callable[[], None]:
        receiver = self._receiver
        lanes = dict(receiver.positions)
        mark = Mark(sequence, receiver.fence, receiver.event, receiver.generation, lanes, receiver.unproven)

        def advance() -> None:
            self._mark = mark

        return advance
