"""The interface through which a store of any kind is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.summary import StoreSummary
from kalshi_fix_sansio.session.store import MessageStore


class OpenedStore(MessageStore, Protocol):
    """A store that belongs to one process, from its opening until `close`."""

    @property
    def path(self) -> Path | None:
        """The file of the store; the client keeps its file of message shapes in the same folder. None if the
        store is not a file.
        """

    def renumber(self, next_outgoing: int, next_incoming: int) -> None:
        """Set both numbers with the next commit; drop all messages if the outgoing number changes."""

    def close(self) -> None:
        """Wait until the recorded changes are durable, and let other processes use the store.

        Raises:
            StoreError: the changes could not be made durable.
        """


@runtime_checkable
class StoreFactory(Protocol):
    """A container for the stores of several owners, such as a folder or a database.

    A client opens its store at the start of its `with` block and closes it at the end. The same client can
    therefore be used in a later `with` block. All methods may wait for a disk or a network, and may raise
    StoreError.
    """

    def open(self, owner: StoreOwner) -> OpenedStore:
        """Open an owner's store; create it if it does not exist."""

    def read(self, owner: StoreOwner) -> StoreSummary | None:
        """Return the content of an owner's store without opening it; None if there is no such store."""

    def names(self) -> Sequence[str]:
        """Return the names of all stores, which `summary` and `migrate` accept."""

    def summary(
        self, name: str, *, rows: int = 0, on_progress: Callable[[], None] | None = None
    ) -> StoreSummary:
        """Return the content of a store, which may be in use.

        `rows` is the number of the user's rows to read; `on_progress` is called repeatedly during the read.
        """

    def migrate(self, name: str, *, key_id: str | None = None, account: str | None = None) -> str:
        """Move a store that is not in use to another API key, or to a named account; return its new name."""
