"""A model of the venue's token buckets: how many tokens are left, and how long the next message must wait.

A bucket refills continuously, up to its capacity. The venue accepts a message if its bucket contains enough
tokens for the cost of the message (Kalshi's page on rate limits). For each product, an account has one read
bucket, one write bucket, and one more write bucket for each exchange shard that its messages name. REST
requests draw on the same buckets. Session messages such as Heartbeats are free, except Logons.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Final, Literal, TypeGuard

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
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import RejectReceived
from kalshi_fix_sansio.trading.common.dumping import dump_state, loading

Bucket = Literal["read", "write"]

TOKEN_COSTS: Final[Mapping[Product, Mapping[str, float]]] = {
    "prediction": {
        OrderCancelRequest.MSG_TYPE: limits.CANCEL_COST,
        Quote.MSG_TYPE: limits.QUOTE_COST,
        QuoteCancel.MSG_TYPE: limits.QUOTE_COST,
    },
    "margin": {OrderCancelRequest.MSG_TYPE: limits.MARGIN_CANCEL_COST},
}
"""Cost in tokens by product and MsgType (35), where it differs from `default_cost`."""
LOGON_INTERVAL: Final = 1.0
"""Average seconds between Logons. This is an assumption: the venue limits Logons, but publishes no figure."""
LOGON_BURST: Final = 10
"""Maximum number of Logons in quick succession; also an assumption."""
MAX_SHARDS: Final = 64
"""Maximum number of shards with a separate bucket. Messages to further shards use the write bucket that
belongs to no shard.
"""
_FREE: Final = frozenset("012345")
"""MsgTypes of the session layer, except the Logon."""
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
"""Prefix of the name of a shard's bucket, followed by the number of the shard."""
_LOGON: Final = "logon"
_MASS_CANCEL: Final = "mass cancel"
_NAMES: Final = (_READ, _WRITE, _LOGON, _MASS_CANCEL)
_MAX_LATENESS: Final = 5.0
"""Seconds by which a client that waits to reserve a Logon may be late. It must call `reserve_logon` again
when the returned wait is over; if it is later than this, it loses its place in the queue.
"""
_ROUNDING: Final = 1e-4
"""Tolerance in tokens. Times are floats, which are not exact if the clock has run for years."""


@attrs.frozen
class TokenLimits:
    """Capacities and refill rates of an account's buckets, as REST reports them in the account limits.

    Attributes:
        write_rate: Refill of the write bucket in tokens per second.
        write_capacity: Capacity of the write bucket in tokens.
        read_rate: Refill of the read bucket in tokens per second.
        read_capacity: Capacity of the read bucket in tokens.
    """

    write_rate: float
    write_capacity: float
    read_rate: float
    read_capacity: float

    @classmethod
    def of_tier(cls, tier: str, product: Product = "prediction") -> TokenLimits:
        """Return the limits of a tier, such as "Premier". The margin product is assumed to have the same
        rates as the prediction product.

        Raises:
            ConfigurationError: the tier does not exist.
        """
        if tier not in limits.WRITE_TOKENS:
            known = ", ".join(limits.WRITE_TOKENS)
            raise ConfigurationError(f"there is no tier {tier!r}; use one of {known}")
        write, read = limits.WRITE_TOKENS[tier], limits.READ_TOKENS[tier]
        read_burst = limits.MARGIN_READ_BURST if product == "margin" else limits.READ_BURST[tier]
        return cls(write, write * limits.WRITE_BURST[tier], read, read * read_burst)


@attrs.define
class TokenBucket:
    """A bucket of tokens that refills continuously, up to a capacity.

    Attributes:
        rate: Refill in tokens per second.
        capacity: Maximum number of tokens.
        level: Number of tokens at the time `at`; negative if the bucket was overdrawn.
        at: Time of the last refill, in seconds of `Instant.monotonic`.
    """

    rate: float
    capacity: float
    level: float
    at: float

    def refill(self, now: float) -> None:
        """Add the tokens for the time since the last call."""
        self.level = min(self.capacity, self.level + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)

    def missing(self, tokens: float) -> float:
        """Return the number of tokens still needed to cover `tokens`; 0 if the level suffices."""
        shortfall = tokens - self.level
        return shortfall if shortfall > _ROUNDING else 0.0

    def spend(self, tokens: float) -> None:
        """Remove tokens, overdrawing the bucket by at most its capacity; a negative number returns tokens."""
        self.level = max(-self.capacity, min(self.capacity, self.level - tokens))


