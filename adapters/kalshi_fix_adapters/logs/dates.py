"""Chooses the dialect for each message of a log by its SendingTime, unless a date is set."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Final, Literal

from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.problems import Problem
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.messages import CODEC, codec_as_of

AsOf = date | Literal["latest"] | None
"""The date of the dialect: a date, `latest` for today's dialect, or None for the date in each message's
SendingTime.
"""
_SENDING_TIME: Final = b"\x0152="
_DAY_SIZE: Final = len("20261101")
_MAX_DAYS: Final = 4096
"""Maximum number of cached days."""


class DatedDecoder:
    """Decodes each message with the dialect of its date, or all messages with the dialect of one date.

    The codec of the previous message is tried first, because the messages of a log are nearly in time order.
    So hardly any message is decoded twice, and reading today's logs costs nothing extra.
    """

    __slots__ = ("_as_of", "_begin", "_end", "codec")

    def __init__(self, as_of: AsOf = None) -> None:
        """Set the date; see `AsOf`."""
        self._as_of = as_of
        self._set_codec(codec_as_of(as_of) if isinstance(as_of, date) else CODEC)

    def __reduce__(self) -> tuple[type[DatedDecoder], tuple[AsOf]]:
        """Pickle only the date, because another process creates its own codecs."""
        return DatedDecoder, (self._as_of,)

    def check(self, frame: bytes) -> tuple[Message, tuple[Problem, ...]]:
        """Return the result of `Codec.check`. Raise DecodeError if the bytes are not one complete message."""
        message, problems = self.codec.check(frame)
        sent = message.header.sending_time
        if (sent is None or not self._begin <= sent < self._end) and self.select(frame):
            return self.codec.check(frame)
        return message, problems

    def decode(self, frame: bytes | Frame) -> Message:
        """Return the result of `Codec.decode`. Raise DecodeError if the bytes are not one complete
        message.
        """
        message = self.codec.decode(frame)
        sent = message.header.sending_time
        if (sent is None or not self._begin <= sent < self._end) and self.select(
            frame.data if isinstance(frame, Frame) else frame
        ):
            return self.codec.decode(frame)
        return message

    def select(self, frame: bytes) -> bool:
        """Set `codec` to the codec for a message, which may be incomplete; return whether `codec` has
        changed.
        """
        codec = self.codec if self._as_of is not None else _codec_by_date(frame)
        if codec is self.codec:
            return False
        self._set_codec(codec)
        return True

    def _set_codec(self, codec: Codec) -> None:
        self.codec: Codec = codec
        since, until = codec.dialect.since, codec.dialect.until
        # A fixed date applies to messages with any SendingTime.
        if self._as_of is not None:
            since = until = None
        self._begin = _midnight(since or date.min)
        self._end = _midnight(until or date.max)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _codec_by_date(frame: bytes) -> Codec:
    """Return the codec for the date in SendingTime (52), or today's codec if there is no such date."""
    field_start = frame.find(_SENDING_TIME)
    value_start = field_start + len(_SENDING_TIME)
    return CODEC if field_start < 0 else _codec_of_day(frame[value_start : value_start + _DAY_SIZE])


@lru_cache(_MAX_DAYS)
def _codec_of_day(digits: bytes) -> Codec:
    if len(digits) != _DAY_SIZE or not digits.isdigit():
        return CODEC
    try:
        return codec_as_of(date(int(digits[:4]), int(digits[4:6]), int(digits[6:])))
    except ValueError:
        return CODEC
