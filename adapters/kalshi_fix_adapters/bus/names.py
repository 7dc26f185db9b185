"""Subjects and ids: the names under which messages of a session are published.

A subject is `kalshi.<environment>.<product>.<session>.<account>.<MsgType>.<symbol>`. In a name, every byte of
UTF-8 other than letters, digits, `-` and `_` is written `=XX`, and an empty name is `=`. The result is valid
in subjects and in keys of the key-value store.
"""

from __future__ import annotations

import re
from typing import Final, Self

import attrs

ROOT: Final = "kalshi"
COMMANDS: Final = "kalshi-commands"
"""The first name of commands, which no stream may capture: a stored order would be sent later."""
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_WRITTEN: Final = tuple(chr(byte) if byte in _PLAIN else f"={byte:02X}" for byte in range(256))
_NAME: Final = re.compile(r"=|(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+")
_ESCAPE: Final = re.compile(rb"=(..)")
_ID: Final = re.compile(r"([^:]+):([^:]+):(\d+):(\d+):(\d+)-(\d+)(?::e(\d+))?(?::p(\d+)\.(\d+))?", re.ASCII)


def escape(text: str) -> str:
    """Return a name for any text, including an empty one."""
    if text.isascii() and text.isalnum():
        return text
    return "".join([_WRITTEN[byte] for byte in text.encode()]) or "="


def unescape(name: str) -> str:
    """Return the text of a name.

    Raises:
        ValueError: `escape` returns this name for no text.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a name of a subject: {name[:80]!r}")
    text = "" if name == "=" else _ESCAPE.sub(_byte, name.encode()).decode()
    if escape(text) != name:
        raise ValueError(f"not the name of {text[:80]!r}: {name[:80]!r}")
    return text


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)])


@attrs.frozen
class Channel:
    """One account on one session type, whose messages share the front of their subjects.

    Attributes:
        environment: `demo` or `production`.
        product: `prediction` or `margin`.
        session: The session type, such as KalshiMD.
        account: Name of the store, or the id of the API key.
    """

    environment: str
    product: str
    session: str
    account: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the channel of a name, such as `demo.prediction.KalshiRT.desk`.

        Raises:
            ValueError: it is not the name of a channel.
        """
        names = name.split(".")
        if len(names) != 4:
            raise ValueError(f"not <environment>.<product>.<session>.<account>: {name[:200]!r}")
        return cls(*map(unescape, names))

    def __str__(self) -> str:
        return ".".join(map(escape, attrs.astuple(self)))

    @property
    def prefix(self) -> str:
        """The front of its subjects, without the last dot."""
        return f"{ROOT}.{self}"

    def subject(self, msg_type: str, symbol: str) -> str:
        """Return the subject of messages of a type about a symbol, which may be empty."""
        return f"{self.prefix}.{escape(msg_type)}.{escape(symbol)}"


def parse_subject(subject: str) -> tuple[Channel, str, str]:
    """Return the channel, the MsgType and the symbol of a subject.

    Raises:
        ValueError: it is not a subject of this library.
    """
    root, *names = subject.split(".")
    if root != ROOT or len(names) != 6:
        raise ValueError(f"not a subject of a session: {subject[:200]!r}")
    environment, product, session, account, msg_type, symbol = map(unescape, names)
    return Channel(environment, product, session, account), msg_type, symbol


@attrs.frozen(kw_only=True)
class BatchId:
    """The id of a published message: `<account>:<session>:<fence>:<generation>:<first>-<last>`.

    An event without a MsgSeqNum adds `:e<event>`, and a part of a message that was too large
    `:p<part>.<parts>`.

    Attributes:
        account: The account of the channel.
        session: Its session type.
        fence: A number that every later publisher of the channel exceeds.
        generation: With MsgSeqNum it identifies a message of the venue within the channel.
        first: The lowest MsgSeqNum of its messages.
        last: The highest one. Of an event, both are the MsgSeqNum of the message before it.
        event: The number of an event without a MsgSeqNum, counted by the publisher from 1; 0 for messages.
        part: The number of this part, from 1.
        parts: The number of parts.
    """

    account: str
    session: str
    fence: int
    generation: int
    first: int
    last: int
    event: int = 0
    part: int = 1
    parts: int = 1

    def __str__(self) -> str:
        event = f":e{self.event}" if self.event else ""
        part = f":p{self.part}.{self.parts}" if self.parts > 1 else ""
        return (
            f"{escape(self.account)}:{escape(self.session)}:{self.fence}:{self.generation}:"
            f"{self.first}-{self.last}{event}{part}"
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the id that is written in a header.

        Raises:
            ValueError: it is not an id.
        """
        found = _ID.fullmatch(text) if len(text) <= 1000 else None
        if found is None:
            raise ValueError(f"not an id of the bus: {text[:200]!r}")
        account, session, *numbers = found.groups()
        fence, generation, first, last, event, part, parts = (int(number or 0) for number in numbers)
        batch = cls(
            account=unescape(account),
            session=unescape(session),
            fence=fence,
            generation=generation,
            first=first,
            last=last,
            event=event,
            part=part or 1,
            parts=parts or 1,
        )
        if str(batch) != text or first > last or batch.part > batch.parts:
            raise ValueError(f"not an id of the bus: {text[:200]!r}")
        return batch
