"""The part of the user's API that does not depend on the event loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import attrs

from kalshi_fix_adapters.config.budget import Bucket
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.engine.iteration import message_or_error
from kalshi_fix_adapters.engine.rows import Rows
from kalshi_fix_adapters.engine.sequence import LossEvent, SequenceNumbers
from kalshi_fix_adapters.errors import AdapterError, ClientTimeoutError, NotConnectedError
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_adapters.stores import SentRequest, StoreOwner
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import SendFailedError
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, OpenRequest, SessionEnded
from kalshi_fix_sansio.session.states import State

CLOSE_SECONDS = 6.0
"""Seconds that closing may take after the session's deadline for the Logout: for the last bytes
(`connection.LINGER_SECONDS`), the TLS shutdown, and delays on a busy machine.
"""


@attrs.frozen
class ErrorToRaise:
    """An error that replaces an event.

    The error is returned rather than raised, because the event counts as taken only when the error reaches
    the user; the user's call raises it.
    """

    error: AdapterError


class IterationEnded(Exception):  # noqa: N818 - not an error, and never reaches a user
    """Signals the end of an iteration."""


class ClientBase:
    """The state of a client, and the conditions that its calls wait for.

    Each condition is a function that returns None until the condition is met. The adapter calls it repeatedly
    and waits between the calls. Any other result must reach the user, because it may be an event that the
    function has taken.

    Attributes:
        rows: Your own data, written by the commit that confirms an event.
    """

    def __init__(
        self,
        core: ClientCore,
        lock: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Wrap a core. `lock` returns a context manager, such as a lock, to enter while the core is used."""
        self._core = core
        self._lock = lock
        # For `receive` and `events`. Partials of `take`, because a method would add a call per message.
        self._take: Callable[[], ClientEvent | None] = partial(core.take, core.closed_error)
        self._take_until_over: Callable[[], ClientEvent | None] = partial(core.take, IterationEnded)
        self.rows: Rows = Rows(core.rows, lock)

    def __repr__(self) -> str:
        return f"<Client {self._core}>"

    @property
    def owner(self) -> StoreOwner:
        """The account and session type of the client, which identify its store."""
        return self._core.sequence.owner

    @property
    def numbers_are_durable(self) -> bool:
        """Whether the next process continues from these sequence numbers. This is True on KalshiRT and
        KalshiPT with a `store`.
        """
        return self._core.sequence.numbers_are_durable

    @property
    def explicit_confirm(self) -> bool:
        """Whether only `confirm` confirms events."""
        return self._core.plan.explicit_confirm

    @property
    def state(self) -> State:
        """The state of the current connection's session; DISCONNECTED if there is no connection."""
        with self._lock():
            return self._core.state

    @property
    def is_reconnecting(self) -> bool:
        """Whether a logged-on connection was lost, and the next one is being made or awaited."""
        with self._lock():
            return self._core.is_reconnecting

    @property
    def numbers(self) -> SequenceNumbers:
        """The sequence numbers of both directions. While the client is not open, they are read from its
        store.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._lock():
            return self._core.sequence.numbers

    def set_numbers(
        self, *, next_outgoing: int | None = None, next_incoming: int | None = None
    ) -> tuple[LossEvent, ...]:
        """Set the sequence numbers for the next logon, without a reset. Use this to set numbers that the
        venue's support gave you, or to skip a message from the venue that ends every session.

        Possible only on KalshiRT and KalshiPT, and while the client is not open. With a store in a file, the
        numbers are on the disk when this returns. The venue refuses a Logon whose number is too low, and
        requests the missing messages if the number is too high.

        A higher `next_incoming` permanently skips the venue's messages in between. With a lower one, the
        venue's messages from that number on are delivered again. Any change of `next_outgoing` drops the
        messages kept for resend; if the venue requests them, it gets gap fills instead. With a lower
        `next_outgoing`, numbers are used twice.

        Args:
            next_outgoing: MsgSeqNum (34) of the next Logon; None for no change.
            next_incoming: the next expected MsgSeqNum from the venue; None for no change.

        Returns:
            The resulting losses and uncertainties, as session events to handle and to pass to `apply` of the
                state machines. MessagesLost contains the skipped numbers. OutcomesUnknown contains the open
                requests whose answers may be lost or whose numbers will be used again. The client reports
                these requests once more at the next logon, even if another process logs on.

        Raises:
            LocalProtocolError: the client is open, the session type restarts its sequence numbers at every
                logon, a number is below 1 or has more than 18 digits, or your store object cannot set
                numbers. Nothing has changed.
            StoreError: the store is in use, or could not be read or written.
        """
        with self._lock():
            return self._core.set_numbers(next_outgoing, next_incoming)

    def reset_numbers(self) -> tuple[LossEvent, ...]:
        """Restart both directions at 1 with the next logon (ResetSeqNumFlag=Y), regardless of the numbers in
        the store, even if another process logs on.

        Like `set_numbers`, this is possible only on KalshiRT and KalshiPT, and while the client is not open.
        Unconfirmed messages from the venue are not delivered again, and it is unknown how many there are, so
        look them up via drop copy. Messages kept for resend are dropped.

        Returns:
            OutcomesUnknown with all open requests, if any. The client reports them once more at the next
                logon.

        Raises:
            LocalProtocolError: the client is open, or the session type restarts its sequence numbers at every
                logon.
            StoreError: the store is in use, or could not be read or written.
        """
        with self._lock():
            return self._core.reset_numbers()

    @property
    def logged_on(self) -> LoggedOn | None:
        """The last logon, with the agreed flags, such as `logged_on.flags["use_dollars"]`; None before the
        first.
        """
        with self._lock():
            return self._core.logged_on

    @property
    def open_requests(self) -> tuple[OpenRequest, ...]:
        """The unanswered requests (orders, cancels, quotes), oldest first.

        On a session type with resend they are kept across reconnects. Requests listed by OutcomesUnknown are
        not included. Empty after the client is closed.
        """
        with self._lock():
            return self._core.sequence.open_requests

    def sent_request(self, request_id: str) -> SentRequest | None:
        """Return the last request sent with this id, such as a ClOrdID; None if there was none. An earlier
        process may have sent the request, and the venue may have answered it.

        If your own queue delivers a command again after a crash, this method shows whether the command was
        already sent. It works after a reset too, and on session types that keep no messages. The store keeps
        the ids for 72 hours, and at most 100,000 of them.

        Raises:
            LocalProtocolError: the client is not open, or its store does not keep the ids.
            StoreError: the store has failed.
        """
        with self._lock():
            return self._core.sequence.sent_request(request_id)

    @property
    def ended(self) -> SessionEnded | None:
        """The SessionEnded of the last session, once the client has ended; None before that, or if there was
        no session.
        """
        with self._lock():
            return self._core.ended

    @property
    def is_logged_on(self) -> bool:
        """Whether a message can be sent now."""
        with self._lock():
            return self._core.is_logged_on

    def record_spending(self, tokens: float, *, bucket: Bucket = "write", shard: int | None = None) -> None:
        """Record tokens spent elsewhere, for example on REST requests, in the client's `budget`.

        Thread-safe, unlike `RateBudget.record_spending`.

        Raises:
            LocalProtocolError: the client has no budget.
            ValueError: `tokens` is negative or not a number.
        """
        self._core.record_spending(tokens, bucket, shard)

    # Conditions to wait for

    def _first_logon(self) -> LoggedOn | None:
        """Return the first logon, if there is one.

        Raises:
            KalshiFixError: the client has ended without a logon; the error contains the reason.
        """
        core = self._core
        if core.logged_on is None and core.over:
            raise core.error or core.closed_error()
        return core.logged_on

    def _next_message(self) -> Message | ErrorToRaise | None:
        """Return the next message, or the error for an event that reports loss or uncertainty:
        SessionInterruptedError or a ReconcileError.

        Raises:
            IterationEnded: after the user's logout.
            SessionClosedError: the client has ended for another reason.
        """
        core = self._core
        while (event := core.take(self._error_at_end)) is not None:
            # Nearly every event is a message, so this check usually saves the call below.
            if event.__class__ is MessageReceived:
                received: Message = event.message
                return received
            result = message_or_error(event)
            if isinstance(result, AdapterError):
                return ErrorToRaise(result)
            if result is not None:
                return result
        return None

    def _error_at_end(self) -> Exception:
        return IterationEnded() if self._core.ended_cleanly else self._core.closed_error()

    def _logout_timeout(self) -> float:
        """Return the number of seconds after which an unfinished logout counts as failed.

        The session's deadline for the venue's answer is the plan's `timeout`.
        """
        return self._core.plan.timeout + CLOSE_SECONDS

    def _round_trip(self, test_req_id: str) -> float | None:
        """Return the number of seconds until a TestRequest was answered; None if it is not answered yet.

        Raises:
            NotConnectedError: there will be no answer.
            SendFailedError: there will be no answer, because the store has failed.
        """
        seconds = self._core.round_trip(test_req_id)
        if seconds is None and not self._core.is_logged_on:
            if (store_error := self._core.store_error) is not None:
                raise SendFailedError(store_error)
            raise self._core.closed_error(NotConnectedError)
        return seconds


def send_timeout(core: ClientCore) -> ClientTimeoutError:
    """Return the error for a message that could not be sent in time."""
    cause, advice = "the rate budget had no tokens for the message", "send fewer messages"
    if core.congested:
        cause, advice = "the venue has not read earlier messages", "try again later"
    return ClientTimeoutError(f"{cause}, so nothing was sent; {advice}, or allow more time")


def event_timeout(timeout: float | None) -> ClientTimeoutError:
    """Return the error for a wait during which no event occurred."""
    return ClientTimeoutError(f"no event within {timeout:g} s; wait longer, or check the messages you sent")


def close_timeout(advice: str) -> ClientTimeoutError:
    """Return the error for a connection that did not end in time."""
    return ClientTimeoutError(f"the connection could not be closed in time; {advice}")


def answer_timeout(timeout: float) -> ClientTimeoutError:
    """Return the error for a TestRequest that was not answered in time."""
    return ClientTimeoutError(
        f"the TestRequest was not answered within {timeout:g} s; the connection may be lost"
    )
