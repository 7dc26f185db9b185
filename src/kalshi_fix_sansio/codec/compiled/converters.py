"""Converters for the compiled decoders. Every text has already matched the regular expression of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any, Final

from kalshi_fix_sansio.dialect.layout import Kind
from kalshi_fix_sansio.dialect.limits import LimitCheck
from kalshi_fix_sansio.scalars.parsing import CONVERSIONS


def to_timestamp(text: str) -> datetime:
    """Convert the text of a UTCTimestamp; raise ValueError for a day that does not exist."""
    return datetime.fromisoformat(text + "Z")


def convert_optional(convert: Callable[[str], Any] | None, column: Sequence[str | None]) -> Iterable[Any]:
    """Convert the values of one field in all entries of a group; an absent field is None."""
    # No kind of value allows an empty string, so a falsy value means that the field is absent.
    if all(column):
        return column if convert is None else map(convert, column)  # type: ignore[arg-type]
    if convert is None:
        return column
    return [None if text is None else convert(text) for text in column]


def any_violation(
    limit: LimitCheck, entries: Iterable[Any], attribute: str, column: Iterable[str | None]
) -> bool:
    """Return whether the value of one field violates its limit in any entry of a group."""
    return any(
        text is not None and limit(getattr(entry, attribute), text) is not None
        for entry, text in zip(entries, column, strict=True)
    )


CONVERTERS: Final[Mapping[Kind, Callable[[str], Any] | None]] = MappingProxyType(
    {
        **CONVERSIONS,
        Kind.STRING: None,
        Kind.CHAR: None,
        # These are faster than the functions in `scalars`: they handle no leap seconds and build no error
        # text.
        Kind.UTCTIMESTAMP: to_timestamp,
        Kind.UTCDATEONLY: date.fromisoformat,
        Kind.UTCTIMEONLY: time.fromisoformat,
    }
)
"""Functions that convert the text of a value, by kind. None means that the value is the text itself.

Python's conversions accept more than FIX does, such as `1_0` and `+5`. They are safe only here, where the
text has already matched `LEXICAL_PLAIN`.
"""
