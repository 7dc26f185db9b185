"""Faults by name: problems between a client and the venue, such as a cut connection or a false refusal.

A fault never changes the exchange itself. It only affects which requests reach the exchange, and which
messages reach the client. An armed fault waits for matching messages or connections: its parameters determine
the clients, the time, the number of matches that are skipped, and how often it is applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import attrs

from kalshi_fix_sansio import DIALECT, ExecutionReportText
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.gateway.texts import ALREADY_EXISTS, LOGON_BUSY
from kalshi_fix_venue.operations.base import MESSAGE, Answer, Fault, Operable, Operation, defined_in
from kalshi_fix_venue.parameters import CHANCE, COUNT, FLAG, SECONDS, TEXT, choice, parameter


@attrs.frozen(kw_only=True)
class OccasionalFault(Fault):
    """A fault that is applied to single messages or connections."""

    skip: int = parameter(COUNT, "number of occasions to skip first", default=0)
    times: int = parameter(COUNT, "number of times it is applied; 0 for no limit", default=1)
    chance: float = parameter(
        CHANCE,
        "probability of applying it on each occasion; the venue's seed determines the result",
        default=1.0,
    )


@attrs.frozen(kw_only=True)
class MessageFault(OccasionalFault):
    """A fault that is applied to messages."""

    message: str | None = parameter(
        MESSAGE, "only for this MsgType, such as 8 or ExecutionReport", optional=True
    )

    def applies_to_type(self, msg_type: str) -> bool:
        """Return whether it may be applied to messages of this type: to `message`, or by default to every
        application message."""
        if self.message is not None:
            return self.message == msg_type
        layout = DIALECT.messages.get(msg_type)
        return layout is None or not layout.admin


# The connection


@attrs.frozen(kw_only=True)
class Cut(MessageFault):
    """Cut connections without a Logout: now, in the middle of a message, before the venue has read a request,
    or after it has executed one but not answered."""

    NAME: ClassVar[str] = "cut"
    at: str = parameter(
        choice("now", "frame", "request", "reply"),
        "now: all matching connections at once; frame: in the middle of a message to the client; request: "
        "before the venue reads a message from the client; reply: after it has executed one, before it "
        "answers",
        default="now",
    )
    how: str = parameter(
        choice("close", "reset"),
        "close: like a process that ends; reset: like a killed process or a broken network path",
        default="close",
    )


@attrs.frozen(kw_only=True)
class Delay(Fault):
    """Delay all messages to the client, in order."""

    NAME: ClassVar[str] = "delay"
    by: float = parameter(SECONDS, "delay in seconds", positional=True)


@attrs.frozen(kw_only=True)
class LateHeartbeats(Fault):
    """Send heartbeats late, unless another message is sent in the meantime."""

    NAME: ClassVar[str] = "late-heartbeats"
    by: float = parameter(SECONDS, "delay in seconds", positional=True)


@attrs.frozen(kw_only=True)
class Silence(Fault):
    """Send nothing, while the connection stays open and requests are processed. The held-back messages are
    sent when the fault ends."""

    NAME: ClassVar[str] = "silence"


@attrs.frozen(kw_only=True)
class Withhold(Fault):
    """Hold back application messages, such as reports, until the fault ends; heartbeats continue."""

    NAME: ClassVar[str] = "withhold"
    message: str | None = parameter(MESSAGE, "only this MsgType, such as 8 or ExecutionReport", optional=True)


# Messages to the client


@attrs.frozen(kw_only=True)
class Gap(MessageFault):
    """Drop messages to the client, so their MsgSeqNums are missing. On a session with resend the client can
    request them."""

    NAME: ClassVar[str] = "gap"


@attrs.frozen(kw_only=True)
class Garble(MessageFault):
    """Damage a message to the client, which must ignore it and detect the sequence gap."""

    NAME: ClassVar[str] = "garble"
    how: str = parameter(
        choice("checksum", "body-length", "cut-short"),
        "checksum: CheckSum (10) is wrong; body-length: BodyLength (9) is wrong; cut-short: the end of the "
        "message is missing",
        default="checksum",
    )


@attrs.frozen(kw_only=True)
class Duplicate(MessageFault):
    """Send a message to the client a second time, with PossDupFlag (43) and OrigSendingTime (122). Only on
    KalshiRT and KalshiPT, where messages can be resent."""

    NAME: ClassVar[str] = "duplicate"


@attrs.frozen(kw_only=True)
class WrongCompIds(MessageFault):
    """Send a message with wrong CompIDs."""

    NAME: ClassVar[str] = "wrong-comp-ids"
    sender: str = parameter(TEXT, "its SenderCompID (49)", default="Nobody")
    target: str | None = parameter(TEXT, "its TargetCompID (56); the right one by default", optional=True)


# Requests


@attrs.frozen(kw_only=True)
class Reject(MessageFault):
    """Refuse requests with a Text. The exchange never receives them."""

    NAME: ClassVar[str] = "reject"
    text: str = parameter(
        TEXT, "Text (58), such as INTERNAL_ERROR; a documented text is sent with its code", positional=True
    )


@attrs.frozen(kw_only=True)
class Unavailable(MessageFault):
    """Answer orders, amends and cancels with EXCHANGE_UNAVAILABLE, which leaves open whether they were
    applied."""

    NAME: ClassVar[str] = "unavailable"
    applied: bool = parameter(FLAG, "whether they are actually applied", default=False)

    def applies_to_type(self, msg_type: str) -> bool:
        """Return whether it may be applied to messages of this type: to orders, amends and cancels, or only
        to `message` if that is set."""
        return msg_type in ORDERS and self.message in (None, msg_type)

    text: ClassVar[str] = ExecutionReportText.EXCHANGE_UNAVAILABLE
    """Text (58) of the answer."""


@attrs.frozen(kw_only=True)
class Throttle(MessageFault):
    """Answer requests as if the client's rate limit were used up: BusinessMessageReject with
    BusinessRejectReason (380) 8."""

    NAME: ClassVar[str] = "throttle"


# Logons


@attrs.frozen(kw_only=True)
class RefuseLogon(OccasionalFault):
    """Refuse logons with a Text."""

    NAME: ClassVar[str] = "refuse-logon"
    text: str = parameter(TEXT, "Text (58) of the Logout", positional=True)


@attrs.frozen(kw_only=True)
class Busy(OccasionalFault):
    """Refuse logons like a busy logon service."""

    NAME: ClassVar[str] = "busy"
    text: ClassVar[str] = LOGON_BUSY
    """Text (58) of the Logout."""


@attrs.frozen(kw_only=True)
class HoldKey(OccasionalFault):
    """Refuse logons as if another connection with the key were still open."""

    NAME: ClassVar[str] = "hold-key"
    times: int = parameter(COUNT, "number of times it is applied; 0 for no limit", default=0)
    text: ClassVar[str] = ALREADY_EXISTS
    """Text (58) of the Logout."""


FAULTS: Mapping[str, type[Fault]] = defined_in(globals())
"""All faults, by name."""
ORDERS = ("D", "F", "G")
"""MsgTypes of orders, cancels and amends."""


# Armed faults


@attrs.frozen(kw_only=True)
class Release(Operation):
    """End faults, and send the messages that they have held back."""

    NAME: ClassVar[str] = "release"
    fault: str | None = parameter(
        choice(*FAULTS), "only the faults with this name", positional=True, optional=True
    )

    def perform(self, venue: Operable, now: Instant) -> Answer:
        """End the faults."""
        return venue.release(self.fault, now)


@attrs.frozen(kw_only=True)
class Faults(Operation):
    """List the armed faults."""

    NAME: ClassVar[str] = "faults"

    def perform(self, venue: Operable, now: Instant) -> Answer:  # noqa: ARG002 like all operations
        """List the faults."""
        armed = venue.faults()
        text = "1 fault is armed" if len(armed) == 1 else f"{len(armed)} faults are armed"
        return {"text": text, "faults": armed}
