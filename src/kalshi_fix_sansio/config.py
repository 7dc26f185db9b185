"""The settings of one session. A contradiction is a ConfigurationError that says what to set."""

from __future__ import annotations

from enum import Enum
from typing import Any

import attrs

from kalshi_fix_sansio.authentication import SignLogon
from kalshi_fix_sansio.base import Block
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.framing import MAX_BODY_LENGTH
from kalshi_fix_sansio.layout import BlockLayout, Dialect, FieldMember, Sender, SessionType
from kalshi_fix_sansio.protocol_options import ProtocolOptions
from kalshi_fix_sansio.resend_policy import ResendFresh, ResendPolicy, resend_everything

LOGON = "A"
LAST_PROCESSED = "last_msg_seq_num_processed"
MOST_SECONDS = 10**9
"""Longest time that can be set, about 31 years. Added to a clock or a date, longer ones may overflow."""
NEXT_EXPECTED = "next_expected_msg_seq_num"


@explained
class Role(Enum):
    """Which side of the connection a session plays (FIX session layer: initiator, acceptor)."""

    INITIATOR = "initiator"
    """Connects and sends the first Logon: a client."""
    ACCEPTOR = "acceptor"
    """Is connected to, and answers the Logon: a venue."""

    @property
    def sender(self) -> Sender:
        """This side, in the terms of the dialect's rules."""
        return Sender.CLIENT if self is Role.INITIATOR else Sender.VENUE

    @property
    def peer(self) -> Sender:
        """The other side, in the terms of the dialect's rules."""
        return Sender.VENUE if self is Role.INITIATOR else Sender.CLIENT


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    del instance
    # Not `value <= 0`, which NaN would pass: it compares as False with everything.
    if value is not None and not value > 0:
        raise ConfigurationError(f"{attribute.name} must be above 0, not {value!r}; set a positive number")


