"""Injection of armed faults into logons, requests, messages and connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.gateway.fake_answers import without_answer
from kalshi_fix_venue.gateway.logins import Delivery, Login
from kalshi_fix_venue.gateway.product import ProductGateway
from kalshi_fix_venue.gateway.refusals import rate_limit_reject
from kalshi_fix_venue.operations.base import Answer, ConnectionIdentity, Fault
from kalshi_fix_venue.operations.faults import (
    Busy,
    Cut,
    HoldKey,
    RefuseLogon,
    Reject,
    Throttle,
    Unavailable,
    Withhold,
)
from kalshi_fix_venue.sessions.armed_faults import ArmedFaults
from kalshi_fix_venue.sessions.byte_faults import ByteFaults
from kalshi_fix_venue.sessions.connections import Connection, Connections

MAX_WITHHELD = 10_000
"""Maximum number of messages that faults may withhold from one session. If there are more, the faults end and
all of the messages are sent."""


@attrs.define(eq=False)
class FaultInjection:
    """Applies armed faults to logons, to requests, to messages for clients and to connections.

    Byte-level faults are in `ByteFaults`.
    """

    _armed: ArmedFaults
    _connections: Connections
    _deliver: Callable[[Sequence[Delivery], Instant], None]
    """Sends messages to logins, except those that `try_withhold` holds back."""
    _process_events: Callable[[Connection, Instant], None]
    """Processes the events of a connection's session."""
    _process_aborted: Callable[[Instant], None]
    """Ends the sessions that were aborted during delivery."""
    _max_unsent: int
    """Maximum number of bytes to one client that faults may delay."""
    _withheld: dict[Login, list[Message]] = attrs.field(factory=dict)
    """Withheld messages by login."""

    def watch_bytes(self, connection: Connection) -> None:
        """Inspect the bytes of a connection, if there are faults that affect bytes."""
        if self._armed.inspects_bytes and connection.faults is None:
            connection.faults = ByteFaults(self._armed, self._max_unsent)

    def inject(self, fault: Fault, now: Instant) -> Answer:
        """Arm a fault, or apply it if it is immediate.

        Raises:
            ConfigurationError: too many faults are armed.
        """
        if isinstance(fault, Cut) and fault.at == "now" and not fault.after:
            return self._cut_now(fault, now)
        armed = self._armed.arm(fault, now)
        for connection in self._connections:
            self.watch_bytes(connection)
        return {"text": f"{fault.NAME} is armed", "number": armed.number}

    def release(self, name: str | None, now: Instant) -> Answer:
        """End the faults with this name, or all faults, and send the messages they have withheld."""
        ended = [armed for armed in self._armed if name in (None, armed.fault.NAME)]
        for armed in ended:
            self._armed.disarm(armed)
        self._send_withheld(now)
        return {"text": f"{len(ended)} {'fault' if len(ended) == 1 else 'faults'} released"}

    def apply_due(self, now: Instant) -> None:
        """End the faults whose end is due, and cut connections where a scheduled cut is due."""
        due = self._armed.due(now)
        for armed in due:
            fault = armed.fault
            if armed.end is not None and armed.end <= now.monotonic:
                self._armed.disarm(armed)
            elif isinstance(fault, Cut) and fault.at == "now":
                self._armed.disarm(armed)
                self._cut_now(fault, now)
        if due:
            self._send_withheld(now)

    def logon_refusal(
        self, connection: Connection, key_id: str, owner: str | None, now: Instant
    ) -> str | None:
        """Return the Text with which a fault refuses a logon, or None."""
        # The connection has no login yet, so the key is taken from the Logon.
        identity = attrs.evolve(connection.identity, key=key_id, owner=owner)
        kinds: tuple[type[Any], ...] = (Busy, RefuseLogon, HoldKey)
        triggers = (self._armed.trigger(kind, identity, now) for kind in kinds)
        return next((str(trigger.text) for trigger in triggers if trigger is not None), None)

    def answer(
        self, connection: Connection, login: Login, message: Message, gateway: ProductGateway, now: Instant
    ) -> None:
        """Deliver the gateway's answer to a request, or the answer of a fault that applies to the request."""
        trigger, identity, msg_type = self._armed.trigger, connection.identity, message.MSG_TYPE
        # A request gets one answer: if several faults apply, the first of these checks determines it.
        if trigger(Throttle, identity, now, msg_type) is not None:
            deliveries: list[Delivery] = [(login, rate_limit_reject(message))]
        elif (reject := trigger(Reject, identity, now, msg_type)) is not None:
            deliveries = gateway.fake_answers.refusal(message, reject.text, login, now.utc)
        elif (unavailable := trigger(Unavailable, identity, now, msg_type)) is not None:
            deliveries = gateway.fake_answers.refusal(
                message, unavailable.text, login, now.utc, broadcast=False
            )
            # A request that is executed but answered with a refusal is the worst case for its sender.
            if unavailable.applied:
                deliveries += without_answer(gateway.handle(message, login, now.utc), message, login)
        else:
            deliveries = gateway.handle(message, login, now.utc)
        self._deliver(deliveries, now)
        if (cut := trigger(Cut, identity, now, msg_type, at="reply")) is not None:
            self.cut(connection, cut, now)

    def try_withhold(self, login: Login, message: Message, now: Instant) -> bool:
        """Store a message if a fault withholds it; return whether it was stored."""
        if not self._armed.is_armed(Withhold) or login.connection is None:
            return False
        identity = ConnectionIdentity(login.product, login.session_type, login.key_id, login.owner)
        if self._armed.active(Withhold, identity, now, message.MSG_TYPE) is None:
            return False
        withheld = self._withheld.setdefault(login, [])
        if len(withheld) >= MAX_WITHHELD:
            for armed in self._armed:
                if isinstance(armed.fault, Withhold) and armed.fault.applies_to(identity):
                    self._armed.disarm(armed)
            self._send_withheld(now)
            return False
        withheld.append(message)
        return True

    def end_session(self, login: Login, now: Instant) -> None:
        """Record that a session has ended, and stop withholding its messages. They are queued or lost,
        like all messages to a disconnected login.
        """
        self._deliver([(login, message) for message in self._withheld.pop(login, ())], now)

    def cut(self, connection: Connection, fault: Cut, now: Instant) -> None:
        """End a connection without a Logout. Bytes of its session that `data_to_send` has not returned yet
        are lost. Their messages count as sent, so the client can request them on a session type with resend.
        """
        connection.is_cut, connection.needs_reset = True, fault.how == "reset"
        # The bytes are fetched and discarded. The store of a session with resend has kept the messages.
        connection.session.data_to_send()
        connection.session.receive_eof(now)
        self._process_events(connection, now)

    def _cut_now(self, fault: Cut, now: Instant) -> Answer:
        connections = [
            connection
            for connection in self._connections
            if not connection.is_cut and fault.applies_to(connection.identity)
        ]
        keys = [connection.login.key_id for connection in connections if connection.login is not None]
        for connection in connections:
            self.cut(connection, fault, now)
        return {
            "text": f"{len(connections)} {'connection' if len(connections) == 1 else 'connections'} cut",
            "keys": keys,
        }

    def _send_withheld(self, now: Instant) -> None:
        """Send the stored messages that no fault withholds any longer."""
        # The end of a fault may bring deadlines forward and release delayed messages.
        for connection in self._connections:
            if connection.faults is not None:
                self._connections.touch(connection)
        # `_deliver` calls `try_withhold` again, so another fault may withhold the same messages.
        withheld, self._withheld = self._withheld, {}
        for login, messages in withheld.items():
            self._deliver([(login, message) for message in messages], now)
        self._process_aborted(now)
