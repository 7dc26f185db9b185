"""What generated code needs beside the scalars: code values, lists of entries, unknown fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, IntEnum, StrEnum
from typing import Any, TypeVar

from kalshi_fix_sansio.errors import EncodeError

_S = TypeVar("_S", bound=StrEnum)
_I = TypeVar("_I", bound=IntEnum)
_E = TypeVar("_E")


def to_str_code(codes: type[_S], value: str, plain: Callable[[str], str]) -> _S | str:
    """Return the member of `codes` with this value, or the value as it is if there is none.

    Venues add code values without notice, so an unknown one stays usable as a plain string.

    Raises:
        TypeError: it is a member of another codeset, or no string.
        ValueError: it does not have the lexical form that `plain` checks.
    """
    _refuse_other_codes(codes, value)
    checked = plain(value)
    known: dict[Any, Any] = codes._value2member_map_
    found: _S | str = known.get(checked, checked)
    return found


def to_int_code(codes: type[_I], value: int | str, plain: Callable[[int | str], int]) -> _I | int:
    """Return the member of `codes` with this value, or the number as it is if there is none.

    Raises:
        TypeError: it is a member of another codeset, a bool, or no number.
        ValueError: it does not have the lexical form that `plain` checks.
    """
    _refuse_other_codes(codes, value)
    checked = plain(value)
    known: dict[Any, Any] = codes._value2member_map_
    found: _I | int = known.get(checked, checked)
    return found


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


def format_unknown(fields: Iterable[tuple[int, bytes]]) -> str:
    """Write fields that the dialect does not place, in their order, as `tag=value SOH` text.

    Raises:
        EncodeError: a tag is not a positive number, or a value is empty or holds SOH.
    """
    parts = []
    for tag, value in fields:
        if tag < 1:
            raise EncodeError(f"an unknown field needs a tag of 1 or more, not {tag}")
        if not value or b"\x01" in value:
            raise EncodeError(f"the value of unknown field {tag} must be bytes, not empty and without SOH")
        parts.append(f"{tag}={value.decode('latin-1')}\x01")
    return "".join(parts)
