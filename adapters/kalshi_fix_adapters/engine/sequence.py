"""Where a client keeps its sequence numbers between connections, and when they start anew."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.rows import RowBuffer, RowStore
from kalshi_fix_adapters.errors import SigningError
from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.config import LogonToSign, SignLogon
from kalshi_fix_sansio.errors import KalshiFixError, LocalProtocolError
from kalshi_fix_sansio.events import MessagesLost, OpenRequest, OutcomesUnknown, Uncertainty
from kalshi_fix_sansio.session import MemoryStore, MessageStore, Session
from kalshi_fix_sansio.session.checks import LAST_NUMBER

if TYPE_CHECKING:
    from kalshi_fix_adapters.store_sqlite import SqliteStore, StoreOwner, StoreSummary


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SequenceNumbers(Value):
    """The sequence numbers of a client, read at one time.

    Attributes:
        next_outgoing: MsgSeqNum (34) of the next message to be sent.
        next_incoming: MsgSeqNum expected next from the venue. Of a client that is not open, that is
            `next_unconfirmed`.
        next_unconfirmed: The lowest MsgSeqNum of the venue's whose message you have not taken care of: from
            here on messages come again when the process dies, on a session type with resend.
        reset_due: Whether a reset is due, or was begun and not answered: the next Logon restarts both
            directions at 1.
    """

    next_outgoing: int
    next_incoming: int
    next_unconfirmed: int
    reset_due: bool


Doubtful = MessagesLost | OutcomesUnknown
"""What setting the numbers costs, as a session would tell of it."""


@runtime_checkable
class NumberStore(Protocol):
    """A `MessageStore` whose numbers can be set; those of this library can."""

    def renumber(self, next_outgoing: int, next_incoming: int) -> None:
        """Go on from these numbers with the next commit; forget all messages where the outgoing one is
        another."""


class SequenceState:
    """The store of one client over all its connections, and whether the venue agrees with it.

    Session types without resend restart at every logon. The others go on, except where nobody knows from
    where: at the first logon of a client that has nothing but memory, or when asked to.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        self._plan = plan
        own = plan.store
        self._store: MessageStore = MemoryStore() if own is None or isinstance(own, Path) else own
        """What sessions use: the user's, `_file` while that is open, or memory."""
        self._file: SqliteStore | None = None
        """What `open` has made of a folder, and `close` closes; a store of the user's is the user's to
        close."""
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
            explicit_confirm=True,  # an event is done with when the user asks for the next one
            max_events=sys.maxsize,  # `EventQueue` bounds what waits, and stops reading
            sign_logon=_guarded(config.sign_logon),
        )
        if self.session is None:
            self.session = Session(config, self._store)
        else:
            self.session = Session(config, continues=self.session)
        return self.session

    @property
    def numbers(self) -> SequenceNumbers:
        """Where the numbers stand. Reads the store's file while it is not open.

        Raises:
            StoreError: the file cannot be read.
        """
        folder = self._plan.store
        held: MessageStore | StoreSummary = self._store
        # Imported here, and below: who has no file does without SQLite.
        if isinstance(folder, Path) and self._file is None:
            from kalshi_fix_adapters.store_sqlite import find_store, read_summary

            path = find_store(folder, self._owner())
            held = read_summary(path) if path.exists() else MemoryStore()
        incoming = held.next_incoming if self.session is None else self.session.next_incoming
        return SequenceNumbers(
            next_outgoing=held.next_outgoing,
            next_incoming=incoming,
            next_unconfirmed=held.next_incoming,
            reset_due=held.reset_unanswered,
        )

    def set(self, next_outgoing: int | None, next_incoming: int | None) -> tuple[Doubtful, ...]:
        """Have the next session begin from these numbers, without a reset; None leaves one as it is. Return
        what that costs. Only while no session goes on, nor waits to be continued.

        Raises:
            LocalProtocolError: the numbers cannot be set here, or to that; nothing has changed.
            StoreError: the store could not be read or written.
        """
        self._require_numbers("set")
        given = [number for number in (next_outgoing, next_incoming) if number is not None]
        if not given:
            raise LocalProtocolError("there is no number to set; give next_outgoing, next_incoming or both")
        for number in given:
            # A bool would pass for 0 or 1.
            if type(number) is not int or not 1 <= number <= LAST_NUMBER:
                raise LocalProtocolError(f"a sequence number is an int from 1 to {LAST_NUMBER}")
        with self._closed_store() as store:
            if not isinstance(store, NumberStore):
                raise LocalProtocolError(
                    f"{type(store).__name__} cannot set its numbers; give it `renumber`, as MemoryStore has"
                )
            outgoing = store.next_outgoing if next_outgoing is None else next_outgoing
            incoming = store.next_incoming if next_incoming is None else next_incoming
            lost = range(store.next_incoming, incoming)
            found = store.open_requests()
            # Their answers may be among what is lost, or their numbers, by which a Reject names them, are to
            # be used again.
            doubtful = [request for request in found if lost or request.seq_num >= outgoing]
            self._doubt(store, doubtful)
            store.renumber(outgoing, incoming)
            store.commit()
        # Or the next logon would reset what was just set: a client without a store does that until a logon
        # has agreed on its numbers.
        self._agreed = True
        costs: list[Doubtful] = [MessagesLost(lost[0], lost[-1])] if lost else []
        if doubtful:
            why = Uncertainty.ANSWERS_LOST if lost else Uncertainty.RESET
            costs.append(OutcomesUnknown(tuple(doubtful), why))
        return tuple(costs)

    def reset(self) -> tuple[Doubtful, ...]:
        """Have the next logon restart both directions at 1. Return what that costs, beside what the venue
        has sent and nobody here has seen. Only while no session goes on, nor waits to be continued.

        Raises:
            LocalProtocolError: the session type restarts its numbers anyway.
            StoreError: the store could not be read or written.
        """
        self._require_numbers("reset")
        with self._closed_store() as store:
            found = store.open_requests()
            self._doubt(store, found)
            store.reset(unanswered=True)
            store.commit()
        return (OutcomesUnknown(found, Uncertainty.RESET),) if found else ()

    @staticmethod
    def _doubt(store: MessageStore, requests: Iterable[OpenRequest]) -> None:
        """Have the next session name these requests (OutcomesUnknown), also if that is another process."""
        for request in requests:
            store.record_request(attrs.evolve(request, uncertain=True))

    def _require_numbers(self, what: str) -> None:
        session_type = self._plan.config.session_type
        if session_type.reset_required:
            raise LocalProtocolError(
                f"{session_type.name} restarts its numbers at every logon, so there is nothing to {what}"
            )

    @contextmanager
    def _closed_store(self) -> Iterator[MessageStore]:
        """Return the store, opened if it is a file."""
        if isinstance(self._plan.store, Path):
            with self._open_file(self._plan.store) as file:
                yield file
        else:
            yield self._store

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
        from kalshi_fix_adapters.store_sqlite import SqliteStore, find_store

        owner = self._owner()
        return SqliteStore(find_store(folder, owner), owner=owner, sync=self._plan.sync)

    def _owner(self) -> StoreOwner:
        from kalshi_fix_adapters.store_sqlite import StoreOwner

        config = self._plan.config
        return StoreOwner(
            environment=self._plan.environment,
            product=config.product,
            sender_comp_id=config.sender_comp_id,
            target_comp_id=config.session_type.name,
            account=self._plan.account,
        )


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
