"""What outlives a connection: the numbers of both directions and the messages that may be asked for again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

import attrs

from kalshi_fix_sansio.outcomes import OpenRequest


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

    The methods that change it only record, and may write lazily; what was recorded before `commit` must
    survive a crash once that returns, all of it or, if the crash comes earlier, any first part of it. No byte
    that rests on a record leaves before `commit`. Any method may raise StoreError; the store is of no use
    afterwards until it is opened anew.
    """

    @property
    def next_outgoing(self) -> int:
        """MsgSeqNum of the next message to be sent."""

    @property
    def next_incoming(self) -> int:
        """The lowest MsgSeqNum of the peer's whose message the user has not taken care of."""

    @property
    def reset_unanswered(self) -> bool:
        """Whether a reset was sent that the peer has not answered: the next logon has to reset as well."""

    @property
    def oldest_kept(self) -> int:
        """The lowest number for which the store can still say what was sent; below it, messages are
        forgotten."""

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        """Take `seq_num` (the value of `next_outgoing`) for good, and keep the message unless it is None."""

    def advance_incoming(self, next_incoming: int) -> None:
        """Everything before this number has been taken care of. It never goes back but by `reset`."""

    def reset(self, *, unanswered: bool = False) -> None:
        """Restart both directions at 1 and forget every message, but no open request.

        `unanswered` says that the peer has still to agree.
        """

    def reset_answered(self) -> None:
        """The peer has agreed to the reset."""

    def record_request(self, request: OpenRequest) -> None:
        """A message is about to leave whose outcome is to become known; one with the same `request_id` is
        replaced."""

    def settle_requests(self, request_ids: Iterable[str]) -> None:
        """The outcome of these is known, or the user knows that it is not. Unknown ids are no fault."""

    def open_requests(self) -> tuple[OpenRequest, ...]:
        """Return the requests that were recorded and not settled, oldest first."""

    def commit(self) -> None:
        """Make everything recorded so far survive a crash."""

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
        self.reset_unanswered = False
        self._requests: dict[str, OpenRequest] = {}
        self._max_messages = max_messages
        self.max_age = max_age
        self._messages: dict[int, StoredMessage] = {}
        self._oldest = next_outgoing
        """No message is kept below this number."""

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        """Take `seq_num` for good, and keep the message unless it is None."""
        if message is not None:
            messages = self._messages
            messages[seq_num] = message
            oldest = messages.get(self._oldest)
            if (
                oldest is None
                or len(messages) > self._max_messages
                or message.sent_at - oldest.sent_at > self.max_age
            ):
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
        """Everything before this number has been taken care of."""
        if next_incoming > self.next_incoming:
            self.next_incoming = next_incoming

    def reset(self, *, unanswered: bool = False) -> None:
        """Restart both directions at 1 and forget every message, but no open request."""
        self.next_outgoing = self.next_incoming = self.oldest_kept = self._oldest = 1
        self.reset_unanswered = unanswered
        self._messages.clear()

    def reset_answered(self) -> None:
        """The peer has agreed to the reset."""
        self.reset_unanswered = False

    def record_request(self, request: OpenRequest) -> None:
        """Note a request; one with the same `request_id` is replaced."""
        requests, request_id = self._requests, request.request_id
        if request_id in requests:
            del requests[request_id]
        requests[request_id] = request

    def settle_requests(self, request_ids: Iterable[str]) -> None:
        """Forget these requests."""
        for request_id in request_ids:
            self._requests.pop(request_id, None)

    def open_requests(self) -> tuple[OpenRequest, ...]:
        """Return the requests that were recorded and not settled, oldest first."""
        return tuple(self._requests.values())

    def commit(self) -> None:
        """Nothing here survives the process."""

    def find(self, seq_num: int) -> StoredMessage | None:
        """Return the message kept under this number, or None."""
        return self._messages.get(seq_num)

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        """Yield the messages kept from `begin` to `end` inclusive, in order."""
        for seq_num in range(max(begin, self.oldest_kept), end + 1):
            message = self._messages.get(seq_num)
            if message is not None:
                yield message
