"""Rows of user data, written to the client's store by the commit that confirms an event."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from kalshi_fix_sansio.errors import LocalProtocolError

MAX_KEY_BYTES = 256
"""Maximum size of a key in bytes."""


@runtime_checkable
class RowStore(Protocol):
    """A `MessageStore` that also stores rows; `store_sqlite.SqliteStore` is one."""

    max_row_bytes: int
    """Maximum total size of the keys and texts of all rows, in bytes."""
    max_rows: int

    def row(self, key: str) -> str | None:
        """Return the text of a row; None if there is none."""

    @property
    def row_sizes(self) -> Mapping[str, int]:
        """The size of each row in bytes, by key."""

    def record_rows(self, rows: Mapping[str, str | None]) -> None:
        """Store rows, and delete those whose text is None, with the next commit."""

    def begin_commit(self) -> int:
        """Begin to make everything recorded so far durable."""


class RowBuffer:
    """The user's changes since the last confirmation, which take precedence over the rows of a store."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self.changes: dict[str, str | None] = {}
        """Texts by key; None for deleted rows."""
        self._sizes = dict(store.row_sizes)
        """Size of each row in bytes, with the changes."""
        self._bytes = sum(self._sizes.values())
        """Total size in bytes, with the changes."""

    def get(self, key: str) -> str | None:
        """Return the text of a row."""
        return self.changes[key] if key in self.changes else self._store.row(key)

    def keys(self) -> list[str]:
        """Return the keys of all rows."""
        return list(self._sizes)

    def set(self, key: str, text: str | None) -> None:
        """Set the text of a row; None deletes it.

        Raises:
            LocalProtocolError: the text exceeds the store's limits; nothing has changed.
        """
        store, size = self._store, 0 if text is None else len(key.encode()) + len(text)
        growth = size - self._sizes.get(key, 0)
        if text is not None and (
            self._bytes + growth > store.max_row_bytes
            or (key not in self._sizes and len(self._sizes) >= store.max_rows)
        ):
            rows = "1 row" if len(self._sizes) == 1 else f"{len(self._sizes)} rows"
            raise LocalProtocolError(
                f"a row of {size} bytes does not fit, because the store already has {rows} ({self._bytes} "
                "bytes): delete some, or use a SqliteStore with a higher max_rows or max_row_bytes"
            )
        self._bytes += growth
        if text is None:
            self._sizes.pop(key, None)
        else:
            self._sizes[key] = size
        self.changes[key] = text

    def hand_over(self) -> None:
        """Pass all changes to the store, whose next commit writes them.

        Raises:
            StoreError: the store has failed.
        """
        if self.changes:
            self._store.record_rows(self.changes)
            self.changes = {}

    def write(self) -> None:
        """Begin to commit all changes.

        Raises:
            StoreError: the store has failed.
        """
        self.hand_over()
        self._store.begin_commit()


class Rows(MutableMapping[str, Any]):
    """Your own data, stored as rows by key in the client's store. Values must be JSON-serializable.

    Requesting the next event confirms the last one, and the commit of this confirmation also writes your
    changes. So after a crash, either the confirmation and the changes are stored, or neither is. If an
    exception leaves an event unconfirmed, the changes are dropped too. Available while the client is open.
    """

    def __init__(
        self, rows: Callable[[], RowBuffer], lock: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._rows = rows
        self._lock = lock

    def __getitem__(self, key: str) -> Any:
        with self._lock():
            text = self._rows().get(key)
        if text is None:
            raise KeyError(key)
        return json.loads(text)

    def __setitem__(self, key: str, value: Any) -> None:
        """Set the value of a key.

        Raises:
            LocalProtocolError: the value exceeds the store's limits, or the client is not open, or has no
                store that keeps rows.
            TypeError, ValueError: the value is not JSON-serializable, or the key is not a string of at most
                256 bytes without NUL.
        """
        # `str.encode` raises TypeError for a key that is not a string.
        size = len(str.encode(key))
        # Postgres cannot store NUL, so a commit with such a key would end the session.
        if size > MAX_KEY_BYTES or "\0" in key:
            raise ValueError(
                f"a key must have at most {MAX_KEY_BYTES} bytes, and no NUL; this key is {key!r:.50}"
            )
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        with self._lock():
            self._rows().set(key, text)

    def __delitem__(self, key: str) -> None:
        with self._lock():
            rows = self._rows()
            if rows.get(key) is None:
                raise KeyError(key)
            rows.set(key, None)

    def __iter__(self) -> Iterator[str]:
        with self._lock():
            return iter(self._rows().keys())

    def __len__(self) -> int:
        with self._lock():
            return len(self._rows().keys())


def rows_unavailable() -> LocalProtocolError:
    """Return the error for a client that cannot store rows."""
    return LocalProtocolError(
        "no rows are available: the client is not open, or its store cannot keep rows; set its `store` "
        "option to a folder"
    )
