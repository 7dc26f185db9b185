"""Functions for operators: stored messages, consumers, publishers, and permissions."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import datetime
from secrets import token_hex
from typing import Final

import attrs
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.js.api import DeliverPolicy, DiscardPolicy
from nats.js.errors import KeyNotFoundError, ServiceUnavailableError

from kalshi_fix_adapters.bus import BatchId, Channel, split_frames
from kalshi_fix_adapters.bus_nats.commands import ROLE
from kalshi_fix_adapters.bus_nats.events import FETCH_SIZE, IDLE_SECONDS, RETRY_SECONDS
from kalshi_fix_adapters.bus_nats.link import (
    MESSAGE_ID,
    NAME,
    NATS_ERRORS,
    Link,
    command_subject,
    consumer_config,
    fetch,
)
from kalshi_fix_sansio.errors import ConfigurationError, DecodeError
from kalshi_fix_sansio.messages import decode

_WAIT_SECONDS: Final = 1.0
"""Number of seconds to wait for the answer to a message that may be forbidden."""
_NO_STORAGE_HEADERS: Final = {"Nats-Expected-Stream": "-"}
"""A header that prevents every stream from storing a message."""
_PAGE_SIZE: Final = 256
"""Maximum number of consumers that the server returns at a time."""


@attrs.frozen
class BusMessage:
    """A message of the bus, as the server stores it.

    Attributes:
        subject: Subject of the message.
        sequence: Sequence number of the message in the stream.
        time: The time at which the server stored it.
        id: Id of the message; None if it was not written by this library.
        data: Payload of the message.
        pending: Number of later stored messages with the requested subject.
    """

    subject: str
    sequence: int
    time: datetime
    id: BatchId | None
    data: bytes = attrs.field(repr=False)
    pending: int

    @property
    def delay(self) -> float | None:
        """Seconds from the venue's SendingTime to the time at which the message was stored; None if the data
        contains no FIX message with a SendingTime.
        """
        try:
            frame = split_frames(self.data)[-1]
            sent = decode(frame).header.sending_time
        except (DecodeError, IndexError, ValueError):
            return None
        return None if sent is None else (self.time - sent).total_seconds()


@attrs.frozen
class ConsumerLag:
    """How far behind a consumer is.

    Attributes:
        name: Name of the process, or the server's name for the consumer.
        subject: The subjects that the consumer reads.
        pending: Number of messages that the consumer has not yet received.
        is_waiting: Whether the consumer is waiting for messages.
    """

    name: str
    subject: str
    pending: int
    is_waiting: bool


@attrs.frozen
class PublisherState:
    """The publisher of a channel.

    Attributes:
        channel: The channel.
        fence: The fence of the newest publisher.
        last: The last message of the channel; None if the stream has none.
        answers_commands: Whether a process answers commands now; None if no process has ever answered
            commands, or if this was not tested.
    """

    channel: Channel
    fence: int
    last: BusMessage | None
    answers_commands: bool | None


@attrs.frozen
class Permissions:
    """The permissions of the connection's user.

    Attributes:
        read: Whether the user may read events and snapshots.
        publish: Whether the user may publish events.
        send: Whether the user may send commands, such as orders.
        serve: Whether the user may receive commands.
        captured: Whether a stream stores commands, which must not happen.
        clock_ahead: Number of seconds by which this host's clock is ahead of the server's clock; None if
            the user may not read.
    """

    read: bool
    publish: bool
    send: bool
    serve: bool
    captured: bool
    clock_ahead: float | None


@attrs.frozen
class StreamState:
    """The stream of events.

    Attributes:
        messages: Number of stored messages.
        size: Total size of the stored messages in bytes.
        max_age: Number of seconds for which events are kept; 0 without a limit.
        max_bytes: Maximum total size of the kept events in bytes; -1 without a limit.
        replicas: Number of servers that keep the events.
        drops_oldest: Whether the oldest events are dropped at a limit; otherwise publishing fails.
    """

    messages: int
    size: int
    max_age: float
    max_bytes: int
    replicas: int
    drops_oldest: bool


async def stream(link: Link) -> StreamState:
    """Return the state of the stream.

    Raises:
        ConfigurationError: the server has no JetStream, stream or key-value store.
    """
    try:
        await link.store()
        info = await link.jetstream.stream_info(NAME)
    except ServiceUnavailableError:
        raise ConfigurationError(
            "the server has no JetStream; add jetstream {} to its configuration"
        ) from None
    config = info.config
    return StreamState(
        messages=info.state.messages,
        size=info.state.bytes,
        max_age=config.max_age or 0.0,
        max_bytes=config.max_bytes or -1,
        replicas=config.num_replicas or 1,
        drops_oldest=config.discard is not DiscardPolicy.NEW,
    )


async def tail(
    link: Link, subject: str, since: datetime | None, *, follow: bool
) -> AsyncIterator[BusMessage]:
    """Yield the messages stored since a time. Without `since`, yield all stored messages or, with `follow`,
    only new messages.

    Without `follow`, the iteration ends after the last stored message.
    """
    last: int | None = None
    if follow and since is None:
        last = (await link.jetstream.stream_info(NAME)).state.last_seq
    policy = DeliverPolicy.ALL if since is None else DeliverPolicy.BY_START_TIME
    config = consumer_config(policy, description=link.name, opt_start_time=since)
    while True:
        if last is not None:
            config = consumer_config(
                DeliverPolicy.BY_START_SEQUENCE, description=link.name, opt_start_seq=last + 1
            )
        pull = await link.jetstream.pull_subscribe(subject, stream=NAME, config=config)
        try:
            while True:
                try:
                    messages = await fetch(pull, FETCH_SIZE, IDLE_SECONDS)
                except TimeoutError:
                    if not follow:
                        return
                    await pull.consumer_info()
                    continue
                for message in messages:
                    stored = _bus_message(message)
                    last = stored.sequence
                    yield stored
                    if not (stored.pending or follow):
                        return
        except ConnectionClosedError:
            raise
        except NATS_ERRORS:
            # After a restart, the server no longer knows the consumer, so a new one is created above.
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            with contextlib.suppress(*NATS_ERRORS):
                await pull.unsubscribe()


async def last_message(link: Link, channel: Channel) -> BusMessage | None:
    """Return the last message of a channel."""
    config = consumer_config(DeliverPolicy.LAST, IDLE_SECONDS)
    pull = await link.jetstream.pull_subscribe(f"{channel.prefix}.>", stream=NAME, config=config)
    try:
        return _bus_message((await fetch(pull, 1, _WAIT_SECONDS))[0])
    except TimeoutError:
        return None
    finally:
        await pull.unsubscribe()


def _bus_message(message: Msg) -> BusMessage:
    metadata = message.metadata
    try:
        batch_id = BatchId.parse((message.headers or {}).get(MESSAGE_ID, ""))
    except ValueError:
        batch_id = None
    return BusMessage(
        subject=message.subject,
        sequence=metadata.sequence.stream,
        time=metadata.timestamp,
        id=batch_id,
        data=message.data,
        pending=metadata.num_pending or 0,
    )


async def consumers(link: Link) -> list[ConsumerLag]:
    """Return how far behind each consumer of the stream is, the largest lag first."""
    lags: list[ConsumerLag] = []
    while True:
        page = await link.jetstream.consumers_info(NAME, len(lags))
        lags += [
            ConsumerLag(
                each.config.description or each.name,
                each.config.filter_subject or "",
                each.num_pending or 0,
                bool(each.num_waiting),
            )
            for each in page
        ]
        if len(page) < _PAGE_SIZE:
            return sorted(lags, key=lambda each: -each.pending)


async def publishers(link: Link, *, may_send: bool = False) -> list[PublisherState]:
    """Return the publisher of each channel. With `may_send`, find out whether a process answers commands."""
    keys = f"$KV.{NAME}.*.*.*.*.publisher"
    info = await link.jetstream.stream_info(f"KV_{NAME}", subjects_filter=keys)
    channels = [
        Channel.parse(key.removeprefix(f"$KV.{NAME}.").removesuffix(".publisher"))
        for key in sorted(info.state.subjects or ())
    ]
    return [
        PublisherState(
            each,
            await link.read_fence(each, "publisher"),
            await last_message(link, each),
            await _answers_commands(link, each) if may_send else None,
        )
        for each in channels
    ]


async def _answers_commands(link: Link, channel: Channel) -> bool | None:
    """Send an empty command, which is refused. Return whether a process answers it; None if no process has
    ever answered commands.
    """
    try:
        fence = await link.read_fence(channel, ROLE)
        await link.client.request(command_subject(channel, fence, "0"), timeout=_WAIT_SECONDS)
    except KeyNotFoundError:
        return None
    except (NoRespondersError, TimeoutError):
        return False
    return True


async def permissions(link: Link, channel: Channel) -> Permissions:
    """Test the user's permissions. No message is stored."""
    command = command_subject(channel, 0, "0")
    clock_ahead = await _probe_reading(link, channel)
    event_captured = await _is_captured(link, channel.subject("event", "check"))
    command_captured = await _is_captured(link, command)
    last_error = link.client.last_error
    subscription = await link.client.subscribe(command)
    # The server reports a violation before it answers a later ping. Two flushes are necessary, because the
    # client writes the subscription in a separate task, and the first flush may overtake it.
    await link.client.flush()
    await link.client.flush()
    serve = link.client.last_error is last_error
    await subscription.unsubscribe()
    return Permissions(
        read=clock_ahead is not None,
        publish=bool(event_captured),
        send=command_captured is not None,
        serve=serve,
        captured=bool(command_captured),
        clock_ahead=clock_ahead,
    )


async def _probe_reading(link: Link, channel: Channel) -> float | None:
    """Test whether the user may read: create a consumer, and read a key. Return the number of seconds by
    which this clock is ahead of the server's; None if reading is forbidden.
    """
    config = consumer_config(
        DeliverPolicy.NEW,
        IDLE_SECONDS,
        filter_subject=f"{channel.prefix}.>",
        name=f"check-{token_hex(8)}",
    )
    started = time.time()
    try:
        info = await link.jetstream.add_consumer(NAME, config, timeout=_WAIT_SECONDS)
        offset = (started + time.time()) / 2 - info.created.timestamp()
        with contextlib.suppress(KeyNotFoundError):
            await link.read_fence(channel, ROLE)
    except (NoRespondersError, TimeoutError):
        return None
    return offset


async def _is_captured(link: Link, subject: str) -> bool | None:
    """Return whether a stream captures a subject; None if the user may not send to the subject. The message
    sent for this test has a header that prevents every stream from storing it.
    """
    try:
        await link.client.request(subject, timeout=_WAIT_SECONDS, headers=_NO_STORAGE_HEADERS)
    except NoRespondersError:
        return False
    except TimeoutError:
        return None
    return True
