"""Subjects and ids of published messages.

A subject is `kalshi.<environment>.<product>.<session>.<account>.<MsgType>.<symbol>`. In each token after
the first, every UTF-8 byte except letters, digits, `-` and `_` is written as `=XX`, and an empty text as `=`.
The result is valid in subjects and in keys of the key-value store.
"""

from __future__ import annotations

import re
from typing import Final, Self

import attrs

ROOT: Final = "kalshi"
COMMANDS: Final = "kalshi-commands"
"""The first token of every command subject. No stream may capture these subjects, because a stored order
could be sent much later.
"""
_SPECIAL_BYTE: Final = re.compile(rb"[^A-Za-z0-9_-]")
_NAME: Final = re.compile(r"=|(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+")
_ESCAPE: Final = re.compile(rb"=(..)")
_ID: Final = re.compile(r"([^:]+):([^:]+):(\d+):(\d+):(\d+)-(\d+)(?::e(\d+))?(?::p(\d+)\.(\d+))?", re.ASCII)


def escape(text: str) -> str:
    """Convert a string, which may be empty, to a name that is valid in subjects."""
    return _SPECIAL_BYTE.sub(_escape_byte, text.encode()).decode() or "="


def _escape_byte(match: re.Match[bytes]) -> bytes:
    return b"=%02X" % ord(match[0])


def unescape(name: str) -> str:
    """Return the text that `escape` converted to this name.

    Raises:
        ValueError: there is no text for which `escape` returns this name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a valid name in a subject: {name[:80]!r}")
    text = "" if name == "=" else _ESCAPE.sub(_unescape_byte, name.encode()).decode()
    if escape(text) != name:
        raise ValueError(f"not the name of {text[:80]!r}: {name[:80]!r}")
    return text


def _unescape_byte(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)])


@attrs.frozen
class Channel:
    """One account on one session type. The subjects of its messages have a common prefix.

    Attributes:
        environment: `demo` or `production`.
        product: `prediction` or `margin`.
        session: The session type, such as KalshiMD.
        account: Name of the account or, without one, the id of the API key.
    """

    environment: str
    product: str
    session: str
    account: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the channel with a name such as `demo.prediction.KalshiRT.desk`.

        Raises:
            ValueError: the text is not a channel name.
        """
        names = name.split(".")
        if len(names) != 4:
            raise ValueError(f"not <environment>.<product>.<session>.<account>: {name[:200]!r}")
        return cls(*map(unescape, names))

    def __str__(self) -> str:
        return ".".join(map(escape, attrs.astuple(self)))

    @property
    def prefix(self) -> str:
        """The common prefix of the channel's subjects, without the last dot."""
        return f"{ROOT}.{self}"

    def subject(self, msg_type: str, symbol: str) -> str:
        """Return the subject of messages of one type about one symbol. The symbol may be empty."""
        return f"{self.prefix}.{escape(msg_type)}.{escape(symbol)}"


def parse_subject(subject: str) -> tuple[Channel, str, str]:
    """Return the channel, the MsgType and the symbol of a subject.

    Raises:
        ValueError: the subject was not made by this library.
    """
    root, *names = subject.split(".")
    if root != ROOT or len(names) != 6:
        raise ValueError(f"not a subject of a session: {subject[:200]!r}")
    environment, product, session, account, msg_type, symbol = map(unescape, names)
    return Channel(environment, product, session, account), msg_type, symbol


@attrs.frozen(kw_only=True)
class BatchId:
    """The id of a published message: `<account>:<session>:<fence>:<generation>:<first>-<last>`.

    The id of an event has the suffix `:e<event>`, and the id of one part of a large message has
    the suffix `:p<part>.<parts>`.

    Attributes:
        account: The account of the channel.
        session: The session type of the channel.
        fence: The number of the publisher; every later publisher of the channel has a higher number.
        generation: The number of a series of increasing MsgSeqNums; a new series begins when the numbers
            restart. Generation and MsgSeqNum identify a message from the venue within the channel.
        first: The lowest MsgSeqNum of the contained messages; for an event, the MsgSeqNum of the last message
            before the event.
        last: The highest MsgSeqNum of the contained messages; for an event, the same as `first`.
        event: The number of an event, counted by the publisher from 1; 0 for messages.
        part: The number of this part, from 1.
        parts: The number of parts of the message.
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
        """Parse the id in a header.

        Raises:
            ValueError: the text is not an id.
        """
        match = _ID.fullmatch(text) if len(text) <= 1000 else None
        if match is None:
            raise ValueError(f"not the id of a bus message: {text[:200]!r}")
        account, session, *numbers = match.groups()
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
            raise ValueError(f"not the id of a bus message: {text[:200]!r}")
        return batch
