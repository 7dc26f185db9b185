"""The settings of one session. Invalid or contradictory settings raise ConfigurationError, whose text
contains the remedy.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.base import Block, Message
from kalshi_fix_sansio.dialect.layout import BlockLayout, Dialect, Sender, SessionType
from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.framing import MAX_BODY_LENGTH


@attrs.frozen
class LogonToSign:
    """The header values of one Logon attempt, in their exact wire format.

    Attributes:
        sending_time: SendingTime (52) as text, such as `20260821-14:03:07.123`.
        msg_type: MsgType (35), always A.
        msg_seq_num: MsgSeqNum (34).
        sender_comp_id: SenderCompID (49); for a Kalshi client, the API key.
        target_comp_id: TargetCompID (56); for a Kalshi client, the name of the session type, such as
            KalshiNR.
    """

    sending_time: str
    msg_type: str
    msg_seq_num: int
    sender_comp_id: str
    target_comp_id: str


SignLogon = Callable[[LogonToSign], bytes]
"""A function that returns the RawData (96) of a Logon. It is called for every Logon, so no signature is sent
twice.
"""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ProtocolOptions(Value):
    """Settings for behaviour that FIXT 1.1 leaves open.

    Attributes:
        explain_violation: Send a Logout with a Text before the session ends in two cases in which FIXT makes
            the Logout optional: the peer is silent, or its Logon lacks a field or has a wrong CompID or
            SendingTime.
        explain_refusal: Send a Logout with a Text in answer to a valid Logon that is refused because of its
            HeartBtInt, its DefaultApplVerID or another value.
        repeat_reject: Repeat the Text of a Reject in the Logout that follows it.
        linger: Seconds to wait for the peer's Logout before the connection is closed, after this side has
            sent a Logout because of a protocol violation. FIXT recommends 2; with 0, the connection is closed
            at once.
        end_on_garbage_before_logon: End the session if bytes that are not a FIX message arrive while a Logon
            is awaited, instead of skipping them.
        open_ended_resend: Request all messages from the first missing one on (EndSeqNo 0), instead of only
            the missing ones.
        test_req_id: TestReqID of the TestRequest to a silent peer; None derives it from the MsgSeqNum.
        max_answer_wait: Maximum wait for the answer to the TestRequest to a silent peer, in multiples of
            HeartBtInt.
        test_requests_in_turn: While messages from the peer are missing, answer a TestRequest only after the
            gap is filled.
        serve_low_resend_requests: Serve a ResendRequest whose MsgSeqNum is too low, instead of ending the
            session.
        end_on_late_orig_sending_time: End the session after the Reject of a message whose OrigSendingTime is
            after SendingTime.
        reject_without_tag: Pairs of a SessionRejectReason (373) and a tag. A Reject for such a problem omits
            RefTagID (371).
        undefined_tag_reason: SessionRejectReason (373) of a Reject for an undefined tag.
        skip_by_check_sum: After a wrong BodyLength, skip bytes until the first CheckSum field after the
            position that BodyLength gives, instead of until the next BeginString.
    """

    explain_violation: bool = True
    explain_refusal: bool = True
    repeat_reject: bool = True
    linger: float = 0.0
    end_on_garbage_before_logon: bool = False
    open_ended_resend: bool = False
    test_req_id: str | None = None
    max_answer_wait: float = 1.2
    test_requests_in_turn: bool = False
    serve_low_resend_requests: bool = False
    end_on_late_orig_sending_time: bool = False
    reject_without_tag: frozenset[tuple[Reason, int]] = frozenset()
    undefined_tag_reason: Reason = Reason.UNDEFINED_TAG
    skip_by_check_sum: bool = False


_COMP_IDS = frozenset({(Reason.COMP_ID_PROBLEM, 49), (Reason.COMP_ID_PROBLEM, 56)})

QUICKFIX: Final = ProtocolOptions(
    explain_violation=False,
    explain_refusal=False,
    repeat_reject=False,
    linger=2.0,
    end_on_garbage_before_logon=True,
    test_req_id="TEST",
    max_answer_wait=1.0,
    open_ended_resend=True,
    test_requests_in_turn=True,
    serve_low_resend_requests=True,
    end_on_late_orig_sending_time=True,
    reject_without_tag=_COMP_IDS
    | {
        (Reason.SENDING_TIME_ACCURACY, 52),
        (Reason.SENDING_TIME_ACCURACY, 122),
        (Reason.INVALID_MSG_TYPE, 35),
        (Reason.VALUE_INCORRECT, 36),
    },
    undefined_tag_reason=Reason.INVALID_TAG_NUMBER,
    skip_by_check_sum=True,
)
"""The behaviour of QuickFIX."""

QUICKFIXJ: Final = attrs.evolve(
    QUICKFIX, explain_refusal=True, repeat_reject=True, reject_without_tag=_COMP_IDS
)
"""The behaviour of QuickFIX/J."""


ResendPolicy = Callable[[Message, float], bool]
"""A function that is called with a sent message and its age in seconds, and returns whether it may be
resent.
"""

STALE_TYPES = frozenset({"D", "E", "G", "s", "t", "AB", "AC", "R", "S", "i"})
"""MsgTypes of FIX 5.0 SP2 that could lead to a trade: new orders of all kinds (D, E, s, AB), order
replacements (G, t, AC), quote requests (R) and quotes (S, i).
"""

DEFAULT_MAX_AGE = 60.0
"""Maximum age in seconds of the messages that the default policy of an initiator resends."""


@attrs.frozen
class ResendFresh:
    """The default policy of an initiator: resend only recent messages, and never one that could trade.

    Messages with a user-defined MsgType (one that begins with U) are not resent either, because their effect
    is unknown. To allow such a MsgType, list it in `safe_types`.

    Attributes:
        max_age: Maximum age in seconds.
        stale_types: MsgTypes that are never resent.
        safe_types: MsgTypes that may be resent up to `max_age`, even if listed in `stale_types`.
    """

    max_age: float = DEFAULT_MAX_AGE
    stale_types: frozenset[str] = STALE_TYPES
    safe_types: frozenset[str] = frozenset()

    def __call__(self, message: Message, age: float) -> bool:
        """Return whether this message, sent `age` seconds ago, may be resent."""
        # Checked first, because the maximum age also applies to types in `safe_types`. If the clock was set
        # back, the age may be negative, and the message may be of any age.
        if not 0 <= age <= self.max_age:
            return False
        msg_type = message.MSG_TYPE
        if msg_type in self.safe_types:
            return True
        return msg_type not in self.stale_types and not msg_type.startswith("U")


def resend_everything(message: Message, age: float) -> bool:  # noqa: ARG001
    """Allow every stored message to be resent. This is the default of an acceptor, whose messages report
    facts and cannot trade.
    """
    return True


LOGON = "A"
LAST_PROCESSED = "last_msg_seq_num_processed"
MAX_SECONDS = 10**9
"""Maximum value of settings in seconds, about 31 years. Adding a longer time to a clock reading or a date may
overflow.
"""
NEXT_EXPECTED = "next_expected_msg_seq_num"


class Role(Enum):
    """The role of a session in the terms of the FIX session layer.

    Attributes:
        INITIATOR: Connects and sends the first Logon, like a client.
        ACCEPTOR: Accepts the connection and answers the Logon, like a venue.
    """

    INITIATOR = "initiator"
    ACCEPTOR = "acceptor"

    @property
    def sender(self) -> Sender:
        """This side, in the terms of the dialect's rules."""
        return Sender.CLIENT if self is Role.INITIATOR else Sender.VENUE

    @property
    def peer(self) -> Sender:
        """The other side, in the terms of the dialect's rules."""
        return Sender.VENUE if self is Role.INITIATOR else Sender.CLIENT


