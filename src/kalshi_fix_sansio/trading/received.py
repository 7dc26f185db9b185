"""What is read and kept of received messages, whose fields may be missing and whose texts have no bound."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")
MAX_ID_SIZE: Final = 256
"""Characters of an id, symbol or text of the venue's that is kept."""


def readable(text: str | None) -> bool:
    """Say whether an id is there and short enough to be kept whole: one that is cut off would name
    another."""
    return bool(text) and len(text or "") <= MAX_ID_SIZE


def clipped(text: str | None) -> str:
    """Return the first `MAX_ID_SIZE` characters of a text, empty for None."""
    return (text or "")[:MAX_ID_SIZE]


def sending_time(message: Any) -> datetime | None:
    """Return when a message was sent, in UTC; None if that cannot be read."""
    return None if message.header is None else message.header.sending_time


def remember(known: dict[K, V], key: K, value: V, most: int) -> None:
    """Keep something as the newest of at most so many; the oldest is forgotten for it."""
    known.pop(key, None)
    while len(known) >= most:
        del known[next(iter(known))]
    known[key] = value
