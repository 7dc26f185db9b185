"""Where a client keeps its sequence numbers between connections, and when they start anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.journal import RowBuffer, RowStore
from kalshi_fix_adapters.errors import SigningError
from kalshi_fix_sansio.authentication import LogonToSign, SignLogon
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.outcomes import OpenRequest
from kalshi_fix_sansio.session import MemoryStore, MessageStore, Session

if TYPE_CHECKING:
    from kalshi_fix_adapters.store_sqlite import SqliteStore


class SequenceState:
    """The store of one client over all its connections, and whether the venue agrees with it.

    Session types without resend restart at every logon. The others go on, except where nobody knows from
    where: at the first logon of a client that has nothing but memory, or when asked to.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        self._plan = plan
        self._store: MessageStore = MemoryStore()
        self._file: SqliteStore | None = None
        self._agreed = False
        """Whether a logon has been completed on these numbers."""
        self.session: Session | None = None
        """That of the present connection, or of the last; None before the first, and once closed."""

    def open(self) -> None:
        """Make the store ready for a client's connections; events of before count no longer.

        Raises:
            StoreError: it cannot be used.
        """
        # `_agreed` stays as it is: opened again, the client goes on from its numbers, and a reset that was
        # asked for is made once.
        self.session = None
        store = self._plan.store
        if isinstance(store, Path):
            self._store = self._file = self._open_file(store)
        elif store is not None:
            self._store = store

    def rows(self) -> RowBuffer | None:
        """Return what keeps rows of the user's; None if the store does not."""
        return RowBuffer(self._store) if isinstance(self._store, RowStore) else None

    def close(self) -> None:
        """Let go of what `open` has opened; numbers in memory stay for the next time.

        Raises:
            StoreError: what was confirmed last could not be written.
        """
        self.session = None
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def next_session(self) -> Session:
        """Return the session of the next connection, which continues the one of the last, whether that could
        begin or not."""
        config = self._plan.config
        # Memory begins at 1 with each process, while the venue's numbers go on: the first logon has to reset.
        forced = self._plan.reset_seq_num or self._plan.store is None
        reset = config.session_type.reset_required or (forced and not self._agreed)
        config = attrs.evolve(
            config,
            reset_seq_num=reset,
            explicit_confirm=True,
            max_events=sys.maxsize,  # the queue bounds what waits
            sign_logon=_guarded(config.sign_logon),
        )
        if self.session is None:
            self.session = Session(config, self._store)
        else:
            self.session = Session(config, continues=self.session)
        return self.session

    @property
    def open_requests(self) -> tuple[OpenRequest, ...]:
        """The requests of this process that have no answer yet, oldest first."""
        return () if self.session is None else self.session.open_requests

    def agreed(self) -> None:
        """A logon is complete."""
        self._agreed = True

    def disputed(self) -> None:
        """The venue has other numbers; those in memory are of no use any more."""
        self._agreed = False

    def _open_file(self, folder: Path) -> SqliteStore:
        from kalshi_fix_adapters.store_sqlite import SqliteStore, StoreOwner, store_path

        plan, config = self._plan, self._plan.config
        owner = StoreOwner(
            environment=plan.environment,
            product=config.product,
            sender_comp_id=config.sender_comp_id,
            target_comp_id=config.session_type.name,
        )
        return SqliteStore(store_path(folder, owner), owner=owner, sync=plan.sync)


def _guarded(sign: SignLogon | None) -> SignLogon | None:
    """Return what signs, and raises nothing but a KalshiFixError: the key may live in a device or a service
    of the user's. What that raised may quote a secret, and so is only its cause."""
    if sign is None:
        return None

    def guarded(logon: LogonToSign) -> bytes:
        try:
            return sign(logon)
        except KalshiFixError:
            raise
        except Exception as error:
            raise SigningError(
                f"the Logon could not be signed ({type(error).__name__}); see to what holds the private key"
            ) from error

    return guarded
