"""The types `Bucket` and `RateBudget` of `kalshi_fix_sansio.trading.rate_budget`, for type checkers.

At run time they are placeholders: importing the real types also imports the state machines, and importing a
client would then take a sixth longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalshi_fix_sansio.trading.rate_budget import Bucket, RateBudget
else:
    Bucket, RateBudget = str, object

__all__ = ["Bucket", "RateBudget"]
