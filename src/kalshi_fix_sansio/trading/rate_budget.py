"""How fast an account may ask: what the venue's token buckets hold, and how long to wait before a message.

A bucket refills without steps, up to its capacity; a message is taken if the bucket covers its cost (Kalshi's
page on rate limits). The venue has one bucket for reading and one for writing on each product, one more for
writing on each shard that a message names, and counts REST on the same ones. Heartbeats and other messages of
the session are free, but for Logons.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Final, Literal

import attrs

from kalshi_fix_sansio._generated import (
    AcceptQuote,
    BusinessMessageReject,
    BusinessRejectReason,
    Logon,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderGroupAction,
    OrderGroupRequest,
    OrderMassCancelRequest,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    QuoteRequest,
    RFQCancel,
    limits,
)
from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import RejectReceived
from kalshi_fix_sansio.trading.dumping import VERSION, reading_dump

Bucket = Literal["read", "write"]

TOKEN_COSTS: Final[Mapping[str, float]] = {
    OrderCancelRequest.MSG_TYPE: limits.CANCEL_COST,
    Quote.MSG_TYPE: limits.QUOTE_COST,
    QuoteCancel.MSG_TYPE: limits.QUOTE_COST,
}
"""Tokens by MsgType (35), where they are others than `default_cost`."""
LOGON_INTERVAL: Final = 1.0
"""Seconds between Logons in the long run. An assumption: the venue limits them, and tells no figure."""
LOGON_BURST: Final = 10
"""Logons at once; an assumption, too."""
MAX_SHARDS: Final = 64
"""Shards with a bucket of their own; messages to further ones draw on the one of no shard."""
_FREE: Final = frozenset("012345")
"""MsgTypes of the session layer but for the Logon."""
_ORDERS: Final = frozenset(
    each.MSG_TYPE for each in (NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest)
)
_RFQS: Final = frozenset(
    each.MSG_TYPE for each in (AcceptQuote, Quote, QuoteCancel, QuoteConfirm, QuoteRequest, RFQCancel)
)
_WRITES: Final = _ORDERS | _RFQS | {OrderMassCancelRequest.MSG_TYPE, OrderGroupRequest.MSG_TYPE}
_CANCELS: Final = frozenset(
    each.MSG_TYPE for each in (OrderCancelRequest, OrderMassCancelRequest, QuoteCancel, RFQCancel)
)
_CANCELING_ACTIONS: Final = (OrderGroupAction.TRIGGER, OrderGroupAction.DELETE)
_READ: Final = "read"
_WRITE: Final = "write"
_SHARD: Final = "write "
"""Before the number of a shard."""
_LOGON: Final = "logon"
_MASS_CANCEL: Final = "mass cancel"
_NAMES: Final = (_READ, _WRITE, _LOGON, _MASS_CANCEL)
_ROUNDING: Final = 1e-4
"""Of a token: times are floats, of a clock that may have run for years."""


@explained
@attrs.frozen
class TokenLimits:
    """What the buckets of an account hold, and by how much they refill, as REST's account limits tell."""

    write_rate: float
    """Tokens a second."""
    write_capacity: float
    """Tokens that the bucket for writing holds."""
    read_rate: float
    """Tokens a second."""
    read_capacity: float
    """Tokens that the bucket for reading holds."""

    @classmethod
    def of_tier(cls, tier: str, product: Product = "prediction") -> TokenLimits:
        """Return those of a tier, such as "Premier". On margin the rates are taken to be the same.

        Raises:
            ConfigurationError: there is no such tier.
        """
        if tier not in limits.WRITE_TOKENS:
            raise ConfigurationError(f"there is no tier {tier!r}; use {', '.join(limits.WRITE_TOKENS)}")
        write, read = limits.WRITE_TOKENS[tier], limits.READ_TOKENS[tier]
        read_burst = limits.MARGIN_READ_BURST if product == "margin" else limits.READ_BURST[tier]
        return cls(write, write * limits.WRITE_BURST[tier], read, read * read_burst)


@attrs.define
class _Bucket:
    """Tokens that come back with time."""

    rate: float
    capacity: float
    level: float
    at: float
    """When the level was so, monotonic."""

    def refill(self, now: float) -> None:
        self.level = min(self.capacity, self.level + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)

    def take(self, tokens: float) -> None:
        # Below zero if the user tells of more than there was; no more than the whole bucket.
        self.level = max(-self.capacity, min(self.capacity, self.level - tokens))


