"""Deletion of old messages: those beyond a number or a size, and those much older than the newest one."""

from __future__ import annotations

import sqlite3
from collections import deque
from datetime import timedelta

from kalshi_fix_adapters.stores.rows import DamagedRowError, Numbers, microseconds

_AHEAD = 256
"""Number of the oldest messages checked at once, and maximum number of expired messages still in the file:
rows are deleted in batches, because each deletion rewrites their page."""
_IDLE_BYTES = 1024 * 1024
"""Maximum size in bytes of expired messages still in the file."""


class Retention:
    """Deletes messages, the oldest first, without reading the others.

    Args:
        max_age: maximum age, relative to the last sent message.
        max_messages: maximum number of messages kept.
        max_bytes: maximum size of the messages kept, in bytes.
        oldest_kept: the lowest number still kept; the file may contain older rows.
        kept_bytes: size of the kept messages in bytes.
    """

    def __init__(
        self, max_age: timedelta, max_messages: int, max_bytes: int, oldest_kept: int, kept_bytes: int
    ) -> None:
        self._max_age = microseconds(max_age)
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._kept_bytes = kept_bytes
        self._idle_bytes = 0
        self._oldest: deque[tuple[int, int, int]] = deque()
        self._new_ids = 0
        """Ids of sent requests added since the oldest were last deleted."""
        self._cleared = oldest_kept
        """Rows below this number have been deleted from the file."""

    def restart(self, database: sqlite3.Connection) -> None:
        """Reset the state; numbers start at 1."""
        database.execute("DELETE FROM sent")
        self._oldest.clear()
        self._kept_bytes = self._idle_bytes = 0
        self._cleared = 1

    def apply(self, database: sqlite3.Connection, numbers: Numbers, sent_at: int, size: int) -> None:
        """Drop expired messages from the kept range, after a message of this time and size was added; `clear`
        deletes their rows."""
        numbers.kept += 1
        self._kept_bytes += size
        while numbers.kept:
            seq_num, oldest_at, oldest_size = self._oldest_message(database, numbers)
            if (
                numbers.kept <= self._max_messages
                and self._kept_bytes <= self._max_bytes
                and oldest_at >= sent_at - self._max_age
            ):
                return
            self._oldest.popleft()
            numbers.kept -= 1
            self._kept_bytes -= oldest_size
            self._idle_bytes += oldest_size
            numbers.oldest_kept = seq_num + 1

    def clear(self, database: sqlite3.Connection, numbers: Numbers) -> None:
        """Delete the rows of expired messages from the file, if there are enough of them."""
        if numbers.oldest_kept - self._cleared >= _AHEAD or self._idle_bytes > _IDLE_BYTES:
            # These rows are not needed: all reads begin at `oldest_kept`.
            database.execute("DELETE FROM sent WHERE seq_num < ?", (numbers.oldest_kept,))
            self._cleared = numbers.oldest_kept
            self._idle_bytes = 0

    def forget_ids(self, database: sqlite3.Connection, added: int, sent_at: int) -> None:
        """Delete the oldest ids of sent requests, after this many were added, if it is time to: those beyond
        `max_messages`, and those much older than the newest."""
        self._new_ids += added
        if self._new_ids >= _AHEAD:
            self._new_ids = 0
            database.execute(
                "DELETE FROM sent_request WHERE number <= (SELECT MAX(number) FROM sent_request) - ?",
                (self._max_messages,),
            )
            database.execute(
                "DELETE FROM sent_request WHERE number < "
                "(SELECT number FROM sent_request WHERE sent_at >= ? ORDER BY number LIMIT 1)",
                (sent_at - self._max_age,),
            )

    def _oldest_message(self, database: sqlite3.Connection, numbers: Numbers) -> tuple[int, int, int]:
        if not self._oldest:
            rows = (
                "SELECT seq_num, sent_at, LENGTH(frame) FROM sent WHERE seq_num >= ? ORDER BY seq_num LIMIT ?"
            )
            self._oldest.extend(database.execute(rows, (numbers.oldest_kept, _AHEAD)))
            if not self._oldest:
                raise DamagedRowError("messages are missing")
        return self._oldest[0]
