"""Rows of the user's that are kept in the client's store, in the commit that confirms an event."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from kalshi_fix_sansio.errors import LocalProtocolError

MAX_KEY = 256
"""Bytes of a key."""


@runtime_checkable
class RowStore(Protocol):
    """A `MessageStore` that keeps rows, too; `store_sqlite.SqliteStore` is one."""

    max_row_bytes: int
    """Bytes that all rows, keys and texts, may take."""
    max_rows: int

    def row(self, key: str) -> str | None:
        """Return the text of a row; None if there is none."""

    @property
    def row_sizes(self) -> Mapping[str, int]:
        """The bytes of each row by key."""

    def record_rows(self, rows: Mapping[str, str | None]) -> None:
        """Keep rows, and forget those that are None, with the next commit."""

    def commit(self) -> None:
        """Make everything recorded so far survive a crash."""


class RowBuffer:
    """What the user has changed since the last confirmation, before a store."""

    def __init__(self, store: RowStore) -> None:
        self._store = store
        self.changes: dict[str, str | None] = {}
        """Texts by key; None for what is to be forgotten."""
        self._sizes = dict(store.row_sizes)
        """Of all rows, as changed."""
        self._bytes = sum(self._sizes.values())
        """Of all of them together."""

    def get(self, key: str) -> str | None:
        """Return the text of a row."""
        return self.changes[key] if key in self.changes else self._store.row(key)

    def keys(self) -> list[str]:
        """Return the keys of all rows."""
        return list(self._sizes)

    def set(self, key: str, text: str | None) -> None:
        """Change a row.

        Raises:
            LocalProtocolError: there is no room for it; nothing has changed.
        """
        store, size = self._store, 0 if text is None else len(key.encode()) + len(text)
        more = size - self._sizes.get(key, 0)
        if text is not None and (
            self._bytes + more > store.max_row_bytes
            or (key not in self._sizes and len(self._sizes) >= store.max_rows)
        ):
            raise LocalProtocolError(
                f"the store has {len(self._sizes)} rows of {self._bytes} bytes, and no room for one of "
                f"{size}: delete some, or give the client a SqliteStore of a higher max_rows or max_row_bytes"
            )
        self._bytes += more
        if text is None:
            self._sizes.pop(key, None)
        else:
            self._sizes[key] = size
        self.changes[key] = text

    def hand_over(self) -> None:
        """Give all changes to the store, whose next commit writes them.

        Raises:
            StoreError: the store is of no use any more.
        """
        if self.changes:
            self._store.record_rows(self.changes)
            self.changes = {}

    def write(self) -> None:
        """Have written what was handed over, unless it is already.

        Raises:
            StoreError: it could not be written.
        """
        self.hand_over()
        self._store.commit()


class Rows(MutableMapping[str, Any]):
    """Rows of yours by key, in the file of the client's store; values are what JSON has.

    What you set or delete is written in the same commit that confirms the event taken last, when you ask for
    the next one: after a crash both are there or neither is. What an exception leaves unconfirmed takes its
    rows with it. Open as long as the client is.
    """

    def __init__(
        self, rows: Callable[[], RowBuffer], lock: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._rows = rows
        self._locked = lock

    def __getitem__(self, key: str) -> Any:
        with self._locked():
            text = self._rows().get(key)
        if text is None:
            raise KeyError(key)
        return json.loads(text)

    def __setitem__(self, key: str, value: Any) -> None:
        """Keep a value.

        Raises:
            LocalProtocolError: there is no room for it; the client is not open, or has no store in a file.
            TypeError, ValueError: it is not what JSON has, or the key is no text of at most 256 bytes.
        """
        if len(key.encode()) > MAX_KEY:
            raise ValueError(f"a key has at most {MAX_KEY} bytes, not {len(key.encode())}")
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        with self._locked():
            self._rows().set(key, text)

    def __delitem__(self, key: str) -> None:
        with self._locked():
            rows = self._rows()
            if rows.get(key) is None:
                raise KeyError(key)
            rows.set(key, None)

    def __iter__(self) -> Iterator[str]:
        with self._locked():
            return iter(self._rows().keys())

    def __len__(self) -> int:
        with self._locked():
            return len(self._rows().keys())


def no_rows() -> LocalProtocolError:
    """Return what to raise where no rows can be kept."""
    return LocalProtocolError(
        "no rows can be kept: the client is not open, or has no file; give it a folder by the option `store`"
    )
