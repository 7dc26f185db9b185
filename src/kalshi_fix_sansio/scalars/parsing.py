"""Functions that parse wire text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import methodcaller
from types import MappingProxyType
from typing import Any, Final, TypeVar

from kalshi_fix_sansio.dialect.layout import Kind
from kalshi_fix_sansio.scalars.forms import EXPECTED, FORMS

_T = TypeVar("_T")
_SECOND = timedelta(seconds=1)


def _parser(kind: Kind, convert: Callable[[str], _T]) -> Callable[[str], _T]:
    """Return a parser that reads text in the form of a kind, and raises ValueError for other text.

    The expression is bound once, because looking it up by kind takes longer than the match.
    """
    matches, text = FORMS[kind].fullmatch, f"expected {EXPECTED[kind]}"

    def parse(raw: str) -> _T:
        if matches(raw) is None:
            raise ValueError(text)
        return convert(raw)

    return parse


parse_string: Callable[[str], str] = _parser(Kind.STRING, str)
"""Read a STRING (or CURRENCY, EXCHANGE and the like): any text without SOH that is not empty."""
parse_char: Callable[[str], str] = _parser(Kind.CHAR, str)
"""Read a CHAR: exactly one character that is not SOH."""
parse_int: Callable[[str], int] = _parser(Kind.INT, int)
"""Read an INT: an optional minus and digits; leading zeros are allowed (FIX: `00023` is `23`)."""
parse_length: Callable[[str], int] = _parser(Kind.LENGTH, int)
"""Read a LENGTH: digits without a sign; the number of bytes in the data field that follows."""
parse_seqnum: Callable[[str], int] = _parser(Kind.SEQNUM, int)
"""Read a SEQNUM: digits without a sign."""
parse_numingroup: Callable[[str], int] = _parser(Kind.NUMINGROUP, int)
"""Read a NUMINGROUP: digits without a sign; the number of entries in the group that follows."""
parse_decimal: Callable[[str], Decimal] = _parser(Kind.DECIMAL, Decimal)
"""Read a FLOAT, PRICE, QTY, AMT or PERCENTAGE, exactly, keeping the scale of the text."""
parse_boolean: Callable[[str], bool] = _parser(Kind.BOOLEAN, "Y".__eq__)
"""Read a BOOLEAN: `Y` or `N`."""
parse_data: Callable[[str], bytes] = _parser(Kind.DATA, methodcaller("encode", "latin-1"))
"""Read a DATA field: any bytes, including SOH; their number is in the length field."""


# The next three functions expect text whose lexical form was checked. They raise ValueError for a day or year
# that does not exist.


def convert_utctimestamp(raw: str) -> datetime:
    """Convert text with the form of a UTCTIMESTAMP to a datetime; raise ValueError if the day does not
    exist.
    """
    # `fromisoformat` refuses 60 seconds.
    if raw[15:17] == "60":
        try:
            return datetime.fromisoformat(raw[:15] + "59" + raw[17:] + "Z") + _SECOND
        except OverflowError:
            raise ValueError(
                "the second after the leap second is beyond the last representable date"
            ) from None
    return datetime.fromisoformat(raw + "Z")


def convert_utcdateonly(raw: str) -> date:
    """Convert text with the form of a UTCDATEONLY to a date; raise ValueError if the day does not exist."""
    return date.fromisoformat(raw)


def convert_utctimeonly(raw: str) -> time:
    """Convert text with the form of a UTCTIMEONLY to a time."""
    # A time does not support addition, so use a datetime on an arbitrary day.
    if raw[6:8] == "60":
        return (datetime.fromisoformat("20000101T" + raw[:6] + "59" + raw[8:]) + _SECOND).time()
    return time.fromisoformat(raw)


def _on_calendar(convert: Callable[[str], _T]) -> Callable[[str], _T]:
    def converted(raw: str) -> _T:
        try:
            return convert(raw)
        except ValueError:
            raise ValueError("expected a day that exists, in the years 1 to 9999") from None

    return converted


parse_utctimestamp: Callable[[str], datetime] = _parser(Kind.UTCTIMESTAMP, _on_calendar(convert_utctimestamp))
"""Read a UTCTIMESTAMP as an aware datetime in UTC.

Digits beyond microseconds are truncated. A leap second (`:60`) is read as the second after it.
"""
parse_utcdateonly: Callable[[str], date] = _parser(Kind.UTCDATEONLY, _on_calendar(convert_utcdateonly))
"""Read a UTCDATEONLY or LOCALMKTDATE: `YYYYMMDD`."""
parse_utctimeonly: Callable[[str], time] = _parser(Kind.UTCTIMEONLY, convert_utctimeonly)
"""Read a UTCTIMEONLY as a naive time of day that means UTC.

Digits beyond microseconds are truncated. A leap second (`:60`) is read as the second after it, which after
`23:59:60` is `00:00:00`.
"""

PARSERS: Final[Mapping[Kind, Callable[[str], Any]]] = MappingProxyType(
    {
        Kind.STRING: parse_string,
        Kind.CHAR: parse_char,
        Kind.INT: parse_int,
        Kind.LENGTH: parse_length,
        Kind.SEQNUM: parse_seqnum,
        Kind.NUMINGROUP: parse_numingroup,
        Kind.DECIMAL: parse_decimal,
        Kind.BOOLEAN: parse_boolean,
        Kind.UTCTIMESTAMP: parse_utctimestamp,
        Kind.UTCDATEONLY: parse_utcdateonly,
        Kind.UTCTIMEONLY: parse_utctimeonly,
        Kind.DATA: parse_data,
    }
)
"""The parser of wire text, by kind."""
