"""What the dumps of all machines have in common: their version, and numbers, keys and moments as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import attrs

from kalshi_fix_sansio.trading.exec_key import ExecKey

VERSION: Final = 1
UNREADABLE: Final = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading may raise where a dump is not one."""


def check_version(dumped: Mapping[str, Any], what: str) -> None:
    """Refuse what another version has written.

    Raises:
        ValueError: it has another version, or none.
    """
    if dumped.get("version") != VERSION:
        raise ValueError(
            f"{what} of version {dumped.get('version')!r} cannot be read; this is version {VERSION}"
        )


@contextmanager
def reading_dump(dumped: Mapping[str, Any], what: str, machine: str) -> Iterator[None]:
    """Read a dump in a `with` block. The machine may change only behind it: then a dump that cannot be read
    has changed nothing.

    Raises:
        ValueError: another version wrote it, or `dump` of this machine did not.
    """
    check_version(dumped, what)
    try:
        yield
    except UNREADABLE as error:
        raise ValueError(f"this was not given by {machine}.dump: {error!r}") from error


def dump_time(time: datetime | None) -> str | None:
    """Return a moment as text, in ISO 8601."""
    return None if time is None else time.isoformat()


def load_time(text: str | None) -> datetime | None:
    """Return a moment of a dump."""
    return None if text is None else datetime.fromisoformat(text)


def load_key(text: str) -> ExecKey:
    """Return a key of a dump.

    Raises:
        ValueError: it is none.
    """
    key = ExecKey.parse(text)
    if key is None:
        raise ValueError("a key is missing")
    return key


def dump_text(value: Decimal | ExecKey | None) -> str | None:
    """Return a number or a key as text."""
    return None if value is None else str(value)


def load_optional_key(text: str | None) -> ExecKey | None:
    """Return a key of a dump that may have none there."""
    return None if text is None else load_key(text)


def load_number(text: str | None) -> Decimal | None:
    """Return a number of a dump."""
    return None if text is None else Decimal(text)


def dump_fields(instance: attrs.AttrsInstance) -> dict[str, Any]:
    """Return the attributes of an instance by name, as values that JSON has."""
    return {name: _plain(value) for name, value in attrs.asdict(instance, recurse=False).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | ExecKey):
        return str(value)
    return list(map(_plain, value)) if isinstance(value, tuple) else value
