"""Convert messages to and from dicts and JSON, with FIX names or tags as keys.

A dict contains Python values. JSON contains wire text as strings, so no JSON parser converts a price to a
float. Both omit fields that are not set, hide secrets as `repr` does, and keep unknown fields in order. The
header is not included; convert it with `block_to_dict(dialect, message.header)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, time
from typing import Any, Final, Literal

from kalshi_fix_sansio.dialect.base import Block, Message, UnknownField, UnknownMessage
from kalshi_fix_sansio.dialect.layout import BlockLayout, Dialect, FieldLayout, FieldMember, GroupMember
from kalshi_fix_sansio.dialect.support import MAX_TAG, shown_value
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.scalars import PARSERS, format_value

By = Literal["name", "tag"]
"""The form of the keys: FIX names such as ClOrdID, or tags such as 11, as strings."""
HIDDEN: Final = "<hidden>"
"""Text that replaces the value of a secret field, such as a signature or a password."""
UNKNOWN: Final = "unknown"
"""The key of the unknown fields, a list of (tag, value) pairs. No FIX name begins with a lower-case letter,
so no field has this key.
"""
MSG_TYPE: Final = 35

_Value = Callable[[FieldLayout, Any], Any]


def to_dict(dialect: Dialect, message: Message, by: By = "name") -> dict[str, Any]:
    """Return a message as a dict: MsgType, then the fields set in its body, in the order of the spec. Groups
    are lists of dicts, with the name or tag of the counter as the key.

    Raises:
        ValueError: `by` is neither "name" nor "tag".
    """
    return {_msg_type_key(dialect, by): message.msg_type, **block_to_dict(dialect, message, by)}


def block_to_dict(dialect: Dialect, block: Block, by: By = "name") -> dict[str, Any]:
    """Return the fields set in a header, a trailer or a group entry as a dict.

    Raises:
        ValueError: `by` is neither "name" nor "tag".
    """
    return _dict_of(dialect, block, by, lambda _, value: value, lambda value: value)


def to_json(dialect: Dialect, message: Message, by: By = "name") -> str:
    """Return a message as a JSON object, like `to_dict` but with values as wire text.

    Raises:
        EncodeError: a value has no FIX representation.
        ValueError: `by` is neither "name" nor "tag".
    """
    body = _dict_of(dialect, message, by, _wire_text, lambda value: value.decode("latin-1"))
    return json.dumps({_msg_type_key(dialect, by): message.msg_type, **body})


def from_dict(dialect: Dialect, data: Mapping[str, Any]) -> Message:
    """Rebuild a message from the output of `to_dict`, or from the output of `to_json` after `json.loads`.
    Keys may be names, tags, or a mixture of both.

    Strings are parsed as wire text; other values are passed to the constructor.

    Raises:
        DecodeError: `data` is not a message, or contains a duplicate field, a hidden value or an invalid
            value.
    """
    if not isinstance(data, Mapping):
        raise DecodeError(f"expected a mapping, not {type(data).__name__}")
    keys = [key for key in (_msg_type_key(dialect, "name"), _msg_type_key(dialect, "tag")) if key in data]
    if len(keys) != 1 or not isinstance(data[keys[0]], str):
        raise DecodeError("expected MsgType (35) once, as a string")
    msg_type = data[keys[0]]
    body = {key: value for key, value in data.items() if key not in keys}
    layout = dialect.messages.get(msg_type)
    try:
        if layout is not None:
            message: Message = _read(layout.body, body)
            return message
        if body.keys() <= {UNKNOWN}:
            return UnknownMessage(msg_type=msg_type, unknown=_read_unknown(body.get(UNKNOWN, ())))
    except (TypeError, ValueError) as error:
        raise error if isinstance(error, DecodeError) else DecodeError(str(error)) from None
    raise DecodeError(f"unknown MsgType {shown_value(msg_type)}; its fields cannot be converted")


def from_json(dialect: Dialect, text: str) -> Message:
    """Rebuild a message from the output of `to_json`.

    Raises:
        DecodeError: `text` is not JSON, or `from_dict` would reject its content.
    """
    try:
        data = json.loads(text, object_pairs_hook=_dict_without_duplicates)
    except (TypeError, ValueError, RecursionError) as error:
        raise error if isinstance(error, DecodeError) else DecodeError("not a JSON object") from None
    return from_dict(dialect, data)


def _msg_type_key(dialect: Dialect, by: By) -> str:
    return str(MSG_TYPE) if by == "tag" else dialect.header.by_tag[MSG_TYPE].name


def _dict_of(
    dialect: Dialect, block: Block, by: By, convert: _Value, convert_unknown: Callable[[bytes], Any]
) -> dict[str, Any]:
    if by not in ("name", "tag"):
        raise ValueError(f"by must be 'name' or 'tag', not {shown_value(by)}")
    result: dict[str, Any] = {}
    for member in () if isinstance(block, UnknownMessage) else block.LAYOUT.members:
        value = getattr(block, member.attribute)
        if value is None or value == []:
            continue
        key = str(member.tag) if by == "tag" else member.name
        if isinstance(member, GroupMember):
            result[key] = [_dict_of(dialect, entry, by, convert, convert_unknown) for entry in value]
        else:
            result[key] = HIDDEN if member.field.secret else convert(member.field, value)
    if block.unknown:
        result[UNKNOWN] = [
            [tag, HIDDEN if tag in dialect.fields and dialect.fields[tag].secret else convert_unknown(value)]
            for tag, value in block.unknown
        ]
    return result


def _wire_text(field: FieldLayout, value: Any) -> str:
    text = format_value(field.kind, value)
    # Times on the wire have milliseconds; JSON keeps microseconds.
    if isinstance(value, datetime | time) and value.microsecond % 1000:
        return f"{text}{value.microsecond % 1000:03d}"
    return text


def _read(layout: BlockLayout, data: Any) -> Any:
    if not isinstance(data, Mapping):
        raise DecodeError(f"expected a mapping for {layout.name}, not {type(data).__name__}")
    members = {name: member for member in layout.members for name in (member.name, str(member.tag))}
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key == UNKNOWN:
            values[UNKNOWN] = _read_unknown(value)
            continue
        member = members.get(key) if isinstance(key, str) else None
        if member is None:
            raise DecodeError(f"{layout.name} has no field {shown_value(key)}")
        if member.attribute in values:
            raise DecodeError(f"{layout.name}.{member.attribute} must be given only once, by name or by tag")
        values[member.attribute] = _read_member(layout, member, value)
    return layout.cls(**values)


def _read_member(layout: BlockLayout, member: FieldMember | GroupMember, value: Any) -> Any:
    if isinstance(member, GroupMember):
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise DecodeError(f"{layout.name}.{member.attribute} must be a list of entries")
        return [_read(member.entry, entry) for entry in value]
    field = member.field
    # The type is checked first, because comparing bytes with a string warns under `python -b`.
    if field.secret and isinstance(value, str) and value == HIDDEN:
        raise DecodeError(f"{layout.name}.{member.attribute} is hidden; replace {HIDDEN} with the value")
    # Only plain strings are wire text. An enum member may be a string too, but needs no parsing.
    if type(value) is not str:
        return value
    try:
        return PARSERS[field.kind](value)
    except ValueError as error:
        value_text = "the given value" if field.secret else shown_value(value)
        raise DecodeError(f"{layout.name}.{member.attribute} cannot be {value_text}: {error}") from None


def _read_unknown(pairs: Any) -> tuple[UnknownField, ...]:
    fields = []
    for pair in pairs if isinstance(pairs, list | tuple) else [None]:
        tag, value = pair if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)
        if isinstance(value, str) and value != HIDDEN:
            value = value.encode("latin-1")
        if type(tag) is not int or not 0 < tag <= MAX_TAG or not isinstance(value, bytes):
            raise DecodeError("unknown fields must be a list of [tag, value] pairs, without hidden values")
        fields.append((tag, value))
    return tuple(fields)


def _dict_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise DecodeError("each key must occur only once in an object")
    return result
