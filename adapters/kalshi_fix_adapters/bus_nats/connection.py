"""The public interface: `connect` and `Bus`."""

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
from typing import Any, Final, Unpack

from kalshi_fix_adapters.asyncio import Client
from kalshi_fix_adapters.bus import Channel, Check, Machine, Mark, Publisher
from kalshi_fix_adapters.bus_nats import commands, operators
from kalshi_fix_adapters.bus_nats.events import Events, Start
from kalshi_fix_adapters.bus_nats.link import LOGGER, NATS_ERRORS, Link, NatsClient, text_of
from kalshi_fix_adapters.bus_nats.publishing import PublisherOptions, make_publisher
from kalshi_fix_adapters.bus_nats.snapshots import write_snapshot
from kalshi_fix_adapters.errors import ConnectionFailedError
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.trading import OrderBooks

TIMEOUT: Final = 2.0
"""Maximum number of seconds to wait for an acknowledgement from JetStream."""
_RESERVED_OPTIONS: Final = ("pending_size", "max_reconnect_attempts", "allow_reconnect", "error_cb")
"""Options of the NATS client that only the bus may set."""


@asynccontextmanager
async def connect(servers: str | list[str], *, within: float = 10.0, **options: Any) -> AsyncIterator[Bus]:
    """Connect to NATS; close the connection at the end of the `async with` block.

    If the connection is lost, the client tries to reconnect until it succeeds. While there is no connection,
    nothing is buffered (`pending_size` is 0), because a buffered command would be sent too late. Events wait
    in the publisher.

    Args:
        servers: the address of a server, such as `tls://nats.example:4222`, or several addresses of one
            cluster.
        within: maximum number of seconds for the first connection, including repeated attempts.
        options: further arguments of `nats.connect`, such as `tls`, `user_credentials` or `name`.

    Raises:
        ConfigurationError: one of the options is reserved for the bus.
        ConnectionFailedError: no server has accepted the connection within `within` seconds.
    """
    if reserved := sorted(options.keys() & set(_RESERVED_OPTIONS)):
        raise ConfigurationError(f"only the bus may set {', '.join(reserved)}")

    errors = ["no server answered"]

    async def log(error: Exception) -> None:
        errors[0] = text_of(error)
        LOGGER.warning("NATS: %s", errors[0])

    client = NatsClient()
    connecting = asyncio.create_task(
        client.connect(
            servers,
            pending_size=0,
            max_reconnect_attempts=-1,
            error_cb=log,
            **{"reconnect_time_wait": 0.25, **options},
        )
    )
    try:
        try:
            if not (await asyncio.wait({connecting}, timeout=within))[0]:
                raise ConnectionFailedError(
                    f"no connection to a NATS server within {within:g} s: {errors[0]}"
                )
            connecting.result()
        finally:
            # Cancelled repeatedly, because the NATS client may swallow a cancellation (see
            # `link.cancellable`), and would then retry forever.
            while not connecting.done():
                connecting.cancel()
                await asyncio.sleep(0)
        name = options.get("name") or f"{Path(sys.argv[0]).name} {os.getpid()} on {socket.gethostname()}"
        yield Bus(Link(client, client.jetstream(timeout=TIMEOUT), name))
    finally:
        await client.close()


