"""What a client needs of a rate budget: `kalshi_fix_sansio.trading.RateBudget` is one.

A protocol stands here instead of that class, because to name the class would import the trading machines with
every client, and make that a sixth slower.
"""

from __future__ import annotations

from typing import Literal, Protocol

import kalshi_fix_sansio
from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.clock import Instant

Bucket = Literal["read", "write"]


class Budget(Protocol):
    """How fast an account may ask; the methods are described at `RateBudget`. Used under a lock."""

    @property
    def product(self) -> Product:
        """Which one the account trades; clients of the other one are refused."""

    def lane(self, message: Message) -> str:
        """Return what tells apart messages that need not wait for each other."""

    def wait(self, message: Message | type[kalshi_fix_sansio.Logon], now: Instant) -> float:
        """Return the seconds until a message may leave."""

    def sent(self, message: Message | type[kalshi_fix_sansio.Logon], now: Instant) -> None:
        """Take note that a message leaves."""

    def withdraw(self, message: Message | type[kalshi_fix_sansio.Logon], now: Instant) -> None:
        """Take note that it has not left after all."""

    def spent(self, tokens: float, now: Instant, *, bucket: Bucket, shard: int | None) -> None:
        """Take note of tokens that something else has spent."""

    def apply(self, happened: object, now: Instant) -> object:
        """Take a refusal of the venue's."""
