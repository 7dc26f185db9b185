"""Faults in the bytes on the wire: garbage, a changed byte, a repeated earlier message.

No fault produces a message that the receiver accepts but the sender never wrote, because CheckSum always
detects a single changed byte. The module also contains valid variations in the way a peer writes its
messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random

from kalshi_fix_sansio import scalars
from kalshi_fix_sansio.framing import encode_frame
from tests.simulation.wire import ADMIN, Fields, frames

WireChange = Callable[[bytes], bytes]
_FIELD = re.compile(rb"(\d+)=([^\x01]*)\x01")
_ENVELOPE = frozenset({b"8", b"9", b"10"})
"""Fields that encode_frame writes."""
_GARBAGE_PREFIXES = (
    b"8=FIXT.1.1\x01",
    b"8=FIXT.1.1\x019=99999\x0135=8\x01",
    b"8=FIXT.1.1\x019=200\x0135=0\x01",
    b"\x0110=000\x01",
    b"",
)


def garbage(random: Random) -> WireChange:
    """Insert random bytes into a write, between messages or inside one."""

    def act(data: bytes) -> bytes:
        junk = random.choice(_GARBAGE_PREFIXES) + random.randbytes(random.randrange(60))
        at = random.choice([0, len(data), random.randrange(len(data) + 1)])
        return data[:at] + junk + data[at:]

    return act


def flip(random: Random) -> WireChange:
    """Change one byte of a write."""

    def act(data: bytes) -> bytes:
        at = random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ random.randrange(1, 256)]) + data[at + 1 :]

    return act


def repeat(
    random: Random, seen: Callable[[], Mapping[int, bytes]], utc: Callable[[], datetime]
) -> WireChange:
    """Insert an earlier application message, like a peer that resends more than was requested."""

    def act(data: bytes) -> bytes:
        found = [frame for frame in seen().values() if _msg_type(frame) not in ADMIN]
        return data + resent_frame(random.choice(found), utc()) if found else data

    return act


def keep_first_times(data: bytes) -> bytes:
    """Keep the first SendingTime in resent messages, as some engines do."""
    return b"".join(_keep_first_time(frame) for frame in frames(data))


def _keep_first_time(frame: bytes) -> bytes:
    fields = _FIELD.findall(frame)
    values = dict(fields)
    if values.get(b"43") != b"Y" or values[b"35"] == b"4":
        return frame
    return _framed([(tag, values[b"122"] if tag == b"52" else value) for tag, value in fields])


def rename_sender(name: bytes, *, every_other: bool) -> WireChange:
    """Set this SenderCompID in every message, or in every other one, but not in the Logon of a client."""
    uses_own_name = False

    def renamed(frame: bytes) -> bytes:
        nonlocal uses_own_name
        uses_own_name = not uses_own_name
        fields = _FIELD.findall(frame)
        values = dict(fields)
        if (every_other and uses_own_name) or (values[b"35"] == b"A" and b"96" in values):
            return frame
        return _framed([(tag, name if tag == b"49" else value) for tag, value in fields])

    return lambda data: b"".join(map(renamed, frames(data)))


def _framed(fields: Fields) -> bytes:
    kept = [b"%b=%b\x01" % field for field in fields if field[0] not in _ENVELOPE]
    return encode_frame("FIXT.1.1", b"".join(kept))


def _msg_type(frame: bytes) -> bytes:
    match = re.search(rb"\x0135=([^\x01]*)\x01", frame)
    return match[1] if match else b""


def resent_frame(frame: bytes, utc: datetime) -> bytes:
    """Return a frame as its sender would resend it at this time."""
    fields = [field for field in _FIELD.findall(frame) if field[0] not in {*_ENVELOPE, b"43"}]
    first_sent = dict(fields).get(b"122") or dict(fields)[b"52"]
    text = b""
    for tag, value in fields:
        if tag == b"52":
            now = max(scalars.format_utctimestamp(utc).encode(), first_sent)
            text += b"43=Y\x0152=%b\x01122=%b\x01" % (now, first_sent)
        elif tag != b"122":
            text += b"%b=%b\x01" % (tag, value)
    return encode_frame("FIXT.1.1", text)
