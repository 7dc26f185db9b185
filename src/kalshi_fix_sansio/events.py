"""What a session tells its user: frozen values, in the order in which things happened.

An adapter drains them with `Session.events()` after each call that feeds the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import attrs

from kalshi_fix_sansio.authentication import LogonToSign
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.outcomes import OpenRequest, RestingOrder, Uncertainty
from kalshi_fix_sansio.problems import Problem


@explained
class CloseReason(Enum):
    """Why a session ended, for programs to decide whether and when to come back."""

    LOGGED_OUT = "logged out"
    """A Logout handshake that this side or the peer began, completed or timed out."""
    LOGON_REFUSED = "logon refused"
    """The peer answered the Logon by a Logout (its Text is in the event), or this side refused the peer's
    Logon."""
    LOGON_TIMEOUT = "no answer to the Logon"
    PEER_SILENT = "the peer fell silent"
    """Nothing came for HeartBtInt and more, and a TestRequest got no answer."""
    CONNECTION_LOST = "the connection ended"
    """End of file or a transport error without a Logout."""
    SEQUENCE_TOO_LOW = "MsgSeqNum too low"
    SEQUENCE_GAP = "messages missing, resend impossible"
    PROTOCOL_ERROR = "protocol error by the peer"
    LOCAL_ABORT = "ended by this side"
    """The user ended the session without a Logout handshake."""
    STORE_FAILED = "the store failed"
    """Numbers and messages could not be made durable, so nothing more was sent."""


@attrs.frozen(eq=False, repr=False)
class LogonRequested(Value):
    """Acceptor only: a peer asks to log on; answer with `accept_logon` or `refuse_logon`.

    Nothing further is read from the peer until then.
    """

    logon: Message
    """The peer's Logon."""
    signed: LogonToSign
    """What the signature in its RawData (96) must cover, exactly as on the wire (`signing.verify_logon`)."""


@attrs.frozen(eq=False, repr=False)
class LoggedOn(Value):
    """The Logon handshake is complete: application messages may be sent from now on."""

    logon: Message
    """The peer's Logon."""
    heart_bt_int: int
    """Seconds, as agreed."""
    reset: bool
    """Whether both directions restarted at MsgSeqNum 1: now, or in a process that died before this was
    confirmed. What the peer sent before that and was not taken care of does not come again."""
    flags: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """What this side asked for in its own Logon, by attribute, such as `{"use_dollars": True}`: the fields of
    `SessionConfig.logon_fields` and of `accept_logon`, without secrets and without unknown fields. What is
    not there has the default that the dialect gives it."""
    missing: tuple[int, int] | None = None
    """The first and the last number that the peer used before this Logon and that has not come. They are
    being asked for, and GapClosed says when that is over. None if nothing is missing, or nothing can be asked
    for, because both sides begin at 1."""

    reset_requested: bool = True
    """Whether a `reset` is the answer to this side's own Logon that asked for it. Otherwise the peer began
    it, or a process that died: what the peer had sent and has not come is lost, and nothing says how much."""

    @property
    def resend_expected(self) -> bool:
        """Whether messages of before are still to come: until then, orders may not stand as they seem to."""
        return self.missing is not None


@attrs.frozen(eq=False, repr=False)
class MessageReceived(Value):
    """An application message, in sequence, delivered once.

    `message.problems` is empty unless the message broke the dialect's rules and the session
    is lenient; `poss_dup` and `poss_resend` repeat flags 43 and 97 of its header.
    """

    message: Message
    """The message, of the class of its MsgType; an UnknownMessage where the dialect has none."""
    poss_dup: bool = False
    """PossDupFlag (43): it is sent again under its old number."""
    poss_resend: bool = False
    """PossResend (97): what it says may have been said under another number."""
    frame: bytes = attrs.field(default=b"", repr=False, eq=False)
    """The whole message as it stood on the wire, for `Session.forward` and for archives."""


@attrs.frozen(eq=False, repr=False)
class RejectReceived(Value):
    """The peer refused a message: a Reject (3) or a BusinessMessageReject (j).

    `sent` is the message that it answers, found by RefSeqNum (45), or None when that is no
    longer (or never was) in the bounded record of what was sent.
    """

    reject: Message
    """A Reject (3) or a BusinessMessageReject (j); its Text says why."""
    ref_seq_num: int | None
    """RefSeqNum (45): the MsgSeqNum of what was refused."""
    sent: Message | None
    """What was refused."""


@attrs.frozen(eq=False, repr=False)
class MessageRejected(Value):
    """This side refused a message of the peer with a Reject (3) and did not deliver it."""

    message: Message | None
    """The message refused, as far as it could be read."""
    problems: tuple[Problem, ...]
    """What was wrong with it; the Reject names the first."""
    comes_again: bool = False
    """Whether its number was not counted, so that the peer is asked for it on the next connection."""


@attrs.frozen(eq=False, repr=False)
class GarbledReceived(Value):
    """Bytes that are not a FIX message were skipped, as FIX demands; nothing else was lost."""

    reason: str
    """For people: what was wrong with the first of them."""
    data: bytes = attrs.field(repr=False)
    """The first bytes skipped, at most 256."""
    size: int
    """How many bytes were skipped in all."""


