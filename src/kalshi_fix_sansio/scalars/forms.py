"""The lexical form (the text on the wire) of each `Kind` of value, and checks of Python types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

from kalshi_fix_sansio.dialect.layout import Kind

MAX_INT_DIGITS: Final = 18
"""Maximum number of digits of an integer on the wire. Every such number fits in a signed 64-bit integer."""
INT_END: Final = 10**MAX_INT_DIGITS
"""The smallest integer with more than MAX_INT_DIGITS digits."""
MAX_DECIMAL_DIGITS: Final = 19
"""Maximum number of digits on either side of the decimal point, for parsing and encoding."""

_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.(?:[0-9]{3}){1,3})?"
_CLOCK_PLAIN = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{3}(?:[0-9]{3}(?:[0-9]{3})?)?)?"
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
"""The lexical form of each kind as a regular expression without capturing groups; the whole text must match.
"""

LEXICAL_PLAIN: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        **LEXICAL,
        Kind.STRING: r"[^\x01]++",
        Kind.INT: rf"-?{_DIGITS}+",
        Kind.LENGTH: rf"{_DIGITS}+",
        Kind.SEQNUM: rf"{_DIGITS}+",
        Kind.NUMINGROUP: rf"{_DIGITS}+",
        # If the decimal point is missing, the two parts are one number, so together they are limited to
        # `MAX_DECIMAL_DIGITS`.
        Kind.DECIMAL: r"-?[0-9]{1,10}+\.?+[0-9]{0,9}+",
        # Months and days are not checked, because `fromisoformat` rejects those that do not exist.
        Kind.UTCTIMESTAMP: rf"[0-9]{{8}}-{_CLOCK_PLAIN}",
        Kind.UTCDATEONLY: r"[0-9]{8}",
        Kind.UTCTIMEONLY: _CLOCK_PLAIN,
        Kind.DATA: r"[^\x01]++",
    }
)
"""The plain form of each kind: text that Python's conversions parse correctly, or reject with ValueError.

It excludes rare and irregular cases: leap seconds, decimals that begin with the decimal point or are very
long, and data that contains SOH. In a larger expression, each form must be followed by the SOH that ends the
value. The expressions do not backtrack, because that would only delay the rejection of a wrong value. Only
repetitions of single characters are possessive, because possessive repetitions of groups were broken before
CPython 3.11.5.
"""

EXPECTED_FORMS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.STRING: "a string without SOH",
        Kind.CHAR: "exactly one character",
        Kind.INT: f"an integer of at most {MAX_INT_DIGITS} digits",
        Kind.LENGTH: f"a length: at most {MAX_INT_DIGITS} digits without a sign",
        Kind.SEQNUM: f"a sequence number: at most {MAX_INT_DIGITS} digits without a sign",
        Kind.NUMINGROUP: f"a count: at most {MAX_INT_DIGITS} digits without a sign",
        Kind.DECIMAL: (
            f"a decimal without an exponent, at most {MAX_DECIMAL_DIGITS} digits on either side of the "
            "decimal point"
        ),
        Kind.BOOLEAN: "Y or N",
        Kind.UTCTIMESTAMP: "a UTC timestamp: YYYYMMDD-HH:MM:SS with 0, 3, 6 or 9 decimal places",
        Kind.UTCDATEONLY: "a date: YYYYMMDD",
        Kind.UTCTIMEONLY: "a time: HH:MM:SS with 0, 3, 6 or 9 decimal places",
        Kind.DATA: "data of at least one byte",
    }
)
"""The form of each kind, for error texts."""

FORMS: Final = {kind: re.compile(pattern) for kind, pattern in LEXICAL.items()}
"""`LEXICAL`, compiled."""


def is_integer(value: object) -> bool:
    """Return whether a value is an integer, but not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_date(value: object) -> bool:
    """Return whether a value is a date, but not a datetime."""
    return isinstance(value, date) and not isinstance(value, datetime)
