"""Kalshi's FIX dialect without I/O: typed messages, codec and session."""

from kalshi_fix_sansio import _generated
from kalshi_fix_sansio._generated import *  # noqa: F403 - the list is generated, explicit and typed

__all__: list[str] = []
__all__ += _generated.__all__
