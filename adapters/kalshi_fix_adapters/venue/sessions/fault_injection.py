"""Faults at work: where those that are armed strike at logons, requests, messages and connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.gateway.fake_answers import without_answer
from kalshi_fix_adapters.venue.gateway.logins import Delivery, Login
from kalshi_fix_adapters.venue.gateway.product import ProductGateway
from kalshi_fix_adapters.venue.gateway.refusals import over_the_limit
from kalshi_fix_adapters.venue.operations import (
    Answer,
    Busy,
    Cut,
    Fault,
    HoldKey,
    RefuseLogon,
    Reject,
    Throttle,
    Unavailable,
    Withhold,
)
from kalshi_fix_adapters.venue.operations.base import Who
from kalshi_fix_adapters.venue.sessions.armed_faults import ArmedFaults
from kalshi_fix_adapters.venue.sessions.byte_faults import ByteFaults
from kalshi_fix_adapters.venue.sessions.connections import Connection, Connections
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.clock import Instant

MAX_WITHHELD = 10_000
"""Messages that a fault keeps back from one login; then it ends, and all of them leave."""


@attrs.define(eq=False)
class FaultInjection:
    """Where armed faults strike: at logons, requests, messages to clients and connections.

    What they do to bytes is in `ByteFaults`. Without an armed fault every method gets out of the way at once.
    """

    _armed: ArmedFaults
    _connections: Connections
    _deliver: Callable[[Sequence[Delivery], Instant], None]
    """Sends messages to logins, past `withholds`."""
    _process_events: Callable[[Connection, Instant], None]
    """Does what the session of a connection gives occasion to."""
    _process_aborted: Callable[[Instant], None]
    """Ends the sessions that delivering has made impossible."""
    _assumptions: Assumptions
    _max_unsent: int
    """Bytes to one client that faults may hold."""
    _withheld: dict[Login, list[Message]] = attrs.field(factory=dict)
    """Messages that a fault keeps back."""

    def watch_bytes(self, connection: Connection) -> None:
        """Have the bytes of a connection looked at, if there are faults that concern bytes."""
        if self._armed.touch_bytes and connection.faults is None:
            connection.faults = ByteFaults(self._armed, self._max_unsent)

    def inject(self, fault: Fault, now: Instant) -> Answer:
        """Arm a fault, or where it waits for nothing, let it happen.

        Raises:
            ConfigurationError: too many are armed.
        """
        if isinstance(fault, Cut) and fault.at == "now" and not fault.after:
            return self._cut_now(fault, now)
        armed = self._armed.arm(fault, now)
        for connection in self._connections:
            self.watch_bytes(connection)
        return {"said": f"{fault.NAME} is armed", "number": armed.number}

    def release(self, name: str | None, now: Instant) -> Answer:
        """End the faults of a name, or all; what they have kept back leaves."""
        ended = [armed for armed in self._armed if name in (None, armed.fault.NAME)]
        for armed in ended:
            self._armed.disarm(armed)
        self._send_withheld(now)
        return {"said": f"{len(ended)} {'fault' if len(ended) == 1 else 'faults'} released"}

    def begin_and_end(self, now: Instant) -> None:
        """Let the faults whose time has come begin or end."""
        due = self._armed.due(now)
        for armed in due:
            fault = armed.fault
            if armed.ends is not None and armed.ends <= now.monotonic:
                self._armed.disarm(armed)
            elif isinstance(fault, Cut) and fault.at == "now":
                self._armed.disarm(armed)
                self._cut_now(fault, now)
        if due:
            self._send_withheld(now)

    def logon_refusal(
        self, connection: Connection, key_id: str, owner: str | None, now: Instant
    ) -> str | None:
        """Return the Text with which a fault refuses a logon."""
        if not self._armed:
            return None
        # Nobody is logged on yet: the Logon says which key it is.
        who = attrs.evolve(connection.who, key=key_id, owner=owner)
        kinds: tuple[type[Any], ...] = (Busy, RefuseLogon, HoldKey)
        strikes = (self._armed.strike(kind, who, now) for kind in kinds)
        return next((str(strike.text) for strike in strikes if strike is not None), None)

    def answer(
        self, connection: Connection, login: Login, message: Message, gateway: ProductGateway, now: Instant
    ) -> None:
        """Answer a request as the gateway does, or as a fault does that strikes at it."""
        if not self._armed:
            self._deliver(gateway.handle(message, login, now.utc), now)
            return
        strike, who, msg_type = self._armed.strike, connection.who, message.MSG_TYPE
        # One answer for one request: of several faults the one that comes nearest to the client strikes.
        if strike(Throttle, who, now, msg_type) is not None:
            self._deliver([(login, over_the_limit(message, self._assumptions))], now)
        elif (reject := strike(Reject, who, now, msg_type)) is not None:
            self._deliver(gateway.fake_answers.refusal(message, reject.text, login, now.utc), now)
        elif (unavailable := strike(Unavailable, who, now, msg_type)) is not None:
            deliveries: list[Delivery] = []
            refusal = gateway.fake_answers.refusal(message, unavailable.text, login, now.utc, heard=False)
            # Refused and carried out all the same: the worst that can happen to who sends an order.
            if unavailable.applied:
                deliveries = without_answer(gateway.handle(message, login, now.utc), message, login)
            self._deliver([*refusal, *deliveries], now)
        else:
            self._deliver(gateway.handle(message, login, now.utc), now)
        if (cut := strike(Cut, who, now, msg_type, at="reply")) is not None:
            self.cut(connection, cut, now)

    def withholds(self, login: Login, message: Message, now: Instant) -> bool:
        """Say whether a fault withholds a message; it is kept then."""
        if not self._armed.has(Withhold) or login.connection is None:
            return False
        who = Who(login.product, login.session_type, login.key_id, login.owner)
        if self._armed.active(Withhold, who, now, message.MSG_TYPE) is None:
            return False
        kept = self._withheld.setdefault(login, [])
        if len(kept) >= MAX_WITHHELD:
            for armed in self._armed:
                if isinstance(armed.fault, Withhold) and armed.fault.concerns(who):
                    self._armed.disarm(armed)
            self._send_withheld(now)
            return False
        kept.append(message)
        return True

    def leave(self, login: Login, now: Instant) -> None:
        """Take note that a session has ended. Nobody withholds anything from a login that is not connected:
        it waits for it, or is lost."""
        self._deliver([(login, message) for message in self._withheld.pop(login, ())], now)

    def cut(self, connection: Connection, fault: Cut, now: Instant) -> None:
        """End a connection without a word. What its session has sent and nobody has fetched is lost on the
        way, but was sent: where there is resend, the client can ask for it."""
        connection.is_cut, connection.is_reset = True, fault.how == "reset"
        # Taken and thrown away. The store of a session with resend has kept it.
        connection.session.data_to_send()
        connection.session.receive_eof(now)
        self._process_events(connection, now)

    def _cut_now(self, fault: Cut, now: Instant) -> Answer:
        connections = [
            connection
            for connection in self._connections
            if not connection.is_cut and fault.concerns(connection.who)
        ]
        keys = [connection.login.key_id for connection in connections if connection.login is not None]
        for connection in connections:
            self.cut(connection, fault, now)
        return {
            "said": f"{len(connections)} {'connection' if len(connections) == 1 else 'connections'} cut",
            "keys": keys,
        }

    def _send_withheld(self, now: Instant) -> None:
        """Let what was kept back leave, where no fault keeps it any longer."""
        # Their deadlines may be earlier by now, and what they hold may leave.
        for connection in self._connections:
            if connection.faults is not None:
                self._connections.touch(connection)
        # `_deliver` asks `withholds` again, so that another fault may keep the same messages.
        withheld, self._withheld = self._withheld, {}
        for login, messages in withheld.items():
            self._deliver([(login, message) for message in messages], now)
        self._process_aborted(now)
