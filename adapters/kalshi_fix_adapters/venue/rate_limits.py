"""How fast a client may ask: token buckets of accounts (the venue's page on rate limits).

A bucket refills without steps, up to its capacity; a request is taken when the bucket covers its cost. Each
account has a bucket for reading and one for writing on each product, and one more for writing on each
shard that a request names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.exchange import MARGIN, PREDICTION
from kalshi_fix_adapters.venue.gateway.logins import Login
from kalshi_fix_sansio import (
    AcceptQuote,
    EventResendRequest,
    MarketDataRequest,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelRequest,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    QuoteRequest,
    RFQCancel,
    SecurityStatusRequest,
)
from kalshi_fix_sansio._generated import limits
from kalshi_fix_sansio.base import Message

TIERS = tuple(limits.WRITE_TOKENS)
"""The tiers of accounts, the lowest first."""
_READS = (MarketDataRequest, SecurityStatusRequest, EventResendRequest)
_RFQS = (QuoteRequest, Quote, QuoteCancel, QuoteConfirm, AcceptQuote, RFQCancel)
_ORDERS = (NewOrderSingle, OrderCancelRequest, OrderCancelReplaceRequest)
_ROUNDING = 1e-9
"""Of a token: times are floats."""


@attrs.define
class Bucket:
    """Tokens that come back with time."""

    rate: float
    """Tokens a second."""
    capacity: float
    level: float
    at: float
    """When the level was so, in seconds of `Instant.monotonic`."""

    def take(self, cost: float, now: float) -> bool:
        """Take tokens, if there are enough; none are taken otherwise."""
        if not self.covers(cost, now):
            return False
        # Not below 0, where rounding would take it.
        self.level = max(0.0, self.level - cost)
        return True

    def covers(self, cost: float, now: float) -> bool:
        """Say whether there are enough."""
        self.level = min(self.capacity, self.level + (now - self.at) * self.rate)
        self.at = now
        return self.level >= cost - _ROUNDING


@attrs.frozen
class _Key:
    """Whose bucket, and for what."""

    owner: str
    product: str
    use: str
    shard: int | None = None


class RateLimits:
    """The buckets of all accounts that have a tier; others are limited in their mass cancels alone."""

    def __init__(
        self,
        tiers: Mapping[tuple[str, str], str],
        shards: Mapping[str, Iterable[int]],
        assumptions: Assumptions,
    ) -> None:
        """Limit accounts, given by owner and product, as their tiers are; `shards` are those of each
        product."""
        self._tiers = dict(tiers)
        self._shards = {product: frozenset(known) for product, known in shards.items()}
        if assumptions.margin_has_shard_budgets:
            self._shards[MARGIN] |= self._shards[PREDICTION]
        self._assumptions = assumptions
        self._buckets: dict[_Key, Bucket] = {}

    def may_use_fix(self, owner: str, product: str) -> bool:
        """Say whether the account's tier has FIX."""
        tier = self._tiers.get((owner, product))
        return tier != TIERS[0] or self._assumptions.basic_tier_has_fix

    def takes_logon(self, owner: str, product: str, now: float) -> bool:
        """Count a Logon; say whether it is within the limit, which is apart from that of requests."""
        if (owner, product) not in self._tiers:
            return True
        rate, burst = self._assumptions.logons_per_minute / 60, self._assumptions.logon_burst
        return self._bucket(_Key(owner, product, "logon"), rate, burst, now).take(1, now)

    def takes(self, message: Message, login: Login, now: float) -> bool:
        """Count an application message; say whether it is within the limits."""
        tier = self._tiers.get((login.owner, login.product))
        if isinstance(message, OrderMassCancelRequest):
            key = _Key(login.owner, login.product, "mass cancel")
            bucket = self._bucket(key, 1 / limits.MASS_CANCEL_INTERVAL, 1, now)
            # Neither is used up where the other is not enough.
            return bucket.covers(1, now) and self._charge(message, login, tier, now) and bucket.take(1, now)
        return self._charge(message, login, tier, now)

    def _charge(self, message: Message, login: Login, tier: str | None, now: float) -> bool:
        if tier is None or (login.product == MARGIN and not self._assumptions.margin_has_budgets):
            return True
        if isinstance(message, _READS):
            rate = limits.READ_TOKENS[tier]
            burst = limits.MARGIN_READ_BURST if login.product == MARGIN else limits.READ_BURST[tier]
            key = _Key(login.owner, login.product, "read")
        else:
            rate, burst = limits.WRITE_TOKENS[tier], limits.WRITE_BURST[tier]
            key = _Key(login.owner, login.product, "write", self._shard(message, login.product))
        return self._bucket(key, rate, rate * burst, now).take(self._cost(message), now)

    def _shard(self, message: Message, product: str) -> int | None:
        """Return the shard whose budget a message draws on; None for the one that is of no shard."""
        if isinstance(message, _RFQS):
            return limits.RFQ_SHARD
        if isinstance(message, NewOrderSingle) and message.quote_id is not None:
            return None
        named = message.ex_destination if isinstance(message, _ORDERS) else None
        # A shard that does not exist has no budget, since a client could name any number of them. Shard 0
        # draws on the one that is of no shard.
        return named if named is not None and named >= 1 and named in self._shards[product] else None

    def _cost(self, message: Message) -> int:
        if isinstance(message, OrderMassCancelRequest) and not self._assumptions.mass_cancel_costs_tokens:
            return 0
        if isinstance(message, OrderCancelRequest):
            return limits.CANCEL_COST
        if isinstance(message, Quote | QuoteCancel):
            return limits.QUOTE_COST
        if isinstance(message, QuoteConfirm) and message.rfq_id is not None:
            return self._assumptions.quote_confirm_cost_with_rfq_id
        return limits.DEFAULT_COST

    def _bucket(self, key: _Key, rate: float, capacity: float, now: float) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(rate, capacity, capacity, now)
        return bucket
