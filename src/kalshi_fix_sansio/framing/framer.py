"""The framer: splits a stream of bytes into complete messages."""

from __future__ import annotations

import re
from typing import Final

import attrs

from kalshi_fix_sansio.framing.frame import (
    CHECK_SUM,
    CHECK_SUM_FIELDS,
    CHECK_SUM_SIZE,
    HEAD,
    SUMS_WITH_CHECK_SUM,
    Frame,
    byte_sum,
)
from kalshi_fix_sansio.framing.sums import Sums

MAX_BODY_LENGTH: Final = 256 * 1024
"""The default limit of BodyLength, in bytes."""
MAX_SAMPLE: Final = 256
"""Maximum number of skipped bytes kept for inspection."""

_INCOMPLETE_HEAD: Final = re.compile(
    rb"8(?:=(?:F(?:I(?:X[ -~]{0,20}(?:\x01(?:9(?:=(?:[1-9][0-9]{0,8}(?:\x01(?:35?)?)?)?)?)?)?)?)?)?)?"
)
"""Matches every incomplete prefix of the texts that `HEAD` matches. If you change one of them, change the
other too.
"""
_MSG_TYPE: Final = re.compile(rb"([!-~]{1,8})\x01")
_MSG_TYPE_SIZE: Final = 9
_CHECK_SUM_FIELD: Final = re.compile(rb"\x0110=[^\x01]{0,7}\x01")
"""A CheckSum field of a skipped message, with any value, and the SOH before it."""
_CHECK_SUM_FIELD_SIZE: Final = 12
"""Maximum number of bytes that `_CHECK_SUM_FIELD` matches."""


@attrs.frozen
class Garbled:
    """Bytes that are not a message and were skipped.

    Attributes:
        reason: Description of the first error, for humans.
        data: The first skipped bytes, at most `MAX_SAMPLE`.
        size: The total number of bytes skipped.
        oversized: Whether the skipped bytes begin with a message that was reported as `Oversized`.
    """

    reason: str
    data: bytes = attrs.field(repr=False)
    size: int
    oversized: bool = False


@attrs.frozen
class Oversized:
    """The beginning of a message that is too large. The message is skipped. Its bytes are later reported as
    `Garbled`, before the next message.

    Attributes:
        body_length: BodyLength of the message, in bytes.
        limit: The largest accepted BodyLength, in bytes.
        msg_type: MsgType of the message; None if unreadable.
    """

    body_length: int
    limit: int
    msg_type: str | None


_SUMS_BY_END: Final = {
    b"\x01" + field: total for field, total in zip(CHECK_SUM_FIELDS, SUMS_WITH_CHECK_SUM, strict=True)
}
"""The sum of all bytes of a message modulo 256, by its last bytes: the SOH before CheckSum, and CheckSum."""
_END_SIZE: Final = 1 + CHECK_SUM_SIZE
MAX_HEADS: Final = 1024
"""Maximum number of message beginnings for which the message size is cached. When the cache is full, it is
emptied.
"""


