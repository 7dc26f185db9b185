"""Kalshi's messages to bytes and back: the codec of `_generated.DIALECT` as plain functions.

The message classes themselves are in the package: `from kalshi_fix_sansio import NewOrderSingle`.
"""

from __future__ import annotations

from typing import Final

from kalshi_fix_sansio._generated import DIALECT, Header
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec import Codec, Inspection
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