class Bus:
    """A connection to NATS, returned by `connect`. Any number of publishers, consumers and remote sessions
    may share it.
    """

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
            max_age: number of seconds for which events are kept.
            max_bytes: maximum total size of the kept events in bytes; the oldest are dropped.
            replicas: number of servers in the cluster that store each event.

        Raises:
            ConfigurationError: the stream or the store exists with other settings.
        """
        await self._link.create(max_age, max_bytes, replicas)

    async def publisher(self, client: Client, **options: Unpack[PublisherOptions]) -> Publisher:
        """Return a publisher of a client's events. Its `run` method starts it, and its attributes are
        metrics.

        Args:
            client: the client, which must have `explicit_confirm`; no other task may take its events.
            options: see `PublisherOptions`.

        Raises:
            ConfigurationError: the client confirms events automatically, `at_limit` is not allowed for its
                session type, or the server has no stream.
        """
        return await make_publisher(self._link, client, **options)

    async def publish(self, client: Client, **options: Unpack[PublisherOptions]) -> None:
        """Publish the events of a client until it has ended. Each event is confirmed when the broker has
        stored it.

        See `publisher` for the options and errors.
        """
        await (await self.publisher(client, **options)).run()

    def events(
        self,
        channel: Channel | str,
        *,
        machine: Machine | None = None,
        start: Start = "first",
        mark: Mark | None = None,
        decode: bool = True,
    ) -> Events:
        """Iterate over the events of a channel, without duplicates.

        Args:
            channel: the channel, or its name, such as `demo.prediction.KalshiMD.desk`.
            machine: a machine that applies each event before the event is returned. It starts from the last
                snapshot, if there is one.
            start: where to start if there is neither a snapshot nor a mark: "first" is the first stored
                message, "new" is the next new message.
            mark: the position of an earlier iterator, from which to continue. The machine must be in the
                state that it had at this position.
            decode: whether messages are decoded. Otherwise the iterator returns each message as the bytes
                that the session received.

        Raises:
            ValueError: `channel` is not the name of a channel, or a machine needs decoded messages.
        """
        return Events(self._link, _channel(channel), machine, start, mark, decode=decode)

    async def keep_snapshots(
        self, channel: Channel | str, *, machine: Machine | None = None, every: float = 5.0
    ) -> None:
        """Write snapshots of a machine's state until cancelled. A consumer that starts late continues from
        the last snapshot.

        Run this in one process, such as a recorder, for each channel. If two processes write snapshots, the
        newest snapshot is used.

        Args:
            channel: the channel, or its name.
            machine: the machine; `OrderBooks()` by default.
            every: number of seconds between two snapshots. No snapshot is written if there are no new events.

        Raises:
            ValueError: `channel` is not the name of a channel.
            ConnectionClosedError: the bus was closed.
        """
        parsed_channel, tracked_machine = _channel(channel), OrderBooks() if machine is None else machine
        events = self.events(parsed_channel, machine=tracked_machine)
        due_at, written_sequence = time.monotonic(), -1
        while True:
            if await events.wait(1.0):
                events.take()
            if time.monotonic() < due_at or events.mark.sequence == written_sequence:
                continue
            try:
                await write_snapshot(self._link, parsed_channel, tracked_machine, events.mark)
                written_sequence = events.mark.sequence
            except NATS_ERRORS as error:
                LOGGER.warning("no snapshot of %s: %s", parsed_channel, error)
            due_at = time.monotonic() + every

    async def serve(
        self, client: Client, *, check: Check | None = None, clock_difference: float = 0.5
    ) -> None:
        """Send messages from other processes through a client, until the client has ended.

        Args:
            client: the client. Its store must keep the ids of sent requests, because the session process, or
                a process that takes the session over, must recognize a repeated command.
            check: called with each new message. If it returns a Refusal, the message is not sent.
            clock_difference: number of seconds by which the clocks of other hosts may be ahead of the clock
                of this host. The deadlines of commands are compared with the clock of this host. If the clock
                of the sending host is ahead, a command can be sent up to this many seconds too late. If
                that clock is behind, commands are refused too early.

        Raises:
            LocalProtocolError: the client is not open, or its store does not keep ids.
            ConfigurationError: the server has no stream or key-value store.
        """
        await commands.serve(self._link, client, check, clock_difference)

    def session(self, channel: Channel | str) -> commands.RemoteSession:
        """Return a session in another process, through which messages are sent.

        Raises:
            ValueError: `channel` is not the name of a channel.
        """
        return commands.RemoteSession(self._link, _channel(channel))

    @property
    def server_version(self) -> tuple[int, int, int]:
        """The version of the server."""
        version = self._link.client.connected_server_version
        return version.major, version.minor, version.patch

    async def stream(self) -> operators.StreamState:
        """Return the state of the stream of events.

        Raises:
            ConfigurationError: the server has no JetStream, stream or key-value store.
        """
        return await operators.stream(self._link)

    def tail(
        self, subject: str, *, since: datetime | None = None, follow: bool = True
    ) -> AsyncIterator[operators.BusMessage]:
        """Iterate over stored messages. This is meant for operators.

        Args:
            subject: the subject of the messages; it may contain wildcards.
            since: the time of the oldest message to return. The default is all messages or, with `follow`,
                only new messages.
            follow: whether to wait for new messages after the last one.
        """
        return operators.tail(self._link, subject, since, follow=follow)

    async def consumers(self) -> list[operators.ConsumerLag]:
        """Return how far behind each consumer is, the largest lag first."""
        return await operators.consumers(self._link)

    async def publishers(self, *, may_send: bool = False) -> list[operators.PublisherState]:
        """Return the publisher of each channel.

        Args:
            may_send: whether to test if a process answers commands. The test sends an empty command, which is
                refused.
        """
        return await operators.publishers(self._link, may_send=may_send)

    async def permissions(self, channel: Channel | str) -> operators.Permissions:
        """Test the permissions of this connection's user for a channel. No message is stored.

        Raises:
            ValueError: `channel` is not the name of a channel.
        """
        return await operators.permissions(self._link, _channel(channel))


def _channel(channel: Channel | str) -> Channel:
    return Channel.parse(channel) if isinstance(channel, str) else channel