@attrs.frozen(eq=False, repr=False)
class MessageTooLarge(Value):
    """A message began that is longer than the session accepts (`SessionConfig.max_message_size`), and is
    skipped.

    Unless its BodyLength is wrong, its number is missing now, so that a gap follows: on a session with resend
    it is asked for again, and comes as large as before.
    """

    size: int
    """Its BodyLength (9), in bytes."""
    limit: int
    """The largest that is accepted."""
    msg_type: str | None
    """Its MsgType (35); None if that could not be read."""


@attrs.frozen(eq=False, repr=False)
class GapDetected(Value):
    """The peer's MsgSeqNum jumped: `begin` to `end` (inclusive) have not arrived.

    With `recoverable` a ResendRequest is on its way, and what follows is held back until the gap is filled.
    Without, the session logs out, and nothing from `begin` on is delivered.
    """

    begin: int
    """The first MsgSeqNum that is missing."""
    end: int
    """The last one."""
    recoverable: bool
    """Whether what is missing was asked for."""


@attrs.frozen(eq=False, repr=False)
class GapClosed(Value):
    """Everything missing since the last GapDetected has arrived, or is known not to come: SequenceSkipped and
    MessagesLost have said which."""

    next_expected: int
    """MsgSeqNum expected next from the peer."""


@attrs.frozen(eq=False, repr=False)
class SequenceSkipped(Value):
    """The peer moved its numbers on (SequenceReset) over `begin` to `end` (inclusive).

    With `gap_fill` the numbers held nothing worth resending; without (Reset mode) whatever
    they held is lost.
    """

    begin: int
    """The first MsgSeqNum that was skipped."""
    end: int
    """The last one."""
    gap_fill: bool
    """Whether the peer says that they held nothing worth resending."""


@attrs.frozen(eq=False, repr=False)
class MessagesLost(Value):
    """The peer no longer has its messages `begin` to `end` (inclusive), and refused to resend them.

    What they said has to be asked for elsewhere: drop copy, or REST. Everything from `end` + 1 on follows in
    order. A peer that skips its numbers instead is reported as SequenceSkipped.
    """

    begin: int
    """The first MsgSeqNum that is lost."""
    end: int
    """The last one."""


@attrs.frozen(eq=False, repr=False)
class OutcomesUnknown(Value):
    """The outcome of these requests cannot be learnt from this session: ask drop copy, or REST.

    An answer may come all the same, later and as usual. Once this event is confirmed, the requests are no
    longer reported.
    """

    requests: tuple[OpenRequest, ...]
    """Oldest first."""
    why: Uncertainty
    """Why it cannot be learnt."""

    @property
    def request_ids(self) -> tuple[str, ...]:
        """What the requests are known by: ClOrdIDs, for orders."""
        return tuple(request.request_id for request in self.requests)


@attrs.frozen(eq=False, repr=False)
class OrdersUnverified(Value):
    """The connection ended on a session type without resend, and these orders rested when it did: look them
    up by drop copy or REST before you rely on them.

    They may have been filled, or cancelled (as they were to be if the Logon asked for that at a disconnect),
    and no report of it comes. Told once, by the process that saw them rest; a Logout that this side began and
    the peer answered ends the session without it.
    """

    orders: tuple[RestingOrder, ...]
    """By the last report about each."""
    complete: bool
    """Whether these are all that rested; False if there were more than `max_resting_orders` or
    `max_resting_order_bytes` allow to follow."""


@attrs.frozen(eq=False, repr=False)
class ResendServed(Value):
    """The peer asked for `begin` to `end` again: `resent` messages went out once more,
    everything else was gap-filled."""

    begin: int
    """The first MsgSeqNum that was asked for."""
    end: int
    """The last one."""
    resent: int
    """How many messages went again."""


@attrs.frozen(eq=False, repr=False)
class PeerSilent(Value):
    """Nothing came for too long; a TestRequest was sent to find out whether the peer lives."""

    test_req_id: str
    """TestReqID (112) of that TestRequest."""


@attrs.frozen(eq=False, repr=False)
class HeartbeatReceived(Value):
    """A Heartbeat with a TestReqID (112) came: the answer to a TestRequest. Others are not told of."""

    test_req_id: str
    """TestReqID (112) of the TestRequest that it answers."""


@attrs.frozen(eq=False, repr=False)
class LogoutReceived(Value):
    """The peer sent Logout; it is answered, and the session ends."""

    text: str | None
    """Its Text (58); None if it has none."""


@attrs.frozen(eq=False, repr=False)
class SessionEnded(Value):
    """The last event of a connection; the adapter closes the transport once
    `data_to_send` is flushed."""

    reason: CloseReason
    """For programs."""
    text: str
    """For people; the peer's Text where it gave one."""
    clean: bool
    """Whether a Logout handshake was completed."""
    unsent: int = 0
    """Bytes that were still waiting to be sent."""
    advice: str = ""
    """What somebody has to do first, where another connection would only end in the same way: the one before
    has ended by the same message for the same reason. Empty otherwise."""


Event = (
    LogonRequested
    | LoggedOn
    | MessageReceived
    | RejectReceived
    | MessageRejected
    | GarbledReceived
    | MessageTooLarge
    | GapDetected
    | GapClosed
    | SequenceSkipped
    | MessagesLost
    | OutcomesUnknown
    | OrdersUnverified
    | ResendServed
    | PeerSilent
    | HeartbeatReceived
    | LogoutReceived
    | SessionEnded
)