def _require_positive(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    del instance
    # Not `value <= 0`, which is False for NaN.
    if value is not None and not value > 0:
        raise ConfigurationError(f"{attribute.name} must be above 0, not {value!r}; set a positive number")


def _require_seconds(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    _require_positive(instance, attribute, value)
    if value is not None and value > MAX_SECONDS:
        raise ConfigurationError(f"{attribute.name} must be at most {MAX_SECONDS} seconds, not {value!r}")


def copy_logon_fields(fields: Block | None, dialect: Dialect) -> Block | None:
    """Return a copy of the fields of a Logon; None if `fields` is None.

    Raises:
        ConfigurationError: the dialect has no Logon, or `fields` is not an instance of the dialect's class
            for Logon fields.
    """
    if fields is None:
        return None
    layout = dialect.logon_fields
    if layout is None:
        raise ConfigurationError(
            f"logon_fields cannot be set with the dialect {dialect.name}, which has no Logon"
        )
    if type(fields) is not layout.cls:
        # The content is not quoted, because it may be a password.
        raise ConfigurationError(
            f"logon_fields must be a {layout.name} of {layout.cls.__module__}, such as "
            f"{layout.name}({layout.members[-1].attribute}=...), not {type(fields).__name__}"
        )
    return attrs.evolve(fields)


# Defaults that depend on other settings. They do not use `@codec.default`, which pyright ignores.


def _default_codec(config: SessionConfig) -> Codec:
    return Codec(config.dialect)


def _default_comp_ids(config: SessionConfig) -> frozenset[str]:
    if config.target_comp_id is None:
        return frozenset()
    listed = config.session_type.comp_ids if config.role is Role.INITIATOR else ()
    return frozenset((config.target_comp_id, *listed))


def _default_reset(config: SessionConfig) -> bool:
    return config.session_type.reset_required


def _default_max_message_size(config: SessionConfig) -> int:
    needed = config.session_type.max_message_size if config.role is Role.INITIATOR else None
    return max(MAX_BODY_LENGTH, needed or 0)


def _default_policy(config: SessionConfig) -> ResendPolicy:
    return ResendFresh() if config.role is Role.INITIATOR else resend_everything


def _is_acceptor(config: SessionConfig) -> bool:
    return config.role is Role.ACCEPTOR


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SessionConfig(Value):
    """The settings of a session. All times are in seconds.

    Attributes:
        role: The side of this session.
        dialect: The messages and rules; for Kalshi, `DIALECT`.
        session_type: The rules of the session type, such as `SESSION_TYPES["KalshiNR"]`.
        codec: Decodes and encodes the dialect's messages. Default: a new codec. Sessions that share a codec
            also share the decoders that it compiles while it runs.
        product: One of the dialect's products; empty if the dialect has only one.
        sender_comp_id: SenderCompID (49) of sent messages. A Kalshi client uses its API key; the venue uses
            the name of the session type, such as KalshiNR.
        target_comp_id: TargetCompID (56) of sent messages. Required for an initiator. An acceptor with None
            uses the SenderCompID of the peer's Logon; otherwise it accepts only a peer with this CompID.
        accepted_sender_comp_ids: SenderCompIDs that the peer may use. Default: `target_comp_id` and, for an
            initiator, also the CompIDs of the session type. If the set is empty, an acceptor accepts any
            peer.
        heart_bt_int: HeartBtInt (108) of an initiator's Logon, in seconds. 0 disables Heartbeats;
            `min_heart_bt_int` must then be 0 too.
        min_heart_bt_int: Smallest HeartBtInt that an acceptor accepts, and that an initiator may set.
        max_heart_bt_int: Largest HeartBtInt that an acceptor accepts, and that an initiator may set.
        reset_seq_num: Whether an initiator's Logon restarts both directions at 1 (ResetSeqNumFlag, 141).
            Default: True if the session type requires it.
        offer_next_expected: Whether an initiator's Logon contains NextExpectedMsgSeqNum (789). If the peer's
            answer contains this field too, the peer resends missing messages without a ResendRequest. An
            acceptor always includes this field in its answer to such a Logon.
        offer_next_expected_at_reset: Whether a Logon that resets the numbers also contains
            NextExpectedMsgSeqNum, with the value 1, for peers that expect the field.
        send_last_processed: Whether every sent header contains LastMsgSeqNumProcessed (369), the number of
            the last message from the peer that was processed. Requires a dialect whose header has this field.
        logon_fields: Further fields of this side's Logon: the dialect's `LogonFields`, such as
            `LogonFields(use_dollars=True)`. They are copied when the SessionConfig is created.
        sign_logon: Function that returns RawData (96) for every Logon sent; None sends no RawData.
        logon_timeout: Maximum duration of the Logon handshake, from `connect` on.
        logout_timeout: Maximum wait for the answer to this side's Logout.
        commit_timeout: Maximum duration of a commit of the store. If it takes longer, the session ends with
            CloseReason.STORE_FAILED. The limit is at most half of HeartBtInt, because Heartbeats wait for
            commits.
        resend_timeout: Time without progress of the peer's resend after which missing messages are requested
            again.
        resend_attempts: Number of consecutive ResendRequests without progress after which the session logs
            out.
        sending_time_tolerance: Maximum difference between SendingTime (52) of received messages and
            `Instant.utc`; None disables the check.
        strict: Whether received messages that violate the dialect are rejected (with a Reject or a
            BusinessMessageReject). Otherwise they are delivered, with a list of their problems.
        protocol_options: Settings for behaviour that FIXT 1.1 leaves open.
        resend_policy: Function that decides which stored messages may be resent. Default: `ResendFresh()` for
            an initiator, `resend_everything` for an acceptor.
        reject_forgotten_resend: Whether to reject a ResendRequest, as Kalshi does, if it begins with a
            message that the store has dropped. Otherwise a gap fill replaces the dropped messages. Default:
            True for an acceptor.
        max_message_size: Largest accepted BodyLength (9), in bytes; a larger message is skipped
            (MessageTooLarge). The session buffers at most this much of a message, and as much again while a
            Logon waits for `accept_logon`. Default: 256 KiB or, for an initiator, the size that the session
            type needs if that is larger.
        max_held: Maximum number of messages held during a gap; further messages are dropped, and requested
            again later.
        max_held_bytes: Maximum size of the held messages in bytes. Further messages are dropped, and
            requested again later.
        max_unsent: Number of unsent bytes at which `send` raises. Answers to the peer are still queued.
            Beyond twice this number, not counting the largest unsent message, the session ends, because the
            peer has stopped reading.
        max_events: Number of events not yet fetched at which `receive_data` raises. With `explicit_confirm`,
            fetched but unconfirmed events count too.
        max_event_bytes: Size of the events not yet fetched at which `receive_data` raises. It counts all
            bytes received since `events` was last called, and held messages that were delivered since then.
            In memory, a message of many short fields takes up to 17 times its size on the wire.
        max_sent_record: Number of recently sent messages that are kept for `RejectReceived.sent`.
        max_sent_record_bytes: Maximum total size in bytes of the messages kept for `RejectReceived.sent`; the
            oldest are dropped.
        max_open_requests: Number of unanswered requests at which `send` raises. `send` also raises while more
            than this many requests have an answer that is not confirmed.
        max_open_request_bytes: Total size in bytes of unanswered requests at which `send` raises, with the
            same rule for requests whose answer is not confirmed.
        max_resting_orders: Maximum number of open orders that OrdersUnverified lists at the end of a session
            without resend.
        max_resting_order_bytes: Maximum total size, in bytes, of the last reports of the orders that
            OrdersUnverified lists.
        explicit_confirm: Whether only `confirm` confirms events. Otherwise each call to `events` confirms the
            events returned by earlier calls.
    """

    role: Role
    dialect: Dialect
    session_type: SessionType
    codec: Codec = attrs.field(default=attrs.Factory(_default_codec, takes_self=True), repr=False, eq=False)
    product: str = ""
    sender_comp_id: str
    target_comp_id: str | None = None
    accepted_sender_comp_ids: frozenset[str] = attrs.field(
        default=attrs.Factory(_default_comp_ids, takes_self=True), converter=frozenset
    )

    heart_bt_int: int = 30
    min_heart_bt_int: int = 1
    max_heart_bt_int: int = 3600
    reset_seq_num: bool = attrs.field(default=attrs.Factory(_default_reset, takes_self=True))
    offer_next_expected: bool = False
    offer_next_expected_at_reset: bool = False
    send_last_processed: bool = False
    logon_fields: Block | None = attrs.field(default=None, repr=False)
    sign_logon: SignLogon | None = attrs.field(default=None, repr=False)

    logon_timeout: float = attrs.field(default=10.0, validator=_require_seconds)
    logout_timeout: float = attrs.field(default=10.0, validator=_require_seconds)
    commit_timeout: float = attrs.field(default=10.0, validator=_require_seconds)
    resend_timeout: float = attrs.field(default=30.0, validator=_require_seconds)
    resend_attempts: int = attrs.field(default=3, validator=_require_positive)
    sending_time_tolerance: float | None = attrs.field(default=30.0, validator=_require_seconds)

    strict: bool = False
    protocol_options: ProtocolOptions = attrs.field(factory=ProtocolOptions)
    resend_policy: ResendPolicy = attrs.field(
        default=attrs.Factory(_default_policy, takes_self=True), repr=False
    )
    reject_forgotten_resend: bool = attrs.field(default=attrs.Factory(_is_acceptor, takes_self=True))

    max_message_size: int = attrs.field(
        default=attrs.Factory(_default_max_message_size, takes_self=True), validator=_require_positive
    )
    max_held: int = attrs.field(default=10_000, validator=_require_positive)
    max_held_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_require_positive)
    max_unsent: int = attrs.field(default=16 * 1024 * 1024, validator=_require_positive)
    max_events: int = attrs.field(default=100_000, validator=_require_positive)
    max_event_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_require_positive)
    max_sent_record: int = attrs.field(default=10_000, validator=_require_positive)
    max_sent_record_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_require_positive)
    max_open_requests: int = attrs.field(default=100_000, validator=_require_positive)
    max_open_request_bytes: int = attrs.field(default=64 * 1024 * 1024, validator=_require_positive)
    max_resting_orders: int = attrs.field(default=10_000, validator=_require_positive)
    max_resting_order_bytes: int = attrs.field(default=16 * 1024 * 1024, validator=_require_positive)
    explicit_confirm: bool = False

    def __attrs_post_init__(self) -> None:
        """Check rules that concern more than one setting."""
        # The class is frozen, and mypy does not support converters that get the instance.
        object.__setattr__(self, "logon_fields", copy_logon_fields(self.logon_fields, self.dialect))
        if not self.sender_comp_id:
            raise ConfigurationError("sender_comp_id is empty; set the SenderCompID of this side")
        if self.role is Role.INITIATOR and not self.target_comp_id:
            raise ConfigurationError(
                "an initiator needs target_comp_id, the CompID of the peer that it logs on to"
            )
        if self.codec.dialect is not self.dialect:
            raise ConfigurationError(
                "codec must belong to the dialect of this SessionConfig; create it with Codec(dialect), or "
                "leave it out"
            )
        name = self.session_type.name
        if self.session_type.products and self.product not in self.session_type.products:
            products = ", ".join(self.session_type.products)
            raise ConfigurationError(
                f"{name} is not offered by product {self.product!r}; choose one of {products}"
            )
        if self.session_type.reset_required and not self.reset_seq_num:
            raise ConfigurationError(
                f"{name} requires ResetSeqNumFlag=Y; leave reset_seq_num unset or set it to True"
            )
        if not 0 <= self.min_heart_bt_int <= self.max_heart_bt_int <= MAX_SECONDS:
            raise ConfigurationError(
                "min_heart_bt_int must be at least 0 and not above max_heart_bt_int, which must be at most "
                f"{MAX_SECONDS} seconds"
            )
        if not self.min_heart_bt_int <= self.heart_bt_int <= self.max_heart_bt_int:
            raise ConfigurationError(
                f"heart_bt_int {self.heart_bt_int} is outside {self.min_heart_bt_int} to "
                f"{self.max_heart_bt_int} seconds; choose a value in this range"
            )
        self._check_logon_fields(self.dialect.messages[LOGON].body)

    def _check_logon_fields(self, body: BlockLayout) -> None:
        body_attributes = {member.attribute for member in body.members}
        if self.offer_next_expected and (
            not self.session_type.resend or NEXT_EXPECTED not in body_attributes
        ):
            raise ConfigurationError(
                f"offer_next_expected must be False on {self.session_type.name}: it requires a session type "
                "with resend, and a Logon that has NextExpectedMsgSeqNum"
            )
        if self.offer_next_expected_at_reset and not self.offer_next_expected:
            raise ConfigurationError("offer_next_expected_at_reset needs offer_next_expected; set both")
        header_attributes = {member.attribute for member in self.dialect.header.members}
        if self.send_last_processed and LAST_PROCESSED not in header_attributes:
            raise ConfigurationError(
                f"send_last_processed must be False with {self.dialect.name}, whose header has no "
                "LastMsgSeqNumProcessed"
            )
        if self.sign_logon is not None and getattr(self.logon_fields, "raw_data", None) is not None:
            raise ConfigurationError("raw_data is set by sign_logon; remove it from logon_fields")
