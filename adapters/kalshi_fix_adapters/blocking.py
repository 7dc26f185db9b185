"""The blocking client: for scripts and threads.

    with order_entry() as client:
        client.send(order)
        for message in client.messages(timeout=5):
            ...

Each client has one background thread that reads, answers and keeps heartbeats going, so that they leave
on time while your code computes, sleeps or waits for input. What it costs: the thread, the handover of
every event from it to yours (some ten microseconds), and that your code must release the interpreter now
and then, as all but some C extensions do.

Events wait for you in a queue of bounded length. When it is full the client stops reading, the venue
notices by TCP, and nothing is lost; heartbeats go on. All methods may be called from several threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self, Unpack

import attrs

from kalshi_fix_adapters._io_thread import IoThread, deadline_after
from kalshi_fix_adapters._pump import OnWire, Pump
from kalshi_fix_adapters.dialer import open_socket
from kalshi_fix_adapters.errors import ClientTimeoutError, SessionClosedError
from kalshi_fix_adapters.plan import Choices, ConnectionPlan, Options, make_plan
from kalshi_fix_adapters.refusals import logon_error
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import Event, LoggedOn, MessageReceived, RejectReceived, SessionEnded
from kalshi_fix_sansio.session import MessageStore, Session

QUEUE_LIMIT = 10_000
"""Events that may wait for the user before the client stops reading (it then finishes the chunk it has)."""
_SLACK = 5.0


class Client:
    """One connection of one session type, as a context manager: it logs on when entered and out when left.

    It is left with a Logout whatever happens inside; an exception of your own goes on after it. Once the
    session is over the same client may be entered again.
    """

    def __init__(
        self,
        plan: ConnectionPlan,
        *,
        store: MessageStore | None = None,
        queue_limit: int = QUEUE_LIMIT,
        on_wire: OnWire | None = None,
    ) -> None:
        self._plan = plan
        self._store = store
        self._queue_limit = queue_limit
        self._on_wire = on_wire
        self._io: IoThread | None = None
        self._logged_on: LoggedOn | None = None

    def __repr__(self) -> str:
        config = self._plan.config
        state = "new" if self._io is None else "open" if self.ended is None else "over"
        return f"<Client {config.session_type.name} {config.product} at {self._plan.endpoint}, {state}>"

    @property
    def logged_on(self) -> LoggedOn | None:
        """The venue's Logon and what was agreed; None before."""
        return self._logged_on

    @property
    def ended(self) -> SessionEnded | None:
        """How the session ended; None while it lasts."""
        return None if self._io is None else self._io.ended

    def open(self) -> Self:
        """Connect and log on; entering the context does this.

        Without a store the numbers of both directions restart at 1 (ResetSeqNumFlag, 141), whatever the
        session type.

        Raises:
            ConnectionFailedError: or one of its kinds: no connection, or TLS failed.
            LogonRefusedError: the venue refused the Logon.
            LogonFailedError: the Logon was not answered as it should be.
            LocalProtocolError: the client is open, or the Logon's fields are not allowed.
        """
        if self._io is not None and self._io.is_running:
            raise LocalProtocolError("the client is open already; use one client for each connection")
        plan, store = self._plan, self._store
        config = plan.config if store is not None else attrs.evolve(plan.config, reset_seq_num=True)
        endpoint = plan.endpoint
        connected = open_socket(endpoint.host, endpoint.port, plan.security, plan.timeout)
        io = IoThread(connected, Pump(Session(config, store), on_wire=self._on_wire), self._queue_limit)
        try:
            io.start()
            self._logged_on = io.wait_logged_on()
        except BaseException:
            io.abort("interrupted")
            io.join(plan.timeout)
            raise
        self._io = io
        if self._logged_on is None:
            io.join(plan.timeout)
            if io.ended is None:
                io.refuse_if_over()
            else:
                raise logon_error(io.ended, str(endpoint))
        return self

    def __enter__(self) -> Self:
        return self.open()

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

    def send(
        self,
        message: Message,
        *,
        header_fields: Mapping[str, Any] | None = None,
        timeout: float | None = 10.0,
    ) -> int:
        """Send an application message and return its MsgSeqNum (34).

        The bytes are handed to the operating system before this returns, unless it takes no more for now.

        Args:
            message: what to send.
            header_fields: further attributes of its header, such as `{"poss_resend": True}`.
            timeout: seconds to wait while the venue does not read what was sent before.

        Raises:
            InvalidMessageError: it breaks the dialect's rules here; EncodeError for a value without FIX
            form. ClientTimeoutError: the venue has not read in time; nothing was sent.
            SessionClosedError: the session is over or was never opened.
        """
        return self._opened().send(message, header_fields, deadline_after(timeout))

    def receive(self, timeout: float | None = None) -> Event:
        """Wait for the next event and return it.

        Raises:
            ClientTimeoutError: none came within `timeout` seconds.
            SessionClosedError: the session is over, and its last event (SessionEnded) was taken.
        """
        event = self._opened().take(deadline_after(timeout))
        if event is None:
            raise ClientTimeoutError(
                f"nothing came within {timeout:g} s; wait longer, or check what was sent"
            )
        return event

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Iterate over events up to SessionEnded; stop early when none comes for `timeout` seconds."""
        io = self._opened()
        while (event := io.take(deadline_after(timeout))) is not None:
            yield event
            if isinstance(event, SessionEnded):
                return

    def messages(self, timeout: float | None = None) -> Iterator[Message]:
        """Iterate over what the venue sends: application messages, and rejects of your own messages.

        Stops when none comes for `timeout` seconds, and after `logout`. `events` tells more, such as
        what a reject answers.

        Raises:
            SessionClosedError: the session ended otherwise: by the venue's Logout, or without any.
        """
        io = self._opened()
        deadline = deadline_after(timeout)
        while (event := io.take(deadline)) is not None:
            if isinstance(event, SessionEnded):
                if event.clean and io.is_leaving:
                    return
                raise SessionClosedError(f"the session ended: {event.text}; open the client again", event)
            if isinstance(event, MessageReceived):
                yield event.message
            elif isinstance(event, RejectReceived):
                yield event.reject
            else:
                continue
            deadline = deadline_after(timeout)

    def logout(self, text: str | None = None) -> SessionEnded | None:
        """Log out, wait for the venue's answer and close the connection; leaving the context does this.

        Events that are still in the queue can be taken afterwards. Returns how the session ended.

        Raises:
            ClientTimeoutError: the connection could not be closed in time.
        """
        io = self._io
        if io is None:
            return None
        try:
            io.log_out(text)
            # The session has its own deadline for the answer, equal to the plan's; some more for the bytes.
            closed = io.join(self._plan.timeout + _SLACK)
        except BaseException:
            # Interrupted while waiting: no second wait.
            io.abort("interrupted")
            raise
        if not closed:
            raise ClientTimeoutError("the connection could not be closed in time; it ends with this process")
        return io.ended

    def _opened(self) -> IoThread:
        if self._io is None:
            raise SessionClosedError("the client is not open; use it as a context manager, or call open()")
        return self._io


def order_entry(
    *, retransmission: bool = False, listener: bool = False, **options: Unpack[Options]
) -> Client:
    """Return a client for orders: KalshiNR, or KalshiRT with `retransmission`.

    Args:
        retransmission: KalshiRT: missed messages can be asked for again; also RFQs and settlement reports.
        listener: a read-only feed of the account's execution reports; it needs an API key of its own.
        **options: see `Options`.
    """
    fields = {"listener_session": True, "skip_pending_exec_reports": True} if listener else {}
    return _client("KalshiRT" if retransmission else "KalshiNR", options, fields)


def drop_copy(**options: Unpack[Options]) -> Client:
    """Return a client for KalshiDC, which is asked for past execution reports."""
    return _client("KalshiDC", options)


def market_data(**options: Unpack[Options]) -> Client:
    """Return a client for KalshiMD: books, trades and trading status."""
    return _client("KalshiMD", options)


def post_trade(**options: Unpack[Options]) -> Client:
    """Return a client for KalshiPT: settlement reports (prediction only)."""
    return _client("KalshiPT", options)


def rfq(**options: Unpack[Options]) -> Client:
    """Return a client for KalshiRFQ: market makers in requests for quotes (prediction only)."""
    return _client("KalshiRFQ", options)


def _client(session: str, options: Options, logon_fields: Mapping[str, Any] | None = None) -> Client:
    choices = Choices(**options)
    fields = {**(logon_fields or {}), **choices.logon_fields}
    return Client(make_plan(session, attrs.evolve(choices, logon_fields=fields)))
