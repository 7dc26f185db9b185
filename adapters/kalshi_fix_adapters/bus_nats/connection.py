"""The user's side: `connect`, and what a connection is used for."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from nats.aio.client import Client as NatsClient

from kalshi_fix_adapters.asyncio import Client
from kalshi_fix_adapters.bus import AtLimit, Channel, Check, Machine, Mark, Publisher
from kalshi_fix_adapters.bus_nats import commands, operators
from kalshi_fix_adapters.bus_nats.events import Events, Start
from kalshi_fix_adapters.bus_nats.link import LOGGER, NATS_ERRORS, Link, text_of
from kalshi_fix_adapters.bus_nats.publishing import make_publisher
from kalshi_fix_adapters.bus_nats.snapshots import write_snapshot
from kalshi_fix_adapters.errors import ConnectionFailedError
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.trading import OrderBooks

TIMEOUT: Final = 2.0
"""Seconds to wait for an acknowledgement of JetStream."""
_OURS: Final = ("pending_size", "max_reconnect_attempts", "allow_reconnect", "error_cb")
"""Options of the client that the bus sets."""


@asynccontextmanager
async def connect(servers: str | list[str], *, within: float = 10.0, **options: Any) -> AsyncIterator[Bus]:
    """Connect to NATS, and close the connection at the end.

    A connection that is lost later is renewed for ever. Nothing waits in a buffer meanwhile: a command would
    be sent later (`pending_size` of the client is 0), and events wait in the publisher.

    Args:
        servers: the address of a server, such as `tls://nats.example:4222`, or several of one cluster.
        within: seconds for the first connection, including further attempts.
        options: further arguments of `nats.connect`, such as `tls`, `user_credentials` or `name`.

    Raises:
        ConfigurationError: the bus sets this option itself.
        ConnectionFailedError: no server has accepted the connection within that time.
    """
    if wrong := sorted(options.keys() & set(_OURS)):
        raise ConfigurationError(f"the bus sets {', '.join(wrong)} itself")

    errors = ["none answers"]

    async def log(error: Exception) -> None:
        errors[0] = text_of(error)
        LOGGER.warning("NATS: %s", errors[0])

    client = NatsClient()
    try:
        try:
            async with asyncio.timeout(within):
                await client.connect(
                    servers,
                    pending_size=0,
                    max_reconnect_attempts=-1,
                    error_cb=log,
                    **{"reconnect_time_wait": 0.25, **options},
                )
        except TimeoutError:
            raise ConnectionFailedError(
                f"no connection to a NATS server within {within:g} s: {errors[0]}"
            ) from None
        name = options.get("name") or f"{Path(sys.argv[0]).name} {os.getpid()} on {socket.gethostname()}"
        yield Bus(Link(client, client.jetstream(timeout=TIMEOUT), name))
    finally:
        await client.close()


class Bus:
    """A connection to NATS for any number of publishers, consumers and sessions; `connect` returns it."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._link.client.is_connected

    async def create(
        self, *, max_age: float = 86_400.0, max_bytes: int = 8 * 1024**3, replicas: int = 1
    ) -> None:
        """Create the stream and the key-value store on the server, once for all sessions.

        Args:
            max_age: seconds for which events are kept.
            max_bytes: bytes of events that are kept; the oldest are dropped.
            replicas: number of servers of a cluster that keep them.

        Raises:
            ConfigurationError: they exist with other settings.
        """
        await self._link.create(max_age, max_bytes, replicas)

    async def publisher(
        self, client: Client, *, limit: int = 5_000, at_limit: AtLimit = "wait", buckets: int = 8
    ) -> Publisher:
        """Return a publisher of a client's events; `run` begins, and its attributes are its metrics.

        Args:
            client: the client, with `explicit_confirm`, whose events no other task takes.
            limit: events that may wait for the broker, below the client's `queue_limit`.
            at_limit: what happens then. `wait`: take no more events of the client, which stops reading when
                its own queue is full; nothing is lost. `drop`, for market data only: drop it with a gap that
                consumers see.
            buckets: number of groups of symbols whose market data is published together; the same for all
                publishers of a channel.

        Raises:
            ConfigurationError: the client confirms events by itself, `at_limit` is not for its session type,
                or the server has no stream.
        """
        return await make_publisher(self._link, client, limit, at_limit, buckets)

    async def publish(
        self, client: Client, *, limit: int = 5_000, at_limit: AtLimit = "wait", buckets: int = 8
    ) -> None:
        """Publish the events of a client until it has ended, each confirmed when the broker has stored it.

        The arguments and errors are those of `publisher`.
        """
        await (await self.publisher(client, limit=limit, at_limit=at_limit, buckets=buckets)).run()

    def events(
        self,
        channel: Channel | str,
        *,
        machine: Machine | None = None,
        start: Start = "first",
        mark: Mark | None = None,
    ) -> Events:
        """Iterate over the events of a channel, each once.

        Args:
            channel: the channel, or its name, such as `demo.prediction.KalshiMD.desk`.
            machine: a machine that applies each event before it is returned. It starts from the last
                snapshot, if there is one.
            start: where to start without a snapshot or mark.
            mark: the position to continue from, of an earlier iterator. The machine must be as it was there.

        Raises:
            ValueError: it is not the name of a channel.
        """
        return Events(self._link, _channel(channel), machine, start, mark)

    async def keep_snapshots(
        self, channel: Channel | str, *, machine: Machine | None = None, every: float = 5.0
    ) -> None:
        """Write snapshots of a machine's state, from which late consumers continue, until cancelled.

        One process of the channel does this, such as a recorder. With two, the newer snapshot counts.

        Args:
            channel: the channel, or its name.
            machine: the machine; `OrderBooks()` by default.
            every: seconds between two snapshots, while there are events.
        """
        name, kept = _channel(channel), OrderBooks() if machine is None else machine
        events = self.events(name, machine=kept)
        due, written = time.monotonic(), -1
        while True:
            if await events.wait(1.0):
                events.take()
            if time.monotonic() < due or events.mark.sequence == written:
                continue
            try:
                await write_snapshot(self._link, name, kept, events.mark)
                written = events.mark.sequence
            except NATS_ERRORS as error:
                LOGGER.warning("no snapshot of %s: %s", name, error)
            due = time.monotonic() + every

    async def serve(
        self, client: Client, *, check: Check | None = None, clock_difference: float = 0.5
    ) -> None:
        """Send the messages of other processes by a client, until its session has ended for good.

        Args:
            client: the client, whose store keeps the ids of sent requests, so a repeated command is
                recognised, also by a process that takes the session over.
            check: called with each new message; a Refusal refuses it.
            clock_difference: seconds by which the clocks of other hosts may be ahead of this one's. A clock
                that is behind refuses their commands early; one that is ahead lets them be sent so much
                after their deadline.

        Raises:
            LocalProtocolError: the client is not open, or its store does not keep the ids.
            ConfigurationError: the server has no stream and bucket.
        """
        await commands.serve(self._link, client, check, clock_difference)

    def session(self, channel: Channel | str) -> commands.RemoteSession:
        """Return a session in another process, through which messages are sent.

        Raises:
            ValueError: it is not the name of a channel.
        """
        return commands.RemoteSession(self._link, _channel(channel))

    @property
    def server_version(self) -> tuple[int, int, int]:
        """The version of the server."""
        found = self._link.client.connected_server_version
        return found.major, found.minor, found.patch

    async def stream(self) -> operators.StreamState:
        """Return the state of the stream of events.

        Raises:
            ConfigurationError: the server has no JetStream, stream or bucket.
        """
        return await operators.stream(self._link)

    def tail(
        self, subject: str, *, since: datetime | None = None, follow: bool = True
    ) -> AsyncIterator[operators.Stored]:
        """Iterate over stored messages, for operators.

        Args:
            subject: their subject; it may contain wildcards.
            since: the time from which on they were stored; by default all, or with `follow` new ones only.
            follow: whether to wait for new messages after the last one.
        """
        return operators.tail(self._link, subject, since, follow=follow)

    async def consumers(self) -> list[operators.ConsumerLag]:
        """Return how far each consumer is behind, those furthest behind first."""
        return await operators.consumers(self._link)

    async def publishers(self, *, may_send: bool = False) -> list[operators.PublisherState]:
        """Return the publisher of each channel.

        Args:
            may_send: find out by an empty command, which is refused, whether a process answers commands.
        """
        return await operators.publishers(self._link, may_send=may_send)

    async def permissions(self, channel: Channel | str) -> operators.Permissions:
        """Try what this connection's user may do in a channel; no message remains.

        Raises:
            ValueError: it is not the name of a channel.
        """
        return await operators.permissions(self._link, _channel(channel))


def _channel(channel: Channel | str) -> Channel:
    return Channel.parse(channel) if isinstance(channel, str) else channel
