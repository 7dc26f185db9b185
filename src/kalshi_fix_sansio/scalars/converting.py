"""Converters for the values passed to the constructors of messages."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from kalshi_fix_sansio.dialect.layout import Kind
from kalshi_fix_sansio.scalars.formatting import format_char, format_decimal, format_string, require_latin_1
from kalshi_fix_sansio.scalars.forms import EXPECTED_FORMS, INT_END, is_integer
from kalshi_fix_sansio.scalars.parsing import parse_decimal, parse_int

MAX_CACHED_DECIMALS: Final = 2048
"""Maximum number of Decimal objects in a `Decimals` cache."""


def to_str(value: str) -> str:
    """Return a string for a STRING field.

    Raises:
        TypeError: the value is not a string.
        ValueError: the value is empty, or contains SOH, NUL or characters outside latin-1.
    """
    if value.__class__ is str and value and value.isascii() and "\x01" not in value and "\0" not in value:
        return value
    if not isinstance(value, str):
        raise TypeError(f"expected a string, not {type(value).__name__}")
    return format_string(value)


def to_char(value: str) -> str:
    """Return one character for a CHAR field. Raises the exceptions of `to_str`, and ValueError for more than
    one character.
    """
    if not isinstance(value, str):
        raise TypeError(f"expected a string of one character, not {type(value).__name__}")
    return format_char(value)


def to_int(value: int | str) -> int:
    """Return an integer for an INT field, from an int or from its wire text.

    Raises:
        TypeError: the value is a bool, or neither an int nor a string.
        ValueError: the value has more than `MAX_INT_DIGITS` digits, or is text that is not an integer.
    """
    if value.__class__ is int and -INT_END < value < INT_END:
        return value
    if isinstance(value, str):
        return parse_int(value)
    if not is_integer(value):
        raise TypeError(f"expected an integer, not {type(value).__name__}")
    if not -INT_END < value < INT_END:
        raise ValueError(f"expected {EXPECTED_FORMS[Kind.INT]}")
    return value


def to_seqnum(value: int | str) -> int:
    """Return a number of 0 or more for a SEQNUM, LENGTH or NUMINGROUP field. Raises the exceptions of
    `to_int`.
    """
    if value.__class__ is int and 0 <= value < INT_END:
        return value
    number = to_int(value)
    if number < 0:
        raise ValueError("expected a number that is not negative")
    return number


def to_decimal(value: Decimal | int | str) -> Decimal:
    """Return an exact number for a PRICE, QTY, AMT, FLOAT or PERCENTAGE field.

    A string must be wire text, so it has no exponent. A Decimal may have one: `Decimal("1E+2")` is sent as
    `100`.

    Raises:
        TypeError: the value is a float (because binary fractions are not exact), a bool, or of another type.
        ValueError: the value is NaN or infinite, has more than `MAX_DECIMAL_DIGITS` digits on either side of
            the decimal point, or is text in any other form.
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
    if not is_integer(value):
        raise TypeError(f"expected a Decimal, an int or a string, not {type(value).__name__}")
    return Decimal(to_int(value))


class Decimals(dict[str, Decimal]):
    """Cache of decimals by their text. Each is parsed on first use. When the cache is full, it is emptied.

    A hit takes a third of the time needed to create the Decimal, and the hash of the result is already
    computed. A miss takes three times as long as creating the Decimal. Use this only for values that repeat,
    and look them up with `[]`, because `get` does not call `__missing__`.
    """

    __slots__ = ("_parse",)

    def __init__(self, parse: Callable[[str], Decimal]) -> None:
        """Create an empty cache; `parse` converts text to a Decimal, or raises an exception."""
        super().__init__()
        self._parse = parse

    def __missing__(self, text: str) -> Decimal:
        value = self._parse(text)
        if len(self) >= MAX_CACHED_DECIMALS:
            self.clear()
        self[text] = value
        return value


_DECIMALS: Final = Decimals(parse_decimal)


def to_bool(value: bool) -> bool:
    """Return True or False for a BOOLEAN field; raise TypeError for any other value."""
    if value is True or value is False:
        return value
    raise TypeError(f"expected True or False, not {type(value).__name__}")


def to_data(value: bytes | str) -> bytes:
    """Return bytes for a DATA field, from bytes or latin-1 text.

    Raises:
        TypeError: the value is neither bytes nor a string.
        ValueError: the value is empty, or contains characters outside latin-1.
    """
    if isinstance(value, str):
        require_latin_1(value)
        value = value.encode("latin-1")
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes, not {type(value).__name__}")
    if not value:
        raise ValueError("empty data has no FIX form; set the field to None")
    return value
