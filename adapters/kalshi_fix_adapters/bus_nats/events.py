"""The consumer: reads the events of a channel from JetStream."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import Any, Final, Literal, Self

import attrs
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError
from nats.js import JetStreamContext
from nats.js.api import DeliverPolicy
from nats.js.errors import NotFoundError

from kalshi_fix_adapters.bus import BatchId, Channel, Machine, Mark, Receiver, Verdict
from kalshi_fix_adapters.bus.batches import lane_of
from kalshi_fix_adapters.bus.marks import Position
from kalshi_fix_adapters.bus.receiver import number_of
from kalshi_fix_adapters.bus_nats.link import (
    LOGGER,
    MESSAGE_ID,
    NAME,
    NATS_ERRORS,
    PREVIOUS_NUMBER,
    Link,
    consumer_config,
    fetch,
)
from kalshi_fix_adapters.bus_nats.snapshots import read_snapshot
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.events import MessageReceived, MessagesLost
from kalshi_fix_sansio.messages import decode

Start = Literal["first", "new"]
"""Where a consumer without a mark or snapshot starts: with the oldest stored message, or with the next new
message.
"""
FETCH_SIZE: Final = 100
"""Maximum number of messages in one request."""
IDLE_SECONDS: Final = 1.0
"""Seconds without a message after which a consumer checks that the server still has the consumer's state."""
RETRY_SECONDS: Final = 0.1
"""Seconds to wait after an error before the next request."""