class RateBudget:
    """The token buckets of one account on one product, over all its sessions, and REST.

    Ask `wait` before a message, and tell `sent` when it leaves; or give it to the clients, which do so. Give
    `apply` every event: a refusal for the rate limit (BusinessRejectReason (380) 8) empties the bucket that
    the message drew on. What REST takes of the same buckets is told by `spent`.
    """

    __slots__ = ("_buckets", "_costs", "_default_cost", "_kept_back", "_limits", "_use", "product", "tier")

    def __init__(
        self,
        tier: str | TokenLimits,
        *,
        product: Product = "prediction",
        use: float = 0.95,
        kept_back: float = 0.2,
        costs: Mapping[str, float] | None = None,
        default_cost: float = limits.DEFAULT_COST,
    ) -> None:
        """Start with full buckets.

        Args:
            tier: the account's, such as "Premier", or what its buckets hold.
            product: which one the account trades; each has buckets of its own.
            use: which part of rate and capacity is used. The rest is for what is not known here, such as
                messages that reach the venue closer together than they left.
            kept_back: which part of a bucket for writing is for cancels alone, so that orders and quotes
                never take it from them.
            costs: tokens by MsgType (35) that replace some of `TOKEN_COSTS`, such as
                `{QuoteConfirm.MSG_TYPE: 2}`.
            default_cost: tokens of all other messages.

        Raises:
            ConfigurationError: there is no such tier; `use` is not above 0 and at most 1; `kept_back` is not
                from 0 to below 1; a cost is negative, or more than a bucket may ever hold.
        """
        self.tier: str | TokenLimits = tier
        self.product: Product = product
        self._limits = TokenLimits.of_tier(tier, product) if isinstance(tier, str) else tier
        self._use, self._kept_back = use, kept_back
        self._costs, self._default_cost = {**TOKEN_COSTS, **(costs or {})}, default_cost
        self._buckets: dict[str, _Bucket] = {}
        self._check()

    def _check(self) -> None:
        if not 0 < self._use <= 1:
            raise ConfigurationError(f"use must be above 0 and at most 1, not {self._use!r}")
        if not 0 <= self._kept_back < 1:
            raise ConfigurationError(f"kept_back must be from 0 to below 1, not {self._kept_back!r}")
        bounds = self._limits
        most = self._use * min(bounds.read_capacity, bounds.write_capacity * (1 - self._kept_back))
        for cost in (self._default_cost, *self._costs.values()):
            if not 0 <= cost <= most:
                raise ConfigurationError(
                    f"a message of {cost:g} tokens could never leave: there are at most {most:g}"
                )
        if not (bounds.write_rate > 0 and bounds.read_rate > 0):
            raise ConfigurationError("a bucket that does not refill is of no use")

    def __repr__(self) -> str:
        return f"<RateBudget {self.tier} {self.product}>"

    def cost(self, message: Message) -> float:
        """Return the tokens that a message costs."""
        return self._costs.get(message.MSG_TYPE, self._default_cost)

    def wait(self, message: Message | type[Logon], now: Instant) -> float:
        """Return the seconds until a message may leave; 0 if it may now. For a Logon its class will do."""
        seconds = 0.0
        for bucket, tokens, kept in self._draws(message, now):
            lacking = kept + tokens - bucket.level
            if lacking > _ROUNDING:
                seconds = max(seconds, lacking / bucket.rate)
        return seconds

    def sent(self, message: Message | type[Logon], now: Instant) -> None:
        """Take note that a message leaves."""
        for bucket, tokens, _ in self._draws(message, now):
            bucket.take(tokens)

    def withdraw(self, message: Message | type[Logon], now: Instant) -> None:
        """Take back what was told by `sent`, and then refused by a session's `send`: nothing has left."""
        for bucket, tokens, _ in self._draws(message, now):
            bucket.take(-tokens)

    def spent(
        self, tokens: float, now: Instant, *, bucket: Bucket = _WRITE, shard: int | None = None
    ) -> None:
        """Take note of tokens that something else has spent, such as REST.

        Args:
            tokens: how many; of a request that was refused for the limit (429) none.
            now: the time.
            bucket: which one they were taken from.
            shard: the shard that a single order, amend or cancel named; all else is of no shard.

        Raises:
            ValueError: `tokens` is negative or no number.
        """
        if not (isfinite(tokens) and tokens >= 0):
            raise ValueError(f"tokens must be a number from 0 on, not {tokens!r}")
        self._bucket(self._name(bucket, shard), now).take(tokens)

    def left(self, now: Instant, *, bucket: Bucket = _WRITE, shard: int | None = None) -> float:
        """Return the tokens that a bucket has, with those kept back; below 0 if more were spent."""
        return self._bucket(self._name(bucket, shard), now).level

    def apply(self, happened: object, now: Instant) -> bool:
        """Take an event of a session or client; say whether it was a refusal for the rate limit.

        That empties the bucket that the refused message drew on. Where nobody knows that message, its MsgType
        decides: all buckets for writing, or that for reading.
        """
        sent = happened.sent if isinstance(happened, RejectReceived) else None
        reject = happened.reject if isinstance(happened, RejectReceived) else happened
        if not (
            isinstance(reject, BusinessMessageReject)
            and reject.business_reject_reason == BusinessRejectReason.RATE_LIMIT_EXCEEDED
        ):
            return False
        if sent is not None:
            found = [bucket for bucket, _, _ in self._draws(sent, now)]
        else:
            use = _WRITE if reject.ref_msg_type in _WRITES else _READ
            names = [name for name in self._buckets if name.startswith(use)]
            if reject.ref_msg_type == OrderMassCancelRequest.MSG_TYPE:
                names.append(_MASS_CANCEL)
            found = [self._bucket(name, now) for name in {use, *names}]
        for bucket in found:
            bucket.level = min(bucket.level, 0.0)
        return True

    def lane(self, message: Message | type[Logon]) -> str:
        """Return what tells apart messages that need not wait for each other."""
        name = self._drawn(message)
        if message.MSG_TYPE == OrderMassCancelRequest.MSG_TYPE:
            return _MASS_CANCEL
        return f"{name}, cancels" if name.startswith(_WRITE) and _cancels(message) else name

    # The buckets

    def _draws(self, message: Message | type[Logon], now: Instant) -> list[tuple[_Bucket, float, float]]:
        """Return which buckets a message draws on, by how many tokens, and how many have to stay there."""
        msg_type = message.MSG_TYPE
        if msg_type in _FREE:
            return []
        name = self._drawn(message)
        if name == _LOGON:
            return [(self._bucket(name, now), 1, 0)]
        draws: list[tuple[_Bucket, float, float]] = []
        cost = self._costs.get(msg_type, self._default_cost)
        if cost:
            bucket = self._bucket(name, now)
            kept = 0.0 if name == _READ or _cancels(message) else self._kept_back * bucket.capacity
            draws.append((bucket, cost, kept))
        if msg_type == OrderMassCancelRequest.MSG_TYPE:
            draws.append((self._bucket(_MASS_CANCEL, now), 1, 0))
        return draws

    def _drawn(self, message: Any) -> str:
        msg_type = message.MSG_TYPE
        if msg_type == Logon.MSG_TYPE:
            return _LOGON
        if msg_type not in _WRITES:
            return _READ
        shard = None
        if msg_type in _RFQS:
            shard = limits.RFQ_SHARD
        elif msg_type in _ORDERS and not (msg_type == NewOrderSingle.MSG_TYPE and message.quote_id):
            shard = message.ex_destination
        return self._name(_WRITE, shard)

    def _name(self, bucket: Bucket, shard: int | None) -> str:
        if bucket == _READ or shard is None or shard < 1 or self.product == "margin":
            return bucket
        name = _SHARD + str(shard)
        return name if name in self._buckets or _shards(self._buckets) < MAX_SHARDS else _WRITE

    def _bucket(self, name: str, now: Instant) -> _Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            rate, capacity = self._figures(name)
            bucket = self._buckets[name] = _Bucket(rate, capacity, capacity, now.monotonic)
        bucket.refill(now.monotonic)
        return bucket

    def _figures(self, name: str) -> tuple[float, float]:
        use, bounds = self._use, self._limits
        if name == _LOGON:
            return use / LOGON_INTERVAL, max(1.0, use * LOGON_BURST)
        if name == _MASS_CANCEL:
            return use / limits.MASS_CANCEL_INTERVAL, 1.0
        if name == _READ:
            return use * bounds.read_rate, use * bounds.read_capacity
        return use * bounds.write_rate, use * bounds.write_capacity

    # To be kept by the user

    def dump(self, now: Instant) -> dict[str, Any]:
        """Return what the buckets hold, as values that JSON has; `load` takes it."""
        levels = {}
        for name in self._buckets:
            levels[name] = self._bucket(name, now).level
        return {"version": VERSION, "at": now.utc.isoformat(), "levels": levels}

    def load(self, dumped: Mapping[str, Any], now: Instant) -> None:
        """Take the place of what is known by what `dump` gave, and by what has come back since by the wall
        clock.

        Raises:
            ValueError: it was given by another version, or not by `dump`; then nothing has changed.
        """
        buckets = {}
        with reading_dump(dumped, "a rate budget", "RateBudget"):
            passed = max(0.0, (now.utc - datetime.fromisoformat(dumped["at"])).total_seconds())
            for name, level in dumped["levels"].items():
                rate, capacity = self._figures(name)
                shard = name.removeprefix(_SHARD)
                if not isfinite(level) or not (name in _NAMES or (shard != name and shard.isdecimal())):
                    raise ValueError(f"there is no bucket {name!r} of {level!r}")
                bucket = buckets[name] = _Bucket(rate, capacity, float(level), now.monotonic - passed)
                bucket.refill(now.monotonic)
                bucket.take(0)
            if _shards(buckets) > MAX_SHARDS:
                raise ValueError("it has too many shards")
        self._buckets = buckets


def _cancels(message: Any) -> bool:
    """Say whether a message takes something off the market, and nothing else."""
    msg_type = message.MSG_TYPE
    return msg_type in _CANCELS or (
        msg_type == OrderGroupRequest.MSG_TYPE and message.order_group_action in _CANCELING_ACTIONS
    )


def _shards(buckets: Mapping[str, _Bucket]) -> int:
    return sum(name.startswith(_SHARD) for name in buckets)
