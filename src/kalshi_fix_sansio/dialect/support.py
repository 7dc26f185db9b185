"""Helpers for the generated code: code values, lists of entries, unknown fields."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeVar

from kalshi_fix_sansio.errors import EncodeError

MAX_TAG = 999_999_999
"""The largest tag that is accepted."""
EMPTY: Final = ()
"""Default for the constructor arguments of groups and unknown fields. Constructors compare it by identity,
which is fast; another empty sequence is converted, with the same result.
"""
MAX_CACHED_COMP_ID_CHARS: Final = 256
"""Maximum total length, in characters, of the CompIDs in a header whose text the encoder caches for the next
message.
"""
MAX_SHOWN: Final = 60
"""Maximum number of characters of a value that an error text contains."""
MAX_CODES_SHOWN: Final = 20
"""Maximum number of code values that an error text lists."""

_E = TypeVar("_E")
_C = TypeVar("_C", bound=Enum)
_V = TypeVar("_V")
_P = TypeVar("_P")


def members_by_value(codes: type[_C]) -> dict[Any, _C]:
    """Return the members of a codeset by their values."""
    # `codes(value)` would raise for an unknown value.
    members: dict[Any, Any] = codes._value2member_map_
    return members


def to_code(codes: type[_C], value: _V, plain: Callable[[_V], _P]) -> _C | _P:
    """Return the member of `codes` with this value, or the unchanged value if there is none.

    `plain` is the converter of a field without codes. Venues add code values without notice, so an
    unknown value remains usable as a plain string or number.

    Raises:
        TypeError: the value is a member of another codeset, or of a type that `plain` does not accept.
        ValueError: it does not have the lexical form that `plain` checks, or is the name of a member.
    """
    _reject_other_codes(codes, value)
    checked = plain(value)
    return members_by_value(codes).get(checked, checked)


def _reject_other_codes(codes: type[Enum], value: object) -> None:
    if isinstance(value, Enum) and not isinstance(value, codes):
        raise TypeError(
            f"expected {codes.__name__} or a plain value, not {type(value).__name__}.{value.name}"
        )
    if value.__class__ is str and value in codes.__members__ and value not in members_by_value(codes):
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
            raise TypeError(
                f"expected a list of {entry.__name__}, not one that contains {type(value).__name__}"
            )
    return entries


def constructor_error(
    block: Any, arguments: Mapping[str, Any], error: TypeError | ValueError
) -> TypeError | ValueError:
    """Return an error of the same class as `error`, for a constructor argument that could not be converted.

    The text contains the class, the attribute, the field, the value (unless it is secret) and the accepted
    values. `block` is the incomplete instance; the first attribute that it lacks is the one that failed.
    `arguments` contains the constructor's arguments by name.
    """
    name, label, secret, codes = "unknown", "", False, None
    for member in block.LAYOUT.members:
        if not hasattr(block, member.attribute):
            field = getattr(member, "field", None)
            name, label = member.attribute, f", {member.name} ({member.tag}),"
            if field is not None:
                secret, codes = field.secret, field.codes
            break
    shown = "the given value" if secret else shown_value(arguments[name])
    text = f"{type(block).__name__}.{name}{label} cannot be {shown}: {error}"
    if codes is not None:
        text += f"; known values are {list_codes(codes)}"
    kind = next(kind for kind in (EncodeError, TypeError, ValueError) if isinstance(error, kind))
    return kind(text)


def list_codes(codes: type[Enum]) -> str:
    """Return the values of a codeset with their names, for display; a long list is truncated."""
    members = list(codes)
    listed = [f"{member.value} ({member.name})" for member in members[:MAX_CODES_SHOWN]]
    more = len(members) - len(listed)
    return ", ".join([*listed, f"{more} more"] if more else listed)


def shown_value(value: object) -> str:
    """Return a value as text of limited length, for error texts. For a type that no field has, the text
    contains only the class.
    """
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
    """Warn the caller of a constructor that the venue has deprecated the message, or a field that was passed.

    Only constructors warn; decoding does not.
    """
    # Level 1 is this function, 2 is the constructor, and 3 is the line that calls the constructor.
    warnings.warn(text, DeprecationWarning, stacklevel=3)


class CodeFields(dict[Any, str]):
    """The encoded field (`tag=value SOH`) of each known code value. The field of an unknown value is
    formatted each time.

    A lookup takes a tenth of the time needed to check and format a value. Use only `[]`, because `get` does
    not call `__missing__`.
    """

    __slots__ = ("_format", "_tag")

    def __init__(self, tag: int, fields: Mapping[Any, str], plain: Callable[[Any], str]) -> None:
        """Set the known fields; `plain` formats other values, or raises EncodeError."""
        super().__init__(fields)
        self._tag = tag
        self._format = plain

    def __missing__(self, value: Any) -> str:
        return f"{self._tag}={self._format(value)}\x01"


def code_fields(
    tag: int, codes: type[Enum], plain: Callable[[Any], str], *, optional: bool = False
) -> CodeFields:
    """Return the encoded fields of a codeset; if `optional`, None maps to the empty string."""
    # An enum member is equal to its value and has the same hash, so plain values are found too.
    fields: dict[Any, str] = {code: f"{tag}={code.value}\x01" for code in codes}
    return CodeFields(tag, {**fields, None: ""} if optional else fields, plain)


def refuse_to_encode(block: object, checked: bool = True) -> str:
    """Raise EncodeError. This is the encoder of classes that are not messages, such as `LogonFields`."""
    del checked
    raise EncodeError(f"{type(block).__name__} is not a message; pass it to a SessionConfig or a client")


def entry_count(entries: Sequence[object]) -> int:
    """Return the number of entries of a group. Raise TypeError if the value is not a sequence; `len` alone
    would accept an empty dict.
    """
    if not isinstance(entries, Sequence):
        raise TypeError(f"expected a list, not {type(entries).__name__}")
    return len(entries)


def require_entry(entry: object, cls: type[Any]) -> None:
    """Raise TypeError unless an entry of a group is an instance of the group's entry class."""
    if not isinstance(entry, cls):
        raise TypeError(f"expected {cls.__name__}, not {type(entry).__name__}")


def format_unknown(fields: Iterable[tuple[int, bytes]], checked: bool = True) -> str:
    """Encode unknown fields in the given order, as `tag=value SOH` text.

    A value may contain SOH if the field before it contains its length, as for data fields.

    Raises:
        EncodeError: a tag or a value has no FIX representation, or `checked` is False, because only the codec
            can check how a receiver would interpret the fields.
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
            raise EncodeError(
                f"the value of unknown field {tag} contains SOH and is not preceded by its length"
            )
        parts.append(f"{tag}={value.decode('latin-1')}\x01")
        length = value
    return "".join(parts)
