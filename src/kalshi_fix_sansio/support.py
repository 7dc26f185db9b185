"""What generated code needs beside the scalars: code values, lists of entries, unknown fields."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from enum import Enum, IntEnum, StrEnum
from typing import Any, Final, TypeVar

from kalshi_fix_sansio.errors import EncodeError

MAX_TAG = 999_999_999
"""The largest tag that is read or written."""
EMPTY: Final = ()
"""What a constructor takes for a group, and for unknown fields, that are not given."""

_S = TypeVar("_S", bound=StrEnum)
_I = TypeVar("_I", bound=IntEnum)
_E = TypeVar("_E")
_C = TypeVar("_C", bound=Enum)


def known(codes: type[_C]) -> dict[Any, _C]:
    """Return the members of a codeset by their values."""
    members: dict[Any, Any] = codes._value2member_map_
    return members


def to_str_code(codes: type[_S], value: str, plain: Callable[[str], str]) -> _S | str:
    """Return the member of `codes` with this value, or the value as it is if there is none.

    Venues add code values without notice, so an unknown one stays usable as a plain string.

    Raises:
        TypeError: it is a member of another codeset, or no string.
        ValueError: it does not have the lexical form that `plain` checks.
    """
    _refuse_other_codes(codes, value)
    checked = plain(value)
    return known(codes).get(checked, checked)


def to_int_code(codes: type[_I], value: int | str, plain: Callable[[int | str], int]) -> _I | int:
    """Return the member of `codes` with this value, or the number as it is if there is none.

    Raises:
        TypeError: it is a member of another codeset, a bool, or no number.
        ValueError: it does not have the lexical form that `plain` checks.
    """
    _refuse_other_codes(codes, value)
    checked = plain(value)
    return known(codes).get(checked, checked)


def _refuse_other_codes(codes: type[Enum], value: object) -> None:
    if isinstance(value, Enum) and not isinstance(value, codes):
        raise TypeError(
            f"expected {codes.__name__} or a plain value, not {type(value).__name__}.{value.name}"
        )


def to_entries(entry: type[_E], values: Iterable[_E]) -> list[_E]:
    """Return the entries of a group as a new list.

    Raises:
        TypeError: one of them is not an instance of the group's entry class.
    """
    entries = list(values)
    for value in entries:
        if not isinstance(value, entry):
            raise TypeError(f"expected a list of {entry.__name__}, not one with {type(value).__name__} in it")
    return entries


def warn_deprecated(text: str) -> None:
    """Warn whoever calls a constructor that the venue has deprecated the message, or a field that is given.

    Only constructors warn: what is read from the wire does not.
    """
    warnings.warn(text, DeprecationWarning, stacklevel=3)


def format_unknown(fields: Iterable[tuple[int, bytes]]) -> str:
    """Write fields that the dialect does not place, in their order, as `tag=value SOH` text.

    SOH may stand in a value if the field in front of it carries its length, as with data fields.

    Raises:
        EncodeError: a tag or a value has no FIX form.
    """
    parts = []
    length = b""
    for tag, value in fields:
        if type(tag) is not int or not 0 < tag <= MAX_TAG:
            raise EncodeError(f"an unknown field needs a tag from 1 to {MAX_TAG}, not {tag!r}")
        if not isinstance(value, bytes):
            raise EncodeError(f"the value of unknown field {tag} must be bytes, not {type(value).__name__}")
        if not value:
            raise EncodeError(f"the value of unknown field {tag} is empty")
        if b"\x01" in value and length != b"%d" % len(value):
            raise EncodeError(f"the value of unknown field {tag} holds SOH without its length in front")
        parts.append(f"{tag}={value.decode('latin-1')}\x01")
        length = value
    return "".join(parts)
