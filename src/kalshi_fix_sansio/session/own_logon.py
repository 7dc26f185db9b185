"""The Logons that this side sends, and resets of the sequence numbers within a session.

FIXT 1.1 session layer, "Logon"; Kalshi, "Authentication & Sessions". `OwnLogon` builds, signs and checks a
Logon before a number is used for it.

`Resets` restarts both directions at MsgSeqNum 1 within a connection, with a Logon that contains
ResetSeqNumFlag=Y. A reset consists of a request and an answer, and either process may crash between them. The
requesting side records in its store that the reset is unanswered, and requests it again at each logon until
it is answered. The answering side records nothing, because its reset is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kalshi_fix_sansio import scalars
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import NEXT_EXPECTED, LogonToSign, Role, SessionConfig, copy_logon_fields
from kalshi_fix_sansio.dialect.base import Block, values_of
from kalshi_fix_sansio.dialect.layout import FieldMember, Member
from kalshi_fix_sansio.errors import ConfigurationError, InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.events import CloseReason, Uncertainty
from kalshi_fix_sansio.session.core import LOGON, Core
from kalshi_fix_sansio.session.recovery import Recovery
from kalshi_fix_sansio.session.resend import Resender
from kalshi_fix_sansio.session.states import Input
from kalshi_fix_sansio.session.store import MessageStore
from kalshi_fix_sansio.validation import checker


class OwnLogon:
    """The fields of the Logons that this side sends on one connection."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.heart_bt_int: int = core.config.heart_bt_int
        fields = core.config.logon_fields
        self.fields: Mapping[str, Any] = {} if fields is None else values_of(fields)
        """Additional fields. Those passed to `accept_logon` are also sent in later Logons of the session."""

    def answer_settings(self, heart_bt_int: int, fields: Block | None) -> OwnLogon:
        """Return the settings for an acceptor's answer to the peer's Logon. Pass them to `adopt` once the
        answer is encoded.

        Raises:
            LocalProtocolError: `fields` is not an instance of the dialect's class for Logon fields.
        """
        try:
            added = copy_logon_fields(fields, self._core.config.dialect)
        except ConfigurationError as error:
            raise LocalProtocolError(str(error)) from None
        answer = OwnLogon(self._core)
        answer.heart_bt_int = heart_bt_int
        if added is not None:
            answer.fields = {**answer.fields, **values_of(added)}
        return answer

    def adopt(self, answer: OwnLogon) -> None:
        """Use these settings for the rest of the session."""
        self.heart_bt_int, self.fields = answer.heart_bt_int, answer.fields

    def encode(
        self, seq_num: int, now: Instant, *, reset: bool, processed: int, next_expected: int | None = None
    ) -> bytes:
        """Build, sign, check and encode a Logon; its SendingTime is `now`.

        `processed` is the MsgSeqNum of the last message from the peer that was processed since the last
        reset; 0 if there is none.

        Raises InvalidMessageError when the dialect does not allow the Logon, and the exceptions of
        `sign_logon`.
        """
        core, config = self._core, self._core.config
        values = dict(self.fields)
        layout = config.dialect.messages[LOGON]
        # An unknown field may be a secret.
        hidden = {"unknown", *(member.attribute for member in layout.body.members if _is_secret(member))}
        flags = MappingProxyType({name: value for name, value in values.items() if name not in hidden})
        header = core.outbound.header(LOGON, seq_num, now)
        # Replace the value that `header` took from the ledger. The ledger is not up to date: a reset changes
        # its numbers only after this Logon is encoded, and the ledger does not yet count the Logon that an
        # acceptor answers.
        if config.send_last_processed:
            header.last_msg_seq_num_processed = processed
        if config.sign_logon is not None:
            # The signature covers SendingTime in its wire format.
            sending_time = scalars.format_utctimestamp(header.sending_time)
            values["raw_data"] = config.sign_logon(
                LogonToSign(sending_time, LOGON, seq_num, header.sender_comp_id, header.target_comp_id)
            )
        values["heart_bt_int"] = self.heart_bt_int
        if reset:
            values["reset_seq_num_flag"] = True
        if next_expected is not None:
            values[NEXT_EXPECTED] = next_expected
        logon = core.outbound.admin(LOGON, **values)
        # Record the settings of the Logon before the check, which uses them (`core.message_context`). An
        # acceptor uses the settings of the peer's Logon instead.
        if config.role is Role.INITIATOR:
            core.record_logon(logon)
        problems = checker(layout, core.message_context(config.role.sender, LOGON))(logon)
        if problems:
            raise InvalidMessageError("Logon", problems)
        frame = core.codec.encode(logon, header)
        core.flags = flags
        return frame


def next_expected_of(logon: Any, config: SessionConfig) -> int | None:
    """Return NextExpectedMsgSeqNum (789) of the peer's Logon; None if it is absent, or does not apply.

    FIXT 1.1 session layer, "Using NextExpectedMsgSeqNum to facilitate message recovery". An initiator sends
    the field if its SessionConfig requires it; an acceptor then includes its own value in the answer. With
    ResetSeqNumFlag there are no messages to resend: the value is 1 in the Logon that requests the reset, and
    2 in the answer, as in QuickFIX/J. On a session type without resend, the field is ignored.
    """
    if not config.session_type.resend:
        return None
    number: int | None = getattr(logon, NEXT_EXPECTED, None)
    return number


