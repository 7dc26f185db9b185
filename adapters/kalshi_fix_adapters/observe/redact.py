r"""Bytes on the wire as lines of printable ASCII, one for each message, with secrets hidden.

SOH is shown as `|`. Any other byte that is not printable ASCII, and `|` and the backslash themselves, are
written as `\xNN`, so that the form is unambiguous. `kalshi-fix decode` reads this form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kalshi_fix_adapters.observe.observer import Direction
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec.tokens import TokenForm, tokenize
from kalshi_fix_sansio.dialect.layout import Kind
from kalshi_fix_sansio.framing import MAX_BODY_LENGTH, Frame, Framer, Garbled, Oversized, encode_frame

STALL_SECONDS: Final = 60.0
"""Seconds after which an incomplete message is abandoned, so that the bytes after it are shown."""
HIDDEN: Final = b"***"

SECRETS: Final = frozenset(tag for tag, field in DIALECT.fields.items() if field.secret)
DATA_TAGS: Final = {
    field.length_tag: field.tag for field in DIALECT.fields.values() if field.length_tag is not None
}
_DATA_SECRETS: Final = SECRETS & (
    set(DATA_TAGS.values()) | {tag for tag, field in DIALECT.fields.items() if field.kind is Kind.DATA}
)
_TAGS: Final = "|".join(map(str, sorted(SECRETS))).encode()
# Leading zeros are allowed, because a lenient reader accepts them.
_SECRET_FIELD: Final = re.compile(rb"\x010*(?:%b)=" % _TAGS)
SECRET_NAME: Final = re.compile(f"0*({_TAGS.decode()})=")
# Does not match after a digit other than 0, because that digit would be part of another tag. In bytes that
# are not a message, the end of a value is unknown, so everything after the tag is hidden.
_SECRET_ANYWHERE: Final = re.compile(rb"(?<![1-9])(?:%b)=.*" % _TAGS, re.DOTALL)
_ESCAPED_BYTES: Final = bytes({*range(256)} - {*range(0x20, 0x7F), 1} | {*rb"|\\"})
_SOH_TO_BAR: Final = bytes.maketrans(b"\x01", b"|")
_ESCAPES: Final = {byte: f"\\x{byte:02x}" for byte in _ESCAPED_BYTES} | {1: "|"}


def printable(data: bytes) -> str:
    """Return bytes from the wire as printable ASCII."""
    if data.translate(None, _ESCAPED_BYTES) == data:
        return data.translate(_SOH_TO_BAR).decode("ascii")
    return data.decode("latin-1").translate(_ESCAPES)


def without_secrets(frame: bytes) -> bytes:
    """Return a valid message with its secrets replaced, and with BodyLength and CheckSum recomputed.

    If a secret has a correct length field, such as RawDataLength, its replacement has the same length. If the
    end of a secret is uncertain, the fields after it are removed.
    """
    if _SECRET_FIELD.search(frame) is None:
        return frame
    fields: list[bytes] = []
    # All fields except BeginString, BodyLength and CheckSum, which `encode_frame` adds.
    for tag, value, form in tokenize(frame.decode("latin-1"), DATA_TAGS)[2:-1]:
        field = value if form is TokenForm.INVALID else f"{tag}={value}"
        # A tag with leading zeros is invalid, but its value may still be a secret.
        if form is TokenForm.INVALID and (match := SECRET_NAME.match(value)):
            tag = int(match[1])
        if tag not in SECRETS:
            fields.append(field.encode("latin-1"))
            continue
        counted = form is TokenForm.COUNTED
        fields.append(b"%d=%b" % (tag, b"*" * len(value) if counted else HIDDEN))
        # Without a correct length, the value may contain SOH, so an apparent next field may be part of the
        # secret.
        if tag in _DATA_SECRETS and not counted:
            break
    begin_string = frame[2 : frame.index(b"\x01")].decode("latin-1")
    return encode_frame(begin_string, b"\x01".join(fields) + b"\x01")


class Transcript:
    """The bytes of one connection, split into messages for each direction."""

    def __init__(self, max_message_size: int = MAX_BODY_LENGTH) -> None:
        self._framers = {each: Framer(max_body_length=max_message_size) for each in ("sent", "received")}
        self._last_progress = {"sent": 0.0, "received": 0.0}
        """Monotonic time at which the first pending byte was added, or the last message was completed."""

    def feed(self, direction: Direction, data: bytes, now: Instant) -> list[str]:
        """Add bytes; return a line for each message, or sequence of garbled bytes, that is now complete."""
        framer = self._framers[direction]
        if not framer.pending:
            self._last_progress[direction] = now.monotonic
        elif now.monotonic - self._last_progress[direction] > STALL_SECONDS:
            # Otherwise a wrong BodyLength would prevent all later bytes from being logged.
            framer.resync()
        framer.feed(data)
        lines = list(_lines(direction, framer))
        if lines:
            self._last_progress[direction] = now.monotonic
        return lines

    def end(self) -> list[str]:
        """End the connection; return lines for incomplete messages."""
        lines: list[str] = []
        for direction, framer in self._framers.items():
            while framer.pending or framer.skipped:
                framer.resync()
                lines += _lines(direction, framer)
        return lines


def _lines(direction: str, framer: Framer) -> Iterator[str]:
    while (item := framer.next()) is not None:
        if isinstance(item, Frame):
            yield f"{direction:8} {printable(without_secrets(item.data))}"
        else:
            yield f"{direction:8} {_describe(item)}"


def _describe(garbled: Garbled | Oversized) -> str:
    if isinstance(garbled, Oversized):
        return f"skipping a message of {garbled.body_length} bytes, above the limit of {garbled.limit}"
    sample = _SECRET_ANYWHERE.sub(HIDDEN, garbled.data)
    return f"{garbled.size} bytes that are not a message ({garbled.reason}), beginning: {printable(sample)}"