def _seconds(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    _positive(instance, attribute, value)
    if value is not None and value > MOST_SECONDS:
        raise ConfigurationError(f"{attribute.name} must be at most {MOST_SECONDS} seconds, not {value!r}")


def own_logon_fields(fields: Block | None, dialect: Dialect) -> Block | None:
    """Return a copy of what a Logon is to say; None for nothing.

    Raises:
        ConfigurationError: it is not of the dialect's class for that.
    """
    if fields is None:
        return None
    layout = dialect.logon_fields
    if layout is None:
        raise ConfigurationError(f"logon_fields are of no use with {dialect.name}, which has no Logon")
    if type(fields) is not layout.cls:
        # What it holds is not repeated: it may be a password.
        raise ConfigurationError(
            f"logon_fields must be a {layout.name} of {layout.cls.__module__}, such as "
            f"{layout.name}({layout.members[-1].attribute}=...), not {type(fields).__name__}"
        )
    return attrs.evolve(fields)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class SessionConfig(Value):
    """Everything a session has to know beforehand. All times are in seconds."""

    role: Role
    """Which side this is."""
    dialect: Dialect
    """The messages and rules that are spoken: `DIALECT`."""
    session_type: SessionType
    """The rules of the session type: `SESSION_TYPES["KalshiNR"]`, say."""
    codec: Codec = attrs.field(repr=False, eq=False)
    """Reads and writes the dialect's messages. Default: a new one; sessions that share one learn the shapes
    of messages once."""
    product: str = ""
    """Which of the dialect's products is spoken; empty for a dialect that has only one."""
    sender_comp_id: str
    """SenderCompID (49) of what this side sends: an API key as a Kalshi client, KalshiNR and so on as the
    venue."""
    target_comp_id: str | None = None
    """TargetCompID (56) of what this side sends. Needed by an initiator; an acceptor that leaves it None
    learns it from the Logon, one that sets it serves only this peer."""
    accepted_sender_comp_ids: frozenset[str] = attrs.field(converter=frozenset)
    """SenderCompID values the peer may use. Default: `target_comp_id`, and for an initiator also what the
    session type lists. Empty (an acceptor that learns its peer): any."""

    heart_bt_int: int = 30
    """HeartBtInt (108) that an initiator asks for; 0 turns heartbeats off where `min_heart_bt_int` allows
    it."""
    min_heart_bt_int: int = 1
    """Least HeartBtInt that an acceptor agrees to (and an initiator may set)."""
    max_heart_bt_int: int = 3600
    """Largest HeartBtInt that an acceptor agrees to (and an initiator may set)."""
    reset_seq_num: bool = attrs.field()
    """Whether an initiator's Logon restarts both directions at 1 (ResetSeqNumFlag, 141). Default: what the
    session type requires."""
    offer_next_expected: bool = False
    """Whether an initiator's Logon carries NextExpectedMsgSeqNum (789), so that a peer which answers with its
    own resends at once what is missing, without a ResendRequest. An acceptor always answers an offer."""
    offer_next_expected_at_reset: bool = False
    """Whether a Logon that restarts the numbers carries it too, as 1, for peers that want to see it."""
    send_last_processed: bool = False
    """Whether every header that this side sends carries LastMsgSeqNumProcessed (369): the last number of the
    peer's that was dealt with. Needs a dialect whose header has it."""
    logon_fields: Block | None = attrs.field(default=None, repr=False)
    """What the Logon of this side says beside what the session writes: the dialect's `LogonFields`, such as
    `LogonFields(use_dollars=True)`. A copy is kept; a session takes over what it has when it is made."""
    sign_logon: SignLogon | None = attrs.field(default=None, repr=False)
    """Makes RawData (96) of every Logon sent; None sends none."""

    logon_timeout: float = attrs.field(default=10.0, validator=_seconds)
    """How long the Logon handshake may take, from `connect` on."""
    logout_timeout: float = attrs.field(default=10.0, validator=_seconds)
    """How long the answer to this side's Logout is waited for."""
    resend_timeout: float = attrs.field(default=30.0, validator=_seconds)
    """How long a resend may make no progress before it is asked for again."""
    resend_attempts: int = attrs.field(default=3, validator=_positive)
    """How often missing messages are asked for without any progress; then the session logs out."""
    sending_time_tolerance: float | None = attrs.field(default=30.0, validator=_seconds)
    """How far SendingTime (52) of what comes in may be from `Instant.utc`; None turns the check off."""

    strict: bool = False
    """Whether incoming messages that break the dialect's rules are refused (Reject, BusinessMessageReject)
    instead of delivered with their problems."""
    protocol_options: ProtocolOptions = attrs.field(factory=ProtocolOptions)
    """What the session does where FIXT 1.1 leaves it a choice."""
    resend_policy: ResendPolicy = attrs.field(repr=False)
    """Which stored messages may go out again. Default: `ResendFresh()` for an initiator, everything for an
    acceptor."""
    reject_forgotten_resend: bool = attrs.field()
    """Whether a ResendRequest that begins before what the store still has is refused (as Kalshi does)
    instead of gap-filled. Default: True for an acceptor."""

    max_message_size: int = attrs.field(validator=_positive)
    """Longest BodyLength (9) accepted, in bytes; a longer message is skipped (MessageTooLarge). The session
    buffers at most this much of a message, and as much again while a Logon waits for `accept_logon`.
    Default: 256 KiB, or for an initiator what the session type needs if that is more."""
    max_held: int = attrs.field(default=10_000, validator=_positive)
    """Messages held back during a gap; what arrives beyond is dropped and asked for again."""
    max_held_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_positive)
    """Bytes of these messages, as they came; what arrives beyond is dropped and asked for again as well."""
    max_unsent: int = attrs.field(default=16 * 1024 * 1024, validator=_positive)
    """Bytes waiting in `data_to_send` at which `send` refuses; answers to the peer may go up to twice as
    far, beside the largest message that waits; then the session ends, because the peer has stopped
    reading."""
    max_events: int = attrs.field(default=100_000, validator=_positive)
    """Events waiting in `events` at which `receive_data` refuses to read on; with `explicit_confirm`,
    together with those that are not confirmed."""
    max_event_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_positive)
    """Bytes that the events waiting in `events` were made of at which `receive_data` refuses to read on:
    everything received since they were taken last, and what was held back during a gap and released since.
    A message of many short fields takes up to 17 times its bytes."""
    max_sent_record: int = attrs.field(default=10_000, validator=_positive)
    """How many of the last messages sent are kept, to be tied to a Reject that names them, once each."""
    max_sent_record_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_positive)
    """Bytes of these messages; beyond, the oldest are no longer kept."""
    max_open_requests: int = attrs.field(default=100_000, validator=_positive)
    """Requests sent and not answered at which `send` refuses another one; so it does beyond as many whose
    answer is not confirmed."""
    max_open_request_bytes: int = attrs.field(default=64 * 1024 * 1024, validator=_positive)
    """Bytes of such requests, each of which is kept as it stood on the wire, at which `send` refuses another
    one."""
    max_resting_orders: int = attrs.field(default=10_000, validator=_positive)
    """How many orders that rest are followed on a session type without resend, so that they can be named when
    it ends."""
    max_resting_order_bytes: int = attrs.field(default=16 * 1024 * 1024, validator=_positive)
    """Bytes of the reports about them that are kept, one for each."""
    explicit_confirm: bool = False
    """Whether events count as taken care of only when `confirm` says so. Otherwise each call of `events`
    confirms what the one before returned."""

    @codec.default
    def _default_codec(self) -> Codec:
        return Codec(self.dialect)

    @accepted_sender_comp_ids.default
    def _default_accepted(self) -> frozenset[str]:
        if self.target_comp_id is None:
            return frozenset()
        listed = self.session_type.comp_ids if self.role is Role.INITIATOR else ()
        return frozenset((self.target_comp_id, *listed))

    @reset_seq_num.default
    def _default_reset(self) -> bool:
        return self.session_type.reset_required

    @max_message_size.default
    def _default_max_message_size(self) -> int:
        needed = self.session_type.max_message_size if self.role is Role.INITIATOR else None
        return max(MAX_BODY_LENGTH, needed or 0)

    @resend_policy.default
    def _default_policy(self) -> ResendPolicy:
        return ResendFresh() if self.role is Role.INITIATOR else resend_everything

    @reject_forgotten_resend.default
    def _default_reject_forgotten(self) -> bool:
        return self.role is Role.ACCEPTOR

    def __attrs_post_init__(self) -> None:
        """Check what concerns more than one setting."""
        # The class is frozen, and mypy knows no converter that sees the instance.
        object.__setattr__(self, "logon_fields", own_logon_fields(self.logon_fields, self.dialect))
        if not self.sender_comp_id:
            raise ConfigurationError("sender_comp_id is empty; set the SenderCompID of this side")
        if self.role is Role.INITIATOR and not self.target_comp_id:
            raise ConfigurationError("an initiator needs target_comp_id, the TargetCompID it logs on to")
        if self.codec.dialect is not self.dialect:
            raise ConfigurationError(
                "codec is of another dialect; make it from the same one, or leave it out"
            )
        name = self.session_type.name
        if self.session_type.products and self.product not in self.session_type.products:
            known = ", ".join(self.session_type.products)
            raise ConfigurationError(
                f"{name} is not offered by product {self.product!r}; choose one of {known}"
            )
        if self.session_type.reset_required and not self.reset_seq_num:
            raise ConfigurationError(
                f"{name} requires ResetSeqNumFlag=Y; leave reset_seq_num unset or set it to True"
            )
        if not 0 <= self.min_heart_bt_int <= self.max_heart_bt_int <= MOST_SECONDS:
            raise ConfigurationError(
                "min_heart_bt_int must be at least 0 and not above max_heart_bt_int, and that at most "
                f"{MOST_SECONDS} seconds"
            )
        if not self.min_heart_bt_int <= self.heart_bt_int <= self.max_heart_bt_int:
            raise ConfigurationError(
                f"heart_bt_int {self.heart_bt_int} is outside {self.min_heart_bt_int} to "
                f"{self.max_heart_bt_int} seconds; choose one inside"
            )
        self._check_logon_fields(self.dialect.messages[LOGON].body)

    def _check_logon_fields(self, body: BlockLayout) -> None:
        known = {member.attribute for member in body.members if isinstance(member, FieldMember)}
        if self.offer_next_expected and (not self.session_type.resend or NEXT_EXPECTED not in known):
            raise ConfigurationError(
                f"offer_next_expected is of no use on {self.session_type.name}: it needs a session type with "
                "resend, and a Logon that has NextExpectedMsgSeqNum; leave it False"
            )
        if self.offer_next_expected_at_reset and not self.offer_next_expected:
            raise ConfigurationError("offer_next_expected_at_reset needs offer_next_expected; set both")
        header = {
            member.attribute for member in self.dialect.header.members if isinstance(member, FieldMember)
        }
        if self.send_last_processed and LAST_PROCESSED not in header:
            raise ConfigurationError(
                f"send_last_processed is of no use with {self.dialect.name}: its header has no "
                "LastMsgSeqNumProcessed; leave it False"
            )
        if self.sign_logon is not None and getattr(self.logon_fields, "raw_data", None) is not None:
            raise ConfigurationError("raw_data comes from sign_logon; remove it from logon_fields")
