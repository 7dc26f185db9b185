"""The publisher of a client's events to JetStream."""

from __future__ import annotations

from typing import Final

from nats.errors import ConnectionClosedError, MaxPayloadError
from nats.js.errors import BadRequestError

from kalshi_fix_adapters.asyncio import Client
from kalshi_fix_adapters.bus import AtLimit, Batcher, Channel, NotAcknowledged, Outgoing, Publisher
from kalshi_fix_adapters.bus.batches import is_market_data
from kalshi_fix_adapters.bus_nats.link import LOGGER, MESSAGE_ID, NAME, NATS_ERRORS, PREVIOUS, Link
from kalshi_fix_sansio.errors import ConfigurationError

ROOM: Final = 4096
"""Number of bytes of a message that are reserved for headers."""


async def make_publisher(
    link: Link, client: Client, limit: int, at_limit: AtLimit, buckets: int
) -> Publisher:
    """Return a publisher with a new fence."""
    channel = channel_of(client)
    if not client.explicit_confirm:
        raise ConfigurationError(
            "events must be confirmed when the broker has them: set explicit_confirm=True"
        )
    if at_limit == "drop" and not is_market_data(channel):
        raise ConfigurationError("only market data can be dropped at the limit")
    fence = await link.new_fence(channel, "publisher")
    batcher = Batcher(
        channel,
        fence,
        lasting=client.numbers_outlive_process,
        max_bytes=link.client.max_payload - ROOM,
        buckets=buckets,
    )
    if client.logged_on is not None:
        batcher.continue_generation(client.logged_on)

    async def publish(message: Outgoing) -> None:
        headers = {MESSAGE_ID: str(message.id)}
        if message.previous is not None:
            headers[PREVIOUS] = str(message.previous)
        try:
            await link.jetstream.publish(message.subject, message.data, stream=NAME, headers=headers)
        except (BadRequestError, ConnectionClosedError, MaxPayloadError):
            raise
        except NATS_ERRORS as error:
            LOGGER.warning("not acknowledged: %s (%s)", message.id, error)
            raise NotAcknowledged from error

    return Publisher(client, batcher, publish, limit=limit, at_limit=at_limit)


def channel_of(client: Client) -> Channel:
    """Return the channel of a client's account and session type."""
    owner = client.owner
    account = owner.sender_comp_id if owner.account is None else owner.account
    return Channel(owner.environment, owner.product, owner.target_comp_id, account)
