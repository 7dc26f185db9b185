"""One form for the values that different engines give, to see that they are the same."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from benchmarks.engines.ours import sending_time


class DifferentError(Exception):
    """Two engines do not agree about the same bytes."""


def canonical(values: Iterable[Any]) -> tuple[str, ...]:
    """Write values as FIX has them."""
    return tuple(_text(value) for value in values)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return sending_time(value)
    return str(value)


def fields(data: bytes) -> dict[str, str]:
    """Return the fields of a message without those that say how long it is and what it sums up to."""
    pairs = (item.partition("=") for item in data.decode("latin-1").split("\x01")[:-1])
    return {tag: value for tag, _, value in pairs if tag not in {"9", "10"}}


def require_equal(what: str, values: dict[str, Any]) -> None:
    """Raise DifferentError unless all engines gave the same."""
    (first, expected), *others = values.items()
    for name, value in others:
        if value != expected:
            raise DifferentError(f"{what}: {first} gives {expected!r}, {name} gives {value!r}")
