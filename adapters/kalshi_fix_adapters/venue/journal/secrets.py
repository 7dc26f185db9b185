"""Bytes of clients without their secrets.

A signature or password is replaced by as many `*`, and CheckSum made right for what is left where it was
right before. A venue reads the result as it read the original, except that a signature is not to be checked.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from kalshi_fix_sansio import DIALECT

MAX_HELD: Final = 1024 * 1024
"""Bytes of a client that are kept back until a message is whole. A longer one is written as it is then."""
_SECRETS: Final = "|".join(str(tag) for tag, field in DIALECT.fields.items() if field.secret).encode()
_SECRET: Final = re.compile(rb"(?:^|\x01)0*(?:%b)=" % _SECRETS)
_LENGTH: Final = re.compile(rb"(?:^|\x01)0*[1-9][0-9]*=([0-9]{1,9})\Z")
_FIELD: Final = re.compile(rb"[0-9]+=")
_END: Final = re.compile(rb"\x0110=[0-9]{3}\x01\Z")
_CHECK_SUM: Final = re.compile(rb"\x0110=([0-9]{3})\x01")


def redacted(data: bytes) -> bytes:
    """Return messages without their secrets, in the same number of bytes."""
    shown = bytearray(data)
    at = 0
    while (found := _SECRET.search(data, at)) is not None:
        begin = found.end()
        end = _end_of_value(data, found.start(), begin)
        shown[begin:end] = b"*" * (end - begin)
        change = sum(data[begin:end]) - (end - begin) * ord("*")
        check_sum = _CHECK_SUM.search(data, end)
        if check_sum is not None:
            # From what stands there by now: a message may have more than one secret.
            first, last = check_sum.span(1)
            shown[first:last] = b"%03d" % ((int(shown[first:last]) - change) % 256)
        at = end
    return bytes(shown)


def _end_of_value(data: bytes, start: int, begin: int) -> int:
    """Return where a secret ends: by the length before it, if that is right, else where fields go on."""
    counted = _LENGTH.search(data, max(0, start - 20), start)
    if counted is not None:
        end = begin + int(counted[1])
        if data[end : end + 1] == b"\x01":
            return end
    # Between two fields there may be parts of a value that holds SOH.
    end = data.find(b"\x01", begin)
    while 0 <= end < len(data) - 1 and _FIELD.match(data, end + 1) is None:
        end = data.find(b"\x01", end + 1)
    return len(data) if end < 0 else end


@attrs.define
class Redaction:
    """What comes from one client, kept back until it can be written down."""

    _held: list[tuple[int, bytes]] = attrs.field(factory=list)
    _size: int = 0

    def take(self, number: int, data: bytes) -> bool:
        """Take the data of an entry; say whether it may be written as it is, at once."""
        if not self._held and _END.search(data) and _SECRET.search(data) is None:
            return True
        self._held.append((number, data))
        self._size += len(data)
        return False

    def release(self, *, all_of_it: bool = False) -> list[tuple[int, bytes]]:
        """Return what may be written by now, without secrets, by entry."""
        if not self._held:
            return []
        joined = b"".join(data for _, data in self._held)
        if not all_of_it and self._size <= MAX_HELD and _END.search(joined) is None:
            return []
        shown = redacted(joined)
        released: list[tuple[int, bytes]] = []
        at = 0
        for number, data in self._held:
            released.append((number, shown[at : at + len(data)]))
            at += len(data)
        self._held.clear()
        self._size = 0
        return released
