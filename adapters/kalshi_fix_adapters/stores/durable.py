"""The base class of the stores in SQLite and Postgres."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from os import getpid
from typing import NoReturn, Self

import attrs

from kalshi_fix_adapters.stores.commits import CommitThread
from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.pending import PendingChanges
from kalshi_fix_adapters.stores.rows import MAX_NUMBER, Numbers
from kalshi_fix_adapters.stores.sent_requests import SentRequest
from kalshi_fix_sansio.errors import ConfigurationError, StoreError
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.store import StoredMessage

CLOSE_TIMEOUT = 5.0
"""Maximum number of seconds that `close` waits for its own commit, and again for the end of the thread."""


class DurableStore(ABC):
    """The part of a `MessageStore` that records changes and lets a thread commit them.

    Changes are kept in memory until `begin_commit`. The thread writes them as one transaction; changes
    recorded during this transaction are combined in the next one. If the write need not wait for a disk,
    `begin_commit` writes the changes itself. A subclass opens the file or database, sets `_numbers`,
    `_requests` and `_row_sizes`, and implements the methods that read.

    Args:
        place: the file or the database, as named in error texts.
        owner: the account and session of the sequence numbers.
        max_age: maximum age of the kept messages.
        limits: the other limits, by name.

    Raises:
        ConfigurationError: a limit is invalid.
    """

    _numbers: Numbers
    """The sequence numbers."""
    _requests: dict[int, OpenRequest]
    """The open requests, by key."""
    _row_sizes: dict[str, int]
    """The size of each row in bytes, including its key, by key."""
    # All three include changes that are not yet committed.

    def __init__(self, place: object, owner: StoreOwner, max_age: timedelta, **limits: int) -> None:
        if max_age < timedelta(0) or min(limits.values()) < 0:
            raise ConfigurationError("max_age and the other limits must not be negative")
        self._place = place
        self.owner: StoreOwner = owner
        """The account and session of the sequence numbers."""
        self.max_rows: int = limits["max_rows"]
        self.max_row_bytes: int = limits["max_row_bytes"]
        self._pid = getpid()
        self._unusable = ""
        """The reason why the store can no longer be used; empty while it can be used."""
        self._closed = False
        self._pending = PendingChanges()
        self.on_commit: Callable[[], object] = lambda: None
        self._commits = CommitThread(self._write, self._notify, self._may_wait)

    @property
    def next_outgoing(self) -> int:
        """MsgSeqNum of the next message to be sent."""
        return self._numbers.next_outgoing

    @property
    def next_incoming(self) -> int:
        """The lowest MsgSeqNum of the peer's messages that the user has not confirmed."""
        return self._numbers.next_incoming

    @property
    def generation(self) -> int:
        """A number that increases by 1 each time the outgoing numbers are restarted, by `reset` or by
        `renumber` with another outgoing number. For a new store or a new API key, it begins with the time in
        microseconds since 1970.
        """
        return self._numbers.generation

    @property
    def durable(self) -> int:
        """The last ticket of `begin_commit` whose changes are durable, as defined by the store's options
        (`sync` of `SqliteStore`).

        Raises:
            StoreError: the changes could not be written.
        """
        return self._commits.durable

    @property
    def reset_unanswered(self) -> bool:
        """Whether a reset was sent that the peer has not answered. If so, the next logon must reset too."""
        return self._numbers.reset_unanswered

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        """Add 1 to `next_outgoing`, which must equal `seq_num`, and keep the message unless it is None."""
        self._check_usable()
        if seq_num != self._numbers.next_outgoing:
            self._give_up(
                f"number {seq_num} cannot be used: the next number is {self._numbers.next_outgoing}"
            )
        if seq_num >= MAX_NUMBER:
            self._give_up(f"there are no numbers beyond {MAX_NUMBER}: log on again with a reset")
        self._numbers.next_outgoing = seq_num + 1
        self._pending.record_message(seq_num, message)

    def advance_incoming(self, next_incoming: int) -> None:
        """Record that all messages before this number have been processed. Only `reset` and `renumber`
        decrease the number.
        """
        self._check_usable()
        if next_incoming <= self._numbers.next_incoming:
            return
        if next_incoming > MAX_NUMBER:
            self._give_up(f"the peer's number {next_incoming} is too large: log on again with a reset")
        self._numbers.next_incoming = next_incoming
        self._pending.is_empty = False
        # If bytes must wait for a commit before they are sent, that commit includes this change.
        if not self._pending.must_be_durable:
            self.begin_commit()

    def reset(self, *, unanswered: bool = False) -> None:
        """Restart both directions at 1 and delete all messages, but not the open requests."""
        self._check_usable()
        self._numbers = Numbers(reset_unanswered=unanswered, generation=self._numbers.generation + 1)
        self._pending.restart(next_outgoing=1)

    def reset_answered(self) -> None:
        """Record that the peer has confirmed the reset."""
        self._check_usable()
        self._numbers.reset_unanswered = False
        # If this record were lost, the next logon would reset again, and lose the messages that the peer has
        # sent since this reset.
        self._pending.is_empty, self._pending.must_be_durable = False, True

    def renumber(self, next_outgoing: int, next_incoming: int) -> None:
        """Set both numbers, regardless of their previous values. If the outgoing number changes, all messages
        are deleted. Use this only if you know that the peer expects these numbers, and only while no session
        uses the store.

        Raises:
            ValueError: a number is below 1, or too large for a store.
            StoreError: the store can no longer be used.
        """
        self._check_usable()
        if min(next_outgoing, next_incoming) < 1 or max(next_outgoing, next_incoming) > MAX_NUMBER:
            raise ValueError(f"sequence numbers must be from 1 to {MAX_NUMBER}")
        if next_outgoing != self._numbers.next_outgoing:
            self._numbers = Numbers(next_outgoing, generation=self._numbers.generation + 1)
            self._pending.restart(next_outgoing)
        self._numbers.next_incoming = next_incoming
        self._numbers.reset_unanswered = False
        self._pending.renumber()

    def record_request(self, request: OpenRequest) -> None:
        """Keep a request whose outcome is unknown. It replaces a request with the same `key`."""
        self._check_usable()
        self._pending.record_request(request)
        self._requests[request.key] = request
        # Record the id only if the request is being sent now. For a request sent earlier, only the open
        # request has changed.
        if request.seq_num + 1 == self._numbers.next_outgoing:
            self._record_sent_request(
                SentRequest(
                    request.request_id, request.msg_type, request.seq_num, self.generation, request.sent_at
                )
            )

    def _record_sent_request(self, sent: SentRequest) -> None:
        """Record the id of a request that is being sent."""
        self._pending.record_sent_request(sent)

    def settle_requests(self, keys: Iterable[int]) -> None:
        """Delete requests whose outcome is known, or was reported to the user as unknown."""
        self._check_usable()
        settled = tuple(keys)
        self._pending.settle(settled)
        for key in settled:
            self._requests.pop(key, None)

    def open_requests(self) -> tuple[OpenRequest, ...]:
        """Return the requests that were recorded and not settled, in the order of their keys."""
        self._check_usable()
        return tuple(self._requests[key] for key in sorted(self._requests))

    @property
    def row_sizes(self) -> Mapping[str, int]:
        """The size of each row in bytes, including its key, by key."""
        return self._row_sizes

    def record_rows(self, rows: Mapping[str, str | None]) -> None:
        """Store these texts by key with the next commit, and delete the rows whose text is None."""
        self._check_usable()
        self._pending.record_rows(rows)
        for key, text in rows.items():
            if text is None:
                self._row_sizes.pop(key, None)
            else:
                self._row_sizes[key] = len(key.encode()) + len(text)

    def begin_commit(self) -> int:
        """Begin to write the recorded changes; return their ticket. They are durable once `durable` has
        reached the ticket.
        """
        self._check_usable()
        pending = self._pending
        if pending.is_empty:
            return self._commits.last_ticket
        pending.numbers = self._snapshot()
        self._pending = PendingChanges()
        return self._commits.add(pending)

    def _snapshot(self) -> Numbers:
        """Return the numbers for a commit."""
        return attrs.evolve(self._numbers)

    def commit(self) -> None:
        """Write the recorded changes and wait until they are durable. This is meant for a program without a
        session.

        Raises:
            StoreError: the changes could not be written. Earlier commits are safe.
        """
        self._commits.wait(self.begin_commit())

    def _notify(self) -> None:
        self.on_commit()

    def _may_wait(self) -> bool:
        """Return whether the next commit might have to wait for a disk or a database."""
        return True

    @abstractmethod
    def _write(self, pending: PendingChanges) -> None:
        """Make changes durable. Called in the commit thread, or by `begin_commit` if `_may_wait` returns
        False.

        Raises:
            StoreError: the write failed. The changes may or may not be durable.
        """

    @abstractmethod
    def _release(self) -> None:
        """Let other processes use the file or the database row, after the last commit."""

    def close(self) -> None:
        """Commit the recorded changes, and let other processes use the store. A second call has no effect.

        Raises:
            StoreError: the last commit failed; the store is closed nevertheless. Or the last commit did not
                complete in time (see `CLOSE_TIMEOUT`); the store then stays in use until this process ends.
        """
        if self._closed:
            return
        self._closed = True
        if getpid() != self._pid:
            return  # A forked child must not touch its parent's files and connections.
        try:
            # Skipped if the caller has already seen an error and knows that the last commits are lost.
            if not self._unusable and not self._commits.is_reported:
                self._commits.raise_error()
                self._commits.wait(self.begin_commit(), CLOSE_TIMEOUT)
        finally:
            self._unusable = self._unusable or f"{self._place} is closed"
            if not self._commits.close(CLOSE_TIMEOUT):
                raise StoreError(
                    f"{self._place} could not be closed, because a commit did not complete: check the disk "
                    "or the database, and end this process before you open the store again"
                )
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _check_usable(self) -> None:
        unusable = self._unusable or self._commits.error
        if unusable:
            self._commits.is_reported = True
            raise StoreError(f"{unusable} (close this store and open it again)")
        if getpid() != self._pid:
            raise StoreError(
                f"{self._place} was opened by process {self._pid}, before a fork: open a store in the "
                "process that uses it"
            )

    def _give_up(self, reason: str) -> NoReturn:
        """Mark this store as unusable and raise StoreError."""
        self._unusable = f"{self._place}: {reason}"
        raise StoreError(self._unusable)
