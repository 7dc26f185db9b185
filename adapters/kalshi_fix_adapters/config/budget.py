"""The types of `kalshi_fix_sansio.trading.RateBudget`, for type checkers.

At run time they are placeholders, because importing them also imports the state machines, and importing a
client would then take a sixth longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalshi_fix_sansio.trading.rate_budget import Bucket, RateBudget
else:
    Bucket, RateBudget = str, object

__all__ = ["Bucket", "RateBudget"]
