"""Scalars: the strict lexical forms of FIX values, and the Python types they become.

For each `layout.Kind` there is a `parse_*` function (wire text to value, raises `ValueError`), a
`format_*` function (value to wire text, raises `EncodeError`) and a `to_*` converter that the message
classes use on construction (raises `TypeError` or `ValueError`). The forms are those of FIX 5.0 SP2
volume 1, "Data types", read strictly: no sign `+`, no exponent, no spaces, no underscores, ASCII
digits only. Python's own `int`, `Decimal` and `datetime.fromisoformat` accept far more than that.

Wire text is latin-1 text: one character per byte. Error texts never repeat the value, since it may
be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.layout import Kind

MAX_INT_DIGITS: Final = 18
"""Digits an integer may have on the wire: what fits a signed 64-bit number for sure."""
MAX_DECIMAL_DIGITS: Final = 19
"""Digits a decimal may have on either side of its point, in both directions."""
MAX_DECIMALS: Final = 2048
"""Decimals that constructors remember by their text: prices and quantities come again and again."""

_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.(?:[0-9]{3}){1,3})?"
_CLOCK_PLAIN = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{3}(?:[0-9]{3}){0,2}+)?+"
_CALENDAR = r"[0-9]{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_DIGITS = rf"[0-9]{{1,{MAX_INT_DIGITS}}}"
_PART = rf"[0-9]{{1,{MAX_DECIMAL_DIGITS}}}"
_FRACTION = rf"[0-9]{{0,{MAX_DECIMAL_DIGITS}}}"

LEXICAL: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.STRING: r"[^\x01]+",
        Kind.CHAR: r"[^\x01]",
        Kind.INT: rf"-?{_DIGITS}",
        Kind.LENGTH: _DIGITS,
        Kind.SEQNUM: _DIGITS,
        Kind.NUMINGROUP: _DIGITS,
        Kind.DECIMAL: rf"-?(?:{_PART}(?:\.{_FRACTION})?|\.{_PART})",
        Kind.BOOLEAN: r"[YN]",
        Kind.UTCTIMESTAMP: rf"{_CALENDAR}-{_CLOCK}",
        Kind.UTCDATEONLY: _CALENDAR,
        Kind.UTCTIMEONLY: _CLOCK,
        Kind.DATA: r"(?s:.+)",
    }
)
"""The lexical form of each kind as a regular expression without capturing groups, to be matched whole."""

LEXICAL_PLAIN: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        **LEXICAL,
        Kind.STRING: r"[^\x01]++",
        Kind.INT: rf"-?{_DIGITS}+",
        Kind.LENGTH: rf"{_DIGITS}+",
        Kind.SEQNUM: rf"{_DIGITS}+",
        Kind.NUMINGROUP: rf"{_DIGITS}+",
        Kind.DECIMAL: r"-?[0-9]{1,10}+\.?+[0-9]{0,9}+",
        Kind.UTCTIMESTAMP: rf"[0-9]{{8}}-{_CLOCK_PLAIN}",
        Kind.UTCDATEONLY: r"[0-9]{8}",
        Kind.UTCTIMEONLY: _CLOCK_PLAIN,
        Kind.DATA: r"[^\x01]++",
    }
)
"""Forms that Python's own conversions read rightly or refuse by ValueError.

