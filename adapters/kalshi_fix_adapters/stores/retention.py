"""Deletion of old messages, to limit their number, their total size, and their age relative to the newest
message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta

from kalshi_fix_adapters.stores.rows import DamagedRowError, Numbers, microseconds
from kalshi_fix_adapters.stores.sent_requests import SentRequest
from kalshi_fix_sansio.clock import BEGINNING, END

_BATCH_SIZE = 256
"""Number of messages, oldest first, that are read at a time. It is also the size of the batches in which rows
are deleted, because each deletion rewrites a page of the database: expired messages are deleted once this
many have expired, and expired ids once this many ids have been added.
"""
_MAX_EXPIRED_BYTES = 1024 * 1024
"""Maximum size in bytes of the expired messages that are still stored."""


class Retention:
    """Decides which messages expire, the oldest first, and when their rows are deleted. `PostgresStore` does
    not call `apply`, because it also keeps its messages in a `MemoryStore`, which decides when they expire.

    Args:
        max_age: maximum age, relative to the last sent message.
        max_messages: maximum number of messages kept.
        max_bytes: maximum size of the messages kept, in bytes.
        kept_bytes: size of the kept messages in bytes.
    """

    def __init__(self, max_age: timedelta, max_messages: int, max_bytes: int, kept_bytes: int = 0) -> None:
        # No message is older than END - BEGINNING; a database has no integer for `timedelta.max`.
        self._max_age = microseconds(min(max_age, END - BEGINNING))
        self.max_messages: int = max_messages
        self._max_bytes = max_bytes
        self._kept_bytes = kept_bytes
        self._expired_bytes = 0
        self._oldest: deque[tuple[int, int, int]] = deque()
        """Number, time and size of the oldest kept messages, as far as they have been read."""
        # With these two initial values, the first commit deletes the expired rows, because an earlier process
        # may have left some behind. Otherwise the number of rows could exceed the limits after many restarts.
        self._new_ids = _BATCH_SIZE
        """Number of ids of sent requests that were added since expired ids were last deleted."""
        self._deleted_below: int | None = None
        """Rows below this number have been deleted; None before the first deletion."""

    def restart(self) -> None:
        """Reset the state when all messages have been deleted."""
        self._oldest.clear()
        self._kept_bytes = self._expired_bytes = 0
        self._deleted_below = 1

    def apply(
        self,
        numbers: Numbers,
        sent_at: int,
        size: int,
        read: Callable[[int, int], Iterable[tuple[int, int, int]]],
    ) -> None:
        """Exclude expired messages from the kept range, after a message with this time and size was added. If
        this message alone exceeds a limit, it is excluded too.

        Args:
            numbers: the numbers of the store, which are updated. Their range may begin with numbers for which
                no message is kept.
            sent_at: time of the added message in microseconds since 1970. Ages are relative to it.
            size: size of the added message in bytes.
            read: `read(begin, count)` returns the number, time and size of each of the first `count` kept
                messages whose number is at least `begin`.

        Raises:
            DamagedRowError: messages that should be kept are missing.
        """
        numbers.kept += 1
        self._kept_bytes += size
        while numbers.kept:
            if not self._oldest:
                self._oldest.extend(read(numbers.oldest_kept, _BATCH_SIZE))
                if not self._oldest:
                    raise DamagedRowError("messages are missing")
            seq_num, oldest_at, oldest_size = self._oldest[0]
            if (
                numbers.kept <= self.max_messages
                and self._kept_bytes <= self._max_bytes
                and oldest_at >= sent_at - self._max_age
            ):
                return
            self._oldest.popleft()
            numbers.kept -= 1
            self._kept_bytes -= oldest_size
            self._expired_bytes += oldest_size
            numbers.oldest_kept = seq_num + 1

    def must_delete_rows(self, oldest_kept: int) -> bool:
        """Return whether there are so many expired messages that the caller must delete their rows now; if
        so, the rows are recorded as deleted. Rows that are not deleted yet have no effect, because all reads
        begin at `oldest_kept`.
        """
        if (
            self._deleted_below is not None
            and oldest_kept - self._deleted_below < _BATCH_SIZE
            and self._expired_bytes <= _MAX_EXPIRED_BYTES
        ):
            return False
        self._deleted_below = oldest_kept
        self._expired_bytes = 0
        return True

    def record_ids(self, added: Collection[SentRequest]) -> int | None:
        """Record added ids of sent requests. If the caller must delete ids now, return the time before which
        ids are expired: the caller deletes the expired ids, and the oldest ids in excess of `max_messages`.
        Otherwise return None.
        """
        self._new_ids += len(added)
        if not added or self._new_ids < _BATCH_SIZE:
            return None
        self._new_ids = 0
        return max(microseconds(sent.sent_at) for sent in added) - self._max_age
