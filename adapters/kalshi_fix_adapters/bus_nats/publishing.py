"""Publishes a client's events to JetStream."""

from __future__ import annotations

from logging import DEBUG, WARNING
from typing import Final, TypedDict

from nats.errors import ConnectionClosedError, MaxPayloadError
from nats.js.errors import BadRequestError

from kalshi_fix_adapters.asyncio import Client
from kalshi_fix_adapters.bus import AtLimit, Batcher, Channel, NotAcknowledged, OutgoingMessage, Publisher
from kalshi_fix_adapters.bus.batches import is_market_data
from kalshi_fix_adapters.bus_nats.link import LOGGER, MESSAGE_ID, NAME, NATS_ERRORS, PREVIOUS_NUMBER, Link
from kalshi_fix_sansio.errors import ConfigurationError

HEADER_ROOM: Final = 4096
"""Number of bytes of a message that are reserved for headers."""
_STORAGE_FULL_CODE: Final = 10002
"""JetStream's error code for an account that has reached its storage limit. It is reported as a bad request
(400)."""


class PublisherOptions(TypedDict, total=False):
    """Options of a publisher.

    Attributes:
        limit: Maximum number of events that wait for the broker, 5,000 by default; it must be below the
            client's `queue_limit`.
        limit_bytes: Total size of the waiting events, in bytes, at which no further event is taken, 64 MiB by
            default.
        at_limit: The action at either limit. `wait`: take no further events from the client, which stops
            reading when its own queue is full; nothing is lost. `drop`, for market data only: drop messages;
            consumers detect the gap.
        buckets: Number of groups of symbols whose market data is published together, 8 by default. All
            publishers of a channel must use the same number.
    """

    limit: int
    limit_bytes: int
    at_limit: AtLimit
    buckets: int


async def make_publisher(
    link: Link, client: Client, *, at_limit: AtLimit = "wait", buckets: int = 8, **limits: int
) -> Publisher:
    """Return a publisher with a new fence.

    Raises:
        ConfigurationError: the client confirms events automatically, `at_limit` is not allowed for its
            session type, or the server has no stream.
    """
    channel = channel_of(client)
    if not client.explicit_confirm:
        raise ConfigurationError(
            "events must not be confirmed before the broker has stored them; set explicit_confirm=True"
        )
    if at_limit == "drop" and not is_market_data(channel):
        raise ConfigurationError("at_limit='drop' is allowed only for market data sessions")
    fence = await link.new_fence(channel, "publisher")
    batcher = Batcher(
        channel,
        fence,
        durable_numbers=client.numbers_are_durable,
        max_bytes=link.client.max_payload - HEADER_ROOM,
        buckets=buckets,
    )
    if client.logged_on is not None:
        batcher.begin_generation(client.logged_on)

    is_failing = False

    async def publish(message: OutgoingMessage) -> None:
        nonlocal is_failing
        if is_failing and link.client.pending_data_size:
            # The NATS client still holds earlier messages, because the server is not reading. It would hold
            # each retry too, without a limit.
            raise NotAcknowledged
        headers = {MESSAGE_ID: str(message.id)}
        if message.previous is not None:
            headers[PREVIOUS_NUMBER] = str(message.previous)
        try:
            await link.jetstream.publish(message.subject, message.data, stream=NAME, headers=headers)
        except (ConnectionClosedError, MaxPayloadError):
            raise
        except NATS_ERRORS as error:
            if isinstance(error, BadRequestError) and error.err_code != _STORAGE_FULL_CODE:
                raise
            # Repeated attempts while the server is down or its disk is full must not fill the log.
            LOGGER.log(
                DEBUG if is_failing else WARNING, "the broker did not acknowledge %s (%s)", message.id, error
            )
            is_failing = True
            raise NotAcknowledged from error
        is_failing = False

    return Publisher(client, batcher, publish, at_limit=at_limit, **limits)


def channel_of(client: Client) -> Channel:
    """Return the channel of a client's account and session type."""
    owner = client.owner
    account = owner.sender_comp_id if owner.account is None else owner.account
    return Channel(owner.environment, owner.product, owner.target_comp_id, account)
