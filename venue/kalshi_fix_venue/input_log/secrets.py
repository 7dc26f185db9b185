"""Redaction of the secrets in bytes from clients.

Each character of a signature or password is replaced by `*`, and CheckSum is adjusted, so a valid CheckSum
stays valid. A venue parses the result like the original, but cannot check its signatures.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from kalshi_fix_adapters.observe.redact import DATA_TAGS, SECRET_NAME, SECRETS
from kalshi_fix_sansio.codec.tokens import SOH, TokenForm, tokenize

MAX_HELD: Final = 1024 * 1024
"""Maximum number of bytes from a client that are held back until a message is complete. A longer message is
redacted and written in parts."""
_CHECK_SUM: Final = 10
_FIELD: Final = re.compile(r"[0-9]+=")
_END: Final = re.compile(rb"\x0110=[0-9]{3}\x01\Z")
_SECRET: Final = re.compile(rb"(?:^|\x01)0*(?:%b)=" % "|".join(map(str, SECRETS)).encode())


def redacted(data: bytes) -> bytes:
    """Return messages without their secrets, in the same number of bytes."""
    text = data.decode("latin-1")
    parts: list[str] = []
    # Sum of the message's bytes that were replaced, less the sum of their replacements.
    difference = 0
    is_secret = counted = False
    for tag, value, form in tokenize(text, DATA_TAGS):
        if form is not TokenForm.INVALID:
            name, is_secret = f"{tag}=", tag in SECRETS
        elif (match := SECRET_NAME.match(value)) is not None:
            name, value, is_secret = match[0], value[match.end() :], True
        else:
            # The value continues a secret that contains SOH and whose length field is not valid.
            name, is_secret = "", is_secret and not counted and _FIELD.match(value) is None
        counted = form is TokenForm.COUNTED
        if is_secret:
            difference += sum(map(ord, value)) - ord("*") * len(value)
            value = "*" * len(value)
        elif tag == _CHECK_SUM and len(value) == 3 and value.isdecimal():
            value, difference = f"{(int(value) - difference) % 256:03}", 0
        parts.append(name + value)
    return (SOH.join(parts) + SOH * text.endswith(SOH)).encode("latin-1")


@attrs.define
class RedactionBuffer:
    """Bytes from one client, held back until they can be written."""

    _held: list[tuple[int, bytes]] = attrs.field(factory=list)
    _size: int = 0

    def add(self, number: int, data: bytes) -> bool:
        """Add the data of the `receive_data` call on line `number` of the log; return whether the data may be
        written unchanged and immediately.
        """
        if not self._held and _END.search(data) and _SECRET.search(data) is None:
            return True
        self._held.append((number, data))
        self._size += len(data)
        return False

    def release(self, *, everything: bool = False) -> list[tuple[int, bytes]]:
        """Return the parts that may be written now, without secrets, each with the line of its call."""
        if not self._held:
            return []
        joined = b"".join(data for _, data in self._held)
        if not everything and self._size <= MAX_HELD and _END.search(joined) is None:
            return []
        redacted_bytes = redacted(joined)
        released: list[tuple[int, bytes]] = []
        position = 0
        for number, data in self._held:
            released.append((number, redacted_bytes[position : position + len(data)]))
            position += len(data)
        self._held.clear()
        self._size = 0
        return released
