"""Which messages are forgotten: those beyond a number or a size, and those too old beside the newest one."""

from __future__ import annotations

import sqlite3
from collections import deque
from datetime import timedelta

from kalshi_fix_adapters.store_sqlite.failures import DamagedRowError
from kalshi_fix_adapters.store_sqlite.rows import Numbers, microseconds

_AHEAD = 256
"""How many of the oldest messages are looked at in one go, and how many forgotten ones may still take room
in the file: rows go many at a time, since each time costs the page that they lie in."""
_IDLE_BYTES = 1024 * 1024
"""Bytes of forgotten messages that may still take room in the file."""


class Retention:
    """Forgets from the oldest message on, without ever looking through the rest.

    Args:
        max_age: measured against the message sent last.
        max_messages: how many are kept at most.
        max_bytes: how many bytes of them.
        oldest_kept: from where on the file has messages.
        kept_bytes: how many bytes of messages the file has from there on.
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
        self._cleared = oldest_kept
        """Rows below this number have been deleted from the file."""

    def restart(self, database: sqlite3.Connection) -> None:
        """Forget everything; numbers begin at 1."""
        database.execute("DELETE FROM sent")
        self._oldest.clear()
        self._kept_bytes = self._idle_bytes = 0
        self._cleared = 1

    def apply(self, database: sqlite3.Connection, numbers: Numbers, sent_at: int, size: int) -> None:
        """Delete expired messages after a message of this time and size was added to the file."""
        numbers.kept += 1
        self._kept_bytes += size
        while numbers.kept:
            seq_num, moment, oldest_size = self._oldest_message(database, numbers)
            if (
                numbers.kept <= self._max_messages
                and self._kept_bytes <= self._max_bytes
                and moment >= sent_at - self._max_age
            ):
                return
            self._oldest.popleft()
            numbers.kept -= 1
            self._kept_bytes -= oldest_size
            self._idle_bytes += oldest_size
            numbers.oldest_kept = seq_num + 1

    def clear(self, database: sqlite3.Connection, numbers: Numbers) -> None:
        """Give the room of forgotten messages to new ones, if it is worth it."""
        if numbers.oldest_kept - self._cleared >= _AHEAD or self._idle_bytes > _IDLE_BYTES:
            # These rows are not needed: all reads begin at `oldest_kept`.
            database.execute("DELETE FROM sent WHERE seq_num < ?", (numbers.oldest_kept,))
            self._cleared = numbers.oldest_kept
            self._idle_bytes = 0

    def _oldest_message(self, database: sqlite3.Connection, numbers: Numbers) -> tuple[int, int, int]:
        if not self._oldest:
            rows = (
                "SELECT seq_num, sent_at, LENGTH(frame) FROM sent WHERE seq_num >= ? ORDER BY seq_num LIMIT ?"
            )
            self._oldest.extend(database.execute(rows, (numbers.oldest_kept, _AHEAD)))
            if not self._oldest:
                raise DamagedRowError("messages are missing")
        return self._oldest[0]
