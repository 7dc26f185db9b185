"""The exact format of a complete message, and the reasons why bytes do not match it."""

from __future__ import annotations

import re
from typing import Final
from zlib import adler32

import attrs

from kalshi_fix_sansio.dialect.problems import Problem, Reason

SOH: Final = b"\x01"
"""The byte that ends every field."""
HEAD: Final = re.compile(rb"8=(FIX[ -~]{0,20})\x019=([1-9][0-9]{0,8})\x0135=")
"""The start of every message; BeginString and BodyLength are captured."""
CHECK_SUM: Final = re.compile(rb"10=([0-9]{3})\x01")
"""The end of every message."""
CHECK_SUM_SIZE: Final = 7
"""Size of the CheckSum field with its SOH, in bytes."""
CHECK_SUM_FIELDS: Final = tuple(b"10=%03d\x01" % value for value in range(256))
"""The CheckSum (10) field for each value, with its SOH."""
ADLER_BLOCK: Final = 256
"""Block size in bytes. The sum of this many bytes is always below the modulus of Adler-32."""
ADLER_ASCII_BLOCK: Final = 512
"""Block size for ASCII bytes, which may be larger because their values are below 128."""


@attrs.frozen
class Frame:
    """One complete message with a correct BodyLength and CheckSum, as the `Framer` returns it.

    Attributes:
        data: All bytes of the message, from BeginString (8) to the SOH that ends CheckSum (10).
    """

    data: bytes = attrs.field(repr=False)

    @property
    def begin_string(self) -> str:
        """The value of BeginString (8), such as FIXT.1.1."""
        return self.data[2 : self.data.index(SOH)].decode("latin-1")


def byte_sum(data: bytes | bytearray) -> int:
    """Return the sum of all bytes.

    The low half of Adler-32 with the initial value 0 is the sum of the bytes modulo 65521. For a block of at
    most 256 bytes, or 515 ASCII bytes, this is the sum itself, because 256 * 255 and 515 * 127 are below
    65521. With `sum` instead, decoding a report takes 1.24 times as long.
    """
    size = ADLER_ASCII_BLOCK if data.isascii() else ADLER_BLOCK
    if len(data) <= size:
        return adler32(data, 0) & 0xFFFF
    total = 0
    for start in range(0, len(data), size):
        total += adler32(data[start : start + size], 0) & 0xFFFF
    return total


SUMS_WITH_CHECK_SUM: Final = tuple(
    (value + byte_sum(field)) & 0xFF for value, field in enumerate(CHECK_SUM_FIELDS)
)
"""The sum of all bytes of a message modulo 256, including the CheckSum field, by the value of CheckSum."""


def encode_frame(begin_string: str, body: bytes) -> bytes:
    """Return a complete message: BeginString, BodyLength, the body (from `35=` to its last SOH), and
    CheckSum.
    """
    message = b"8=%b\x019=%d\x01%b" % (begin_string.encode("latin-1"), len(body), body)
    return message + CHECK_SUM_FIELDS[byte_sum(message) & 0xFF]


def is_frame(data: bytes) -> bool:
    """Return whether the bytes are exactly one message with a correct BodyLength and CheckSum."""
    head = HEAD.match(data)
    if head is None:
        return False
    end = len(data) - CHECK_SUM_SIZE
    check_sum = CHECK_SUM.fullmatch(data, max(end, 0))
    # BodyLength counts the bytes from the one after its SOH to the SOH before CheckSum. Without the latter,
    # `10=` may be the end of another tag or value.
    return (
        check_sum is not None
        and end - head.end(2) - 1 == int(head[2])
        and data[end - 1] == 1
        and byte_sum(data[:end]) & 0xFF == int(check_sum[1])
    )


def frame_problems(data: bytes) -> tuple[Problem, ...]:
    """Return the reasons why the bytes are not one complete message. The texts contain the values found and
    expected.

    The result is empty if, and only if, `is_frame` returns True.
    """
    fields = data.split(SOH, 3)
    for index, tag, name in ((0, 8, "BeginString"), (1, 9, "BodyLength"), (2, 35, "MsgType")):
        # The part after the last SOH is not a complete field.
        if index >= len(fields) - 1 or not fields[index].startswith(b"%d=" % tag):
            ordinal = ("first", "second", "third")[index]
            text = f"{name} ({tag}) is not the {ordinal} field"
            return (Problem(Reason.TAG_OUT_OF_ORDER, text, tag),)
    problems = []
    if not re.fullmatch(rb"8=FIX[ -~]{0,20}", fields[0]):
        problems.append(_wrong_value(8, "BeginString", fields[0][2:], "a FIX version"))
    end = len(data) - CHECK_SUM_SIZE
    check_sum = CHECK_SUM.fullmatch(data, end)
    if check_sum is None or data[end - 1] != 1:
        text = "CheckSum (10) with three digits is not the last field: the message is cut short or damaged"
        return (*problems, Problem(Reason.REQUIRED_TAG_MISSING, text, 10))
    # Compare the text, because leading zeros must be rejected, as in `HEAD`.
    length = b"%d" % (end - len(fields[0]) - len(fields[1]) - 2)
    if fields[1] != b"9=" + length:
        problems.append(_wrong_value(9, "BodyLength", fields[1][2:], length.decode()))
    actual = byte_sum(data[:end]) & 0xFF
    if int(check_sum[1]) != actual:
        problems.append(_wrong_value(10, "CheckSum", check_sum[1], f"{actual:03d}"))
    return tuple(problems)


def _wrong_value(tag: int, name: str, raw: bytes, expected: str) -> Problem:
    value = raw.decode("latin-1")
    return Problem(Reason.VALUE_INCORRECT, f"{name} ({tag}) is {value!r}, expected {expected}", tag, value)
