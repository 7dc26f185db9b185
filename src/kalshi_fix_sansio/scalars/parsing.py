"""Functions that parse wire text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import methodcaller
from types import MappingProxyType
from typing import Any, Final, TypeVar

from kalshi_fix_sansio.dialect.layout import Kind
from kalshi_fix_sansio.scalars.forms import EXPECTED_FORMS, FORMS

_T = TypeVar("_T")
_SECOND = timedelta(seconds=1)


def _parser(kind: Kind, convert: Callable[[str], _T]) -> Callable[[str], _T]:
    """Return a parser for the text of a kind. It raises ValueError for text that does not have the lexical
    form.

    The regular expression is looked up once, because each look-up takes longer than the match.
    """
    fullmatch, text = FORMS[kind].fullmatch, f"expected {EXPECTED_FORMS[kind]}"

    def parse(raw: str) -> _T:
        if fullmatch(raw) is None:
            raise ValueError(text)
        return convert(raw)

    return parse


# The next two functions expect text whose lexical form was checked.


def convert_utctimestamp(raw: str) -> datetime:
    """Convert text with the form of a UTCTIMESTAMP. Raise ValueError if the day does not exist."""
    # `fromisoformat` rejects 60 seconds.
    if raw[15:17] == "60":
        try:
            return datetime.fromisoformat(raw[:15] + "59" + raw[17:] + "Z") + _SECOND
        except OverflowError:
            raise ValueError(
                "the second after the leap second is beyond the last representable date"
            ) from None
    return datetime.fromisoformat(raw + "Z")


def convert_utctimeonly(raw: str) -> time:
    """Convert text with the form of a UTCTIMEONLY to a time."""
    # A `time` does not support addition, so a leap second is added to a datetime on an arbitrary day.
    if raw[6:8] == "60":
        return (datetime.fromisoformat("20000101T" + raw[:6] + "59" + raw[8:]) + _SECOND).time()
    return time.fromisoformat(raw)


def _with_day_error(convert: Callable[[str], _T]) -> Callable[[str], _T]:
    """Return a function that converts text as `convert` does, but with a clear error text for a day that does
    not exist.
    """

    def convert_day(raw: str) -> _T:
        try:
            return convert(raw)
        except ValueError:
            raise ValueError("expected a day that exists, in the years 1 to 9999") from None

    return convert_day


CONVERSIONS: Final[Mapping[Kind, Callable[[str], Any]]] = {
    Kind.STRING: str,
    Kind.CHAR: str,
    # Leading zeros are allowed (FIX: `00023` is `23`).
    Kind.INT: int,
    Kind.LENGTH: int,
    Kind.SEQNUM: int,
    Kind.NUMINGROUP: int,
    # The value is exact, and keeps the trailing zeros of the text.
    Kind.DECIMAL: Decimal,
    Kind.BOOLEAN: "Y".__eq__,
    # Digits beyond microseconds are truncated. A leap second (`:60`) is read as the next second, so
    # `23:59:60` becomes `00:00:00` of the next day. A time of day has no time zone, and means UTC.
    Kind.UTCTIMESTAMP: _with_day_error(convert_utctimestamp),
    Kind.UTCDATEONLY: _with_day_error(date.fromisoformat),
    Kind.UTCTIMEONLY: convert_utctimeonly,
    Kind.DATA: methodcaller("encode", "latin-1"),
}
"""For each kind, the function that converts text that has the lexical form of the kind."""
PARSERS: Final[Mapping[Kind, Callable[[str], Any]]] = MappingProxyType(
    {kind: _parser(kind, convert) for kind, convert in CONVERSIONS.items()}
)
"""The parser of wire text, by kind."""
parse_int: Callable[[str], int] = PARSERS[Kind.INT]
parse_decimal: Callable[[str], Decimal] = PARSERS[Kind.DECIMAL]
parse_utctimestamp: Callable[[str], datetime] = PARSERS[Kind.UTCTIMESTAMP]