def next_expected_text(offered: int, maximum: int) -> str:
    """Return the error text for a NextExpectedMsgSeqNum beyond the last number sent."""
    return f"NextExpectedMsgSeqNum {offered} is too high, expected at most {maximum}"


def _is_secret(member: Member) -> bool:
    return isinstance(member, FieldMember) and member.field.secret


RESET_MUST_START_AT_1 = "MsgSeqNum must be 1 with ResetSeqNumFlag=Y"


class Resets:
    """Resets of the numbers within one session, requested by either side."""

    def __init__(self, core: Core, recovery: Recovery, resender: Resender, own: OwnLogon) -> None:
        self._core = core
        self._recovery = recovery
        self._resender = resender
        self._own = own

    def begin(self, now: Instant) -> None:
        """Request a reset. Messages that the peer sent before its answer still have the old numbers."""
        # The calls that may raise are made first: the check of the state, then the signer.
        self._core.require(Input.RESET)
        self._begin_reset(self._encode_request(self._own, now), now)

    def accept(self, logon: Any, store: MessageStore, fields: Block | None, now: Instant) -> None:
        """Answer the peer's Logon with a Logon that resets the numbers, because an earlier reset by this side
        was never answered.

        The earlier reset may or may not have reached the peer, so the peer's Logon may have any number. The
        session is established when the peer answers with a second Logon, which also resets the numbers.
        """
        core, answer = self._core, self._own.answer_settings(logon.heart_bt_int, fields)
        frame = self._encode_request(answer, now)
        self._own.adopt(answer)
        core.ledger.use_store(store)
        # Messages that the peer sends before it reads the answer continue from the number of its Logon.
        core.ledger.expected = logon.header.msg_seq_num + 1
        core.timers.start(answer.heart_bt_int, now.monotonic)
        core.move(Input.ACCEPT)
        self._begin_reset(frame, now)

    def _encode_request(self, own: OwnLogon, now: Instant) -> bytes:
        with_next_expected = self._core.config.offer_next_expected_at_reset
        return own.encode(1, now, reset=True, processed=0, next_expected=1 if with_next_expected else None)

    def _begin_reset(self, frame: bytes, now: Instant) -> None:
        self._core.move(Input.RESET)
        self._restart(frame, now, unanswered=True)
        self._core.timers.logon_at = now.monotonic + self._core.config.logon_timeout

    def complete(self, logon: Any, now: Instant) -> None:
        """Complete a reset that this side requested."""
        if not self._is_valid_reset(logon, self._core.store.next_outgoing, now):
            return
        # Report lost messages before `reset_answered` sets the expected number to 1, because they have the
        # old numbers.
        self._recovery.report_lost()
        self._core.emit_all_outcomes_unknown(Uncertainty.RESET)
        self._core.ledger.reset_answered()
        self._complete(logon, now, requested=True)

    def apply(self, logon: Any, now: Instant) -> None:
        """Apply a Logon with ResetSeqNumFlag=Y that this side did not request: both directions restart at 1,
        and the answer is a Logon with the same flag.
        """
        if not self._is_valid_reset(logon, 1, now):
            return
        offered = next_expected_of(logon, self._core.config)
        next_expected = None if offered is None else 2
        # Encode the answer before any state is changed, because `sign_logon` may raise. The caller must then
        # `abort`, because the peer's Logon has been consumed.
        frame = self._own.encode(1, now, reset=True, processed=1, next_expected=next_expected)
        self._recovery.report_lost()
        self._core.emit_all_outcomes_unknown(Uncertainty.RESET)
        self._restart(frame, now, unanswered=False)
        self._complete(logon, now, requested=False)

    def _is_valid_reset(self, logon: Any, maximum: int, now: Instant) -> bool:
        """Return whether a Logon that resets the numbers is valid: its number is 1, and its
        NextExpectedMsgSeqNum is at most `maximum`. If not, end the session.
        """
        offered = next_expected_of(logon, self._core.config)
        if logon.header.msg_seq_num != 1:
            text = RESET_MUST_START_AT_1
        elif offered is not None and offered > maximum:
            text = next_expected_text(offered, maximum)
        else:
            return True
        self._core.break_off(CloseReason.PROTOCOL_ERROR, text, now)
        return False

    def _restart(self, frame: bytes, now: Instant, *, unanswered: bool) -> None:
        """Send a Logon that resets the numbers, as message number 1."""
        self._core.outbound.restart(unanswered=unanswered)
        self._resender.forget()
        self._core.outbound.record_and_queue(1, frame, now)

    def _complete(self, logon: Any, now: Instant, *, requested: bool) -> None:
        self._recovery.forget()
        self._core.move(Input.PEER_LOGON)
        self._core.logged_on(logon, self._own.heart_bt_int, now, reset=True, requested=requested)
        self._recovery.begin(1, now)
