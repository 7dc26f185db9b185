"""Faults at work: where those that are armed strike at logons, requests, messages and connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.gateway.logins import Delivery, Login
from kalshi_fix_adapters.venue.gateway.product import ProductGateway
from kalshi_fix_adapters.venue.gateway.refusals import over_the_limit
from kalshi_fix_adapters.venue.gateway.refusing import untold
from kalshi_fix_adapters.venue.lines import Line, Lines
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
from kalshi_fix_adapters.venue.trouble import Trouble
from kalshi_fix_adapters.venue.wire import Wire
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.clock import Instant

MAX_WITHHELD = 10_000
"""Messages that a fault keeps back from one login; then it ends, and all of them leave."""


@attrs.define(eq=False)
class Interference:
    """What the faults of a venue do."""

    _trouble: Trouble
    _lines: Lines
    _deliver: Callable[[Sequence[Delivery], Instant], None]
    """Sends messages to logins, past `keeps_back`."""
    _attend: Callable[[Line, Instant], None]
    """Does what the session of a line gives occasion to."""
    _calm: Callable[[Instant], None]
    """Ends the sessions that delivering has made impossible."""
    _assumptions: Assumptions
    _max_unsent: int
    """Bytes that a wire may hold."""
    _withheld: dict[Login, list[Message]] = attrs.field(factory=dict)
    """Messages that a fault keeps back."""

    def wire(self, line: Line) -> None:
        """Have the bytes of a line looked at, if there are faults that concern bytes."""
        if self._trouble.wired and line.wire is None:
            line.wire = Wire(self._trouble, self._max_unsent)

    def inject(self, fault: Fault, now: Instant) -> Answer:
        """Arm a fault, or where it waits for nothing, let it happen.

        Raises:
            ConfigurationError: too many are armed.
        """
        if isinstance(fault, Cut) and fault.at == "now" and not fault.after:
            return self._cut_now(fault, now)
        armed = self._trouble.arm(fault, now)
        for line in self._lines:
            self.wire(line)
        return {"said": f"{fault.NAME} is armed", "number": armed.number}

    def release(self, name: str | None, now: Instant) -> Answer:
        """End the faults of a name, or all; what they have kept back leaves."""
        ended = [armed for armed in self._trouble if name in (None, armed.fault.NAME)]
        for armed in ended:
            self._trouble.disarm(armed)
        self._let_go(now)
        return {"said": f"{len(ended)} {'fault' if len(ended) == 1 else 'faults'} released"}

    def begin_and_end(self, now: Instant) -> None:
        """Let the faults whose time has come begin or end."""
        due = self._trouble.due(now)
        for armed in due:
            fault = armed.fault
            if armed.ends is not None and armed.ends <= now.monotonic:
                self._trouble.disarm(armed)
            elif isinstance(fault, Cut) and fault.at == "now":
                self._trouble.disarm(armed)
                self._cut_now(fault, now)
        if due:
            self._let_go(now)

    def logon_refusal(self, line: Line, key_id: str, owner: str | None, now: Instant) -> str | None:
        """Return the Text with which a fault refuses a logon."""
        if not self._trouble:
            return None
        who = attrs.evolve(line.who, key=key_id, owner=owner)
        kinds: tuple[type[Any], ...] = (Busy, RefuseLogon, HoldKey)
        strikes = (self._trouble.strike(kind, who, now) for kind in kinds)
        return next((str(strike.text) for strike in strikes if strike is not None), None)

    def answer(
        self, line: Line, login: Login, message: Message, gateway: ProductGateway, now: Instant
    ) -> None:
        """Answer a request as the gateway does, or as a fault does that strikes at it."""
        if not self._trouble:
            self._deliver(gateway.handle(message, login, now.utc), now)
            return
        strike, who, msg_type = self._trouble.strike, line.who, message.MSG_TYPE
        if strike(Throttle, who, now, msg_type) is not None:
            self._deliver([(login, over_the_limit(message, self._assumptions))], now)
        elif (reject := strike(Reject, who, now, msg_type)) is not None:
            self._deliver(gateway.made_up.refusal(message, reject.text, login, now.utc), now)
        elif (unavailable := strike(Unavailable, who, now, msg_type)) is not None:
            deliveries: list[Delivery] = []
            refusal = gateway.made_up.refusal(message, unavailable.text, login, now.utc, heard=False)
            if unavailable.applied:
                deliveries = untold(gateway.handle(message, login, now.utc), message, login)
            self._deliver([*refusal, *deliveries], now)
        else:
            self._deliver(gateway.handle(message, login, now.utc), now)
        if (cut := strike(Cut, who, now, msg_type, at="reply")) is not None:
            self.cut(line, cut, now)

    def keeps_back(self, login: Login, message: Message, now: Instant) -> bool:
        """Say whether a fault withholds a message; it is kept then."""
        if not self._trouble.has(Withhold) or login.connection is None:
            return False
        who = Who(login.product, login.session_type, login.key_id, login.owner)
        if self._trouble.active(Withhold, who, now, message.MSG_TYPE) is None:
            return False
        kept = self._withheld.setdefault(login, [])
        if len(kept) >= MAX_WITHHELD:
            for armed in self._trouble:
                if isinstance(armed.fault, Withhold) and armed.fault.concerns(who):
                    self._trouble.disarm(armed)
            self._let_go(now)
            return False
        kept.append(message)
        return True

    def leave(self, login: Login, now: Instant) -> None:
        """Take note that a session has ended. Nobody withholds anything from a login that is not connected:
        it waits for it, or is lost."""
        self._deliver([(login, message) for message in self._withheld.pop(login, ())], now)

    def cut(self, line: Line, fault: Cut, now: Instant) -> None:
        """End a connection without a word. What its session has sent and nobody has fetched is lost on the
        way, but was sent: where there is resend, the client can ask for it."""
        line.is_cut, line.is_reset = True, fault.how == "reset"
        line.session.data_to_send()
        line.session.receive_eof(now)
        self._attend(line, now)

    def _cut_now(self, fault: Cut, now: Instant) -> Answer:
        lines = [line for line in self._lines if not line.is_cut and fault.concerns(line.who)]
        keys = [line.login.key_id for line in lines if line.login is not None]
        for line in lines:
            self.cut(line, fault, now)
        return {
            "said": f"{len(lines)} {'connection' if len(lines) == 1 else 'connections'} cut",
            "keys": keys,
        }

    def _let_go(self, now: Instant) -> None:
        """Let what was kept back leave, where no fault keeps it any longer."""
        for line in self._lines:
            if line.wire is not None:
                self._lines.touch(line)
        withheld, self._withheld = self._withheld, {}
        for login, messages in withheld.items():
            self._deliver([(login, message) for message in messages], now)
        self._calm(now)
