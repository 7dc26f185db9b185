"""Functions that format values as wire text. They raise EncodeError for a value that has no FIX form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from kalshi_fix_sansio.dialect.layout import Kind
from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.scalars.datetimes import to_datetime, to_time
from kalshi_fix_sansio.scalars.forms import (
    EXPECTED_FORMS,
    FORMS,
    INT_END,
    MAX_DECIMAL_DIGITS,
    is_date,
    is_integer,
)

# Looking up digits takes a fraction of the time needed to format them, and every message contains a time.
_TWO_DIGITS: Final = tuple(f"{number:02d}" for number in range(100))
THREE_DIGITS: Final = tuple(f"{number:03d}" for number in range(1000))
"""Milliseconds as text, by number."""


def format_string(value: str) -> str:
    """Write a STRING: latin-1 text that is not empty and contains neither SOH nor NUL."""
    if value.__class__ is not str:
        if not isinstance(value, str):
            raise EncodeError(f"expected a string, not {type(value).__name__}")
        value = str.__str__(value)  # an enum's own `str` takes longer than the rest of this function
    if not value:
        raise EncodeError("an empty string has no FIX form; set the field to None")
    if "\x01" in value or "\0" in value:
        raise EncodeError("a string cannot contain SOH or NUL")
    if not value.isascii():
        require_latin_1(value)
    return value


def require_latin_1(value: str) -> None:
    """Raise EncodeError for characters beyond latin-1."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise EncodeError("a string can contain only latin-1 characters") from None


def format_char(value: str) -> str:
    """Write a CHAR: exactly one latin-1 character other than SOH and NUL."""
    if value.__class__ is not str:
        if not isinstance(value, str):
            raise EncodeError(f"expected a string, not {type(value).__name__}")
        value = str.__str__(value)  # an enum's own `str` takes longer than the rest of this function
    if len(value) != 1:
        raise EncodeError(f"expected {EXPECTED_FORMS[Kind.CHAR]}")
    return value if " " <= value <= "~" else format_string(value)


def format_int(value: int) -> str:
    """Write an INT of at most `MAX_INT_DIGITS` digits; raise EncodeError for a bool."""
    if value.__class__ is not int:
        if not is_integer(value):
            raise EncodeError(f"expected an integer, not {type(value).__name__}")
        value = int(value)
    if not -INT_END < value < INT_END:
        raise EncodeError(f"expected {EXPECTED_FORMS[Kind.INT]}")
    return str(value)


def _format_unsigned(value: int, kind: Kind) -> str:
    text = format_int(value)
    if text.startswith("-"):
        raise EncodeError(f"expected {EXPECTED_FORMS[kind]}")
    return text


def format_length(value: int) -> str:
    """Write a LENGTH: a number of bytes, zero or more."""
    return _format_unsigned(value, Kind.LENGTH)


def format_seqnum(value: int) -> str:
    """Write a SEQNUM: zero or more."""
    if value.__class__ is int and 0 <= value < INT_END:
        return str(value)
    return _format_unsigned(value, Kind.SEQNUM)


def format_numingroup(value: int) -> str:
    """Write a NUMINGROUP: zero or more entries."""
    return _format_unsigned(value, Kind.NUMINGROUP)


def format_decimal(value: Decimal) -> str:
    """Write a FLOAT, PRICE, QTY, AMT or PERCENTAGE without an exponent. Trailing zeros are kept."""
    if value.__class__ is not Decimal and not isinstance(value, Decimal):
        raise EncodeError(f"expected a Decimal, not {type(value).__name__}")
    if not value.is_finite():
        raise EncodeError("NaN and Infinity have no FIX form")
    # Text this short cannot have too many digits on either side of the decimal point. With `capitals=0` in
    # the thread's decimal context, an exponent is written as `e`.
    text = str(value)
    if len(text) <= MAX_DECIMAL_DIGITS and "E" not in text and "e" not in text:
        return text
    # Check the size before the exponent is expanded, because 1E+1000000 would become a million zeros.
    if abs(value.adjusted()) <= MAX_DECIMAL_DIGITS:
        text = f"{value:f}"
        if FORMS[Kind.DECIMAL].fullmatch(text):
            return text
    raise EncodeError(f"expected {EXPECTED_FORMS[Kind.DECIMAL]}")


