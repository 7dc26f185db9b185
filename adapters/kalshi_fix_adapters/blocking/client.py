"""The client, and the functions that make one; the package says how it behaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from kalshi_fix_adapters.blocking.calls import End, UserCalls, deadline_after
from kalshi_fix_adapters.config.factories import Factories
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.errors import ClientTimeoutError
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import LoggedOn, SessionEnded
from kalshi_fix_sansio.outcomes import OpenRequest

_SLACK = 5.0
"""Seconds beyond the deadlines of the session that closing may take: last bytes, end of TLS."""


class Client:
    """A client of one session type, as a context manager: it logs on when entered and out when left.

    It is left with a Logout whatever happens inside; an exception of your own goes on after it. In between
    it connects again by itself (`reconnect`). Once it is over it may be entered again.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        self._plan = plan
        self._io = UserCalls(plan)
        self._entered = False

    def __repr__(self) -> str:
        return f"<Client {self._io.core}>"

    @property
    def logged_on(self) -> LoggedOn | None:
        """The venue's last Logon and what was agreed; None before the first."""
        return self._io.read(lambda core: core.logged_on)

    @property
    def open_requests(self) -> tuple[OpenRequest, ...]:
        """The requests that were sent and have no answer yet, oldest first: orders, cancels, quotes.

        On a session type with resend they stay through reconnects. What OutcomesUnknown has named is not
        among them. Empty once the client is closed.
        """
        return self._io.read(lambda core: core.open_requests)

    @property
    def ended(self) -> SessionEnded | None:
        """How the last session ended, once the client is over; None before."""
        return self._io.read(lambda core: core.ended)

    @property
    def is_logged_on(self) -> bool:
        """Whether something can be sent now."""
        return self._io.read(lambda core: core.is_logged_on)

    def open(self) -> Self:
        """Connect and log on; entering the context does this. Without one, call `logout` in the end.

        Raises:
            ConnectionFailedError: or one of its kinds: no connection, or TLS failed.
            LogonRefusedError: the venue refused the Logon.
            LogonFailedError: the Logon was not answered as it should be.
            StoreError: the store cannot be opened or read.
            LocalProtocolError: the client is open, or the Logon's fields are not allowed.
        """
        io = self._io
        io.start()
        try:
            io.wait_logged_on()
        except BaseException:
            io.change(lambda core: core.abort("interrupted"))
            io.join(self._plan.timeout)
            self._close(clean=False)
            raise
        return self

    def __enter__(self) -> Self:
        self.open()
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.logout()
        except ClientTimeoutError:
            if error is None:
                raise
        finally:
            self._entered = False
            self._close(clean=error is None)

    def send(
        self,
        message: Message,
        *,
        header_fields: Mapping[str, Any] | None = None,
        allow_unknown_codes: bool = False,
        timeout: float | None = 10.0,
    ) -> int:
        """Send an application message and return its MsgSeqNum (34).

        The bytes are handed to the operating system before this returns, unless it takes no more for now. A
        message is never kept for a later connection.

        Args:
            message: what to send.
            header_fields: further attributes of its header, such as `{"poss_resend": True}`.
            allow_unknown_codes: let code values leave that this version does not know, because the venue has
                added them since.
            timeout: seconds to wait while the venue does not read what was sent before.

        Raises:
            InvalidMessageError: it breaks the dialect's rules here; EncodeError for a value without FIX
            form. ClientTimeoutError: the venue has not read in time. NotConnectedError: the client is not
            logged on. Nothing was sent, whichever of them it is.
        """
        return self._io.send(message, header_fields, timeout, allow_unknown_codes=allow_unknown_codes)

    def receive(self, timeout: float | None = None) -> ClientEvent:
        """Wait for the next event and return it. Asking for it says that you are done with the one before.

        Raises:
            ClientTimeoutError: none came within `timeout` seconds.
            LocalProtocolError: another thread has taken a message and may still be busy with it.
            SessionClosedError: the client is over, and its last event was taken.
        """
        event = self._io.take(deadline_after(timeout))
        if event is None:
            raise ClientTimeoutError(
                f"nothing came within {timeout:g} s; wait longer, or check what was sent"
            )
        if event is End.END:
            raise self._io.read(lambda core: core.closed_error())
        return event

    def events(self, timeout: float | None = None) -> Iterator[ClientEvent]:
        """Iterate over events until the client is over; stop early when none comes for `timeout` seconds.

        Asking for the next one says that you are done with the one before.
        """
        while (event := self._io.take(deadline_after(timeout))) is not None and event is not End.END:
            yield event

    def messages(self, timeout: float | None = None) -> Iterator[Message]:
        """Iterate over what the venue sends: application messages, and rejects of your own messages.

        Stops when none comes for `timeout` seconds, and after `logout`. `events` tells more, such as
        what a reject answers. What it tells of loss or doubt is raised here; to go on after that, iterate
        again, which says that you have taken care of it.

        Raises:
            SessionInterruptedError: the connection was lost; the client connects again.
            OutcomesUnknownError: nobody knows what became of requests of yours; it names them.
            OrdersUnverifiedError: orders rested when the connection ended, on a session without resend.
            MessagesLostError: messages of the venue will not come.
            MessageRejectedError: a message of the venue could not be accepted.
            GarbledReceivedError: bytes came that are no message.
            SessionClosedError: the client is over for another reason than your logout.
        """
        core = self._io.core
        deadline = deadline_after(timeout)
        while (event := self._io.take(deadline)) is not None:
            if event is End.END:
                if core.ended_as_wanted:
                    return
                raise self._io.read(lambda core: core.closed_error())
            message = core.message_of(event)
            if message is not None:
                yield message
                deadline = deadline_after(timeout)

    def test_request(self, timeout: float = 10.0) -> float:
        """Ask the venue for a Heartbeat and return the seconds it took.

        Raises:
            ClientTimeoutError: it did not come within `timeout` seconds.
            NotConnectedError: the client is not logged on, or not any more.
        """
        seconds = self._io.test_request(deadline_after(timeout))
        if seconds is None:
            raise ClientTimeoutError(f"no Heartbeat answered within {timeout:g} s; the venue may be gone")
        return seconds

    def stop_reconnecting(self) -> None:
        """Keep the present connection, but make no other; one that is waited for is given up."""
        self._io.change(lambda core: core.stop_reconnecting())

    def logout(self, text: str | None = None) -> SessionEnded | None:
        """Log out, wait for the venue's answer and close the connection; leaving the context does this.

        Events that are still in the queue can be taken afterwards. Returns how the session ended.

        Raises:
            ClientTimeoutError: the connection could not be closed in time.
        """
        io = self._io
        try:
            io.change(lambda core: core.logout(text))
            # The session has its own deadline for the answer, equal to the plan's; some more for the bytes.
            closed = io.join(self._plan.timeout + _SLACK)
        except BaseException:
            # Interrupted while waiting: no second wait.
            io.change(lambda core: core.abort("interrupted"))
            raise
        if not self._entered:
            self._close(clean=True)
        if not closed:
            raise ClientTimeoutError("the connection could not be closed in time; it ends with this process")
        return self.ended

    def _close(self, *, clean: bool) -> None:
        try:
            self._io.close(clean=clean)
        except StoreError:
            if clean:
                raise


_factories = Factories(Client)
order_entry = _factories.order_entry
drop_copy = _factories.drop_copy
market_data = _factories.market_data
post_trade = _factories.post_trade
rfq = _factories.rfq
