"""Request rate limits: token buckets of accounts (Kalshi's page on rate limits).

A bucket refills continuously, up to its capacity; a request is accepted if the bucket covers its cost. Each
account has a read bucket and a write bucket on each product, and one more write bucket for each shard that a
request names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import attrs

from kalshi_fix_sansio import OrderMassCancelRequest, QuoteConfirm
from kalshi_fix_sansio._generated import limits
from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.trading import TokenLimits
from kalshi_fix_sansio.trading.rate_budget import (
    LOGON_BURST,
    LOGON_INTERVAL,
    TOKEN_COSTS,
    TokenBucket,
    accepts_quote,
    bucket_of,
)
from kalshi_fix_venue.exchange import MARGIN, PREDICTION
from kalshi_fix_venue.gateway.logins import Login

TIERS = tuple(limits.WRITE_TOKENS)
"""The tiers of accounts, the lowest first."""
QUOTE_CONFIRM_COST_WITH_RFQ_ID = 2
"""Tokens that a QuoteConfirm (U7) with RfqId costs; Kalshi documents only that it is cheaper than one
without."""


@attrs.frozen
class _Key:
    """The account and the purpose of a bucket."""

    owner: str
    product: str
    purpose: str
    shard: int | None = None


class RateLimits:
    """The buckets of all accounts that have a tier; for others only mass cancels are limited."""

    def __init__(
        self,
        tiers: Mapping[tuple[str, str], str],
        shards: Mapping[str, Iterable[int]],
        *,
        market_shard: Callable[[str], int] | None = None,
    ) -> None:
        """Limit accounts by their tiers.

        Args:
            tiers: the tiers, by owner and product.
            shards: the shards of each product.
            market_shard: returns the shard of a prediction market. Orders that accept a quote draw on that
                shard's budget or, without this function, on the budget of the RFQ shard.
        """
        self._tiers = dict(tiers)
        self._shards = {product: frozenset(numbers) for product, numbers in shards.items()}
        self._shards[PREDICTION] |= {limits.RFQ_SHARD}
        self._market_shard = market_shard
        self._buckets: dict[_Key, TokenBucket] = {}

    def may_use_fix(self, owner: str, product: str) -> bool:
        """Return whether the account's tier includes FIX."""
        return self._tiers.get((owner, product)) != TIERS[0]

    def accepts_logon(self, owner: str, product: str, now: float) -> bool:
        """Count a Logon; return whether it is within the Logon limit, which is separate from the request
        limit."""
        if (owner, product) not in self._tiers:
            return True
        bucket = self._bucket(_Key(owner, product, "logon"), 1 / LOGON_INTERVAL, LOGON_BURST, now)
        return _take_tokens(bucket, 1)

    def accepts(self, message: Message, login: Login, now: float) -> bool:
        """Count an application message; return whether it is within the limits."""
        tier = self._tiers.get((login.owner, login.product))
        if isinstance(message, OrderMassCancelRequest):
            key = _Key(login.owner, login.product, "mass cancel")
            bucket = self._bucket(key, 1 / limits.MASS_CANCEL_INTERVAL, 1, now)
            # If one of the two buckets is short, no tokens are taken from the other.
            return (
                not bucket.missing(1) and self._charge(message, login, tier, now) and _take_tokens(bucket, 1)
            )
        return self._charge(message, login, tier, now)

    def _charge(self, message: Message, login: Login, tier: str | None, now: float) -> bool:
        if tier is None:
            return True
        product: Product = "margin" if login.product == MARGIN else "prediction"
        token_limits = TokenLimits.of_tier(tier, product)
        purpose, shard = bucket_of(message)
        if self._market_shard and accepts_quote(message):
            shard = self._market_shard(message.symbol)
        rate, capacity = token_limits.write_rate, token_limits.write_capacity
        if purpose == "read":
            rate, capacity = token_limits.read_rate, token_limits.read_capacity
        # Unknown shards have no bucket, because a client could name any number of them. Requests for them
        # are charged to the bucket without a shard, as are those for shard 0.
        if shard is not None and (shard < 1 or shard not in self._shards[login.product]):
            shard = None
        key = _Key(login.owner, login.product, purpose, shard)
        return _take_tokens(self._bucket(key, rate, capacity, now), _cost(message, product))

    def _bucket(self, key: _Key, rate: float, capacity: float, now: float) -> TokenBucket:
        bucket = self._buckets.setdefault(key, TokenBucket(rate, capacity, capacity, now))
        bucket.refill(now)
        return bucket


def _cost(message: Message, product: Product) -> float:
    if isinstance(message, QuoteConfirm) and message.rfq_id is not None:
        return QUOTE_CONFIRM_COST_WITH_RFQ_ID
    return TOKEN_COSTS[product].get(message.MSG_TYPE, limits.DEFAULT_COST)


def _take_tokens(bucket: TokenBucket, tokens: float) -> bool:
    """Take tokens if the bucket has enough; return whether they were taken."""
    if bucket.missing(tokens):
        return False
    bucket.spend(tokens)
    return True
