"""What the dumps of all machines have in common: their version, keys and moments (ISO 8601) as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

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
    """Return a moment as text."""
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
