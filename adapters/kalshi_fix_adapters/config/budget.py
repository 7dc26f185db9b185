"""The interface through which a client uses a rate budget; `kalshi_fix_sansio.trading.RateBudget` implements
it.

This is a protocol, because importing that class also imports the state machines, and importing a client would
then take a sixth longer.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal, Protocol

from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message

Bucket = Literal["read", "write"]


class Budget(Protocol):
    """The rate limits of an account; `RateBudget` describes the methods. Clients use it with a lock held."""

    @property
    def product(self) -> Product:
        """The product of the account; clients of the other product cannot use the budget."""

    def queue_of(self, message: Message) -> str:
        """Return the name of a message's queue. Messages in different queues do not block each other."""

    def wait(self, message: Message, now: Instant) -> float:
        """Return the number of seconds until a message may be sent."""

    def sent(self, message: Message, now: Instant) -> None:
        """Record a sent message."""

    def withdraw(self, message: Message, now: Instant) -> None:
        """Undo `sent` for a message that was not sent after all."""

    def reserve_logon(self, owner: Hashable, seconds: float, now: Instant) -> float:
        """Reserve a Logon for this many seconds; return 0, or the number of seconds after which to try
        again.
        """

    def settle_logon(self, owner: Hashable, now: Instant, *, sent: bool) -> None:
        """End the reservation of a Logon, or the wait for one."""

    def spent(self, tokens: float, now: Instant, *, bucket: Bucket, shard: int | None) -> None:
        """Record tokens spent outside the client, for example via REST."""

    def apply(self, event: object, now: Instant) -> object:
        """Apply a reject from the venue."""
