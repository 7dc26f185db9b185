"""The events of a session.

An adapter fetches them with `Session.events()` after each call to the session, in the order in which they
occurred.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs

from kalshi_fix_sansio.classes.value import Value, quick_init
from kalshi_fix_sansio.config import LogonToSign
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.problems import Problem


@quick_init
@attrs.frozen(eq=False, repr=False)
class OpenRequest(Value):
    """A request that was sent and whose outcome is not known yet.

    Attributes:
        request_id: The id of the request, such as the ClOrdID (11) of an order, a cancel or a replace;
            MsgSeqNum if the request has no id. The id is not unique: a cancel may have the id of its quote,
            and a user may send an id twice.
        msg_type: MsgType (35), such as D.
        seq_num: MsgSeqNum of the message.
        sent_at: SendingTime of the message, in UTC.
        frame: The complete message in its wire format.
        key: Number that identifies the request among the open requests of its store. Later requests have
            larger keys.
        uncertain: Whether a later process that finds the request in the store must report it in
            OutcomesUnknown instead of waiting for its answer.
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
        """The name of the request in displayed text: its id or, if it has none, `MsgSeqNum 7`."""
        number = str(self.seq_num)
        return f"MsgSeqNum {number}" if self.request_id == number else self.request_id


@attrs.frozen(eq=False, repr=False)
class RestingOrder(Value):
    """An order that was open at the peer, according to its last report.

    Attributes:
        order_id: OrderID (37), the peer's id.
        cl_ord_id: ClOrdID (11) of the last request that changed the order.
        symbol: Symbol (55), the ticker of the market.
        side: Side (54), as the text on the wire.
        price: Price (44), in the unit of the session's prices.
        leaves_qty: LeavesQty (151), the open quantity.
    """

    order_id: str
    cl_ord_id: str | None
    symbol: str | None
    side: str | None
    price: Decimal | None
    leaves_qty: Decimal | None


class Uncertainty(Enum):
    """The reason why this session cannot learn the outcome of a request."""

    PEER_UNSURE = "the peer answered that it does not know the outcome"
    CONNECTION_ENDED = "the connection ended, and this session type has no resend"
    RESTARTED = "sent before the process started; messages received before then cannot be requested again"
    NOT_RESENT = "the peer requested it again, and it was not resent"
    ANSWERS_LOST = "its answer may be among lost messages, or may be a Reject, which is never resent"
    RESET = "the numbers were reset; messages received before the reset cannot be requested again"
    STORE_FAILED = "the store failed, perhaps before it was sent"


class CloseReason(Enum):
    """Reason why a session ended, for programs that decide whether and when to reconnect.

    Attributes:
        LOGGED_OUT: A Logout handshake, started by either side, was completed or timed out.
        LOGON_REFUSED: The peer answered the Logon with a Logout (its Text is in the event), or this side
            refused the peer's Logon.
        PEER_SILENT: No message was received for more than HeartBtInt, and a TestRequest was not answered.
        CONNECTION_LOST: The connection ended, by end of file or a transport error, without a Logout.
        LOCAL_ABORT: The user ended the session without a Logout handshake.
        STORE_FAILED: Numbers and messages could not be made durable, so no further messages were sent.
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
    """A peer has sent a Logon to this acceptor. The user must call `accept_logon` or `refuse_logon`.

    Until then, the session processes no further messages.

    Attributes:
        logon: The peer's Logon.
        signed: The values that the signature in RawData (96) must cover, exactly as on the wire
            (`signing.verify_logon`).
    """

    logon: Message
    signed: LogonToSign


@attrs.frozen(eq=False, repr=False)
class LoggedOn(Value):
    """The Logon handshake is complete, so application messages may be sent.

    Attributes:
        logon: The peer's Logon.
        heart_bt_int: The agreed HeartBtInt in seconds.
        reset: Whether both directions restarted at MsgSeqNum 1: with this logon, or in an earlier process
            that crashed before the reset was confirmed. Messages from the peer that were not confirmed before
            the reset are not delivered again.
        flags: Settings in this side's Logon, by attribute, such as `{"use_dollars": True}`: the fields of
            `SessionConfig.logon_fields` and of `accept_logon`, without secrets or unknown fields. Absent
            fields have the dialect's default.
        missing: First and last number of the messages that the peer sent before this Logon and that were not
            received. The session recovers them; GapClosed reports that none is missing any more. None if no
            message is missing, or if both sides begin at 1, so none can be requested.
        reset_requested: If `reset` is set, whether this side requested the reset with this logon. If False,
            the peer requested the reset, or an earlier process did before it crashed; an unknown number of
            messages from the peer may then be lost.
        generation: A number that rises by 1 each time the outgoing numbers of this side's store are
            restarted. Generation and MsgSeqNum together identify a sent message. Ignored in comparisons.
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
        """Whether earlier messages are still expected. Until they arrive, the state of orders may be
        outdated.
        """
        return self.missing is not None


