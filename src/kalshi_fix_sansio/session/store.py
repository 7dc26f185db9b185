"""The state that survives a restart of the process: the sequence numbers of both directions, open requests,
and messages for resend.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

import attrs

from kalshi_fix_sansio.classes.value import quick_init
from kalshi_fix_sansio.clock import BEGINNING
from kalshi_fix_sansio.events import OpenRequest

MAX_KEPT_BYTES = 64 * 1024 * 1024
"""Default limit on the total size of the messages kept for resend, in bytes."""


@quick_init
@attrs.frozen
class StoredMessage:
    """An application message as it was sent.

    Attributes:
        seq_num: MsgSeqNum of the message.
        sent_at: SendingTime of the message, in UTC.
        frame: The complete message in its wire format.
    """

    seq_num: int
    sent_at: datetime
    frame: bytes = attrs.field(repr=False)


class MessageStore(Protocol):
    """The interface of a store. A store belongs to one pair of CompIDs, and to one session at a time.

    The methods that change the store only record the change; the store may write it later. `begin_commit`
    starts to make the records durable, and returns the number of the commit (its ticket) without waiting.
    When `durable` has reached this ticket, everything recorded before the call survives a crash. Records made
    after the call may survive a crash too; if one of them is lost, all records after it are lost too. The
    session sends no byte that depends on a record before the record is durable. Any method may raise
    StoreError; the store is then unusable until it is opened again.

    A session calls a store from one thread at a time, and no call may block. A store on a disk or in a
    database therefore writes in a separate thread. The size of a store in a database is limited, because the
    store loads its content when it is opened, and then answers reads from memory.

    Attributes:
        on_commit: A function that the user of the store sets. The store calls it after `durable` has changed,
            and when the store has failed or has been lost. The store may call it from any thread, and must
            not hold a lock during the call. A store that commits at once never calls it.
    """

    on_commit: Callable[[], object]

    @property
    def durable(self) -> int:
        """The last ticket whose records survive a crash; 0 before the first commit. Raises StoreError if a
        commit has failed or the store was lost.
        """

    @property
    def generation(self) -> int:
        """A number that rises by 1 each time the outgoing numbers are restarted: by `reset`, or by `renumber`
        if it changes the outgoing number. Together with MsgSeqNum, the generation identifies a sent message.
        """

    @property
    def next_outgoing(self) -> int:
        """MsgSeqNum of the next message to send."""

    @property
    def next_incoming(self) -> int:
        """The lowest MsgSeqNum of the peer's messages that the user has not confirmed."""

    @property
    def reset_unanswered(self) -> bool:
        """Whether a reset was sent that the peer has not answered. The reset may or may not have reached the
        peer, so the next logon must reset too.
        """

    @property
    def oldest_kept(self) -> int:
        """One more than the MsgSeqNum of the last dropped message. A message with this number need not
        exist.
        """

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        """Record that `seq_num` (the value of `next_outgoing`) is used. Keep the message for resend, unless
        it is None.
        """

    def advance_incoming(self, next_incoming: int) -> None:
        """Record that all messages before this number were handled. A number below `next_incoming` has no
        effect.
        """

    def reset(self, *, unanswered: bool = False) -> None:
        """Restart both directions at 1, and drop all messages. The open requests are kept until the session
        has reported them to the user and settled them.

        `unanswered` means that the peer has not answered the reset yet.
        """

    def reset_answered(self) -> None:
        """Record that the peer has accepted the reset."""

    def record_request(self, request: OpenRequest) -> None:
        """Record a request before it is sent. A record with the same `key` is replaced."""

    def settle_requests(self, keys: Iterable[int]) -> None:
        """Remove requests whose outcome is known, or was reported to the user as unknown. Unknown keys are
        ignored."""

    def open_requests(self) -> tuple[OpenRequest, ...]:
        """Return the requests that were recorded and not settled, in the order of their keys."""

    def begin_commit(self) -> int:
        """Begin a commit of everything recorded so far; return its ticket. Tickets never decrease, and a
        commit never completes before one with a lower ticket. A store whose records are durable at once
        returns `durable`. Calls during a commit may share the next commit.
        """

    def find(self, seq_num: int) -> StoredMessage | None:
        """Return the message kept under this number, or None."""

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        """Yield the messages kept from `begin` to `end` inclusive, in sequence. Numbers without a message,
        and messages that the caller does not consume, take no time.
        """


def _do_nothing() -> None:
    """Do nothing: the default `on_commit`."""