class Events:
    """An asynchronous iterator over the events of a channel: messages, losses, and the ends of sessions.

    An iterator returns each event once. The events of one lane (see `bus.batches`) are in order. After a
    restart of the server, the iterator continues after the last message.

    Attributes:
        channel: The channel whose events are returned.
        received: Number of bus messages that were received.
        redelivered: Number of messages that had been received before; they are skipped.
        fenced: Number of messages that a publisher sent after another publisher had taken over; they are
            skipped.
        unreadable: Number of messages that were not written by this library; they are skipped and logged.
        lag: Number of later messages in the stream when the server delivered the last received message.
        updates: The machine's result for the last event that was returned.
    """

    def __init__(
        self,
        link: Link,
        channel: Channel,
        machine: Machine | None,
        start: Start,
        mark: Mark | None,
        *,
        decode: bool,
    ) -> None:
        if machine is not None and not decode:
            raise ValueError("a machine needs decoded messages")
        self.channel = channel
        self._link, self._machine, self._start, self._decode = link, machine, start, decode
        self._started = mark is not None
        self._pull: JetStreamContext.PullSubscription | None = None
        self._continue_after(Mark() if mark is None else mark)
        self._delivered = 0
        """The number of messages that this consumer has received; the server numbers them from 1."""
        self._fetched_at = -math.inf
        """Monotonic time of the end of the last request for messages, even if it returned no message."""
        self._interrupted = False
        """Whether a request was cancelled, so messages may have been lost."""
        self._messages: deque[Msg] = deque()
        """Received messages whose events are not in `_events` yet."""
        self._oldest = 0
        """The result of `_find_oldest` when these messages were received."""
        self._events: deque[Any] = deque()
        """Events of one message that have not been returned yet."""
        self._batch: tuple[Mark, BatchId, str] | None = None
        """The message that contained these events: the position before it, its id, and its lane."""
        self._taken: Any = None
        """The last event returned from that message; bytes if it is a message from the venue."""
        self.received: int = 0
        self.redelivered: int = 0
        self.fenced: int = 0
        self.unreadable: int = 0
        self.lag: int = 0
        self.updates: Any = None

    @property
    def mark(self) -> Mark:
        """The position after the last event that was returned."""
        if self._batch is None or not self._events:
            return self._receiver.mark(self._complete)
        mark, batch, lane = self._batch
        taken = self._taken
        if not isinstance(taken, bytes):
            return mark  # a position between the events of one message requires a MsgSeqNum
        # A process that continues from this mark requests the same message again, and skips the events up to
        # the mark.
        return attrs.evolve(
            mark,
            fence=batch.fence,
            # Each publisher counts its events from 1.
            event=mark.event if batch.fence == mark.fence else 0,
            lanes={**mark.lanes, lane: Position(batch.fence, batch.generation, number_of(taken))},
            unproven={*mark.unproven} - {lane},
        )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while not self._events:
            await self.wait(IDLE_SECONDS)
        return self.take()

    def take(self) -> Any:
        """Return the next received event, after the machine has applied it.

        Raises:
            IndexError: no event is waiting.
        """
        events = self._events
        if not events:
            self._process_next()
        event = data = events[0]
        if self._decode and data.__class__ is bytes:
            try:
                message = decode(data)
            except DecodeError as error:
                self.unreadable += 1
                LOGGER.warning("a message from %s was skipped: %s", self.channel, error)
                number = number_of(data)
                event = MessagesLost(number, number)
            else:
                header: Any = message.header
                event = MessageReceived(
                    message, header.poss_dup_flag is True, header.poss_resend is True, data
                )
        if self._machine is not None:
            self.updates = self._machine.apply(event)
        events.popleft()
        self._taken = data
        return event

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109
        """Wait for events; return whether `take` can return one.

        Raises:
            ConnectionClosedError: the bus was closed.
        """
        if self._messages and not self._events:
            # Let other tasks run between two messages; otherwise a loop over the events might never wait.
            await asyncio.sleep(0)
        if self._process_next():
            return True
        try:
            if self._interrupted:
                await self._check()
            self._interrupted = True
            await self._subscribe()
            pull = self._pull
            messages = [] if pull is None else await fetch(pull, FETCH_SIZE, timeout)
            self._oldest = await self._find_oldest()
            self._interrupted, self._fetched_at = False, time.monotonic()
        except ConnectionClosedError:
            raise
        except TimeoutError:
            self._fetched_at = time.monotonic()
            await self._check()
            self._interrupted = False
            return False
        except NATS_ERRORS as error:
            LOGGER.warning("cannot fetch events from %s: %s", self.channel, error)
            await self._unsubscribe()
            await asyncio.sleep(RETRY_SECONDS)
            return False
        for message in messages:
            if message.metadata.sequence.consumer != self._delivered + 1:
                # A message was lost in transit, or the caller was cancelled.
                await self._unsubscribe()
                break
            self._delivered += 1
            self.received += 1
            self.lag = message.metadata.num_pending or 0
            self._messages.append(message)
        return self._process_next()

    async def close(self) -> None:
        """End this consumer. The server deletes it after a minute (`INACTIVE_SECONDS`)."""
        await self._unsubscribe()

    def _continue_after(self, mark: Mark) -> None:
        """Set the position after which the next subscription begins."""
        self._receiver = Receiver(mark)
        self._sequence = self._complete = mark.sequence
        """Sequence numbers in the stream: `_sequence` of the last message processed, and `_complete` of the
        last message with events. A mark contains `_complete`, so it is never between the parts of a split
        message.
        """

    async def _subscribe(self) -> None:
        """Subscribe, unless there is a subscription; before the first one, load the snapshot."""
        if self._pull is not None:
            return
        if not self._started and self._machine is not None:
            mark = await read_snapshot(self._link, self.channel, self._machine)
            if mark is not None:
                self._continue_after(mark)
        # "new" applies only to the first start. After an interruption the consumer continues after the last
        # message, because new messages may have arrived in the meantime.
        new_only = not self._started and self._start == "new" and not self._sequence
        if self._sequence > (await self._link.jetstream.stream_info(NAME)).state.last_seq:
            # The server has lost its last messages, for example in a power failure, and uses their sequence
            # numbers again. The receiver skips the messages that it has received before.
            self._sequence = self._complete = 0
        config = consumer_config(
            DeliverPolicy.NEW if new_only else DeliverPolicy.BY_START_SEQUENCE,
            description=self._link.name,
            opt_start_seq=None if new_only else self._sequence + 1,
        )
        self._pull = await self._link.jetstream.pull_subscribe(
            f"{self.channel.prefix}.>", stream=NAME, config=config
        )
        if new_only:
            delivered = (await self._pull.consumer_info()).delivered
            self._sequence = self._complete = 0 if delivered is None else delivered.stream_seq
        self._delivered, self._started = 0, True

    async def _check(self) -> None:
        """Check the state of this consumer on the server. If a restarted server no longer knows the consumer,
        or if messages were lost with a connection, stop the subscription; the next request creates a new one.
        After another NATS error, only pause.
        """
        if self._pull is None:
            return
        try:
            delivered = (await self._pull.consumer_info()).delivered
        except NotFoundError:
            await self._unsubscribe()
        except NATS_ERRORS:
            await asyncio.sleep(RETRY_SECONDS)
        else:
            # Messages that arrived after the timeout of a request are returned by the next request.
            arrived = self._delivered + self._pull.pending_msgs
            if delivered is not None and delivered.consumer_seq > arrived:
                await self._unsubscribe()

    async def _find_oldest(self) -> int:
        """Return the sequence number of the oldest message in the stream, or 0 if the stream cannot have
        dropped messages that this consumer has not received.

        The server is only queried if the consumer may be behind.
        """
        if not self._sequence or (not self.lag and time.monotonic() - self._fetched_at < 2 * IDLE_SECONDS):
            return 0
        return (await self._link.jetstream.stream_info(NAME)).state.first_seq

    async def _unsubscribe(self) -> None:
        pull, self._pull = self._pull, None
        if pull is not None:
            try:
                await pull.unsubscribe()
            except NATS_ERRORS:
                LOGGER.debug("the subscription had already ended", exc_info=True)

    def _process_next(self) -> bool:
        """Process the next messages until one has events, unless events are waiting; return whether events
        are waiting.
        """
        while not self._events and self._messages:
            self._receive(self._messages.popleft())
        return bool(self._events)

    def _receive(self, message: Msg) -> None:
        receiver, sequence = self._receiver, message.metadata.sequence.stream
        mark, headers = receiver.mark(self._complete), message.headers or {}
        if self._sequence + 1 < min(self._oldest, sequence):
            receiver.record_possible_loss()
        self._sequence = sequence
        try:
            batch = BatchId.parse(headers.get(MESSAGE_ID, ""))
            lane = lane_of(message.subject)
            previous = headers.get(PREVIOUS_NUMBER)
            events = receiver.receive(batch, lane, None if previous is None else int(previous), message.data)
        except ValueError as error:
            self.unreadable += 1
            LOGGER.warning("message %d from %s was skipped: %s", sequence, self.channel, error)
        else:
            self.redelivered += receiver.verdict is Verdict.DUPLICATE
            self.fenced += receiver.verdict is Verdict.FENCED
            if events:
                self._complete = sequence
                self._events.extend(events)
                self._batch, self._taken = (mark, batch, lane), None
