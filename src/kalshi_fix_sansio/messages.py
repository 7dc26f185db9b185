"""Decode and encode Kalshi's messages: the codec of `_generated.DIALECT` as plain functions.

The message classes are exported by the package: `from kalshi_fix_sansio import NewOrderSingle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from kalshi_fix_sansio._generated import DIALECT, Header
from kalshi_fix_sansio.codec import Codec, Inspection, mapping
from kalshi_fix_sansio.codec.mapping import By
from kalshi_fix_sansio.dialect.base import Block, Message
from kalshi_fix_sansio.framing import Frame

CODEC: Final = Codec(DIALECT)
"""The codec of the Kalshi dialect."""
_earlier_codecs: Final[dict[int, Codec]] = {}
"""Codecs of earlier versions of the dialect, by the `id()` of the version. `Dialect.as_of` returns the same
object for all days between two changes.
"""


def codec_as_of(day: date) -> Codec:
    """Return the codec of the dialect as it was on a day, in UTC (`Dialect.as_of`).

    It decodes messages into instances of the current message classes. Fields that only the earlier dialect
    had are kept in `unknown`.
    """
    dialect = DIALECT.as_of(day)
    if dialect is DIALECT:
        return CODEC
    codec = _earlier_codecs.get(id(dialect))
    if codec is None:
        codec = _earlier_codecs[id(dialect)] = Codec(dialect)
    return codec


def decode(frame: bytes | Frame) -> Message:
    """Decode one Kalshi message leniently, without rejecting unknown or malformed fields.

    Unknown fields are kept in `unknown`, unknown code values remain plain values, and errors are listed in
    `problems`; a value that could not be parsed is None. A message of an unknown type becomes an
    `UnknownMessage`.

    Args:
        frame: one complete message, or a `Frame` from a `Framer`.

    Raises:
        DecodeError: the bytes are not one complete message with a correct BodyLength and CheckSum.
    """
    return CODEC.decode(frame)


def decode_strict(frame: bytes | Frame) -> Message:
    """Decode one Kalshi message, and raise DecodeError unless it is valid according to the spec.

    Args:
        frame: one complete message, or a `Frame` from a `Framer`.

    Raises:
        DecodeError: its `problems` lists the errors, classified by SessionRejectReason (373).
    """
    return CODEC.decode_strict(frame)


def inspect(frame: bytes) -> Inspection:
    """Split a message into its fields for display, even if it is damaged.

    Never raises for bytes that begin with `8=`.
    """
    return CODEC.inspect(frame)


def encode(message: Message, header: Header | None = None) -> bytes:
    """Encode a Kalshi message. Without `header`, the message's own header is used, if it has one.

    BeginString, BodyLength, MsgType and CheckSum are set automatically. The rules of the spec are not checked
    here; a session checks them before it sends a message.

    Raises:
        EncodeError: a value has no FIX representation; the text contains the name of the field.
    """
    return CODEC.encode(message, header)


def to_dict(block: Block, by: By = "name") -> dict[str, Any]:
    """Return the fields set in a message, a header or an entry as a dict, with FIX names or tags as keys.

    The values are those of the attributes, such as Decimals, datetimes and enum members. A group is a list of
    dicts, with the name of its counter as the key. The dict of a message begins with MsgType, and does not
    include the header; call `to_dict` for the header separately. Secrets are replaced with `<hidden>`.
    Unknown fields are a list of [tag, bytes] pairs, with the key `unknown`.
    """
    if isinstance(block, Message):
        return mapping.to_dict(DIALECT, block, by)
    return mapping.block_to_dict(DIALECT, block, by)


def from_dict(data: Mapping[str, Any]) -> Message:
    """Rebuild a message from the result of `to_dict`, or from the output of `to_json` after `json.loads`.

    The result is equal to the original message. Keys may be names, tags, or a mixture of both.
    Strings are parsed as wire text.

    Raises:
        DecodeError: `data` is not a message, or contains a duplicate field, a hidden value or an invalid
            value.
    """
    return mapping.from_dict(DIALECT, data)


def to_json(message: Message, by: By = "name") -> str:
    """Return a message as JSON text: an object like the result of `to_dict`, but with each value as a string
    in wire format.

    Times have milliseconds as on the wire, or microseconds if needed.

    Raises:
        EncodeError: a value has no FIX representation.
    """
    return mapping.to_json(DIALECT, message, by)


def from_json(text: str) -> Message:
    """Rebuild a message from the output of `to_json`. The result is equal to the original message.

    Raises:
        DecodeError: `text` is not JSON, or `from_dict` would reject its content.
    """
    return mapping.from_json(DIALECT, text)
