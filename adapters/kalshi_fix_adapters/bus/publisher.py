"""The publisher of a client's events, independent of the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from kalshi_fix_adapters.bus.batches import Batcher, OutgoingMessage
from kalshi_fix_adapters.errors import SessionClosedError

AtLimit = Literal["wait", "drop"]
"""The action while too many events are unacknowledged. `wait`: the publisher takes no further events from the
client, whose queue fills until the client stops reading; nothing is lost. `drop`: market data is dropped, and
consumers detect the gap. The client continues to send heartbeats and orders in both cases.
"""


class NotAcknowledged(Exception):  # noqa: N818 - not an error: the message is published again
    """The broker did not acknowledge a message, which may or may not be stored."""


class Source(Protocol):
    """An asyncio client with `explicit_confirm`."""

    async def receive(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """Wait for the next event."""

    def confirm(self, event: Any) -> None:
        """Confirm an event and all earlier events."""


class Publisher:
    """Publishes the events of a client in order, and confirms each event once the broker has acknowledged it.

    If this process or the broker crashes before the acknowledgement, events are published again. On a session
    with resend, no event is lost. With `drop`, every event is confirmed when it is taken from the client, and
    dropped events are lost.

    Attributes:
        published: Number of messages published on the bus; each is counted once, even if it is repeated.
        acknowledged: Number of messages that the broker has acknowledged.
        redelivered: Number of attempts to repeat a message that the broker did not acknowledge in time.
        waiting: Number of events that were taken from the client and are not yet acknowledged.
        waiting_bytes: Total size of these events in bytes.
    """

    def __init__(
        self,
        client: Source,
        batcher: Batcher,
        publish: Callable[[OutgoingMessage], Awaitable[None]],
        *,
        limit: int = 5_000,
        limit_bytes: int = 64 * 1024**2,
        at_limit: AtLimit = "wait",
        retry: float = 0.1,
    ) -> None:
        """Create the publisher; `run` starts it.

        Args:
            client: the client; no other task may take its events.
            batcher: turns the client's events into messages.
            publish: publishes a message, and returns when the broker has stored it; raises NotAcknowledged if
                the broker did not confirm this.
            limit: maximum number of events that wait for acknowledgement; it must be below the client's
                `queue_limit`.
            limit_bytes: total size of the waiting events, in bytes, at which no further event is taken.
            at_limit: the action at either limit; `drop` is for market data only.
            retry: seconds before a message is published again.
        """
        self._client, self._batcher, self._publish = client, batcher, publish
        self._limit, self._limit_bytes = limit, limit_bytes
        self._drops_at_limit, self._retry = at_limit == "drop", retry
        self._work = asyncio.Event()
        """Set when an event is added, and when the client has ended."""
        self._has_room = asyncio.Event()
        """Set when the broker has acknowledged a round of messages, so further events may be taken."""
        self._ended = False
        """Whether the client has ended."""
        self.published: int = 0
        self.acknowledged: int = 0
        self.redelivered: int = 0
        self.waiting: int = 0
        self.waiting_bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the waiting events have reached a limit."""
        return self.waiting >= self._limit or self.waiting_bytes >= self._limit_bytes

    @property
    def dropped(self) -> int:
        """Number of market data messages that were dropped."""
        return self._batcher.dropped

    async def run(self) -> None:
        """Publish until the client has ended and all its events are acknowledged."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send())
                tasks.create_task(self._take())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _take(self) -> None:
        """Take events from the client until it has ended."""
        while not self._ended:
            try:
                event = await self._client.receive()
            except SessionClosedError:
                self._ended = True
                self._work.set()
                return
            if self._drops_at_limit:
                self._client.confirm(event)
                if self.is_full and self._batcher.drop(event):
                    continue
            while self.is_full:
                self._has_room.clear()
                await self._has_room.wait()
            self.waiting_bytes += self._batcher.add(event)
            self.waiting += 1
            self._work.set()

    async def _send(self) -> None:
        """Publish the events that were taken, one round after the other."""
        while True:
            current = self._batcher.next_round()
            if current is None:
                if self._ended:
                    return
                self._work.clear()
                await self._work.wait()
                continue
            messages = current.messages
            self.published += len(messages)
            if len(messages) == 1:
                await self._deliver(messages[0])
            else:
                await asyncio.gather(*map(self._deliver, messages))
            if current.last is not None and not self._drops_at_limit:
                self._client.confirm(current.last)
            self.waiting -= current.count
            self.waiting_bytes -= current.size
            self._has_room.set()

    async def _deliver(self, message: OutgoingMessage) -> None:
        """Publish a message again and again until the broker acknowledges it."""
        while True:
            try:
                await self._publish(message)
            except NotAcknowledged:
                self.redelivered += 1
                await asyncio.sleep(self._retry)
            else:
                self.acknowledged += 1
                return