def bucket_of(message: Message) -> tuple[Bucket, int | None]:
    """Return the bucket that an application message draws on, and its shard, if any."""
    msg_type = message.MSG_TYPE
    if msg_type not in _WRITES:
        return _READ, None
    if msg_type in _RFQS or accepts_quote(message):
        return _WRITE, limits.RFQ_SHARD
    if isinstance(message, NewOrderSingle | OrderCancelReplaceRequest | OrderCancelRequest):
        return _WRITE, message.ex_destination
    return _WRITE, None


def accepts_quote(message: object) -> TypeGuard[NewOrderSingle]:
    """Return whether a message is an order that accepts a quote."""
    return isinstance(message, NewOrderSingle) and message.quote_id is not None


@attrs.frozen
class _State:
    """The layout of a dump."""

    at: datetime
    levels: dict[str, float]
    """Number of tokens by name of the bucket."""


class RateBudget:
    """The token buckets of one account for one product, shared by all its sessions and REST.

    Call `wait` before sending a message, and `sent` when it is sent. The clients do both if you pass them the
    budget. Pass every event to `apply`: a reject for exceeding the rate limit (BusinessRejectReason (380) 8)
    empties the bucket of the rejected message. Call `record_spending` with the tokens that REST requests
    have spent.
    """

    def __init__(
        self,
        tier: str | TokenLimits,
        *,
        product: Product = "prediction",
        use: float = 0.95,
        cancel_reserve: float = 0.2,
        costs: Mapping[str, float] | None = None,
        default_cost: float = limits.DEFAULT_COST,
    ) -> None:
        """Start with full buckets.

        Args:
            tier: the tier of the account, such as "Premier", or its limits.
            product: the product that the account trades; each product has separate buckets.
            use: the fraction of rate and capacity to use. The rest is a safety margin for unknown effects,
                such as messages that reach the venue closer together than they were sent.
            cancel_reserve: the fraction of a write bucket that is reserved for cancels, so orders and quotes
                cannot use it.
            costs: costs in tokens by MsgType (35) that override `TOKEN_COSTS`, such as
                `{QuoteConfirm.MSG_TYPE: 2}`.
            default_cost: cost of all other messages in tokens.

        Raises:
            ConfigurationError: the tier does not exist, or a number is outside its range. `use` must be above
                0 and at most 1, `cancel_reserve` at least 0 and below 1. A cost must not be negative, or
                exceed the usable capacity of a bucket. Refill rates must be above 0.
        """
        self.tier: str | TokenLimits = tier
        self.product: Product = product
        self._limits = TokenLimits.of_tier(tier, product) if isinstance(tier, str) else tier
        self._use, self._cancel_reserve = use, cancel_reserve
        self._costs, self._default_cost = {**TOKEN_COSTS[product], **(costs or {})}, default_cost
        self._buckets: dict[str, TokenBucket] = {}
        self._reserved: dict[Hashable, float] = {}
        """Time at which the reservation of each owner expires, in seconds of `Instant.monotonic`."""
        self._waiting: dict[Hashable, float] = {}
        """Time at which each owner that waits to reserve a Logon loses its place in the queue. The owners are
        in the order of their first calls.
        """
        self._check()

    def _check(self) -> None:
        if not 0 < self._use <= 1:
            raise ConfigurationError(f"use must be above 0 and at most 1, not {self._use!r}")
        if not 0 <= self._cancel_reserve < 1:
            raise ConfigurationError(
                f"cancel_reserve must be at least 0 and below 1, not {self._cancel_reserve!r}"
            )
        account_limits = self._limits
        usable = self._use * min(
            account_limits.read_capacity, account_limits.write_capacity * (1 - self._cancel_reserve)
        )
        for cost in (self._default_cost, *self._costs.values()):
            if not 0 <= cost <= usable:
                raise ConfigurationError(
                    f"a message must cost 0 to {usable:g} tokens, which fit in a bucket, not {cost:g}"
                )
        if not (account_limits.write_rate > 0 and account_limits.read_rate > 0):
            raise ConfigurationError("the refill rate of a bucket must be above 0")

    def __repr__(self) -> str:
        return f"<RateBudget {self.tier} {self.product}>"

    def cost(self, message: Message) -> float:
        """Return the cost of a message in tokens."""
        return self._costs.get(message.MSG_TYPE, self._default_cost)

    def wait(self, message: Message | type[Logon], now: Instant) -> float:
        """Return the seconds until a message may be sent; 0 if it may be sent now. For a Logon, the class
        `Logon` may be passed instead.
        """
        seconds = 0.0
        for bucket, tokens, reserve in self._charged_buckets(message, now):
            seconds = max(seconds, bucket.missing(reserve + tokens) / bucket.rate)
        return seconds

    def sent(self, message: Message | type[Logon], now: Instant) -> None:
        """Record that a message was sent."""
        for bucket, tokens, _ in self._charged_buckets(message, now):
            bucket.spend(tokens)

    def withdraw(self, message: Message | type[Logon], now: Instant) -> None:
        """Undo `sent` for a message that was not sent because the session's `send` refused it."""
        for bucket, tokens, _ in self._charged_buckets(message, now):
            bucket.spend(-tokens)

    def reserve_logon(self, owner: Hashable, seconds: float, now: Instant) -> float:
        """Reserve a Logon before connecting. Return 0 if it is reserved, or the seconds after which to call
        again.

        While a reservation is held, the bucket does not refill its token, so all reserved Logons can be sent
        at the same time. Waiting owners are served in the order of their first calls. A further call by an
        owner that holds a reservation extends it.

        Args:
            owner: identifies the reservation.
            seconds: time after which the reservation expires, unless `end_logon_reservation` ends it earlier.
                Pass the longest time that connecting may take.
            now: the current time.
        """
        time = now.monotonic
        # Refill before expired reservations are removed, because they limited the refill until now.
        bucket = self._bucket(_LOGON, now)
        for expiries in (self._waiting, self._reserved):
            for expired in [expired for expired, end in expiries.items() if end <= time]:
                del expiries[expired]
        if owner in self._reserved:
            self._reserved[owner] = time + seconds
            return 0.0
        waiting = list(self._waiting)
        position = waiting.index(owner) if owner in self._waiting else len(waiting)
        missing = bucket.missing(position + 1)
        if missing:
            wait = missing / bucket.rate
            self._waiting[owner] = time + wait + _MAX_LATENESS
            return wait
        self._waiting.pop(owner, None)
        bucket.spend(1)
        self._reserved[owner] = time + seconds
        return 0.0

    def end_logon_reservation(self, owner: Hashable, now: Instant, *, sent: bool) -> None:
        """End the reservation of a Logon, or the wait for one, because the Logon was sent or abandoned."""
        bucket = self._bucket(_LOGON, now)
        self._waiting.pop(owner, None)
        # The Logon of an expired reservation counts as sent, so its token is not returned.
        if self._reserved.pop(owner, now.monotonic) > now.monotonic and not sent:
            bucket.spend(-1)

    def record_spending(
        self, tokens: float, now: Instant, *, bucket: Bucket = _WRITE, shard: int | None = None
    ) -> None:
        """Record tokens that were spent elsewhere, such as by REST requests.

        Args:
            tokens: number of tokens; 0 for a request that was refused for exceeding the rate limit (429).
            now: the current time.
            bucket: the bucket that the request drew on.
            shard: the shard of a single order, amend or cancel; None for all other requests.

        Raises:
            ValueError: `tokens` is negative or not finite.
        """
        if not (isfinite(tokens) and tokens >= 0):
            raise ValueError(f"tokens must be 0 or more, not {tokens!r}")
        self._bucket(self._name(bucket, shard), now).spend(tokens)

    def left(self, now: Instant, *, bucket: Bucket = _WRITE, shard: int | None = None) -> float:
        """Return the number of tokens in a bucket, including those reserved for cancels; negative if the
        bucket was overdrawn.
        """
        return self._bucket(self._name(bucket, shard), now).level

    def apply(self, event: object, now: Instant) -> bool:
        """Apply an event of a session or client; return whether it was a reject for exceeding the rate limit.

        Such a reject empties the bucket of the rejected message. If only the MsgType of that message is
        known, the reject empties all write buckets or the read bucket, depending on the MsgType.
        """
        sent = event.sent if isinstance(event, RejectReceived) else None
        reject = event.reject if isinstance(event, RejectReceived) else event
        if not (
            isinstance(reject, BusinessMessageReject)
            and reject.business_reject_reason == BusinessRejectReason.RATE_LIMIT_EXCEEDED
        ):
            return False
        if sent is not None:
            buckets = [bucket for bucket, _, _ in self._charged_buckets(sent, now)]
        else:
            kind = _WRITE if reject.ref_msg_type in _WRITES else _READ
            names = [name for name in self._buckets if name.startswith(kind)]
            if reject.ref_msg_type == OrderMassCancelRequest.MSG_TYPE:
                names.append(_MASS_CANCEL)
            buckets = [self._bucket(name, now) for name in {kind, *names}]
        for bucket in buckets:
            bucket.level = min(bucket.level, 0.0)
        return True

    def queue_of(self, message: Message | type[Logon]) -> str:
        """Return the name of the queue in which a client keeps a message that must wait. Messages in
        different queues do not block each other.
        """
        name = self._bucket_name(message)
        if message.MSG_TYPE == OrderMassCancelRequest.MSG_TYPE:
            return _MASS_CANCEL
        return f"{name}, cancels" if name.startswith(_WRITE) and _cancels(message) else name

    # --- buckets --------------------------------------------------------------------------------------

    def _charged_buckets(
        self, message: Message | type[Logon], now: Instant
    ) -> list[tuple[TokenBucket, float, float]]:
        """Return the buckets that a message draws on, each with two numbers: the cost of the message in
        tokens, and the tokens that must remain in the bucket.
        """
        msg_type = message.MSG_TYPE
        if msg_type in _FREE:
            return []
        name = self._bucket_name(message)
        if name == _LOGON:
            return [(self._bucket(name, now), 1, 0)]
        charges: list[tuple[TokenBucket, float, float]] = []
        cost = self._costs.get(msg_type, self._default_cost)
        if cost:
            bucket = self._bucket(name, now)
            reserve = 0.0 if name == _READ or _cancels(message) else self._cancel_reserve * bucket.capacity
            charges.append((bucket, cost, reserve))
            if accepts_quote(message):
                # The venue's pages disagree on which shard is charged: that of RFQs, or the one that the
                # order names. Charge both.
                order_bucket = self._name(_WRITE, message.ex_destination)
                if order_bucket not in (name, _WRITE):
                    charges.append((self._bucket(order_bucket, now), cost, reserve))
        if msg_type == OrderMassCancelRequest.MSG_TYPE:
            charges.append((self._bucket(_MASS_CANCEL, now), 1, 0))
        return charges

    def _bucket_name(self, message: Any) -> str:
        if message.MSG_TYPE == Logon.MSG_TYPE:
            return _LOGON
        return self._name(*bucket_of(message))

    def _name(self, bucket: Bucket, shard: int | None) -> str:
        if bucket == _READ or shard is None or shard < 1 or self.product == "margin":
            return bucket
        name = _SHARD + str(shard)
        return name if name in self._buckets or _shard_count(self._buckets) < MAX_SHARDS else _WRITE

    def _bucket(self, name: str, now: Instant) -> TokenBucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            rate, capacity = self._rate_and_capacity(name)
            bucket = self._buckets[name] = TokenBucket(rate, capacity, capacity, now.monotonic)
        bucket.refill(now.monotonic)
        if name == _LOGON:
            bucket.level = min(bucket.level, bucket.capacity - len(self._reserved))
        return bucket

    def _rate_and_capacity(self, name: str) -> tuple[float, float]:
        use, account_limits = self._use, self._limits
        if name == _LOGON:
            return use / LOGON_INTERVAL, max(1.0, use * LOGON_BURST)
        if name == _MASS_CANCEL:
            return use / limits.MASS_CANCEL_INTERVAL, 1.0
        if name == _READ:
            return use * account_limits.read_rate, use * account_limits.read_capacity
        return use * account_limits.write_rate, use * account_limits.write_capacity

    # --- dump and load --------------------------------------------------------------------------------

    def dump(self, now: Instant) -> dict[str, Any]:
        """Return the levels of the buckets as JSON values, for `load`."""
        levels = {name: self._bucket(name, now).level for name in self._buckets}
        return dump_state(_State(now.utc, levels))

    def load(self, dumped: Mapping[str, Any], now: Instant) -> None:
        """Replace the levels of the buckets with those of a dump, and add the tokens for the time since the
        dump, according to the wall clock.

        Raises:
            ValueError: the dump was not produced by `dump` of this class and version; the state is unchanged.
        """
        buckets = {}
        with loading(dumped, _State, "RateBudget") as state:
            elapsed = max(0.0, (now.utc - state.at).total_seconds())
            for name, level in state.levels.items():
                rate, capacity = self._rate_and_capacity(name)
                shard = name.removeprefix(_SHARD)
                if not isfinite(level) or not (name in _NAMES or (shard != name and shard.isdecimal())):
                    raise ValueError(f"bucket {name!r} is unknown, or its level {level!r} is not finite")
                bucket = buckets[name] = TokenBucket(rate, capacity, level, now.monotonic - elapsed)
                bucket.refill(now.monotonic)
                bucket.spend(0)  # limits how far the bucket is overdrawn
            if _shard_count(buckets) > MAX_SHARDS:
                raise ValueError(f"a dump must not contain more than {MAX_SHARDS} shards")
        self._buckets = buckets


def _cancels(message: Any) -> bool:
    """Return whether a message only cancels orders or quotes."""
    msg_type = message.MSG_TYPE
    return msg_type in _CANCELS or (
        msg_type == OrderGroupRequest.MSG_TYPE and message.order_group_action in _CANCELING_ACTIONS
    )


def _shard_count(buckets: Mapping[str, TokenBucket]) -> int:
    return sum(name.startswith(_SHARD) for name in buckets)
