"""What outlives a connection: the numbers of both directions and the messages that may be asked for again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

import attrs


@attrs.frozen
class StoredMessage:
    """An application message as it was sent."""

    seq_num: int
    sent_at: datetime
    """Its SendingTime, in UTC."""
    frame: bytes = attrs.field(repr=False)
    """The whole message as it stood on the wire."""


class MessageStore(Protocol):
    """What a session needs of a store. One store belongs to one pair of CompIDs, and to one session at a
    time.

    The session calls `record_sent` before the bytes can leave, so that a number is never used twice.
    """

    @property
    def next_outgoing(self) -> int:
        """MsgSeqNum of the next message to be sent."""

    @property
    def next_incoming(self) -> int:
        """MsgSeqNum expected next from the peer."""

    @property
    def oldest_kept(self) -> int:
        """The lowest number for which the store can still say what was sent; below it, messages are
        forgotten."""

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        """Take `seq_num` (the value of `next_outgoing`) for good, and keep the message unless it is None."""

    def advance_incoming(self, next_incoming: int) -> None:
        """Expect this number next from the peer."""

    def reset(self) -> None:
        """Restart both directions at 1 and forget every message."""

    def find(self, seq_num: int) -> StoredMessage | None:
        """Return the message kept under this number, or None."""

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        """Yield the messages kept from `begin` to `end` inclusive, in order."""


class MemoryStore:
    """A store that lasts as long as the process.

    It is bounded: messages older than `max_age` (measured against the newest one, and which may be
    changed) and, beyond `max_messages`, the oldest ones are forgotten.
    """

    def __init__(
        self,
        *,
        next_outgoing: int = 1,
        next_incoming: int = 1,
        max_messages: int = 100_000,
        max_age: timedelta = timedelta(hours=72),
    ) -> None:
        if next_outgoing < 1 or next_incoming < 1:
            raise ValueError("sequence numbers start at 1")
        self.next_outgoing = next_outgoing
        self.next_incoming = next_incoming
        self.oldest_kept = next_outgoing
        self._max_messages = max_messages
        self.max_age = max_age
        self._messages: dict[int, StoredMessage] = {}
        self._oldest = next_outgoing
        """No message is kept below this number."""

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        """Take `seq_num` for good, and keep the message unless it is None."""
        if message is not None:
            self._messages[seq_num] = message
            self.forget_before(message.sent_at - self.max_age)
        self.next_outgoing = seq_num + 1

    def forget_before(self, moment: datetime) -> None:
        """Forget the messages that were sent before this moment, and those beyond `max_messages`."""
        messages = self._messages
        while messages:
            oldest = messages.get(self._oldest)
            if oldest is not None:
                if len(messages) <= self._max_messages and oldest.sent_at >= moment:
                    return
                del messages[self._oldest]
                self.oldest_kept = self._oldest + 1
            self._oldest += 1

    def advance_incoming(self, next_incoming: int) -> None:
        """Expect this number next from the peer."""
        self.next_incoming = next_incoming

    def reset(self) -> None:
        """Restart both directions at 1 and forget every message."""
        self.next_outgoing = self.next_incoming = self.oldest_kept = self._oldest = 1
        self._messages.clear()

    def find(self, seq_num: int) -> StoredMessage | None:
        """Return the message kept under this number, or None."""
        return self._messages.get(seq_num)

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        """Yield the messages kept from `begin` to `end` inclusive, in order."""
        for seq_num in range(max(begin, self.oldest_kept), end + 1):
            message = self._messages.get(seq_num)
            if message is not None:
                yield message
