"""Byte sums over overlapping ranges of a buffer."""

from __future__ import annotations

from kalshi_fix_sansio.framing.frame import ADLER_BLOCK, byte_sum


class Sums:
    """Byte sums over overlapping ranges, computed so that each byte is summed a limited number of times.

    Without this class, nested message beginnings with the same end would each be summed over their whole
    length, which is quadratic work that a peer could cause.

    The range is divided into blocks. The sum up to the start of each block is stored, so the sum of whole
    blocks is one difference, and only the bytes of incomplete blocks at both ends are summed for each range.
    Positions are those in the framer's buffer; `shift` adjusts them when bytes are removed from its
    beginning.
    """

    __slots__ = ("_base", "_totals", "end")

    def __init__(self) -> None:
        self._base = 0
        """Offset of the first block; negative once bytes of that block have been removed from the buffer."""
        self._totals = [0]
        """Sums from `_base` to each block boundary, beginning with `_base` itself."""
        self.end: int = 0
        """End of the bytes that were already summed for a false message start; 0 if there are none. For a
        start before it, the stored sums can be used.
        """

    def restart(self, start: int, end: int) -> None:
        """Discard the sums; the bytes from `start` to `end` were summed once, for a false message start."""
        self._base = start
        self._totals = [0]
        self.end = end

    def shift(self, size: int) -> None:
        """Adjust the positions after `size` bytes were removed from the beginning of the buffer."""
        self.end -= size
        if self.end <= 0:  # every later start is at or after it
            self.restart(0, 0)
            return
        self._base -= size
        # Keep the last sum even if its bytes are removed, because the next sums are computed from it.
        blocks = min(-self._base // ADLER_BLOCK, len(self._totals) - 1)
        if blocks > 0:
            del self._totals[:blocks]
            self._base += blocks * ADLER_BLOCK

    def total(self, buffer: bytearray, start: int, end: int) -> int:
        """Return the sum from `start` to `end`; `start` must not be lower than in an earlier call.

        Only differences of `_totals` are used, from the first whole block after `start`. They never include
        the block that has lost bytes at the beginning of the buffer.
        """
        self.end = max(self.end, end)
        # The first block that begins at or after `start`, and the block that contains `end`.
        first = -(-(start - self._base) // ADLER_BLOCK)
        last = (end - self._base) // ADLER_BLOCK
        if last < first:
            return byte_sum(buffer[start:end])
        totals = self._totals
        while len(totals) <= last:
            at = self._base + (len(totals) - 1) * ADLER_BLOCK
            # A block before the start of the buffer has no bytes left. Its negative end would count from the
            # end of the buffer.
            totals.append(totals[-1] + byte_sum(buffer[max(at, 0) : max(at + ADLER_BLOCK, 0)]))
        return (
            byte_sum(buffer[start : self._base + first * ADLER_BLOCK])
            + totals[last]
            - totals[first]
            + byte_sum(buffer[self._base + last * ADLER_BLOCK : end])
        )