class Framer:
    """Splits a stream into messages. Pass in bytes with `feed`, in chunks of any size; get complete messages
    with `next`.

    Bytes that are not a message are skipped, and reported together before the next message. A complete
    message with a wrong CheckSum is reported at once. A message that is too large is reported when its length
    is known, and then skipped. The results do not depend on how the stream is split into chunks. The work is
    proportional to the length of the stream, for any content.

    A message of another FIX version is returned too, if it directly follows a complete message, because the
    session answers it. Check `Frame.begin_string`.
    """

    # All positions (`_at`, `_required`, `_searched_to`, and those in `_sums`) count from the beginning of the
    # buffer. `feed` adjusts them when it removes bytes there.
    def __init__(
        self,
        begin_string: str = "FIXT.1.1",
        max_body_length: int = MAX_BODY_LENGTH,
        *,
        skip_by_check_sum: bool = False,
    ) -> None:
        """Begin with an empty buffer.

        Args:
            begin_string: the FIX version to search for in garbage.
            max_body_length: the largest BodyLength accepted, in bytes; a larger message is skipped.
            skip_by_check_sum: whether to skip a message with a wrong BodyLength up to the first CheckSum
                field at or after the position that BodyLength indicates, as some engines do. A valid message
                that begins before that position is lost.
        """
        self._start = b"8=%b\x019=" % begin_string.encode("latin-1")
        self._max_body_length = max_body_length
        self._skip_by_check_sum = skip_by_check_sum
        # Enough bytes to contain BodyLength, with any number of digits, and `35=`.
        self._head_size = len(self._start) + len(f"{max_body_length}\x0135=")
        self._sizes: dict[bytes, int] = {}
        """Message sizes, keyed by the first bytes of the message, which include BodyLength and MsgType."""
        self._buffer = bytearray()
        self._at = 0
        """Position at which the next message begins, or may begin."""
        self._required = 1
        """The buffer length required before another scan can make progress."""
        self._after_garbage = False
        """Whether bytes before `_at` were skipped, so only a message with the expected BeginString may begin
        there.
        """
        self._searched_to = 0
        """Position up to which a search has found no CheckSum field."""
        self._sums = Sums()
        self._reason = ""
        self._sample = b""
        self.skipped: int = 0
        """Number of skipped bytes that `next` has not reported yet."""
        self._oversized = False
        """Whether the skipped bytes begin with a message that is too large."""
        self._report_now = False
        """Whether to report the skipped bytes without waiting for the next message."""
        self._next: Frame | None = None
        """A message that `next` returns after the report of the garbage before it."""

    @property
    def pending(self) -> int:
        """Number of bytes that wait for the rest of their message: at most one message and one chunk."""
        return len(self._buffer) - self._at

    @property
    def contains_message_start(self) -> bool:
        """Whether another message seems to begin within the incomplete message."""
        return self._buffer.find(self._start, self._at + 1) >= 0

    def feed(self, data: bytes) -> None:
        """Append the next chunk of the stream."""
        # Processed bytes are removed only here, so positions do not change between two calls to `feed`.
        at = self._at
        if at:
            del self._buffer[:at]
            if self._sums.end:
                self._sums.shift(at)
            self._required -= at
            self._searched_to -= at
            self._at = 0
        self._buffer += data

    def next(self) -> Frame | Garbled | Oversized | None:
        """Return the next message, or a report of skipped bytes; None if more bytes are needed."""
        buffer, at = self._buffer, self._at
        # `_search` handles garbage, and bytes that were already summed for an invalid message: it sums each
        # byte a limited number of times. The rest of this method is a fast path for consecutive valid
        # messages.
        if self._next is not None or self.skipped or self._after_garbage or at < self._sums.end:
            return self._report_garbage_first(self._next or self._search())
        if len(buffer) < self._required:
            return None
        # A message that begins like an earlier one, with the same BodyLength, has the same size, so only its
        # end and its CheckSum must be checked. With `_search` alone, framing takes 1.6 times as long, and a
        # replay of market data 1.2 times as long. `tests/framing/test_framing.py` checks that both give the
        # same results.
        size = self._sizes.get(bytes(buffer[at : at + self._head_size]))
        if size is None:
            return self._report_garbage_first(self._search())
        end = at + size
        if end > len(buffer):
            self._required = end
            return None
        data = bytes(buffer[at:end])
        if _SUMS_BY_END.get(data[-_END_SIZE:]) != byte_sum(data) & 0xFF:
            # CheckSum is wrong or missing, so another message may begin among these bytes. Use `_sums` for
            # them; otherwise each possible message would be summed over its whole length.
            self._sums.restart(at, end)
            return self._report_garbage_first(self._search())
        self._at = end
        self._required = end + 1
        return Frame(data)

    def _report_garbage_first(self, frame: Frame | Oversized | None) -> Frame | Garbled | Oversized | None:
        """Return a report of the bytes skipped before a message or, if there are none, the message."""
        # Return an Oversized at once. Garbage before it is reported later, together with the bytes of the
        # large message.
        if isinstance(frame, Oversized):
            return frame
        if self.skipped and (frame is not None or self._report_now):
            self._next = frame
            return self._take_garbage()
        self._next = None
        return frame

    def resync(self) -> None:
        """Abandon an incomplete message, and search for the next one after its start.

        `next` then reports the skipped bytes without waiting for the next message. Call this when `pending`
        stays above 0 for too long, and at the end of the stream.
        """
        if self.pending:
            self._give_up("the end of the message did not arrive")
        self._report_now = self.skipped > 0

    def _search(self) -> Frame | Oversized | None:
        buffer = self._buffer
        while len(buffer) >= self._required:
            at = self._at
            head = HEAD.match(buffer, at)
            # Garbage may look like a message, so after garbage, only accept a message with the expected
            # BeginString.
            if head is None or (self._after_garbage and not buffer.startswith(self._start, at)):
                if self._may_become_head(at):
                    self._required = len(buffer) + 1
                else:
                    self._give_up("the bytes do not begin with BeginString, BodyLength and MsgType")
                continue
            length = int(head[2])
            if length > self._max_body_length:
                # Wait for MsgType, which the report contains, but only up to its maximum length.
                msg_type = _MSG_TYPE.match(buffer, head.end())
                if msg_type is None and len(buffer) < head.end() + _MSG_TYPE_SIZE:
                    self._required = len(buffer) + 1
                    continue
                return self._give_up_oversized(length, None if msg_type is None else msg_type[1].decode())
            sum_end = head.end(2) + 1 + length
            end = sum_end + CHECK_SUM_SIZE
            if len(buffer) < end:
                self._required = end
                continue
            check_sum = CHECK_SUM.fullmatch(buffer, sum_end, end)
            if check_sum is None or buffer[sum_end - 1] != 1:
                self._give_up_misframed(
                    f"CheckSum is not at the position given by BodyLength {length}", sum_end
                )
                continue
            actual = self._check_sum(at, sum_end)
            if actual != int(check_sum[1]):
                self._give_up_complete(f"CheckSum is {check_sum[1].decode()}, expected {actual:03d}", end)
                if self._report_now:
                    break  # `next` reports it at once, even if the next message is incomplete
                continue
            self._at = end
            self._required = end + 1
            self._after_garbage = False
            data = bytes(buffer[at:end])
            # Cache the size only for the expected version. After a longer BeginString, the first `_head_size`
            # bytes may not include all of BodyLength, so messages of different sizes could share them.
            if data.startswith(self._start):
                if len(self._sizes) >= MAX_HEADS:
                    self._sizes.clear()
                self._sizes[data[: self._head_size]] = end - at
            return Frame(data)
        return None

    def _may_become_head(self, at: int) -> bool:
        if self._after_garbage:
            begun = bytes(self._buffer[at : at + len(self._start)])
            if not self._start.startswith(begun):
                return False
        return _INCOMPLETE_HEAD.fullmatch(self._buffer, at) is not None

    def _check_sum(self, start: int, end: int) -> int:
        # Sum new bytes directly: most messages are valid, so block sums kept by `Sums` would rarely be used
        # again.
        if start < self._sums.end:
            return self._sums.total(self._buffer, start, end) & 0xFF
        return byte_sum(self._buffer[start:end]) & 0xFF

    def _give_up(self, reason: str) -> None:
        """Skip to the next position at which a message may begin."""
        next_start = self._buffer.find(self._start, self._at + 1)
        self._skip_to(
            len(self._buffer) - self._partial_start_size() if next_start < 0 else next_start, reason
        )
        self._after_garbage = True

    def _give_up_oversized(self, length: int, msg_type: str | None) -> Oversized:
        """Skip a message that is too large."""
        limit = self._max_body_length
        # Set this before bytes are skipped: it is True only if the garbage begins with this message.
        self._oversized = self._oversized or not self.skipped
        self._give_up(f"BodyLength {length} is over the limit of {limit}")
        return Oversized(length, limit, msg_type)

    def _give_up_complete(self, reason: str, end: int) -> None:
        """Skip a complete message with a wrong CheckSum or, if another message begins inside it, skip to that
        one.
        """
        if self._at >= self._sums.end:
            self._sums.restart(self._at, end)
        # If another message begins inside, BodyLength may be wrong instead of CheckSum.
        inner_start = self._buffer.find(self._start, self._at + 1, end)
        self._report_now = inner_start < 0
        self._after_garbage = inner_start >= 0
        self._skip_to(end if inner_start < 0 else inner_start, reason)

    def _give_up_misframed(self, reason: str, sum_end: int) -> None:
        """Skip a message whose BodyLength is wrong, up to the next message. With `skip_by_check_sum`, skip
        instead up to the end of the next CheckSum field, if one follows within `max_body_length` bytes.
        """
        if not self._skip_by_check_sum:
            self._give_up(reason)
            return
        size, limit = len(self._buffer), sum_end + self._max_body_length
        # Search from the SOH before the expected CheckSum. With the next chunk, continue where the last
        # search ended.
        check_sum = _CHECK_SUM_FIELD.search(self._buffer, max(sum_end - 1, self._searched_to), limit)
        if check_sum is not None:
            self._after_garbage = False
            self._skip_to(check_sum.end(), reason)
        elif size >= limit:
            self._give_up(reason)
        else:
            # The last bytes may be the beginning of a CheckSum field.
            self._searched_to = size - _CHECK_SUM_FIELD_SIZE + 1
            self._required = size + 1

    def _skip_to(self, position: int, reason: str) -> None:
        at = self._at
        if not self.skipped:
            self._reason = reason
        self._sample += self._buffer[at : min(position, at + MAX_SAMPLE - len(self._sample))]
        self.skipped += position - at
        self._at = position
        self._required = position + 1
        self._searched_to = 0

    def _partial_start_size(self) -> int:
        """Return the number of bytes at the end of the buffer that may be the beginning of a message."""
        buffer = self._buffer
        for size in range(min(len(self._start), self.pending) - 1, 0, -1):
            if buffer.endswith(self._start[:size]):
                return size
        return 0

    def _take_garbage(self) -> Garbled:
        garbled = Garbled(self._reason, self._sample, self.skipped, self._oversized)
        self._sample = b""
        self.skipped = 0
        self._oversized = self._report_now = False
        return garbled
