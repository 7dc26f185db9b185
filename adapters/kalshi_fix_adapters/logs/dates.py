"""The dialect by which a message of a log is judged: that of its SendingTime, unless a date is set."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final, Literal

from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.messages import CODEC, codec_as_of

AsOf = date | Literal["latest"] | None
"""A date, `latest` for today's dialect, or None for the date of each message's SendingTime."""
_SENDING_TIME: Final = b"\x0152="
_DAY_SIZE: Final = len("20261101")
_MAX_DAYS: Final = 4096
"""Maximum number of cached days."""
_TODAYS: Final = b"" if DIALECT.since is None else f"{DIALECT.since:%Y%m%d}".encode()
"""The first day of today's dialect, as SendingTime begins on it."""


def codec_of(frame: bytes, as_of: AsOf = None) -> Codec:
    """Return the codec that judges a message. Without a date in SendingTime (52), it is that of today."""
    if as_of is None:
        # Only older messages look further: reading a log of today takes a hundredth longer for this.
        at = frame.find(_SENDING_TIME)
        if at >= 0 and (day := frame[at + 4 : at + 4 + _DAY_SIZE]) < _TODAYS:
            return _codec_of_day(day)
        return CODEC
    return CODEC if as_of == "latest" else codec_as_of(as_of)


@lru_cache(_MAX_DAYS)
def _codec_of_day(written: bytes) -> Codec:
    if len(written) != _DAY_SIZE or not written.isdigit():
        return CODEC
    try:
        return codec_as_of(date(int(written[:4]), int(written[4:6]), int(written[6:])))
    except ValueError:
        return CODEC