They leave out what is rare and takes thought: leap seconds, decimals that begin with the point or are very
long, data with SOH in it. They are meant to stand in front of the SOH that ends the value, and never give
back a character: that would only make a wrong value take longer to refuse.
"""

_EXPECTED: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.STRING: "a string without SOH",
        Kind.CHAR: "exactly one character",
        Kind.INT: f"an integer of at most {MAX_INT_DIGITS} digits",
        Kind.LENGTH: f"a length: at most {MAX_INT_DIGITS} digits without a sign",
        Kind.SEQNUM: f"a sequence number: at most {MAX_INT_DIGITS} digits without a sign",
        Kind.NUMINGROUP: f"a count: at most {MAX_INT_DIGITS} digits without a sign",
        Kind.DECIMAL: (
            f"a decimal without exponent, at most {MAX_DECIMAL_DIGITS} digits on either side of its point"
        ),
        Kind.BOOLEAN: "Y or N",
        Kind.UTCTIMESTAMP: "a UTC timestamp: YYYYMMDD-HH:MM:SS with 0, 3, 6 or 9 decimals",
        Kind.UTCDATEONLY: "a date: YYYYMMDD",
        Kind.UTCTIMEONLY: "a time: HH:MM:SS with 0, 3, 6 or 9 decimals",
        Kind.DATA: "data of at least one byte",
    }
)

_T = TypeVar("_T")
_FORMS: Final = {kind: re.compile(pattern) for kind, pattern in LEXICAL.items()}
_SECOND = timedelta(seconds=1)
# Looking digits up costs a fraction of formatting them, and every message carries its time.
_TWO_DIGITS: Final = tuple(f"{number:02d}" for number in range(100))
_THREE_DIGITS: Final = tuple(f"{number:03d}" for number in range(1000))


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_date(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _check(kind: Kind, raw: str) -> None:
    if _FORMS[kind].fullmatch(raw) is None:
        raise ValueError(f"expected {_EXPECTED[kind]}")


# --- from the wire -----------------------------------------------------------------------------------


def parse_string(raw: str) -> str:
    """Read a STRING (also CURRENCY, EXCHANGE and the like): any text without SOH, not empty."""
    _check(Kind.STRING, raw)
    return raw


def parse_char(raw: str) -> str:
    """Read a CHAR: exactly one character that is not SOH."""
    _check(Kind.CHAR, raw)
    return raw


def parse_int(raw: str) -> int:
    """Read an INT: an optional minus and digits; leading zeros are allowed (FIX: `00023` is `23`)."""
    _check(Kind.INT, raw)
    return int(raw)


def parse_length(raw: str) -> int:
    """Read a LENGTH: digits without a sign; bytes of the data field that follows."""
    _check(Kind.LENGTH, raw)
    return int(raw)


def parse_seqnum(raw: str) -> int:
    """Read a SEQNUM: digits without a sign."""
    _check(Kind.SEQNUM, raw)
    return int(raw)


def parse_numingroup(raw: str) -> int:
    """Read a NUMINGROUP: digits without a sign; entries of the group that follows."""
    _check(Kind.NUMINGROUP, raw)
    return int(raw)


def parse_decimal(raw: str) -> Decimal:
    """Read a FLOAT, PRICE, QTY, AMT or PERCENTAGE, exactly, keeping the scale as it came."""
    _check(Kind.DECIMAL, raw)
    return Decimal(raw)


def parse_boolean(raw: str) -> bool:
    """Read a BOOLEAN: `Y` or `N`."""
    _check(Kind.BOOLEAN, raw)
    return raw == "Y"


def parse_utctimestamp(raw: str) -> datetime:
    """Read a UTCTIMESTAMP as an aware datetime in UTC.

    Digits past the microsecond are cut. A leap second (`:60`) is read as the second after it.
    """
    _check(Kind.UTCTIMESTAMP, raw)
    return _on_calendar(convert_utctimestamp, raw)


def parse_utcdateonly(raw: str) -> date:
    """Read a UTCDATEONLY or LOCALMKTDATE: `YYYYMMDD`."""
    _check(Kind.UTCDATEONLY, raw)
    return _on_calendar(convert_utcdateonly, raw)


def parse_utctimeonly(raw: str) -> time:
    """Read a UTCTIMEONLY as a naive time of day that means UTC.

    Digits past the microsecond are cut. A leap second (`:60`) is read as the second after it,
    which after `23:59:60` is `00:00:00`.
    """
    _check(Kind.UTCTIMEONLY, raw)
    return convert_utctimeonly(raw)


def parse_data(raw: str) -> bytes:
    """Read a DATA field: any bytes, SOH among them; their number comes from the length field."""
    _check(Kind.DATA, raw)
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
    if raw[6:8] == "60":
        return (datetime.fromisoformat("20000101T" + raw[:6] + "59" + raw[8:]) + _SECOND).time()
    return time.fromisoformat(raw)


# --- to the wire -------------------------------------------------------------------------------------


def format_string(value: str) -> str:
    """Write a STRING: not empty, latin-1, neither SOH nor NUL in it."""
    if value.__class__ is not str:
        if not isinstance(value, str):
            raise EncodeError(f"expected a string, not {type(value).__name__}")
        value = str.__str__(value)  # a code value's own formatting costs more than all the rest
    if not value:
        raise EncodeError("an empty string has no FIX form; leave the field None")
    if "\x01" in value or "\0" in value:
        raise EncodeError("a string cannot hold SOH or NUL")
    if not value.isascii():
        _require_latin_1(value)
    return value


def _require_latin_1(value: str) -> None:
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise EncodeError("a string can hold latin-1 characters only") from None


def format_char(value: str) -> str:
    """Write a CHAR: exactly one latin-1 character, neither SOH nor NUL."""
    if value.__class__ is not str:
        if not isinstance(value, str):
            raise EncodeError(f"expected a string, not {type(value).__name__}")
        value = str.__str__(value)  # a code value's own formatting costs more than all the rest
    if len(value) != 1:
        raise EncodeError(f"expected {_EXPECTED[Kind.CHAR]}")
    return value if " " <= value <= "~" else format_string(value)


def format_int(value: int) -> str:
    """Write an INT of at most `MAX_INT_DIGITS` digits; a bool is refused."""
    if value.__class__ is not int:
        if not _is_integer(value):
            raise EncodeError(f"expected an integer, not {type(value).__name__}")
        value = int(value)
    if not -_INT_END < value < _INT_END:
        raise EncodeError(f"expected {_EXPECTED[Kind.INT]}")
    return str(value)


_INT_END: Final = 10**MAX_INT_DIGITS


def _format_unsigned(value: int, kind: Kind) -> str:
    text = format_int(value)
    if text.startswith("-"):
        raise EncodeError(f"expected {_EXPECTED[kind]}")
    return text


def format_length(value: int) -> str:
    """Write a LENGTH: zero or more bytes."""
    return _format_unsigned(value, Kind.LENGTH)


def format_seqnum(value: int) -> str:
    """Write a SEQNUM: zero or more."""
    if value.__class__ is int and 0 <= value < _INT_END:
        return str(value)
    return _format_unsigned(value, Kind.SEQNUM)


def format_numingroup(value: int) -> str:
    """Write a NUMINGROUP: zero or more entries."""
    return _format_unsigned(value, Kind.NUMINGROUP)


def format_decimal(value: Decimal) -> str:
    """Write a FLOAT, PRICE, QTY, AMT or PERCENTAGE: never an exponent, the scale as it is."""
    if not isinstance(value, Decimal):
        raise EncodeError(f"expected a Decimal, not {type(value).__name__}")
    if not value.is_finite():
        raise EncodeError("NaN and Infinity have no FIX form")
    text = str(value)
    if len(text) <= MAX_DECIMAL_DIGITS and "E" not in text and "e" not in text:
        return text
    # Bounded before it is spelt out: 1E+1000000 would become a million zeros.
    if abs(value.adjusted()) <= MAX_DECIMAL_DIGITS:
        text = f"{value:f}"
        if _FORMS[Kind.DECIMAL].fullmatch(text):
            return text
    raise EncodeError(f"expected {_EXPECTED[Kind.DECIMAL]}")


def format_boolean(value: bool) -> str:
    """Write a BOOLEAN: `Y` or `N`."""
    if value is True:
        return "Y"
    if value is False:
        return "N"
    raise EncodeError(f"expected True or False, not {type(value).__name__}")


def format_utctimestamp(value: datetime) -> str:
    """Write a UTCTIMESTAMP with exactly three decimals; what is finer is cut, not rounded."""
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
        f".{_THREE_DIGITS[value.microsecond // 1000]}"
    )


def format_utcdateonly(value: date) -> str:
    """Write a UTCDATEONLY or LOCALMKTDATE."""
    if not _is_date(value):
        raise EncodeError(f"expected a date, not {type(value).__name__}")
    return f"{value.year:04d}{value.month:02d}{value.day:02d}"


def format_utctimeonly(value: time) -> str:
    """Write a UTCTIMEONLY with exactly three decimals; what is finer is cut, not rounded."""
    try:
        value = to_time(value)
    except (TypeError, ValueError) as error:
        raise EncodeError(str(error)) from None
    return f"{value.hour:02d}:{value.minute:02d}:{value.second:02d}.{value.microsecond // 1000:03d}"


def format_data(value: bytes) -> str:
    """Write a DATA field as latin-1 text; its length field is the encoder's business."""
    if not isinstance(value, bytes):
        raise EncodeError(f"expected bytes, not {type(value).__name__}")
    if not value:
        raise EncodeError("empty data has no FIX form; leave the field None")
    return value.decode("latin-1")


