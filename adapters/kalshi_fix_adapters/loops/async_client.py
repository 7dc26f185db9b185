"""The public API that all event loop clients share.

`kalshi_fix_adapters.asyncio` and `kalshi_fix_adapters.trio` provide such clients; docs/write-an-adapter.md
shows how to write one for another loop.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from kalshi_fix_adapters.engine.client_core import SendResult, already_open
from kalshi_fix_adapters.engine.standby import POLL_INTERVAL, Takeover
from kalshi_fix_adapters.engine.user import (
    ClientBase,
    ErrorToRaise,
    IterationEnded,
    answer_timeout,
    close_timeout,
    event_timeout,
    send_timeout,
)
from kalshi_fix_adapters.errors import StoreUnavailableError
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_adapters.loops.adapter import AsyncAdapter
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import SessionEnded

T = TypeVar("T")


class AsyncClient(ClientBase):
    """A client of one session type.

    Its methods may be called from any number of tasks in one loop, but only one task may take the events,
    because taking an event confirms the previous one. Another task gets a LocalProtocolError until the task
    that took a message has ended.
    """

    def __init__(self, adapter: AsyncAdapter) -> None:
        super().__init__(adapter.core)
        self._adapter = adapter
        self._entered = False
        self._is_opening = False
        """Whether `open` is calling `begin` of the core, perhaps in another thread."""

    async def open(self) -> Self:
        """Connect and log on; entering the context does this.

        Trio and anyio need the context. With asyncio you can open the client without it; call `logout` at the
        end.

        Raises:
            ConnectionFailedError: (or a subclass) no connection could be made, or TLS failed.
            LogonRefusedError: the venue refused the Logon.
            LogonFailedError: the Logon was not answered correctly.
            StoreError: the store cannot be opened or read.
            LocalProtocolError: the client is already open, or the Logon's fields are not allowed.
        """
        self._require_closed()
        self._is_opening = True
        try:
            await self._adapter.call_blocking(self._core.begin)
        finally:
            self._is_opening = False
        try:
            await self._adapter.start()
            await self._adapter.wait(self._first_logon, None)
        except BaseException:
            await self._leave(clean=False)
            raise
        return self

    def standby(
        self,
        *,
        every: float = POLL_INTERVAL,
        on_wait: Callable[[StoreUnavailableError], object] | None = None,
    ) -> AbstractAsyncContextManager[Self]:
        """Return a context that waits until no other process uses the client's store, and then opens the
        client. If the same program runs on two hosts, one is the primary, and the other takes over when the
        primary is gone.

        Enter this context, once, instead of the client. The context also waits while the store's server
        cannot be reached. The client repeats a failed first logon, at short intervals while the venue still
        has the connection of the former primary. If the store is lost, the session ends, and leaving the
        context raises SystemExit with status 75 (`EX_TEMPFAIL`), so that a service manager starts the process
        again as the standby.

        Args:
            every: seconds between attempts to open the store.
            on_wait: called with the reason before each wait.

        Raises:
            ConfigurationError: the client has no store that another process can open, or never reconnects.
        """
        return self._stand_by(Takeover(self._core, every, on_wait))

    @asynccontextmanager
    async def _stand_by(self, takeover: Takeover) -> AsyncIterator[Self]:
        with takeover:
            async with AsyncExitStack() as stack:
                while True:
                    try:
                        await stack.enter_async_context(self)
                        break
                    except StoreUnavailableError as error:
                        takeover.report_waiting(error)
                        await self._adapter.sleep(takeover.every)
                stack.callback(takeover.check_store)
                takeover.report_primary()
                yield self

    async def __aenter__(self) -> Self:
        # Checked before `enter`, which would replace the nursery of the open client.
        self._require_closed(entering=True)
        await self._adapter.enter()
        try:
            await self.open()
        except BaseException:
            await self._adapter.exit()
            raise
        self._entered = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered = False
        try:
            await self._leave(clean=error is None)
        finally:
            await self._adapter.exit()

    async def logout(self, text: str | None = None) -> SessionEnded | None:
        """Log out, wait for the venue's answer and close the connection; leaving the context does this.

        Events that are still in the queue can be taken afterwards. Returns the SessionEnded; None without a
        session. If this call is cancelled, it stops waiting, but the logout continues.

        Raises:
            ClientTimeoutError: the connection could not be closed in time.
        """
        self._core.logout(text)
        if not await self._adapter.wait(lambda: self._core.over or None, self._logout_timeout()):
            raise close_timeout("try again")
        if not self._entered:
            await self._leave(clean=True)
        return self._core.ended

    async def send(
        self,
        message: Message,
        *,
        header_fields: Mapping[str, Any] | None = None,
        allow_unknown_codes: bool = False,
        timeout: float | None = 10.0,  # noqa: ASYNC109 - the same signature in every adapter
    ) -> int:
        """Send a message and return its MsgSeqNum.

        Waits while the venue reads too slowly or the client's `budget` has no tokens, and until the message
        is durable in the client's store. Messages from several tasks may be committed together. The call
        can be cancelled only before the message has a number, so a cancelled call has sent nothing. A message
        is never queued for a later connection. `allow_unknown_codes` allows code values that this version
        does not know.

        Raises:
            LocalProtocolError: (or a subclass) the message is not allowed, and was not sent.
            ClientTimeoutError: the message could not be sent in time, and was not sent.
            NotConnectedError: the client is not, or no longer, logged on; nothing was sent.
            SendFailedError: the store failed; `may_have_been_sent` is False, and the session is over.
        """
        adapter, core = self._adapter, self._core
        # This is the first step of `AsyncAdapter.wait`. The other steps are only needed if the send must
        # wait.
        if time.monotonic() >= adapter.before_call_due:
            await adapter.before_call()
        # There is no `await` between `send` and `flush`, so a cancellation cannot leave a numbered
        # message unwritten.
        sent = core.send(message, header_fields, allow_unknown_codes=allow_unknown_codes)
        adapter.flush()
        if sent is None:
            sent = await self._wait_to_send(message, header_fields, allow_unknown_codes, timeout)
        elif adapter.has_after_call and not sent[1]:
            await adapter.after_call()
        number, ticket = sent
        if ticket:
            await adapter.wait_shielded(partial(core.is_committed, ticket))
        return number

    async def _wait_to_send(
        self,
        message: Message,
        header_fields: Mapping[str, Any] | None,
        allow_unknown_codes: bool,
        timeout: float | None,  # noqa: ASYNC109 - the caller's parameter
    ) -> SendResult:
        """Send a message when it is first in its queue and there is room in the output."""
        adapter, core = self._adapter, self._core
        turn = core.turn(message)

        def send_in_turn() -> SendResult | None:
            sent = core.send(message, header_fields, allow_unknown_codes=allow_unknown_codes, turn=turn)
            # Write the message. If it must still wait, update the timer that wakes this task.
            adapter.flush()
            return sent

        with turn.lock:
            try:
                sent = await adapter.wait(send_in_turn, timeout)
            finally:
                if turn.is_waiting:
                    core.leave_queue(turn)
                    adapter.flush()
        if sent is None:
            raise send_timeout(core)
        return sent

    def send_nowait(
        self,
        message: Message,
        *,
        header_fields: Mapping[str, Any] | None = None,
        allow_unknown_codes: bool = False,
    ) -> int:
        """Send an application message as `send` does, but without waiting, and return its MsgSeqNum (34).

        The bytes are written when the message is durable in the client's store. If the message cannot be made
        durable, it is not sent, and the session ends: OutcomesUnknown lists the message if it is a request,
        and SessionEnded follows with `CloseReason.STORE_FAILED`.

        Raises:
            InvalidMessageError, EncodeError, NotConnectedError, SendFailedError: as for `send`.
            ClientTimeoutError: the message cannot be sent now, because the venue does not read, the store has
                not committed earlier messages, or the client's `budget` has no tokens.
        """
        adapter, core = self._adapter, self._core
        sent = core.send(message, header_fields, allow_unknown_codes=allow_unknown_codes)
        if sent is None:
            raise send_timeout(core)
        adapter.flush()
        return sent[0]

    async def receive(self, timeout: float | None = None) -> ClientEvent:  # noqa: ASYNC109
        """Wait for the next event and return it. This confirms the previous event.

        If the call is cancelled, it has taken no event.

        Raises:
            ClientTimeoutError: there was no event within `timeout` seconds.
            LocalProtocolError: another task has taken a message and may still be processing it.
            SessionClosedError: the client has ended, and its last event was taken.
        """
        event = await self._adapter.wait(self._take, timeout)
        if event is None:
            raise event_timeout(timeout)
        return event

    def events(self, timeout: float | None = None) -> Stream[ClientEvent]:
        """Iterate over events until the client has ended, or until there is none for `timeout` seconds."""
        return Stream(self._adapter, self._take_until_over, timeout)

    def messages(self, timeout: float | None = None) -> Stream[Message]:
        """Iterate over the venue's application messages, and its rejects of your messages.

        Stops when there is none for `timeout` seconds, and after `logout`. `events` yields more, such as the
        message that a reject answers. Events that report loss or uncertainty are raised as exceptions; to
        continue, iterate again, which confirms that you have handled them.

        Raises:
            SessionInterruptedError: the connection was lost; the client reconnects.
            OutcomesUnknownError: the outcome of the listed requests is unknown.
            OrdersUnverifiedError: orders were open when the connection of a session without resend ended.
            MessagesLostError: messages from the venue are lost.
            NumbersResetError: the sequence numbers restarted, although the client had not requested it.
            MessageRejectedError: a message from the venue was rejected.
            MessageTooLargeError: a message from the venue was longer than `max_message_size`.
            GarbledReceivedError: garbled bytes were received.
            SessionClosedError: the client has ended for a reason other than your logout.
        """
        return Stream(self._adapter, self._next_message, timeout)

    async def test_request(self, timeout: float = 10.0) -> float:  # noqa: ASYNC109
        """Send a TestRequest, and return the number of seconds until the venue's Heartbeat arrived.

        Raises:
            ClientTimeoutError: the Heartbeat did not arrive within `timeout` seconds.
            NotConnectedError: the client is not, or no longer, logged on.
            SendFailedError: the store failed.
        """
        test_req_id = self._core.test_request()
        self._adapter.flush()
        seconds = await self._adapter.wait(partial(self._round_trip, test_req_id), timeout)
        if seconds is None:
            raise answer_timeout(timeout)
        return seconds

    def confirm(self, event: ClientEvent) -> None:
        """Confirm an event that you have taken, and all events taken before it, so that they are not
        delivered again after a crash.

        Needed only with the option `explicit_confirm`, with which several events may be in progress. Has no
        effect on events that are already confirmed, or on connection events.
        """
        self._core.confirm(event)

    def stop_reconnecting(self) -> None:
        """Keep the current connection, but make no other. A pending attempt is cancelled."""
        self._core.stop_reconnecting()

    def _require_closed(self, *, entering: bool = False) -> None:
        if self._is_opening or not self._core.over or (entering and self._entered):
            raise already_open()

    async def _leave(self, *, clean: bool) -> None:
        self._core.logout()
        try:
            await self._adapter.finish()
        finally:
            try:
                self._core.confirm_handled(clean=clean)
            finally:
                await self._adapter.call_blocking(partial(self._core.release, clean=clean))


class Stream(Generic[T]):
    """An asynchronous iterator over a client's events or messages.

    It has no state, so it may be dropped at any time, and a cancellation or an exception does not end it.
    """

    def __init__(
        self,
        adapter: AsyncAdapter,
        next_item: Callable[[], T | ErrorToRaise | None],
        timeout: float | None,
    ) -> None:
        self._adapter = adapter
        self._next_item = next_item
        """Function that returns the next item, or None if there is none yet. At the end it raises
        IterationEnded.
        """
        self._timeout = timeout

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            item = await self._adapter.wait(self._next_item, self._timeout)
        except IterationEnded:
            raise StopAsyncIteration from None
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, ErrorToRaise):
            raise item.error
        return item
