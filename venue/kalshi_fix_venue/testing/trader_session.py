"""A FIX session of a trader, without sockets, threads or waiting."""

from __future__ import annotations

from typing import TypeVar

from kalshi_fix_adapters.config.plan import ClientConfig, make_plan
from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import Event, MessageReceived, SessionEnded
from kalshi_fix_sansio.session import MemoryStore, Session
from kalshi_fix_venue.server import VenueServer
from kalshi_fix_venue.testing.options import VenueOptions
from kalshi_fix_venue.venue import VenueModel

_HEART_BT_INT = 3600
"""HeartBtInt in seconds: long, because no bytes are exchanged between two calls."""
M = TypeVar("M", bound=Message)


class TraderSession:
    """A session that logs on when a message is sent or taken, and exchanges bytes only within those calls.

    Immediate answers from the venue are available when `send` returns; later messages are returned by `take`.
    """

    def __init__(self, server: VenueServer, name: str, options: VenueOptions) -> None:
        self.name = name
        self._server = server
        fields = LogonFields(skip_pending_exec_reports=True if name in ("KalshiNR", "KalshiRT") else None)
        plan = make_plan(name, ClientConfig(**options, heart_bt_int=_HEART_BT_INT, logon_fields=fields))
        self._config: SessionConfig = plan.config
        self._connection: tuple[VenueModel, int] | None = None
        """The venue to which the session is connected, and the number of the connection at this venue."""
        self._store = MemoryStore()
        self._session = Session(self._config, self._store)
        self._received: list[Message] = []
        self._end_reason = ""
        """Reason for the end of the session."""

    def log_on(self) -> None:
        """Log on if not logged on yet. Makers do this early, because they receive only the requests for
        quotes that are made after their logon.

        Raises:
            ValueError: the venue refuses the logon, for example because another client uses the key.
        """
        self._server.run(self._exchange_bytes)

    def send(self, message: Message) -> None:
        """Send an application message.

        Raises:
            ValueError: the venue refuses the logon, or ends the session.
            LocalProtocolError: the message may not be sent.
        """

        def act(venue: VenueModel, now: Instant) -> None:
            self._exchange_bytes(venue, now)
            self._session.send(message, now)
            self._exchange_bytes(venue, now)

        self._server.run(act)

    def take(self, kind: type[M]) -> list[M]:
        """Return the received messages of a kind that have not been taken yet.

        Raises:
            ValueError: the venue refuses the logon, or ends the session.
        """
        self._server.run(self._exchange_bytes)
        messages = [message for message in self._received if isinstance(message, kind)]
        self._received = [message for message in self._received if not isinstance(message, kind)]
        return messages

    def _exchange_bytes(self, venue: VenueModel, now: Instant) -> None:
        """Pass bytes between the session and the venue until neither has output left; log on first if
        necessary."""
        connection = self._connection
        if connection is None or connection[0] is not venue or venue.should_close(connection[1]):
            if connection is not None and connection[0] is not venue:
                self._store = MemoryStore()
            self._session = Session(self._config, self._store)
            connection = self._connection = venue, venue.connection_made(self._config.product, self.name, now)
            self._session.connect(now)
            self._received.clear()
        number = connection[1]
        while True:
            outgoing = self._session.data_to_send()
            if outgoing:
                venue.receive_data(number, outgoing, now)
            incoming = venue.data_to_send(number)
            if incoming:
                self._session.receive_data(incoming, now)
            for event in self._session.events():
                self._handle(event)
            if not outgoing and not incoming:
                break
        if not self._session.is_established:
            venue.receive_eof(number, now)
            raise ValueError(f"the trader's session on {self.name} has ended: {self._end_reason}")

    def _handle(self, event: Event) -> None:
        if isinstance(event, MessageReceived):
            self._received.append(event.message)
        elif isinstance(event, SessionEnded):
            self._end_reason = event.text or event.reason.value