# --- converters for construction ---------------------------------------------------------------------


def to_str(value: str) -> str:
    """Take a string for a STRING field.

    Raises:
        TypeError: it is not a string.
        ValueError: it is empty, holds SOH or NUL, or characters outside latin-1.
    """
    if value.__class__ is str and value and value.isascii() and "\x01" not in value and "\0" not in value:
        return value
    if not isinstance(value, str):
        raise TypeError(f"expected a string, not {type(value).__name__}")
    return format_string(value)


def to_char(value: str) -> str:
    """Take one character for a CHAR field; raises like `to_str`, and ValueError for more than one."""
    if not isinstance(value, str):
        raise TypeError(f"expected a string of one character, not {type(value).__name__}")
    return format_char(value)


def to_int(value: int | str) -> int:
    """Take an int, or digits as they stand on the wire, for an INT field.

    Raises:
        TypeError: it is a bool or neither an int nor a string.
        ValueError: it has more than `MAX_INT_DIGITS` digits, or is text of another form.
    """
    if value.__class__ is int and -_INT_END < value < _INT_END:
        return value
    if isinstance(value, str):
        return parse_int(value)
    if not _is_integer(value):
        raise TypeError(f"expected an integer, not {type(value).__name__}")
    if not -_INT_END < value < _INT_END:
        raise ValueError(f"expected {_EXPECTED[Kind.INT]}")
    return value


