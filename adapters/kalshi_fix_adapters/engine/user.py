"""The user's side of a client, as far as it is the same in every event loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from kalshi_fix_adapters.config.budget import Bucket
from kalshi_fix_adapters.engine.client import ClientCore
from kalshi_fix_adapters.engine.iteration import message_or_error
from kalshi_fix_adapters.engine.journal import Journal
from kalshi_fix_adapters.engine.sequence import Doubtful, SequenceNumbers
from kalshi_fix_adapters.errors import AdapterError, ClientTimeoutError, NotConnectedError
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, SessionEnded
from kalshi_fix_sansio.outcomes import OpenRequest
from kalshi_fix_sansio.session.states import State

CLOSING = 6.0
"""Seconds beyond the session's own deadline for the Logout that closing may take: the last bytes
(`connection.LINGER`), the end of TLS, and a machine that is busy."""


class Ended(Exception):  # noqa: N818 - it is no error, and never reaches a user
    """The end of what somebody iterates over."""


@explained
class ClientBase:
    """What a client says of itself, and what its calls look for while they wait.

    Of the functions that look, each returns None while there is nothing yet, and may be called again and
    again. How to wait in between is the loop's matter, and so is to return what was found: an event that was
    taken must reach the user.
    """

    def __init__(
        self,
        core: ClientCore,
        lock: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Stand before a core; `lock` returns what has to be held to ask it, if anything."""
        self._core = core
        self._locked = lock
        # `take` itself, for `receive` and for `events`: a method around it would cost each message a call.
        self._take: Callable[[], ClientEvent | None] = partial(core.take, core.closed_error)
        self._take_until_over: Callable[[], ClientEvent | None] = partial(core.take, Ended)
        self.journal: Journal = Journal(core.rows, lock)
        """Rows of yours that are written in the commit that confirms an event."""

    def __init_subclass__(cls) -> None:
        # `help` of the client of each loop lists the attributes, as `explained` does for this class.
        explained(cls)

    def __repr__(self) -> str:
        return f"<Client {self._core}>"

    @property
    def state(self) -> State:
        """Where the session of the present connection stands; DISCONNECTED while there is none."""
        with self._locked():
            return self._core.state

    @property
    def is_reconnecting(self) -> bool:
        """Whether a connection that was logged on is lost, and the client makes another or waits to."""
        with self._locked():
            return self._core.is_reconnecting

    @property
    def numbers(self) -> SequenceNumbers:
        """Where the sequence numbers stand, of both directions. While the client is not open, those of its
        store, whose file is read for that.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._locked():
            return self._core.numbers

    def set_numbers(
        self, *, next_outgoing: int | None = None, next_incoming: int | None = None
    ) -> tuple[Doubtful, ...]:
        """Have the next logon go on from these sequence numbers, without a reset: because the venue's support
        named them, or to leave out a message of the venue's that ends every session.

        Only on KalshiRT and KalshiPT, and while the client is not open: before it is entered, or after it was
        left. With a store in a file they are on the disk when this returns. The venue refuses a Logon whose
        number is too low, and asks for what is missing before one that is too high.

        A higher `next_incoming` leaves out what the venue sent in between, for good. A lower one lets it come
        again. Another `next_outgoing` forgets what is kept for resend: the venue gets gap fills in its place.
        With a lower one, numbers are used twice.

        Args:
            next_outgoing: MsgSeqNum (34) of the next Logon; None leaves it as it is.
            next_incoming: MsgSeqNum that is expected of the venue's; None leaves it as it is.

        Returns:
            What is lost or in doubt by it, as a session tells it, for you and for `apply` of the trading
            machines: MessagesLost with the numbers that were left out, OutcomesUnknown with the open requests
            whose answer may be among them, or whose numbers are to be used again. The client names these
            requests at the next logon once more, whichever process makes it.

        Raises:
            LocalProtocolError: the client is open, the session type restarts its numbers at every logon, a
                number is below 1 or has more than 18 digits, or a store of your own cannot set them. Nothing
                has changed.
            StoreError: the file is in use, or could not be read or written.
        """
        with self._locked():
            return self._core.set_numbers(next_outgoing, next_incoming)

    def reset_numbers(self) -> tuple[Doubtful, ...]:
        """Have the next logon restart both directions at 1 (ResetSeqNumFlag=Y), whatever the store says, also
        if another process makes it.

        As with `set_numbers`, only on KalshiRT and KalshiPT and while the client is not open. What the venue
        has sent and you have not taken care of does not come again, and nothing says how much that is: ask
        drop copy. What is kept for resend is forgotten.

        Returns:
            OutcomesUnknown with all open requests; none if there are none. The client names them at the next
            logon once more.

        Raises:
            LocalProtocolError: the client is open, or the session type restarts its numbers at every logon.
            StoreError: the file is in use, or could not be read or written.
        """
        with self._locked():
            return self._core.reset_numbers()

    @property
    def logged_on(self) -> LoggedOn | None:
        """The venue's last Logon and what was agreed, such as `logged_on.flags["use_dollars"]`; None before
        the first."""
        with self._locked():
            return self._core.logged_on

    @property
    def open_requests(self) -> tuple[OpenRequest, ...]:
        """The requests that were sent and have no answer yet, oldest first: orders, cancels, quotes.

        On a session type with resend they stay through reconnects. What OutcomesUnknown has named is not
        among them. Empty once the client is closed.
        """
        with self._locked():
            return self._core.open_requests

    @property
    def ended(self) -> SessionEnded | None:
        """How the last session ended, once the client is over; None before."""
        with self._locked():
            return self._core.ended

    @property
    def is_logged_on(self) -> bool:
        """Whether something can be sent now."""
        with self._locked():
            return self._core.is_logged_on

    def spent(self, tokens: float, *, bucket: Bucket = "write", shard: int | None = None) -> None:
        """Tell the client's `budget` of tokens that something else has spent, such as REST.

        Safe for threads, as `RateBudget.spent` by itself is not.

        Raises:
            LocalProtocolError: the client has no budget.
            ValueError: `tokens` is negative or no number.
        """
        self._core.spent(tokens, bucket, shard)

    # What is looked for

    def _first_logon(self) -> LoggedOn | None:
        """Look for the first logon.

        Raises:
            KalshiFixError: the client is over without one; it says why.
        """
        core = self._core
        if core.logged_on is None and core.over:
            raise core.error or core.closed_error()
        return core.logged_on

    def _next_message(self) -> Message | None:
        """Look for the next message.

        Raises:
            Ended: after the user's own logout.
            SessionClosedError: the client is over for another reason.
            SessionInterruptedError, ReconcileError: an event tells of loss or doubt.
        """
        core = self._core
        while (event := core.take(self._end_of_messages)) is not None:
            if event.__class__ is MessageReceived:  # as nearly all are, which saves them the call below
                received: Message = event.message
                return received
            found = message_or_error(event)
            if isinstance(found, AdapterError):
                raise found
            if found is not None:
                return found
        return None

    def _end_of_messages(self) -> Exception:
        return Ended() if self._core.ended_as_wanted else self._core.closed_error()

    def _longest_logout(self) -> float:
        """Return the seconds after which a logout that is not over has failed. The session's own deadline for
        the venue's answer is the plan's `timeout`."""
        return self._core.plan.timeout + CLOSING

    def _answer(self, test_req_id: str) -> float | None:
        """Look for the answer to a TestRequest.

        Raises:
            NotConnectedError: it will not come.
        """
        seconds = self._core.round_trip(test_req_id)
        if seconds is None and not self._core.is_logged_on:
            raise self._core.closed_error(NotConnectedError)
        return seconds


def no_room() -> ClientTimeoutError:
    """Return what to raise when a message could not be sent in time."""
    return ClientTimeoutError(
        "the venue has not read what was sent before, so nothing was sent; try again later, or allow more "
        "time"
    )


def no_tokens() -> ClientTimeoutError:
    """Return what to raise when the rate budget has not let a message leave in time."""
    return ClientTimeoutError(
        "the rate budget had no tokens for it, so nothing was sent; send less, or allow more time"
    )


def no_event(timeout: float | None) -> ClientTimeoutError:
    """Return what to raise when no event came in time."""
    return ClientTimeoutError(f"nothing came within {timeout:g} s; wait longer, or check what was sent")


def not_closed(advice: str) -> ClientTimeoutError:
    """Return what to raise when a connection did not end in time."""
    return ClientTimeoutError(f"the connection could not be closed in time; {advice}")


def no_answer(timeout: float) -> ClientTimeoutError:
    """Return what to raise when a TestRequest was not answered in time."""
    return ClientTimeoutError(f"no Heartbeat answered within {timeout:g} s; the venue may be gone")
