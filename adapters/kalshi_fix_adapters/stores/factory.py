"""Opening a store of any kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.summary import StoreSummary
from kalshi_fix_sansio.session.store import MessageStore


class OpenedStore(MessageStore, Protocol):
    """A store that one process uses at a time, until it closes it."""

    @property
    def path(self) -> Path | None:
        """The file beside which the client keeps its shapes; None if the store is not a file."""

    def renumber(self, next_outgoing: int, next_incoming: int) -> None:
        """Continue from these numbers with the next commit; drop all messages if the outgoing number
        changes."""

    def close(self) -> None:
        """Wait for the recorded changes to be durable, and leave the store to other processes.

        Raises:
            StoreError: they could not be made durable.
        """


@runtime_checkable
class StoreFactory(Protocol):
    """A place with the stores of several owners, such as a folder or a database.

    A client opens its store when it is entered, and closes it when it is left, so it may be entered again.
    All methods may wait for a disk or a network, and raise StoreError.
    """

    def open(self, owner: StoreOwner) -> OpenedStore:
        """Open an owner's store, and create it if it is missing."""

    def read(self, owner: StoreOwner) -> StoreSummary | None:
        """Return the content of an owner's store without opening it; None if it is missing."""

    def names(self) -> Sequence[str]:
        """Return the names of all stores, for `summary`."""

    def summary(self, name: str, *, rows: int = 0, working: Callable[[], None] | None = None) -> StoreSummary:
        """Return the content of a store, which may be in use.

        `rows` is the number of the user's rows to read; `working` is called repeatedly meanwhile.
        """

    def migrate(self, name: str, *, key_id: str | None = None, account: str | None = None) -> str:
        """Move a store that is not in use to another key, or to a named account; return its new name."""