@quick_init
@attrs.frozen(eq=False, repr=False)
class MessageReceived(Value):
    """An application message was received in sequence. Each message is delivered once.

    `message.problems` is empty unless the message violates the dialect and the session is lenient.

    Attributes:
        message: The message, an instance of the class for its MsgType; an UnknownMessage if the dialect has
            none.
        poss_dup: PossDupFlag (43): whether the message was resent with its original number.
        poss_resend: PossResend (97): whether the content may have been sent before with another number.
        frame: The complete message in its wire format, for `Session.forward` and for archives.
    """

    message: Message
    poss_dup: bool = False
    poss_resend: bool = False
    frame: bytes = attrs.field(default=b"", repr=False, eq=False)


@attrs.frozen(eq=False, repr=False)
class RejectReceived(Value):
    """The peer rejected a message with a Reject (3) or a BusinessMessageReject (j).

    `sent` is the rejected message, found by RefSeqNum (45), or None if it is not in the limited record of
    sent messages.

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
    """This side rejected a message from the peer, and did not deliver it.

    Attributes:
        message: The rejected message, without fields that could not be read; None if it could not be decoded
            at all.
        problems: Problems with the message. The Reject (3) or BusinessMessageReject (j) contains the first.
        will_be_resent: Whether the peer resends the message on the next connection, because this side
            still expects its MsgSeqNum.
    """

    message: Message | None
    problems: tuple[Problem, ...]
    will_be_resent: bool = False


@attrs.frozen(eq=False, repr=False)
class GarbledReceived(Value):
    """Bytes that are not a FIX message were skipped, as FIX requires. The messages before and after them are
    processed.

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

    If its BodyLength is correct, its number is then missing, so the next message reveals a gap. On a session
    with resend, the message is requested again, but is still too large.

    Attributes:
        size: BodyLength (9) of the message, in bytes.
        limit: The largest accepted size.
        msg_type: MsgType (35) of the message; None if unreadable.
    """

    size: int
    limit: int
    msg_type: str | None


@attrs.frozen(eq=False, repr=False)
class GapDetected(Value):
    """The peer's MsgSeqNum is too high: the messages from `begin` to `end` (inclusive) have not arrived.

    If `recoverable`, the messages were requested, and later messages are held until the gap is filled.
    Otherwise the session logs out, and no message from `begin` on is delivered.

    Attributes:
        begin: The first missing MsgSeqNum.
        end: The last missing MsgSeqNum.
        recoverable: Whether the missing messages were requested.
    """

    begin: int
    end: int
    recoverable: bool


@attrs.frozen(eq=False, repr=False)
class GapClosed(Value):
    """No message is missing any more: since the last GapDetected, each missing message has either arrived or
    been reported by SequenceSkipped or MessagesLost.

    Attributes:
        next_expected: The MsgSeqNum expected next from the peer.
    """

    next_expected: int


@attrs.frozen(eq=False, repr=False)
class SequenceSkipped(Value):
    """The peer skipped its numbers from `begin` to `end` (inclusive) with a SequenceReset.

    With a gap fill, the peer has no messages to resend for these numbers. Otherwise (Reset mode), the
    messages with these numbers are lost.

    Attributes:
        begin: The first skipped MsgSeqNum.
        end: The last skipped MsgSeqNum.
        gap_fill: Whether the SequenceReset was a gap fill.
    """

    begin: int
    end: int
    gap_fill: bool


@attrs.frozen(eq=False, repr=False)
class MessagesLost(Value):
    """The peer's messages from `begin` to `end` (inclusive) are lost: the peer refused to resend them, or the
    numbers were reset before the messages could be delivered.

    Use drop copy or REST to find out their contents. After a refusal, messages from `end` + 1 on are
    delivered in sequence. If the peer instead skips numbers with a SequenceReset, SequenceSkipped is emitted.

    Attributes:
        begin: The first lost MsgSeqNum.
        end: The last lost MsgSeqNum.
    """

    begin: int
    end: int


@attrs.frozen(eq=False, repr=False)
class OutcomesUnknown(Value):
    """This session cannot learn the outcome of these requests. Look them up with drop copy or REST.

    A late answer is still delivered. Once this event is confirmed, the requests are not reported again.

    Attributes:
        requests: The requests, oldest first.
        why: The reason why the outcomes are unknown.
    """

    requests: tuple[OpenRequest, ...]
    why: Uncertainty

    @property
    def request_ids(self) -> tuple[str, ...]:
        """The ids of the requests: ClOrdIDs, for orders."""
        return tuple(request.request_id for request in self.requests)


@attrs.frozen(eq=False, repr=False)
class OrdersUnverified(Value):
    """The connection of a session without resend ended while these orders were open. Look them up with drop
    copy or REST before you rely on them.

    They may have been filled without a report or, if the Logon requested cancellation on disconnect,
    cancelled without one. This event is emitted once, by the process that received the reports. It is not
    emitted after a Logout that this side began and the peer answered.

    Attributes:
        orders: The orders, according to their last reports.
        complete: Whether `orders` contains all open orders; False if they exceeded `max_resting_orders` or
            `max_resting_order_bytes`.
    """

    orders: tuple[RestingOrder, ...]
    complete: bool


@attrs.frozen(eq=False, repr=False)
class ResendServed(Value):
    """A resend to the peer is complete. Of the messages from `begin` to `end`, `resent` were resent, and gap
    fills replaced the others.

    Attributes:
        begin: The first requested MsgSeqNum.
        end: The last requested MsgSeqNum.
        resent: The number of messages that were resent.
    """

    begin: int
    end: int
    resent: int


@attrs.frozen(eq=False, repr=False)
class PeerSilent(Value):
    """No message has been received for too long, so a TestRequest was sent to check whether the peer is
    alive.

    Attributes:
        test_req_id: TestReqID (112) of that TestRequest.
    """

    test_req_id: str


@attrs.frozen(eq=False, repr=False)
class HeartbeatReceived(Value):
    """A Heartbeat with a TestReqID (112), which answers a TestRequest, was received. Other Heartbeats cause
    no event.

    Attributes:
        test_req_id: TestReqID (112) of the answered TestRequest.
    """

    test_req_id: str


@attrs.frozen(eq=False, repr=False)
class LogoutReceived(Value):
    """The peer sent a Logout. This side answers it, and the session ends.

    Attributes:
        text: Text (58) of the Logout; None if it has none.
    """

    text: str | None


@attrs.frozen(eq=False, repr=False)
class SessionEnded(Value):
    """The session has ended. This is its last event; the adapter closes the transport once the bytes from
    `data_to_send` are written.

    Attributes:
        reason: The reason, for programs.
        text: A description of the reason for humans; the peer's Text if there is one.
        clean: Whether a Logout handshake was completed.
        unsent: The number of unsent bytes.
        advice: The remedy if the same message has ended this connection and an earlier one for the same
            reason, and no higher number was received in between, so the message would also end the next
            connection; empty otherwise.
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
