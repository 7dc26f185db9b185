"""What may be sent again when the peer asks: the rule is the user's, the defaults are here.

A resent message reaches the peer late. A report of fact is as true as before; an order at yesterday's price
is a new and unwanted risk. What a policy declines is gap-filled, which tells the peer that the number held
nothing it should act on (FIXT 1.1 session layer, "Message recovery").
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.classes.explained import explained

ResendPolicy = Callable[[Message, float], bool]
"""Takes a message as it was sent and its age in seconds; says whether it may go out again."""

STALE_TYPES = frozenset({"D", "E", "G", "s", "t", "AB", "AC", "R", "S", "i"})
"""MsgTypes of FIX 5.0 SP2 that commit to a price at the moment they are sent: new orders of every form (D,
E, s, AB), their replacements (G, t, AC), quote requests (R) and quotes (S, i)."""

DEFAULT_MAX_AGE = 60.0
"""Seconds after which the default policy of an initiator no longer resends anything."""


@explained
@attrs.frozen
class ResendFresh:
    """The default of an initiator: only young messages, and never one that could trade.

    A user-defined MsgType (one that begins with U) is never resent either, because the session cannot know
    what it commits to; name it in `safe_types` to allow it.
    """

    max_age: float = DEFAULT_MAX_AGE
    """Seconds."""
    stale_types: frozenset[str] = STALE_TYPES
    """MsgTypes that never go again."""
    safe_types: frozenset[str] = frozenset()
    """MsgTypes that go again whatever else is said here, while they are young."""

    def __call__(self, message: Message, age: float) -> bool:
        """Say whether this message, sent `age` seconds ago, may go out again."""
        # First: a type in `safe_types` is allowed, but no longer than any other.
        if age > self.max_age:
            return False
        msg_type = message.MSG_TYPE
        if msg_type in self.safe_types:
            return True
        return msg_type not in self.stale_types and not msg_type.startswith("U")


def resend_everything(message: Message, age: float) -> bool:  # noqa: ARG001
    """Allow everything that the store still has: the default of an acceptor, whose messages report facts."""
    return True
