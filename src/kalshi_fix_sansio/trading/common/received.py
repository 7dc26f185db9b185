"""Helpers for received messages, whose fields may be missing and whose texts have no length limit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")
MAX_ID_SIZE: Final = 256
"""Maximum number of characters kept of an id, symbol or text from the venue."""


def is_valid_id(text: str | None) -> bool:
    """Return whether an id is present and short enough to be kept in full. Longer ids are rejected, because a
    truncated id could identify another item.
    """
    return bool(text) and len(text or "") <= MAX_ID_SIZE


def clipped(text: str | None) -> str:
    """Return the first `MAX_ID_SIZE` characters of a text, empty for None."""
    return (text or "")[:MAX_ID_SIZE]


def sending_time(message: Any) -> datetime | None:
    """Return the SendingTime (52) of a message, in UTC; None if it cannot be read."""
    return None if message.header is None else message.header.sending_time


def first_sending_time(message: Any) -> datetime | None:
    """Return the time when a message was first sent, in UTC; None if it cannot be read. It is in
    OrigSendingTime (122) if the message was resent, or else in SendingTime (52).
    """
    return None if message.header is None else message.header.orig_sending_time or message.header.sending_time


def remember(entries: dict[K, V], key: K, value: V, limit: int) -> None:
    """Set an entry and make it the newest. The oldest entries are removed if there are more than `limit`."""
    entries.pop(key, None)
    while len(entries) >= limit:
        del entries[next(iter(entries))]
    entries[key] = value
