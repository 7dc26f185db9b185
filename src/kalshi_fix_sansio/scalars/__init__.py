"""Scalars: the strict lexical forms of FIX values, and their Python types.

There are three functions for each `layout.Kind`. A parser in `PARSERS` converts wire text to a value, and
raises ValueError. A `format_*` function converts a value to wire text, and raises EncodeError. A `to_*`
function converts the argument of a message's constructor, and raises TypeError or ValueError. The forms are
those of FIX 5.0 SP2 volume 1, "Data types", interpreted strictly: no `+` sign, no exponent, no spaces, no
underscores, only ASCII digits. Python's `int`, `Decimal` and `datetime.fromisoformat` accept much more. Wire
text is latin-1 text, one character per byte. Error texts never contain the value, because it may be a secret.
"""

from __future__ import annotations

from kalshi_fix_sansio.scalars.converting import (
    MAX_CACHED_DECIMALS,
    Decimals,
    to_bool,
    to_char,
    to_data,
    to_decimal,
    to_int,
    to_seqnum,
    to_str,
)
from kalshi_fix_sansio.scalars.datetimes import to_date, to_datetime, to_time
from kalshi_fix_sansio.scalars.formatting import (
    FORMATTERS,
    NO_SECOND,
    THREE_DIGITS,
    format_boolean,
    format_char,
    format_data,
    format_decimal,
    format_int,
    format_length,
    format_seqnum,
    format_string,
    format_utcdateonly,
    format_utctimeonly,
    format_utctimestamp,
    format_value,
    second_of,
)
from kalshi_fix_sansio.scalars.forms import LEXICAL, LEXICAL_PLAIN, MAX_DECIMAL_DIGITS, MAX_INT_DIGITS
from kalshi_fix_sansio.scalars.parsing import PARSERS, parse_decimal, parse_utctimestamp

__all__ = [
    "FORMATTERS",
    "LEXICAL",
    "LEXICAL_PLAIN",
    "MAX_CACHED_DECIMALS",
    "MAX_DECIMAL_DIGITS",
    "MAX_INT_DIGITS",
    "NO_SECOND",
    "PARSERS",
    "THREE_DIGITS",
    "Decimals",
    "format_boolean",
    "format_char",
    "format_data",
    "format_decimal",
    "format_int",
    "format_length",
    "format_seqnum",
    "format_string",
    "format_utcdateonly",
    "format_utctimeonly",
    "format_utctimestamp",
    "format_value",
    "parse_decimal",
    "parse_utctimestamp",
    "second_of",
    "to_bool",
    "to_char",
    "to_data",
    "to_date",
    "to_datetime",
    "to_decimal",
    "to_int",
    "to_seqnum",
    "to_str",
    "to_time",
]
