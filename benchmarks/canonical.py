"""A canonical form for the values that engines return, to check that they are equal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Any


class MismatchError(Exception):
    """Two engines return different values for the same bytes."""


def sending_time(time: datetime) -> str:
    """Return a time in FIX format."""
    return f"{time:%Y%m%d-%H:%M:%S}.{time.microsecond // 1000:03d}"


def text(value: Any) -> str:
    """Return a value in FIX format."""
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, Enum):
        return str(value.value)
    return sending_time(value) if isinstance(value, datetime) else str(value)


def canonical(values: Iterable[Any]) -> tuple[str, ...]:
    """Return values in FIX format."""
    return tuple(map(text, values))


def fields(data: bytes) -> dict[str, str]:
    """Return the fields of a message except BodyLength and CheckSum."""
    pairs = (item.partition("=") for item in data.decode("latin-1").split("\x01")[:-1])
    return {tag: value for tag, _, value in pairs if tag not in {"9", "10"}}


def levels(book: Any) -> list[tuple[str, str]]:
    """Return the bids of a book, then its offers: price and size."""
    return [(str(level.price), str(level.size)) for side in (book.bids, book.offers) for level in side]


def require_equal(subject: str, values: dict[str, Any]) -> None:
    """Raise MismatchError unless all engines returned equal values."""
    (first, expected), *others = values.items()
    for name, value in others:
        if value != expected:
            raise MismatchError(f"{subject}: {first} returns {expected!r}, {name} returns {value!r}")
