"""Byte sums over overlapping ranges of a buffer."""

from __future__ import annotations

from kalshi_fix_sansio.framing.frame import ADLER_BLOCK, byte_sum


class Sums:
    """Byte sums over overlapping ranges. Each byte is summed a limited number of times.

    A peer may send many message beginnings that claim the same end. Without this class, each would be summed
    over its whole length, which takes quadratic time.

    The bytes are divided into blocks, and the sum up to the beginning of each block is stored. The sum of
    consecutive whole blocks is then a single subtraction; only the bytes of incomplete blocks at both ends
    of a range are summed again. Positions count from the beginning of the framer's buffer; `shift` adjusts
    them when bytes are removed there.
    """

    def __init__(self) -> None:
        self._base = 0
        """Position of the first block; negative once bytes of that block have been removed from the buffer.
        """
        self._totals = [0]
        """Sums from `_base` to each block boundary, beginning with `_base` itself."""
        self.end: int = 0
        """End of the bytes that were already summed for an invalid message; 0 if there are none. Messages
        that begin before this position must use `total`.
        """

    def restart(self, start: int, end: int) -> None:
        """Discard the sums, and begin again at `start`. The bytes up to `end` were already summed for an
        invalid message.
        """
        self._base = start
        self._totals = [0]
        self.end = end

    def shift(self, size: int) -> None:
        """Adjust the positions after `size` bytes were removed from the beginning of the buffer."""
        self.end -= size
        if self.end <= 0:  # all later messages begin at or after `end`
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

        Only differences of `_totals` are used, from the first whole block after `start` on. They never
        include a block whose first bytes were removed from the buffer.
        """
        self.end = max(self.end, end)
        # The first block that begins at or after `start`, and the block that contains `end`.
        first = -(-(start - self._base) // ADLER_BLOCK)
        last = (end - self._base) // ADLER_BLOCK
        if last < first:
            return byte_sum(buffer[start:end])
        totals = self._totals
        while len(totals) <= last:
            position = self._base + (len(totals) - 1) * ADLER_BLOCK
            # A block before the beginning of the buffer has no bytes left; `max` is needed because a negative
            # index would count from the end.
            totals.append(totals[-1] + byte_sum(buffer[max(position, 0) : max(position + ADLER_BLOCK, 0)]))
        return (
            byte_sum(buffer[start : self._base + first * ADLER_BLOCK])
            + totals[last]
            - totals[first]
            + byte_sum(buffer[self._base + last * ADLER_BLOCK : end])
        )
