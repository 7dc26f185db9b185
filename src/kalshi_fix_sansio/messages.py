"""Kalshi's messages to bytes and back: the codec of `_generated.DIALECT` as plain functions.

The message classes themselves are in the package: `from kalshi_fix_sansio import NewOrderSingle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kalshi_fix_sansio._generated import DIALECT, Header
from kalshi_fix_sansio.codec import Codec, Inspection, mapping
from kalshi_fix_sansio.codec.mapping import By
from kalshi_fix_sansio.dialect.base import Block, Message
from kalshi_fix_sansio.framing import Frame

CODEC: Final = Codec(DIALECT)
"""The codec of the Kalshi dialect."""


def decode(frame: bytes | Frame) -> Message:
    """Decode one message of Kalshi, leniently: nothing is lost for being new or malformed.

    Fields that the dialect does not know are kept in `unknown`, code values that it does not know stay plain
    values, and what is wrong is listed in `problems`, with None in place of what could not be read. A message
    of an unknown type is an `UnknownMessage`.

    Args:
        frame: one whole message, or a `Frame` from a `Framer`.

    Raises:
        DecodeError: the bytes are not one whole message with the right BodyLength and CheckSum.
    """
    return CODEC.decode(frame)


def decode_strict(frame: bytes | Frame) -> Message:
    """Decode one message of Kalshi, and accept only what the spec allows in every respect.

    Args:
        frame: one whole message, or a `Frame` from a `Framer`.

    Raises:
        DecodeError: with everything that is wrong in `problems`, as SessionRejectReason (373) has it.
    """
    return CODEC.decode_strict(frame)


def inspect(frame: bytes) -> Inspection:
    """Take a message apart for people, however damaged it is; never raises on what begins with `8=`."""
    return CODEC.inspect(frame)


def encode(message: Message, header: Header | None = None) -> bytes:
    """Encode a message of Kalshi with a header: the one given, or the message's own, or none.

    BeginString, BodyLength, MsgType and CheckSum are written by themselves. What the spec requires is not
    checked here: a session does that before it sends.

    Raises:
        EncodeError: a value has no FIX form; the text names the field.
    """
    return CODEC.encode(message, header)


def to_dict(block: Block, by: By = "name") -> dict[str, Any]:
    """Return what is set of a message, a header or an entry, by FIX names or, as strings, by tags.

    Values are those of the attributes: Decimal, datetime, members of enums. Groups are lists of dicts, under
    the name of their counter. A message begins with MsgType, and leaves out its header, a block of its own.
    Secrets are `<hidden>`; unknown fields are pairs of tag and bytes, under `unknown`.
    """
    if isinstance(block, Message):
        return mapping.to_dict(DIALECT, block, by)
    return mapping.block_to_dict(DIALECT, block, by)


def from_dict(data: Mapping[str, Any]) -> Message:
    """Return the message that `to_dict` has written, equal to the one that it was given; or `json.loads` of
    what `to_json` has. Names and tags may stand side by side; strings are read as on the wire.

    Raises:
        DecodeError: that is no message, a field stands in it twice or is hidden, or a value does not fit.
    """
    return mapping.from_dict(DIALECT, data)


def to_json(message: Message, by: By = "name") -> str:
    """Return a message as a JSON object: as `to_dict`, with each value as on the wire, in a string.

    Moments have microseconds where they need them, unlike on the wire.

    Raises:
        EncodeError: a value has no FIX form.
    """
    return mapping.to_json(DIALECT, message, by)


def from_json(text: str) -> Message:
    """Return the message that `to_json` has written, equal to the one that it was given.

    Raises:
        DecodeError: as with `from_dict`, or it is no JSON.
    """
    return mapping.from_json(DIALECT, text)
