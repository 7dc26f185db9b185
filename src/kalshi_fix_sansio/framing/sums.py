"""Byte sums over ranges of a buffer that overlap."""

from __future__ import annotations

from kalshi_fix_sansio.framing.frame import ADLER_BLOCK, byte_sum


class Sums:
    """Byte sums over ranges that overlap, each byte added up a bounded number of times.

    Nested starts of messages that all claim the same end would otherwise cost their length each.
    """

    __slots__ = ("_base", "_totals", "end")

    def __init__(self) -> None:
        self._base = 0
        self._totals = [0]
        """Sum from `_base` to each multiple of the block size after it."""
        self.end = 0
        """Up to where the buffer was added up in vain."""

    def restart(self, start: int, end: int) -> None:
        """Begin a new region whose sum was of no use."""
        self._base = start
        self._totals = [0]
        self.end = end

    def shift(self, size: int) -> None:
        """Follow a buffer that lost this many bytes at its front."""
        self.end -= size
        self._base -= size
        gone = min(-self._base // ADLER_BLOCK, len(self._totals) - 1)
        if gone > 0:
            del self._totals[:gone]
            self._base += gone * ADLER_BLOCK

    def total(self, buffer: bytearray, start: int, end: int) -> int:
        """Return the sum from start to end; `start` never lies before that of an earlier call.

        Only differences of `_totals` count, from the first whole block behind `start` on: the block that
        the front of the buffer was cut off from is never among them.
        """
        self.end = max(self.end, end)
        first = -(-(start - self._base) // ADLER_BLOCK)
        last = (end - self._base) // ADLER_BLOCK
        if last < first:
            return byte_sum(buffer[start:end])
        totals = self._totals
        while len(totals) <= last:
            at = self._base + (len(totals) - 1) * ADLER_BLOCK
            totals.append(totals[-1] + byte_sum(buffer[max(at, 0) : at + ADLER_BLOCK]))
        return (
            byte_sum(buffer[start : self._base + first * ADLER_BLOCK])
            + totals[last]
            - totals[first]
            + byte_sum(buffer[self._base + last * ADLER_BLOCK : end])
        )
