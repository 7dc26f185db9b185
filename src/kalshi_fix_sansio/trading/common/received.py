"""Reading of received messages, whose fields may be missing and whose texts have no length limit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")
MAX_ID_SIZE: Final = 256
"""Characters of an id, symbol or text of the venue that are kept."""


def readable(text: str | None) -> bool:
    """Return whether an id is present and short enough to be kept whole: a truncated id would name another
    item."""
    return bool(text) and len(text or "") <= MAX_ID_SIZE


def clipped(text: str | None) -> str:
    """Return the first `MAX_ID_SIZE` characters of a text, empty for None."""
    return (text or "")[:MAX_ID_SIZE]


def sending_time(message: Any) -> datetime | None:
    """Return the SendingTime (52) of a message, in UTC; None if unreadable."""
    return None if message.header is None else message.header.sending_time


def first_sent(message: Any) -> datetime | None:
    """Return the time of the first transmission of a message, in UTC: OrigSendingTime (122) of a resent one;
    None if unreadable."""
    return None if message.header is None else message.header.orig_sending_time or message.header.sending_time


def remember(known: dict[K, V], key: K, value: V, limit: int) -> None:
    """Keep an entry as the newest of at most `limit`; the oldest ones are removed to make room."""
    known.pop(key, None)
    while len(known) >= limit:
        del known[next(iter(known))]
    known[key] = value