def to_seqnum(value: int | str) -> int:
    """Take a number that is zero or more, for SEQNUM, LENGTH and NUMINGROUP fields; raises like `to_int`."""
    if value.__class__ is int and 0 <= value < _INT_END:
        return value
    number = to_int(value)
    if number < 0:
        raise ValueError("expected a number that is not negative")
    return number


def to_decimal(value: Decimal | int | str) -> Decimal:
    """Take an exact number for a PRICE, QTY, AMT, FLOAT or PERCENTAGE field.

    A string must have the form it has on the wire. A finite Decimal with an exponent, such as
    `Decimal("1E+2")`, is fine: it is sent as `100`.

    Raises:
        TypeError: it is a float (binary fractions are not exact), a bool or anything else.
        ValueError: it is NaN, infinite, has more than `MAX_DECIMAL_DIGITS` digits on one side of its
            point, or is text of another form.
    """
    if value.__class__ is str:
        return _DECIMALS[value]
    if isinstance(value, Decimal):
        format_decimal(value)
        return value
    if isinstance(value, str):
        return parse_decimal(value)
    if isinstance(value, float):
        raise TypeError(
            "a float is not exact: give a Decimal, an int or a string, such as Decimal('0.45') or '0.45'"
        )
    if not _is_integer(value):
        raise TypeError(f"expected a Decimal, an int or a string, not {type(value).__name__}")
    return Decimal(to_int(value))


class _Decimals(dict[str, Decimal]):
    """Decimals by their text, read when first asked for, forgotten all at once when there are too many."""

    __slots__ = ()

    def __missing__(self, text: str) -> Decimal:
        value = parse_decimal(text)
        if len(self) >= MAX_DECIMALS:
            self.clear()
        self[text] = value
        return value


_DECIMALS: Final = _Decimals()


def to_bool(value: bool) -> bool:
    """Take True or False for a BOOLEAN field; TypeError for anything else."""
    if value is True or value is False:
        return value
    raise TypeError(f"expected True or False, not {type(value).__name__}")


def to_datetime(value: datetime) -> datetime:
    """Take an aware datetime for a UTCTIMESTAMP field and convert it to UTC.

    Raises:
        TypeError: it is not a datetime.
        ValueError: it is naive (nobody can know which moment it means), or has no place in UTC.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"expected a datetime, not {type(value).__name__}")
    if value.tzinfo is UTC:
        return value
    if value.utcoffset() is None:
        raise ValueError(
            "expected a datetime with a time zone, such as datetime(2026, 1, 2, 15, 30, tzinfo=UTC)"
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the datetime lies outside the years 1 to 9999 in UTC") from None


def to_date(value: date) -> date:
    """Take a date for a UTCDATEONLY or LOCALMKTDATE field; TypeError for a datetime or anything else."""
    if not _is_date(value):
        raise TypeError(f"expected a date, not {type(value).__name__}")
    return value


def to_time(value: time) -> time:
    """Take a time of day in UTC for a UTCTIMEONLY field; a naive one is taken to be UTC.

    Raises:
        TypeError: it is not a time.
        ValueError: it carries another time zone: without a date it cannot be converted.
    """
    if not isinstance(value, time):
        raise TypeError(f"expected a time, not {type(value).__name__}")
    if value.tzinfo is None:
        return value
    if value.utcoffset() != timedelta(0):
        raise ValueError("expected a time of day in UTC")
    return value.replace(tzinfo=None)


def to_data(value: bytes | str) -> bytes:
    """Take bytes, or latin-1 text, for a DATA field.

    Raises:
        TypeError: it is neither.
        ValueError: it is empty, or text outside latin-1.
    """
    if isinstance(value, str):
        _require_latin_1(value)
        value = value.encode("latin-1")
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes, not {type(value).__name__}")
    if not value:
        raise ValueError("empty data has no FIX form; leave the field None")
    return value


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
"""From value to wire text, by kind."""


def format_value(kind: Kind, value: Any) -> str:
    """Write any value of a field of this kind, enum members of its codeset included."""
    return FORMATTERS[kind](value.value if isinstance(value, Enum) else value)
