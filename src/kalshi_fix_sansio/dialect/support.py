"""What generated code needs beside the scalars: code values, lists of entries, unknown fields."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Final, TypeVar

from kalshi_fix_sansio.errors import EncodeError

MAX_TAG = 999_999_999
"""The largest tag that is read or written."""
EMPTY: Final = ()
"""What a constructor takes for a group, and for unknown fields, that are not given. Compared by identity:
CPython has one empty tuple alone. Any other empty sequence is converted, with the same result."""
MAX_NAMES: Final = 256
"""How much of a header's names an encoder keeps as text for the next message, in characters."""
MAX_SHOWN: Final = 60
"""How much of a value an error text repeats, in characters."""
MAX_CODES_SHOWN: Final = 20
"""How many code values an error text lists."""

_S = TypeVar("_S", bound=StrEnum)
_I = TypeVar("_I", bound=IntEnum)
_E = TypeVar("_E")
_C = TypeVar("_C", bound=Enum)


def known(codes: type[_C]) -> dict[Any, _C]:
    """Return the members of a codeset by their values."""
    # Calling the class instead would raise for an unknown value.
    members: dict[Any, Any] = codes._value2member_map_
    return members


def to_str_code(codes: type[_S], value: str, plain: Callable[[str], str]) -> _S | str:
    """Return the member of `codes` with this value, or the value as it is if there is none.

    Venues add code values without notice, so an unknown one stays usable as a plain string.

    Raises:
        TypeError: it is a member of another codeset, or no string.
        ValueError: it does not have the lexical form that `plain` checks, or is the name of a member.
    """
    _refuse_other_codes(codes, value)
    checked = plain(value)
    return known(codes).get(checked, checked)


def to_int_code(codes: type[_I], value: int | str, plain: Callable[[int | str], int]) -> _I | int:
    """Return the member of `codes` with this value, or the number as it is if there is none.

    Raises:
        TypeError: it is a member of another codeset, a bool, or no number.
        ValueError: it does not have the lexical form that `plain` checks, or is the name of a member.
    """
    _refuse_other_codes(codes, value)
    checked = plain(value)
    return known(codes).get(checked, checked)


def _refuse_other_codes(codes: type[Enum], value: object) -> None:
    if isinstance(value, Enum) and not isinstance(value, codes):
        raise TypeError(
            f"expected {codes.__name__} or a plain value, not {type(value).__name__}.{value.name}"
        )
    if value.__class__ is str and value in codes.__members__ and value not in known(codes):
        member = codes[value]
        raise ValueError(f"that is the name of {codes.__name__}.{value}, whose value is {member.value!r}")


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


def constructor_error(
    block: Any, given: Mapping[str, Any], error: TypeError | ValueError
) -> TypeError | ValueError:
    """Return the error of a constructor that could not take one of its arguments, of the same kind.

    It names class, attribute, field, value (unless it is secret) and what would be right. `block` is the
    instance as far as it got: the first attribute that it lacks is the one; `given` has the arguments.
    """
    name, label, secret, codes = "unknown", "", False, None
    for member in block.LAYOUT.members:
        if not hasattr(block, member.attribute):
            field = getattr(member, "field", None)
            name, label = member.attribute, f", {member.name} ({member.tag}),"
            if field is not None:
                secret, codes = field.secret, field.codes
            break
    shown = "what was given" if secret else shown_value(given[name])
    text = f"{type(block).__name__}.{name}{label} cannot be {shown}: {error}"
    if codes is not None:
        text += f"; known values are {codes_listed(codes)}"
    kind = next(kind for kind in (EncodeError, TypeError, ValueError) if isinstance(error, kind))
    return kind(text)


def codes_listed(codes: type[Enum]) -> str:
    """Return the values of a codeset with their names, for people; of a long one the first."""
    members = list(codes)
    listed = [f"{member.value} ({member.name})" for member in members[:MAX_CODES_SHOWN]]
    more = len(members) - len(listed)
    return ", ".join([*listed, f"{more} more"] if more else listed)


def shown_value(value: object) -> str:
    """Return a value for an error text, of bounded length; of what no field can be, its class."""
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, (str, bytes)):
        return repr(value[:MAX_SHOWN]) + ("..." if len(value) > MAX_SHOWN else "")
    if isinstance(value, int) and abs(value) >= 10**MAX_SHOWN:
        return f"an integer of more than {MAX_SHOWN} digits"
    if value is None or isinstance(value, (int, float, Decimal, date, time)):
        text = str(value)
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
    return f"of class {type(value).__name__}"


def warn_deprecated(text: str) -> None:
    """Warn whoever calls a constructor that the venue has deprecated the message, or a field that is given.

    Only constructors warn: what is read from the wire does not.
    """
    # 3 is the line that calls the constructor; 1 is this one, 2 the constructor's.
    warnings.warn(text, DeprecationWarning, stacklevel=3)


class CodeFields(dict[Any, str]):
    """The fields of known code values, as text, by their values; that of an unknown value is made each time.

    To look one up takes a tenth of looking at the value and formatting it. By `[]` alone: `get` does not ask
    `__missing__`.
    """

    __slots__ = ("_format", "_tag")

    def __init__(self, tag: int, fields: Mapping[Any, str], plain: Callable[[Any], str]) -> None:
        """Know these fields; `plain` writes other values, or raises EncodeError."""
        super().__init__(fields)
        self._tag = tag
        self._format = plain

    def __missing__(self, value: Any) -> str:
        return f"{self._tag}={self._format(value)}\x01"


def code_fields(
    tag: int, codes: type[Enum], plain: Callable[[Any], str], *, optional: bool = False
) -> CodeFields:
    """Return the fields with this tag and these values; of an `optional` one also nothing for None."""
    # A member is equal to its value and has the same hash, so plain values are found as well.
    fields: dict[Any, str] = {code: f"{tag}={code.value}\x01" for code in codes}
    return CodeFields(tag, {**fields, None: ""} if optional else fields, plain)


def never_encoded(block: object, checked: bool = True) -> str:
    """Stand for the encoder of what is no part of a message by itself."""
    del checked
    raise EncodeError(f"{type(block).__name__} is no message: give it to a SessionConfig or a client")


def entry_count(entries: Sequence[object]) -> int:
    """Return how many entries a group has; TypeError for what is no list, such as an empty dict."""
    if not isinstance(entries, Sequence):
        raise TypeError(f"expected a list, not {type(entries).__name__}")
    return len(entries)


def require_entry(entry: object, cls: type[Any]) -> None:
    """Raise TypeError for an entry of a group that is of another class than the group's, or of one made of
    it."""
    if not isinstance(entry, cls):
        raise TypeError(f"expected {cls.__name__}, not {type(entry).__name__}")


def format_unknown(fields: Iterable[tuple[int, bytes]], checked: bool = True) -> str:
    """Write fields that the dialect does not place, in their order, as `tag=value SOH` text.

    SOH may stand in a value if the field in front of it carries its length, as with data fields.

    Raises:
        EncodeError: a tag or a value has no FIX form; or nobody has `checked` what a reader would take the
            fields for, which only the codec can tell.
    """
    if not checked:
        raise EncodeError("unknown fields have not been checked")
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
