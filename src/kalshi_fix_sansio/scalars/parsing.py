"""From wire text to values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeVar

from kalshi_fix_sansio.layout import Kind
from kalshi_fix_sansio.scalars.forms import checker

_T = TypeVar("_T")
_SECOND = timedelta(seconds=1)
_check_boolean = checker(Kind.BOOLEAN)
_check_char = checker(Kind.CHAR)
_check_data = checker(Kind.DATA)
_check_decimal = checker(Kind.DECIMAL)
_check_int = checker(Kind.INT)
_check_length = checker(Kind.LENGTH)
_check_numingroup = checker(Kind.NUMINGROUP)
_check_seqnum = checker(Kind.SEQNUM)
_check_string = checker(Kind.STRING)
_check_utcdateonly = checker(Kind.UTCDATEONLY)
_check_utctimeonly = checker(Kind.UTCTIMEONLY)
_check_utctimestamp = checker(Kind.UTCTIMESTAMP)


def parse_string(raw: str) -> str:
    """Read a STRING (also CURRENCY, EXCHANGE and the like): any text without SOH, not empty."""
    _check_string(raw)
    return raw


def parse_char(raw: str) -> str:
    """Read a CHAR: exactly one character that is not SOH."""
    _check_char(raw)
    return raw


def parse_int(raw: str) -> int:
    """Read an INT: an optional minus and digits; leading zeros are allowed (FIX: `00023` is `23`)."""
    _check_int(raw)
    return int(raw)


def parse_length(raw: str) -> int:
    """Read a LENGTH: digits without a sign; bytes of the data field that follows."""
    _check_length(raw)
    return int(raw)


def parse_seqnum(raw: str) -> int:
    """Read a SEQNUM: digits without a sign."""
    _check_seqnum(raw)
    return int(raw)


def parse_numingroup(raw: str) -> int:
    """Read a NUMINGROUP: digits without a sign; entries of the group that follows."""
    _check_numingroup(raw)
    return int(raw)


def parse_decimal(raw: str) -> Decimal:
    """Read a FLOAT, PRICE, QTY, AMT or PERCENTAGE, exactly, keeping the scale as it came."""
    _check_decimal(raw)
    return Decimal(raw)


def parse_boolean(raw: str) -> bool:
    """Read a BOOLEAN: `Y` or `N`."""
    _check_boolean(raw)
    return raw == "Y"


def parse_utctimestamp(raw: str) -> datetime:
    """Read a UTCTIMESTAMP as an aware datetime in UTC.

    Digits past the microsecond are cut. A leap second (`:60`) is read as the second after it.
    """
    _check_utctimestamp(raw)
    return _on_calendar(convert_utctimestamp, raw)


def parse_utcdateonly(raw: str) -> date:
    """Read a UTCDATEONLY or LOCALMKTDATE: `YYYYMMDD`."""
    _check_utcdateonly(raw)
    return _on_calendar(convert_utcdateonly, raw)


def parse_utctimeonly(raw: str) -> time:
    """Read a UTCTIMEONLY as a naive time of day that means UTC.

    Digits past the microsecond are cut. A leap second (`:60`) is read as the second after it,
    which after `23:59:60` is `00:00:00`.
    """
    _check_utctimeonly(raw)
    return convert_utctimeonly(raw)


def parse_data(raw: str) -> bytes:
    """Read a DATA field: any bytes, SOH among them; their number comes from the length field."""
    _check_data(raw)
    return raw.encode("latin-1")


def _on_calendar(convert: Callable[[str], _T], raw: str) -> _T:
    try:
        return convert(raw)
    except ValueError:
        raise ValueError("expected a day that the calendar has, in the years 1 to 9999") from None


# The next three expect text whose lexical form was checked; a day or year that no calendar has is
# still a ValueError.


def convert_utctimestamp(raw: str) -> datetime:
    """Make a datetime of text that has the form of a UTCTIMESTAMP; ValueError if no such day exists."""
    # `fromisoformat` refuses 60 seconds.
    if raw[15:17] == "60":
        try:
            return datetime.fromisoformat(raw[:15] + "59" + raw[17:] + "Z") + _SECOND
        except OverflowError:
            raise ValueError("the second after it has no date") from None
    return datetime.fromisoformat(raw + "Z")


def convert_utcdateonly(raw: str) -> date:
    """Make a date of text that has the form of a UTCDATEONLY; ValueError if no such day exists."""
    return date.fromisoformat(raw)


def convert_utctimeonly(raw: str) -> time:
    """Make a time of text that has the form of a UTCTIMEONLY."""
    # Only a datetime can be added to; which day it is does not matter.
    if raw[6:8] == "60":
        return (datetime.fromisoformat("20000101T" + raw[:6] + "59" + raw[8:]) + _SECOND).time()
    return time.fromisoformat(raw)


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
"""From wire text to value, by kind."""
