"""The events of a session: frozen values, in the order in which they occurred.

An adapter takes them with `Session.events()` after each call that passes data to the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs

from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.config import LogonToSign
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.problems import Problem


@attrs.frozen(eq=False, repr=False)
class OpenRequest(Value):
    """A message that was sent, and whose outcome is unknown.

    Attributes:
        request_id: The ClOrdID (11) of an order, a cancel or a replace; the MsgSeqNum of a message without an
            id, such as an order group request. Not unique: a cancel may repeat the id of a quote, and a user
            may send an id twice.
        msg_type: MsgType (35), such as D.
        seq_num: Its MsgSeqNum. 0 if it was found uncertain by a version whose store did not keep the number.
        sent_at: Its SendingTime, in UTC.
        frame: The complete message in its wire format.
        key: Unique among the open requests of its store; later ones have larger keys.
        uncertain: Whether a process that finds it in the store must report it (OutcomesUnknown) instead of
            waiting for its answer.
    """

    request_id: str
    msg_type: str
    seq_num: int
    sent_at: datetime
    frame: bytes = attrs.field(repr=False)
    key: int
    uncertain: bool = False

    @property
    def label(self) -> str:
        """The name of the request in a sentence: its id, or `MsgSeqNum 7` without one."""
        number = str(self.seq_num)
        return f"MsgSeqNum {number}" if self.request_id == number else self.request_id


@attrs.frozen(eq=False, repr=False)
class RestingOrder(Value):
    """An order that was open at the peer, according to its last report.

    Attributes:
        order_id: OrderID (37), the peer's id.
        cl_ord_id: ClOrdID (11) of the last request that changed it.
        symbol: Symbol (55), the ticker of the market.
        side: Side (54), as on the wire.
        price: In the unit of the session's prices.
        leaves_qty: LeavesQty (151), the open quantity.
    """

    order_id: str
    cl_ord_id: str | None
    symbol: str | None
    side: str | None
    price: Decimal | None
    leaves_qty: Decimal | None


class Uncertainty(Enum):
    """Why this session cannot learn the outcome of a request."""

    PEER_UNSURE = "the peer answered that it does not know the outcome"
    CONNECTION_ENDED = "the connection ended, and this session type has no resend"
    RESTARTED = "sent before the process started; messages received since cannot be requested again"
    NOT_RESENT = "the peer requested it again, and it was not resent"
    ANSWERS_LOST = "messages that may have answered it are lost, or were Rejects, which are never resent"
    RESET = "the numbers were reset; messages received before cannot be requested again"
    STORE_FAILED = "the store failed, perhaps before it was sent"


class CloseReason(Enum):
    """Why a session ended, so programs can decide whether and when to reconnect.

    Attributes:
        LOGGED_OUT: A Logout handshake, started by either side, was completed or timed out.
        LOGON_REFUSED: The peer answered the Logon with a Logout (its Text is in the event), or this side
            refused the peer's Logon.
        PEER_SILENT: No message was received for HeartBtInt and more, and a TestRequest was not answered.
        CONNECTION_LOST: End of file or a transport error without a Logout.
        LOCAL_ABORT: The user ended the session without a Logout handshake.
        STORE_FAILED: Numbers and messages could not be made durable, so no more messages were sent.
    """

    LOGGED_OUT = "logged out"
    LOGON_REFUSED = "logon refused"
    LOGON_TIMEOUT = "no answer to the Logon"
    PEER_SILENT = "the peer fell silent"
    CONNECTION_LOST = "the connection ended"
    SEQUENCE_TOO_LOW = "MsgSeqNum too low"
    SEQUENCE_GAP = "messages missing, resend impossible"
    PROTOCOL_ERROR = "protocol error by the peer"
    LOCAL_ABORT = "ended by this side"
    STORE_FAILED = "the store failed"


@attrs.frozen(eq=False, repr=False)
class LogonRequested(Value):
    """Acceptor only: a peer requests to log on; answer with `accept_logon` or `refuse_logon`.

    The session reads no further data of the peer until then.

    Attributes:
        logon: The peer's Logon.
        signed: The values that the signature in its RawData (96) must cover, exactly as on the wire
            (`signing.verify_logon`).
    """

    logon: Message
    signed: LogonToSign


@attrs.frozen(eq=False, repr=False)
class LoggedOn(Value):
    """The Logon handshake is complete: application messages may be sent from now on.

    Attributes:
        logon: The peer's Logon.
        heart_bt_int: The agreed interval in seconds.
        reset: Whether both directions restarted at MsgSeqNum 1: now, or in a process that died before this
            was confirmed. Earlier unconfirmed messages of the peer are not delivered again.
        flags: The flags of this side's Logon, by attribute, such as `{"use_dollars": True}`: the
            fields of `SessionConfig.logon_fields` and of `accept_logon`, without secrets and without unknown
            fields. Absent ones have the dialect's default.
        missing: The first and the last number that the peer used before this Logon and that has not been
            received. They are being requested, and GapClosed reports the end. None if no message is missing,
            or none can be requested, because both sides begin at 1.
        reset_requested: Whether a `reset` answers this side's Logon that requested it. Otherwise
            the peer began it, or a process that died: messages of the peer that were not received are lost,
            and their number is unknown.
        generation: The number of resets of this side's store so far, with which MsgSeqNum identifies a
            message. Not compared.
    """

    logon: Message
    heart_bt_int: int
    reset: bool
    flags: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    missing: tuple[int, int] | None = None

    reset_requested: bool = True
    generation: int = attrs.field(default=0, eq=False, repr=False)

    @property
    def resend_expected(self) -> bool:
        """Whether earlier messages are still expected: until then, the state of orders may be outdated."""
        return self.missing is not None


@attrs.frozen(eq=False, repr=False)
class MessageReceived(Value):
    """An application message, in sequence, delivered once.

    `message.problems` is empty unless the message violates the dialect and the session
    is lenient; `poss_dup` and `poss_resend` are flags 43 and 97 of its header.

    Attributes:
        message: The message, of the class of its MsgType; an UnknownMessage if the dialect has none.
        poss_dup: PossDupFlag (43): it is resent with its original number.
        poss_resend: PossResend (97): its content may have been sent with another number.
        frame: The complete message in its wire format, for `Session.forward` and for archives.
    """

    message: Message
    poss_dup: bool = False
    poss_resend: bool = False
    frame: bytes = attrs.field(default=b"", repr=False, eq=False)


@attrs.frozen(eq=False, repr=False)
class RejectReceived(Value):
    """The peer rejected a message: a Reject (3) or a BusinessMessageReject (j).

    `sent` is the message that it answers, found by RefSeqNum (45), or None if that is not
    in the bounded record of sent messages.

    Attributes:
        reject: A Reject (3) or a BusinessMessageReject (j); its Text contains the reason.
        ref_seq_num: RefSeqNum (45): the MsgSeqNum of the rejected message.
        sent: The rejected message.
    """

    reject: Message
    ref_seq_num: int | None
    sent: Message | None


@attrs.frozen(eq=False, repr=False)
class MessageRejected(Value):
    """This side rejected a message of the peer with a Reject (3) and did not deliver it.

    Attributes:
        message: The rejected message, as far as it could be read.
        problems: Its problems; the Reject names the first.
        will_be_resent: Whether its number was not counted, so it is requested again on the next connection.
    """

    message: Message | None
    problems: tuple[Problem, ...]
    will_be_resent: bool = False


@attrs.frozen(eq=False, repr=False)
class GarbledReceived(Value):
    """Bytes that are not a FIX message were skipped, as FIX requires; no other data was lost.

    Attributes:
        reason: Description of the first problem, for humans.
        data: The first skipped bytes, at most 256.
        size: Total number of skipped bytes.
    """

    reason: str
    data: bytes = attrs.field(repr=False)
    size: int


@attrs.frozen(eq=False, repr=False)
class MessageTooLarge(Value):
    """A message longer than the session accepts (`SessionConfig.max_message_size`) is being skipped.

    Unless its BodyLength is wrong, its number is then missing, and a gap follows: on a session with resend
    it is requested again, and arrives with the same size.

    Attributes:
        size: Its BodyLength (9), in bytes.
        limit: The largest accepted size.
        msg_type: Its MsgType (35); None if unreadable.
    """

    size: int
    limit: int
    msg_type: str | None


@attrs.frozen(eq=False, repr=False)
class GapDetected(Value):
    """The peer's MsgSeqNum jumped: `begin` to `end` (inclusive) have not arrived.

    With `recoverable` a ResendRequest was sent, and later messages are held until the gap is filled.
    Without, the session logs out, and no message from `begin` on is delivered.

    Attributes:
        begin: The first missing MsgSeqNum.
        end: The last one.
        recoverable: Whether the missing messages were requested.
    """

    begin: int
    end: int
    recoverable: bool


@attrs.frozen(eq=False, repr=False)
class GapClosed(Value):
    """All messages missing since the last GapDetected have arrived, or are known to be lost: SequenceSkipped
    and MessagesLost have reported these.

    Attributes:
        next_expected: The next expected MsgSeqNum of the peer.
    """

    next_expected: int


@attrs.frozen(eq=False, repr=False)
class SequenceSkipped(Value):
    """The peer skipped its numbers `begin` to `end` (inclusive) by a SequenceReset.

    With `gap_fill` these messages are not worth resending; without (Reset mode) they are lost.

    Attributes:
        begin: The first skipped MsgSeqNum.
        end: The last one.
        gap_fill: Whether it was a gap fill.
    """

    begin: int
    end: int
    gap_fill: bool


@attrs.frozen(eq=False, repr=False)
class MessagesLost(Value):
    """The peer no longer has its messages `begin` to `end` (inclusive), and refused to resend them.

    Find out their contents by drop copy or REST. Messages from `end` + 1 on follow in
    order. A peer that skips its numbers instead is reported as SequenceSkipped.

    Attributes:
        begin: The first lost MsgSeqNum.
        end: The last one.
    """

    begin: int
    end: int


@attrs.frozen(eq=False, repr=False)
class OutcomesUnknown(Value):
    """This session cannot learn the outcome of these requests: look them up by drop copy or REST.

    A late answer is still delivered. Once this event is confirmed, the requests are no longer reported.

    Attributes:
        requests: The requests, oldest first.
        why: The reason.
    """

    requests: tuple[OpenRequest, ...]
    why: Uncertainty

    @property
    def request_ids(self) -> tuple[str, ...]:
        """The ids of the requests: ClOrdIDs, for orders."""
        return tuple(request.request_id for request in self.requests)


@attrs.frozen(eq=False, repr=False)
class OrdersUnverified(Value):
    """The connection of a session without resend ended, and these orders were open: look them up by drop copy
    or REST before you rely on them.

    They may have been filled, or cancelled (as the Logon may have requested for a disconnect), without a
    report. Emitted once, by the process that saw them open, and not after a Logout that this side began and
    the peer answered.

    Attributes:
        orders: The orders, each by its last report.
        complete: Whether these are all open orders; False if there were more than `max_resting_orders` or
            `max_resting_order_bytes`.
    """

    orders: tuple[RestingOrder, ...]
    complete: bool


@attrs.frozen(eq=False, repr=False)
class ResendServed(Value):
    """The peer requested `begin` to `end` again: `resent` messages were resent, the others gap-filled.

    Attributes:
        begin: The first requested MsgSeqNum.
        end: The last one.
        resent: The number of messages that were resent.
    """

    begin: int
    end: int
    resent: int


@attrs.frozen(eq=False, repr=False)
class PeerSilent(Value):
    """No message was received for too long; a TestRequest was sent to check whether the peer is alive.

    Attributes:
        test_req_id: TestReqID (112) of that TestRequest.
    """

    test_req_id: str


@attrs.frozen(eq=False, repr=False)
class HeartbeatReceived(Value):
    """A Heartbeat with a TestReqID (112), the answer to a TestRequest. Other Heartbeats cause no event.

    Attributes:
        test_req_id: TestReqID (112) of the TestRequest that it answers.
    """

    test_req_id: str


@attrs.frozen(eq=False, repr=False)
class LogoutReceived(Value):
    """The peer sent Logout; it is answered, and the session ends.

    Attributes:
        text: Its Text (58); None if it has none.
    """

    text: str | None


@attrs.frozen(eq=False, repr=False)
class SessionEnded(Value):
    """The last event of a connection; the adapter closes the transport once
    `data_to_send` is flushed.

    Attributes:
        reason: The reason, for programs.
        text: A description for humans; the peer's Text if there is one.
        clean: Whether a Logout handshake was completed.
        unsent: The number of unsent bytes.
        advice: The remedy if another connection would end in the same way, because the previous one was ended
            by the same message for the same reason; otherwise empty.
    """

    reason: CloseReason
    text: str
    clean: bool
    unsent: int = 0
    advice: str = ""


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