def format_boolean(value: bool) -> str:
    """Write a BOOLEAN: `Y` or `N`."""
    if value is True:
        return "Y"
    if value is False:
        return "N"
    raise EncodeError(f"expected True or False, not {type(value).__name__}")


def format_utctimestamp(value: datetime) -> str:
    """Write a UTCTIMESTAMP with exactly three decimals. Further digits are truncated, not rounded."""
    if not isinstance(value, datetime):
        raise EncodeError(f"expected a datetime, not {type(value).__name__}")
    if value.tzinfo is not UTC:
        try:
            value = to_datetime(value)
        except ValueError as error:
            raise EncodeError(str(error)) from None
    century, year = divmod(value.year, 100)
    return (
        f"{_TWO_DIGITS[century]}{_TWO_DIGITS[year]}{_TWO_DIGITS[value.month]}{_TWO_DIGITS[value.day]}"
        f"-{_TWO_DIGITS[value.hour]}:{_TWO_DIGITS[value.minute]}:{_TWO_DIGITS[value.second]}"
        f".{THREE_DIGITS[value.microsecond // 1000]}"
    )


Second = tuple[datetime, datetime, str]
"""A second in UTC: its first and last microsecond, and its wire text up to and including the decimal point.
"""
NO_SECOND: Final[Second] = (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC), "")
"""A `Second` that contains no time, because it begins after its end."""


def second_of(value: datetime) -> Second:
    """Return the second that contains a time in UTC."""
    # Not `value.replace`: it would keep the class of the value, which may define its own comparison.
    begin = datetime(value.year, value.month, value.day, value.hour, value.minute, value.second, tzinfo=UTC)
    return begin, begin.replace(microsecond=999_999), format_utctimestamp(begin)[:-3]


def format_utcdateonly(value: date) -> str:
    """Write a UTCDATEONLY or LOCALMKTDATE."""
    if not is_date(value):
        raise EncodeError(f"expected a date, not {type(value).__name__}")
    return f"{value.year:04d}{value.month:02d}{value.day:02d}"


def format_utctimeonly(value: time) -> str:
    """Write a UTCTIMEONLY with exactly three decimals. Further digits are truncated, not rounded."""
    try:
        value = to_time(value)
    except (TypeError, ValueError) as error:
        raise EncodeError(str(error)) from None
    return f"{value.hour:02d}:{value.minute:02d}:{value.second:02d}.{value.microsecond // 1000:03d}"


def format_data(value: bytes) -> str:
    """Write a DATA field as latin-1 text; the encoder writes its length field."""
    if not isinstance(value, bytes):
        raise EncodeError(f"expected bytes, not {type(value).__name__}")
    if not value:
        raise EncodeError("empty data has no FIX form; set the field to None")
    return value.decode("latin-1")


FORMATTERS: Final[Mapping[Kind, Callable[[Any], str]]] = MappingProxyType(
    {
        Kind.STRING: format_string,
        Kind.CHAR: format_char,
        Kind.INT: format_int,
        Kind.LENGTH: format_length,
        Kind.SEQNUM: format_seqnum,
        Kind.NUMINGROUP: format_numingroup,
        Kind.DECIMAL: format_decimal,
        Kind.BOOLEAN: format_boolean,
        Kind.UTCTIMESTAMP: format_utctimestamp,
        Kind.UTCDATEONLY: format_utcdateonly,
        Kind.UTCTIMEONLY: format_utctimeonly,
        Kind.DATA: format_data,
    }
)
"""The function that writes a value as wire text, by kind."""


def format_value(kind: Kind, value: Any) -> str:
    """Write any value of a field of this kind, including enum members of its codeset."""
    return FORMATTERS[kind](value.value if isinstance(value, Enum) else value)
