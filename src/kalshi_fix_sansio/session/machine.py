"""The session: one FIX connection in either role, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import SessionConfig
from kalshi_fix_sansio.events import Event
from kalshi_fix_sansio.session.states import State
from kalshi_fix_sansio.session.store import MemoryStore, MessageStore


class Session:
    """One FIX connection, initiator or acceptor, fed with bytes and time from outside.

    An adapter calls `connect` once the transport is up, then after every call here writes `data_to_send`, takes
    `events`, closes the transport when `wants_close`, and sleeps until bytes arrive or `next_deadline`. What the caller
    does wrong raises a LocalProtocolError and changes nothing; what the peer does wrong becomes events. A session
    serves one connection; the next one is a new Session on the same store.
    """

    def __init__(self, config: SessionConfig, store: MessageStore | None = None) -> None:
        self.config = config
        self._store: MessageStore = MemoryStore() if store is None else store

    @property
    def state(self) -> State:
        """Where the session stands."""
        ...

    @property
    def is_established(self) -> bool:
        """Whether the Logon handshake is complete and no Logout has been sent: `send` is possible."""
        ...

    @property
    def wants_close(self) -> bool:
        """Whether the transport is to be closed as soon as `data_to_send` is written."""
        ...

    @property
    def next_outgoing(self) -> int:
        """MsgSeqNum of the next message this side sends."""
        ...

    @property
    def next_incoming(self) -> int:
        """MsgSeqNum expected next from the peer."""
        ...

    @property
    def peer_comp_id(self) -> str | None:
        """SenderCompID of the peer, once its Logon was read."""
        ...

    def connect(self, now: Instant) -> None:
        """Begin, with the transport up: an initiator queues its Logon, an acceptor starts to wait for one."""
        ...

    def accept_logon(
        self, now: Instant, *, store: MessageStore | None = None, fields: Mapping[str, Any] | None = None
    ) -> None:
        """Accept the Logon of the last LogonRequested: send the answer and go on reading.

        `store` is the peer's, for an acceptor that learns only from the Logon who is calling; its numbers decide, so a
        Logon whose MsgSeqNum is too low ends the session here. `fields` are further attributes of the Logon sent.
        """
        ...

    def refuse_logon(self, text: str, now: Instant) -> None:
        """Refuse the Logon of the last LogonRequested: send a Logout with this Text and end."""
        ...

    def receive_data(self, data: bytes, now: Instant) -> None:
        """Take bytes from the transport. Only a caller who does not drain `events` gets a LocalProtocolError."""
        ...

    def receive_eof(self, now: Instant) -> None:
        """Take note that the transport has ended, by end of file or by error."""
        ...

    def events(self) -> list[Event]:
        """Return what has happened since the last call, in order."""
        ...

    def data_to_send(self) -> bytes:
        """Return the bytes to be written to the transport, which must not be lost or reordered."""
        ...

    def send(self, message: Message, now: Instant, *, header_fields: Mapping[str, Any] | None = None) -> int:
        """Send an application message; return the MsgSeqNum it took.

        `header_fields` are further attributes of its header, such as `{"poss_resend": True}`. Raises
        InvalidMessageError when the message breaks the dialect's rules for this product, session and side, EncodeError
        for a value without FIX form, LocalProtocolError otherwise (not logged on, a session-level message, the peer
        does not read); nothing is sent and no number taken then.
        """
        ...

    def test_request(self, now: Instant, test_req_id: str | None = None) -> str:
        """Ask the peer for a Heartbeat with this TestReqID (112); return the TestReqID."""
        ...

    def logout(self, now: Instant, text: str | None = None) -> None:
        """Begin the Logout handshake. The session goes on receiving until the peer's Logout or `logout_timeout`."""
        ...

    def abort(self, now: Instant, text: str) -> None:
        """End at once: a Logout with this Text if the peer is logged on, and no wait for an answer."""
        ...

    def next_deadline(self) -> float | None:
        """When to call `handle_timer` at the latest, in seconds of `Instant.monotonic`; None for never."""
        ...

    def handle_timer(self, now: Instant) -> None:
        """Do what is due: heartbeats, probes of a silent peer, timeouts. Harmless when nothing is."""
        ...
