"""Where the peer's memory begins, found by asking for single messages.

A peer that keeps messages for a time refuses a ResendRequest that begins before that time (Kalshi: "before
the retention window"), and does not say where the window begins. What it has forgotten is all older than what
it has, so halving the doubtful numbers finds the border in as many requests as their count has binary digits.
"""

from __future__ import annotations

import attrs


@attrs.define
class Search:
    """The oldest message that the peer still has is one of `low` to `high`."""

    low: int
    """Everything before it is refused."""
    high: int
    """It is served, or was not asked for because it is not missing."""

    @property
    def over(self) -> bool:
        """Whether the oldest one is known: it is `low`."""
        return self.low >= self.high

    @property
    def probe(self) -> int:
        """Which number to ask for next."""
        return (self.low + self.high) // 2

    def served(self, number: int) -> bool:
        """Take note that the peer has this one; say whether that is news."""
        if not self.low <= number < self.high:
            return False
        self.high = number
        return True

    def refused(self) -> None:
        """Take note that the peer does not have the one it was asked for."""
        self.low = self.probe + 1
