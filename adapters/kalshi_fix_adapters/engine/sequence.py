"""The sequence numbers of a client across connections, and the rules for resetting them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import attrs

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.rows import RowBuffer, RowStore
from kalshi_fix_adapters.errors import SigningError
from kalshi_fix_adapters.stores import (
    OpenedStore,
    SentRequest,
    SentRequestStore,
    StoreFactory,
    StoreOwner,
    StoreSummary,
)
from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import LogonToSign, SignLogon
from kalshi_fix_sansio.errors import KalshiFixError, LocalProtocolError
from kalshi_fix_sansio.events import MessagesLost, OpenRequest, OutcomesUnknown, Uncertainty
from kalshi_fix_sansio.session import MemoryStore, MessageStore, Session
from kalshi_fix_sansio.session.checks import LAST_NUMBER


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SequenceNumbers(Value):
    """The sequence numbers of a client at one time.

    Attributes:
        next_outgoing: MsgSeqNum (34) of the next message to send.
        next_incoming: MsgSeqNum expected next from the venue. Equal to `next_unconfirmed` while the client is
            not open.
        next_unconfirmed: The lowest MsgSeqNum of the venue's messages that you have not confirmed. On a
            session type with resend, messages from this number on are delivered again after a crash.
        reset_due: Whether a reset was requested with `reset_numbers`, or a Logon with a reset was sent and
            not answered. In both cases the next Logon restarts both directions at 1.
    """

    next_outgoing: int
    next_incoming: int
    next_unconfirmed: int
    reset_due: bool


LossEvent = MessagesLost | OutcomesUnknown
"""The events that report the losses and uncertainties caused by setting or resetting the numbers."""


@runtime_checkable
class NumberStore(Protocol):
    """A `MessageStore` whose numbers can be set, like every store in this library."""

    def renumber(self, next_outgoing: int, next_incoming: int) -> None:
        """Use these numbers from the next commit on. If the outgoing number changes, drop all messages."""


class SequenceState:
    """The store of one client across all its connections, and whether the venue agrees with its numbers.

    Session types without resend restart their numbers at every logon. Other session types continue them,
    except at the first logon of a client without a `store`, and when a reset is requested.
    """

    def __init__(self, plan: ConnectionPlan, on_commit: Callable[[], object]) -> None:
        self._plan = plan
        self._on_commit = on_commit
        store = plan.store
        self._factory: StoreFactory | None = store if isinstance(store, StoreFactory) else None
        self._store: MessageStore = (
            MemoryStore() if store is None or isinstance(store, StoreFactory) else store
        )
        """The store for the sessions: the user's object, `_opened_store` if it is not None, or a store in
        memory.
        """
        self._opened_store: OpenedStore | None = None
        """The store that `open` opened with the factory, and that `close` closes. None if the user passed a
        store object, which the user must close.
        """
        self.is_agreed: bool = False
        """Whether the next logon may continue with these numbers: a logon with them was completed, or `set`
        was called. False again if the venue then expects other numbers.
        """
        self.session: Session | None = None
        """The session of the current or last connection; None before the first connection, and after
        `close`.
        """

    def open(self) -> None:
        """Prepare the store for connections. The first one begins a session from the store's numbers.

        Raises:
            StoreError: the store cannot be used.
        """
        # `is_agreed` keeps its value, because a reopened client continues from its numbers. The option
        # `reset_seq_num` therefore resets them only once.
        self.session = None
        if self._factory is not None:
            self._store = self._opened_store = self._factory.open(self.owner)
        self._store.on_commit = self._on_commit

    @property
    def durable(self) -> int:
        """The ticket of the last durable commit (`MessageStore.durable`).

        Raises:
            StoreError: a commit has failed, or the store was lost.
        """
        return self._store.durable

    @property
    def numbers_are_durable(self) -> bool:
        """Whether the next process continues from these numbers."""
        is_persistent = self._plan.store is not None and not isinstance(self._plan.store, MemoryStore)
        return is_persistent and self._plan.config.session_type.resend

    def sent_request(self, request_id: str) -> SentRequest | None:
        """Return the last request sent with this id.

        Raises:
            LocalProtocolError: the store does not keep the ids.
            StoreError: the store has failed.
        """
        closed = self._factory is not None and self._opened_store is None
        if closed or not isinstance(self._store, SentRequestStore):
            raise LocalProtocolError(
                "no ids of sent requests are kept: the client is not open, or its store does not keep them; "
                "set its `store` option to a folder"
            )
        return self._store.sent_request(request_id)

    def rows(self) -> RowBuffer | None:
        """Return a buffer for the user's rows; None if the store cannot keep rows."""
        return RowBuffer(self._store) if isinstance(self._store, RowStore) else None

    def close(self) -> None:
        """Close the store that `open` opened; numbers in memory are kept for the next `open`.

        Raises:
            StoreError: the last confirmation could not be written.
        """
        self.session = None
        opened, self._opened_store = self._opened_store, None
        if opened is not None:
            opened.close()

    @property
    def path(self) -> Path | None:
        """The file of the open store; None if there is none."""
        return None if self._opened_store is None else self._opened_store.path

    def next_session(self, codec: Codec) -> Session:
        """Return the session of the next connection, which continues the previous session, even if that
        session never logged on.
        """
        config = self._plan.config
        # Without a `store`, this side's numbers start at 1 in each process, but the venue's continue, so the
        # first logon must reset both.
        forced = self._plan.reset_seq_num or self._plan.store is None
        reset = config.session_type.reset_required or (forced and not self.is_agreed)
        config = attrs.evolve(
            config,
            codec=codec,
            reset_seq_num=reset,
            explicit_confirm=True,  # requesting the next event confirms the previous one
            max_events=sys.maxsize,  # `EventQueue` limits the waiting events, and pauses reading
            sign_logon=_guard_signer(config.sign_logon),
        )
        if self.session is None:
            self.session = Session(config, self._store)
        else:
            self.session = Session(config, continues=self.session)
        return self.session

    @property
    def numbers(self) -> SequenceNumbers:
        """The current sequence numbers. While the store is not open, they are read from it.

        Raises:
            StoreError: the store cannot be read.
        """
        store: MessageStore | StoreSummary = self._store
        if self._factory is not None and self._opened_store is None:
            store = self._factory.read(self.owner) or MemoryStore()
        incoming = store.next_incoming if self.session is None else self.session.next_incoming
        return SequenceNumbers(
            next_outgoing=store.next_outgoing,
            next_incoming=incoming,
            next_unconfirmed=store.next_incoming,
            reset_due=store.reset_unanswered,
        )

    def set(self, next_outgoing: int | None, next_incoming: int | None) -> tuple[LossEvent, ...]:
        """Set the numbers for the next session, without a reset; None keeps a number.

        Allowed only while the client is not open. Returns the resulting losses and uncertainties.

        Raises:
            LocalProtocolError: the numbers cannot be set, or the values are invalid; nothing has changed.
            StoreError: the store could not be read or written.
        """
        self._require_lasting_numbers("set")
        new_numbers = [number for number in (next_outgoing, next_incoming) if number is not None]
        if not new_numbers:
            raise LocalProtocolError("no number was given; pass next_outgoing, next_incoming or both")
        for number in new_numbers:
            # Compared by type, because isinstance would accept a bool.
            if type(number) is not int or not 1 <= number <= LAST_NUMBER:
                raise LocalProtocolError(f"a sequence number must be an int from 1 to {LAST_NUMBER}")
        with self._temporarily_open_store() as store:
            if not isinstance(store, NumberStore):
                raise LocalProtocolError(
                    f"{type(store).__name__} does not support setting its numbers; implement `renumber`, as "
                    "MemoryStore does"
                )
            outgoing = store.next_outgoing if next_outgoing is None else next_outgoing
            incoming = store.next_incoming if next_incoming is None else next_incoming
            lost = range(store.next_incoming, incoming)
            open_requests = store.open_requests()
            # Either the answers to these requests may be among the lost messages, or the numbers of the
            # requests will be used again, so that a Reject, which contains only the number, is ambiguous.
            uncertain = [request for request in open_requests if lost or request.seq_num >= outgoing]
            self._mark_uncertain(store, uncertain)
            store.renumber(outgoing, incoming)
            _commit(store)
        # If this were False, the next logon of a client without a store would reset the numbers.
        self.is_agreed = True
        losses: list[LossEvent] = [MessagesLost(lost[0], lost[-1])] if lost else []
        if uncertain:
            cause = Uncertainty.ANSWERS_LOST if lost else Uncertainty.RESET
            losses.append(OutcomesUnknown(tuple(uncertain), cause))
        return tuple(losses)

    def reset(self) -> tuple[LossEvent, ...]:
        """Restart both directions at 1 with the next logon.

        Allowed only while the client is not open. Returns the resulting uncertainties. Messages from the
        venue that were never received are not included, because it is unknown how many there are.

        Raises:
            LocalProtocolError: the session type restarts its sequence numbers at every logon.
            StoreError: the store could not be read or written.
        """
        self._require_lasting_numbers("reset")
        with self._temporarily_open_store() as store:
            open_requests = store.open_requests()
            self._mark_uncertain(store, open_requests)
            store.reset(unanswered=True)
            _commit(store)
        return (OutcomesUnknown(open_requests, Uncertainty.RESET),) if open_requests else ()

    @staticmethod
    def _mark_uncertain(store: MessageStore, requests: Iterable[OpenRequest]) -> None:
        """Mark requests as uncertain, so that the next session, in any process, lists them in
        OutcomesUnknown.
        """
        for request in requests:
            store.record_request(attrs.evolve(request, uncertain=True))

    def _require_lasting_numbers(self, action: str) -> None:
        """Raise LocalProtocolError if the session type restarts its sequence numbers at every logon."""
        session_type = self._plan.config.session_type
        if session_type.reset_required:
            raise LocalProtocolError(
                f"{session_type.name} restarts its sequence numbers at every logon, "
                f"so there is nothing to {action}"
            )

    @contextmanager
    def _temporarily_open_store(self) -> Iterator[MessageStore]:
        """Yield the store of a client that is not open. If there is a factory, open the store with it, and
        close the store at the end.
        """
        if self._factory is None:
            yield self._store
        else:
            with closing(self._factory.open(self.owner)) as opened:
                yield opened

    @property
    def open_requests(self) -> tuple[OpenRequest, ...]:
        """The session's unanswered requests, oldest first; empty without a session."""
        return () if self.session is None else self.session.open_requests

    @property
    def owner(self) -> StoreOwner:
        """The account and session to which the numbers belong."""
        config = self._plan.config
        return StoreOwner(
            environment=self._plan.environment,
            product=config.product,
            sender_comp_id=config.sender_comp_id,
            target_comp_id=config.session_type.name,
            account=self._plan.account,
        )


def _commit(store: MessageStore) -> None:
    """Commit all recorded changes, and wait until they are durable. No session may use the store in the
    meantime.
    """
    committed = threading.Event()
    store.on_commit = committed.set
    ticket = store.begin_commit()
    while store.durable < ticket:
        committed.wait()
        committed.clear()


def _guard_signer(sign: SignLogon | None) -> SignLogon | None:
    """Return a signer that raises only KalshiFixErrors, even if it calls the user's own device or service.

    The text of the original exception may contain a secret, so the exception is only attached as the cause.
    """
    if sign is None:
        return None

    def guarded(logon: LogonToSign) -> bytes:
        try:
            return sign(logon)
        except KalshiFixError:
            raise
        except Exception as error:
            raise SigningError(
                f"the Logon could not be signed ({type(error).__name__}); check the signer of the private key"
            ) from error

    return guarded