class MemoryStore:
    """A store in memory.

    Its size is limited: messages older than `max_age` are dropped. The oldest messages are also dropped when
    `max_messages` or `max_bytes` is exceeded. Age is measured from the newest message, because a store has no
    clock. `max_age` may be changed at any time.

    Raises:
        ValueError: a sequence number is below 1.
    """

    def __init__(
        self,
        *,
        next_outgoing: int = 1,
        next_incoming: int = 1,
        max_messages: int = 100_000,
        max_bytes: int = MAX_KEPT_BYTES,
        max_age: timedelta = timedelta(hours=72),
    ) -> None:
        if next_outgoing < 1 or next_incoming < 1:
            raise ValueError("sequence numbers must be 1 or more")
        self.on_commit: Callable[[], object] = _do_nothing
        self.durable: int = 0
        self.generation: int = 0
        self.next_outgoing: int = next_outgoing
        self.next_incoming: int = next_incoming
        # Messages that were sent with lower numbers are not in this store.
        self.oldest_kept: int = next_outgoing
        self.reset_unanswered: bool = False
        self._requests: dict[int, OpenRequest] = {}
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self.max_age = max_age
        self._messages: dict[int, StoredMessage] = {}
        self._bytes = 0
        """Total bytes of the frames in `_messages`."""
        self._kept_numbers: list[int] = []
        """The numbers of the messages, in ascending order. The messages with the first `_dropped_count` of
        these numbers have already been dropped.
        """
        self._dropped_count = 0

    @property
    def kept(self) -> int:
        """The number of messages kept."""
        return len(self._messages)

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        """Use `seq_num`, and keep the message unless it is None."""
        if message is not None:
            self._messages[seq_num] = message
            self._kept_numbers.append(seq_num)
            self._bytes += len(message.frame)
            sent_at = message.sent_at
            # `max_age` may be `timedelta.max`, and no time is before BEGINNING.
            self.forget_before(sent_at - min(self.max_age, sent_at - BEGINNING))
        self.next_outgoing = seq_num + 1

    def forget_before(self, time: datetime) -> None:
        """Drop the messages that were sent before this time, and those beyond `max_messages` or
        `max_bytes`."""
        messages, numbers = self._messages, self._kept_numbers
        while messages:
            number = numbers[self._dropped_count]
            if (
                messages[number].sent_at >= time
                and len(messages) <= self._max_messages
                and self._bytes <= self._max_bytes
            ):
                break
            self._bytes -= len(messages.pop(number).frame)
            self.oldest_kept = number + 1
            self._dropped_count += 1
        if self._dropped_count > len(messages):
            # Delete these numbers only when they are more than half of the list, because deleting them moves
            # all the others.
            del numbers[: self._dropped_count]
            self._dropped_count = 0

    def advance_incoming(self, next_incoming: int) -> None:
        """Record that all messages before this number were handled."""
        if next_incoming > self.next_incoming:
            self.next_incoming = next_incoming

    def reset(self, *, unanswered: bool = False) -> None:
        """Restart both directions at 1 and drop all messages; the open requests are kept."""
        self.generation += 1
        self.next_outgoing = self.next_incoming = self.oldest_kept = 1
        self.reset_unanswered = unanswered
        self._messages.clear()
        self._kept_numbers.clear()
        self._bytes = self._dropped_count = 0

    def reset_answered(self) -> None:
        """Record that the peer has accepted the reset."""
        self.reset_unanswered = False

    def renumber(self, next_outgoing: int, next_incoming: int) -> None:
        """Continue from these numbers. If the outgoing number changes, all messages are dropped.

        Call this only if the peer expects these numbers, and while no session uses the store.

        Raises:
            ValueError: a number is below 1.
        """
        if next_outgoing < 1 or next_incoming < 1:
            raise ValueError("sequence numbers must be 1 or more")
        if next_outgoing != self.next_outgoing:
            self.reset()
            self.next_outgoing = self.oldest_kept = next_outgoing
        self.next_incoming = next_incoming
        self.reset_unanswered = False

    def record_request(self, request: OpenRequest) -> None:
        """Record a request; a record with the same `key` is replaced."""
        self._requests[request.key] = request

    def settle_requests(self, keys: Iterable[int]) -> None:
        """Remove the requests with these keys; unknown keys are ignored."""
        for key in keys:
            self._requests.pop(key, None)

    def open_requests(self) -> tuple[OpenRequest, ...]:
        """Return the requests that were recorded and not settled, in the order of their keys."""
        return tuple(self._requests[key] for key in sorted(self._requests))

    def begin_commit(self) -> int:
        """Return `durable`: this store does not survive the process, so no record needs to wait."""
        return self.durable

    def find(self, seq_num: int) -> StoredMessage | None:
        """Return the message kept under this number, or None."""
        return self._messages.get(seq_num)

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        """Yield the messages kept from `begin` to `end` inclusive, in order."""
        numbers = self._kept_numbers
        for index in range(bisect_left(numbers, begin, self._dropped_count), bisect_right(numbers, end)):
            yield self._messages[numbers[index]]
