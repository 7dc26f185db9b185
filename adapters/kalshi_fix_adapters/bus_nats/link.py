"""The connection to NATS, and the names of the stream, the key-value store and the headers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import attrs
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig
from nats.js.errors import BadRequestError, BucketNotFoundError, NotFoundError, ServerError
from nats.js.kv import KeyValue

from kalshi_fix_adapters.bus import Channel
from kalshi_fix_adapters.bus.names import COMMANDS, ROOT
from kalshi_fix_sansio.errors import ConfigurationError

LOGGER: Final = logging.getLogger("kalshi_fix_adapters.bus")
NAME: Final = "KALSHI"
"""The name of the stream of events, and of the key-value store of snapshots and fences."""
PREVIOUS_NUMBER: Final = "Kalshi-Previous"
"""Header of a message: MsgSeqNum of the previous message of the same lane (see `bus.batches`)."""
MESSAGE_ID: Final = "Nats-Msg-Id"
DEADLINE: Final = "Kalshi-Deadline"
"""Header of a command: the time in seconds since 1970 after which the message must not be sent."""
NATS_ERRORS: Final = (Error, OSError, TimeoutError)
"""Errors that methods of the NATS client raise, for example while the server cannot be reached."""
INACTIVE_SECONDS: Final = 60.0
"""Number of seconds without a request after which the server drops the state of a consumer."""
_Result = TypeVar("_Result")


async def cancellable(call: Awaitable[_Result]) -> _Result:
    """Await a call to the NATS client. Raise CancelledError if the task was cancelled in the meantime.

    The NATS client uses `asyncio.wait_for`. On Python 3.11, if a result and a cancellation arrive in the same
    iteration of the event loop, `wait_for` returns the result and swallows the cancellation. A loop in the
    calling task would then continue, and its TaskGroup would never end.
    """
    task: Any = asyncio.current_task()
    cancellations = task.cancelling()
    try:
        return await call
    finally:
        if task.cancelling() > cancellations:
            raise asyncio.CancelledError


async def fetch(
    pull: JetStreamContext.PullSubscription,
    count: int,
    timeout: float,  # noqa: ASYNC109 - same signature as the client
) -> list[Msg]:
    """Return up to `count` messages that arrive before a timeout.

    Raises:
        TimeoutError: no message has arrived.
    """
    return await cancellable(pull.fetch(count, timeout=timeout))


def consumer_config(
    policy: DeliverPolicy, inactive_seconds: float = INACTIVE_SECONDS, **settings: Any
) -> ConsumerConfig:
    """Return the configuration of a consumer. The server keeps the consumer's state only in memory, and drops
    it after `inactive_seconds` without a request.
    """
    return ConsumerConfig(
        ack_policy=AckPolicy.NONE,
        deliver_policy=policy,
        inactive_threshold=inactive_seconds,
        mem_storage=True,
        **settings,
    )


class NatsClient(Client):
    """A NATS client whose cancelled requests always raise CancelledError."""

    async def request(self, *arguments: Any, **options: Any) -> Msg:
        """Send a request, and return its answer."""
        return await cancellable(super().request(*arguments, **options))


@attrs.define(eq=False)
class Link:
    """A connection to NATS, shared by the parts of the bus.

    Attributes:
        client: The connection.
        jetstream: The JetStream context of this connection.
        name: The name of this process, for operators.
    """

    client: Client
    jetstream: JetStreamContext
    name: str
    _store: KeyValue | None = None

    async def create(self, max_age: float, max_bytes: int, replicas: int) -> None:
        """Create the stream and the key-value store if they are missing."""
        config = StreamConfig(
            name=NAME, subjects=[f"{ROOT}.>"], max_age=max_age, max_bytes=max_bytes, num_replicas=replicas
        )
        try:
            await self.jetstream.add_stream(config)
            await self.jetstream.create_key_value(bucket=NAME, replicas=replicas)
        except BadRequestError as error:
            raise ConfigurationError(
                f"the stream or bucket {NAME} exists with other settings: {error}"
            ) from error
        except ServerError as error:
            raise ConfigurationError(
                f"the server has no room for max_bytes={max_bytes} with replicas={replicas}: {error}"
            ) from error

    async def store(self) -> KeyValue:
        """Return the key-value store.

        Raises:
            ConfigurationError: the store does not exist.
        """
        if self._store is None:
            try:
                await self.jetstream.stream_info(NAME)
                self._store = await self.jetstream.key_value(NAME)
            except (NotFoundError, BucketNotFoundError):
                raise ConfigurationError(
                    f"the server must have a stream and a bucket named {NAME}; call Bus.create once"
                ) from None
        return self._store

    async def new_fence(self, channel: Channel, role: str) -> int:
        """Return a new fence, which is higher than those of all earlier processes with this role in the
        channel.
        """
        # The revision of a key rises with every write to the key-value store.
        return await (await self.store()).put(f"{channel}.{role}", b"")

    async def read_fence(self, channel: Channel, role: str) -> int:
        """Return the fence of the last process with this role.

        Raises:
            KeyNotFoundError: there has been no process with this role.
        """
        entry = await (await self.store()).get(f"{channel}.{role}")
        return entry.revision or 0


def command_subject(channel: Channel, fence: int, msg_type: str) -> str:
    """Return the subject of commands to the process with this fence."""
    return f"{COMMANDS}.{channel}.{fence}.{msg_type}"


def text_of(error: BaseException) -> str:
    """Return the text of an error, or the name of its class if it has no text."""
    return str(error) or type(error).__name__
