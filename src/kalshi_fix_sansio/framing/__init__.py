"""Framing: splits a stream of bytes into messages, and adds the framing fields to the body of a message.

FIXT 1.1, "Message format" and "Garbled messages": a message begins with BeginString (8), BodyLength (9) and
MsgType (35), in this order. BodyLength is the number of bytes after the SOH of its own field, up to the
CheckSum field. CheckSum (10) is the sum of all bytes before its tag, modulo 256, in three digits. Bytes that
violate these rules are garbled. They are skipped, and the messages after them are still found.
"""

from __future__ import annotations

from kalshi_fix_sansio.framing.frame import (
    CHECK_SUM_SIZE,
    SOH,
    SUMS_WITH_CHECK_SUM,
    Frame,
    byte_sum,
    encode_frame,
    frame_problems,
    is_frame,
)
from kalshi_fix_sansio.framing.framer import (
    MAX_BODY_LENGTH,
    MAX_HEADS,
    MAX_SAMPLE,
    Framer,
    Garbled,
    Oversized,
)

__all__ = [
    "CHECK_SUM_SIZE",
    "MAX_BODY_LENGTH",
    "MAX_HEADS",
    "MAX_SAMPLE",
    "SOH",
    "SUMS_WITH_CHECK_SUM",
    "Frame",
    "Framer",
    "Garbled",
    "Oversized",
    "byte_sum",
    "encode_frame",
    "frame_problems",
    "is_frame",
]
