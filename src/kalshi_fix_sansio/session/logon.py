"""The Logon handshake of initiators and acceptors: the messages sent, and the checks of the peer's Logon.

FIXT 1.1 session layer, "Logon"; Kalshi, "Authentication & Sessions". A Logon that fails a check is answered
with a Logout whose Text contains the reason.
"""

from __future__ import annotations

from typing import Any

from kalshi_fix_sansio import scalars
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import LogonToSign, Role
from kalshi_fix_sansio.dialect.base import Block, Message
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.events import CloseReason, LogonRequested, RejectReceived, Uncertainty
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.session.checks import (
    LAST_NUMBER,
    SENDING_TIME,
    Verdict,
    checked_number,
    classify,
    comp_id_problem,
    peer_rules,
    rule_problems,
    sending_time_problem,
    too_high_text,
    too_low_text,
    used_up_text,
    version_problem,
)
from kalshi_fix_sansio.session.core import LOGON, LOGOUT, REJECT, Core
from kalshi_fix_sansio.session.own_logon import (
    RESET_MUST_START_AT_1,
    OwnLogon,
    Resets,
    next_expected_of,
    next_expected_text,
)
from kalshi_fix_sansio.session.recovery import Recovery
from kalshi_fix_sansio.session.resend import Resender
from kalshi_fix_sansio.session.states import Input, State
from kalshi_fix_sansio.session.store import MessageStore
from kalshi_fix_sansio.validation import logon_facts

Failure = tuple[CloseReason, str]
INVALID_LOGON = frozenset({Reason.COMP_ID_PROBLEM, Reason.SENDING_TIME_ACCURACY, Reason.REQUIRED_TAG_MISSING})
"""Reasons of problems that make a Logon invalid. `ProtocolOptions.explain_violation` decides whether such a
Logon is answered with a Logout. For a Logon with any other problem, which is valid but refused,
`ProtocolOptions.explain_refusal` decides this.
"""
RESET_NOT_ANSWERED = "the Logon with ResetSeqNumFlag=Y was answered without a reset"


class Handshake:
    """The Logon handshake of one session."""

    def __init__(self, core: Core, recovery: Recovery, resender: Resender) -> None:
        self._core = core
        self._recovery = recovery
        self._resender = resender
        self._own = OwnLogon(core)
        self.resets: Resets = Resets(core, recovery, resender, self._own)
        self._request: Any = None
        """The peer's Logon, which the user of an acceptor must accept or refuse."""
        self._is_reset_requested = False
        """Whether this initiator's Logon resets the numbers."""
        self.refusal: str | None = None
        """The Text of a Reject received instead of an answer to the Logon."""

    def begin(self, now: Instant) -> None:
        """Send the Logon of an initiator.

        The Logon resets the numbers if `reset_seq_num` is set, or if the peer's numbers have reached their
        maximum. It also resets them if an earlier reset was not answered, because the peer may or may not
        have received it.

        OutcomesUnknown reports open requests from earlier processes. On session types with resend, answers
        are resent, so only requests that the store marks as uncertain are reported. If an earlier process
        reset the numbers and crashed before its user confirmed the LoggedOn event of the reset, all requests
        are reported, because that process may have lost their answers.
        """
        core, config = self._core, self._core.config
        core.require(Input.CONNECT)
        # Encode the Logon before anything is recorded or emitted: if `sign_logon` raises, the caller can call
        # `connect` again, or continue with another session.
        used_up = core.ledger.expected > LAST_NUMBER
        reset = self._is_reset_requested = config.reset_seq_num or core.store.reset_unanswered or used_up
        seq_num = 1 if reset else checked_number(core.store.next_outgoing)
        expected = 1 if reset else core.ledger.expected
        with_next_expected = config.offer_next_expected_at_reset if reset else config.offer_next_expected
        frame = self._own.encode(
            seq_num,
            now,
            reset=reset,
            processed=expected - 1,
            next_expected=expected if with_next_expected else None,
        )
        requests = core.ledger.load_requests(core.names_of)
        if config.session_type.resend and not reset and not core.ledger.restart_unreported:
            requests = [request for request in requests if request.uncertain]
        core.emit_outcomes_unknown(requests, Uncertainty.RESTARTED)
        if reset:
            core.emit_all_outcomes_unknown(Uncertainty.RESET)
            core.outbound.restart(unanswered=True)
            # On a new connection, no message with an old number can arrive, unlike after a reset within a
            # connection.
            core.ledger.expected = 1
        core.outbound.record_and_queue(seq_num, frame, now)
        core.timers.logon_at = now.monotonic + config.logon_timeout
        core.move(Input.CONNECT)

    # The acceptor

    def receive_first(
        self, message: Message, problems: tuple[Problem, ...], frame: Frame, now: Instant
    ) -> None:
        """Process the first message that an acceptor receives. If it is not a Logon, the session ends without
        an answer.
        """
        core = self._core
        header = message.header
        if header.msg_type != LOGON:
            cause = Input.PEER_LOGOUT if header.msg_type == LOGOUT else Input.PEER_MESSAGE
            text = f"the first message was not a Logon but MsgType {header.msg_type}"
            core.end(cause, CloseReason.PROTOCOL_ERROR, text)
            return
        if not header.sender_comp_id or not _is_printable(header.sender_comp_id):
            text = "the Logon has no usable SenderCompID to answer to"
            core.end(Input.PEER_VIOLATION, CloseReason.PROTOCOL_ERROR, text)
            return
        # Set before the Logon is checked, because the Logout that refuses it also needs a TargetCompID.
        if core.outbound.peer_comp_id is None:
            core.outbound.peer_comp_id = header.sender_comp_id
        failure = self._request_failure(message, problems, now)
        if failure is not None:
            reason, text, is_invalid = failure
            options = core.config.protocol_options
            with_logout = options.explain_violation if is_invalid else options.explain_refusal
            core.fail(reason, text, now, with_logout=with_logout)
            return
        core.record_peer(header.sender_comp_id)
        self._request = message
        core.move(Input.PEER_LOGON)
        signed = LogonToSign(
            _wire_sending_time(frame, header),
            LOGON,
            header.msg_seq_num,
            header.sender_comp_id,
            header.target_comp_id,
        )
        core.emit(LogonRequested(message, signed))

    def _request_failure(
        self, logon: Any, problems: tuple[Problem, ...], now: Instant
    ) -> tuple[CloseReason, str, bool] | None:
        """Return None if the Logon is acceptable; otherwise the reason and text of the refusal, and whether
        the Logon is invalid (INVALID_LOGON).
        """
        config, header = self._core.config, logon.header
        problem = self._problem(logon, problems, now)
        if problem is not None:
            return CloseReason.LOGON_REFUSED, problem.text, problem.reason in INVALID_LOGON
        if header.msg_seq_num is None:
            return CloseReason.PROTOCOL_ERROR, "MsgSeqNum missing", True
        if header.sending_time is None:
            return CloseReason.LOGON_REFUSED, "SendingTime missing or unreadable", True
        heart_bt_int = logon.heart_bt_int
        if heart_bt_int is None or not config.min_heart_bt_int <= heart_bt_int <= config.max_heart_bt_int:
            limits = f"{config.min_heart_bt_int} to {config.max_heart_bt_int}"
            return CloseReason.LOGON_REFUSED, f"HeartBtInt must be {limits} seconds", False
        if logon.reset_seq_num_flag is not True:
            if config.session_type.reset_required:
                text = f"ResetSeqNumFlag must be Y on {config.session_type.name}"
                return CloseReason.LOGON_REFUSED, text, False
        elif header.msg_seq_num != 1:
            return CloseReason.LOGON_REFUSED, RESET_MUST_START_AT_1, False
        return None

    def accept(self, store: MessageStore | None, fields: Block | None, now: Instant) -> None:
        """Answer the peer's Logon with a Logon or, if one of its numbers is impossible, with a Logout."""
        core, logon = self._core, self._request
        core.require(Input.ACCEPT)
        # Check the numbers and encode the answer before switching to `store`. If `sign_logon` raises, or the
        # dialect forbids `fields`, the session is then unchanged, and the caller can still accept or refuse.
        peer_store = core.store if store is None else store
        reset = logon.reset_seq_num_flag is True
        if peer_store.reset_unanswered and not reset:
            self.resets.accept(logon, peer_store, fields, now)
            return
        expected = 1 if reset else self._expected_in(peer_store)
        number = logon.header.msg_seq_num
        verdict = classify(number, expected, poss_dup=False)
        failure: Failure | None = None
        if verdict is Verdict.TOO_LOW:
            failure = CloseReason.SEQUENCE_TOO_LOW, too_low_text(number, expected)
        elif verdict is Verdict.TOO_HIGH and not core.config.session_type.resend:
            failure = CloseReason.SEQUENCE_GAP, too_high_text(number, expected)
        elif number == LAST_NUMBER:  # there is no next number to expect
            failure = CloseReason.SEQUENCE_TOO_LOW, used_up_text()
        seq_num = 1 if reset else checked_number(peer_store.next_outgoing)
        offered = next_expected_of(logon, core.config)
        if offered is not None and offered > seq_num:
            failure = CloseReason.PROTOCOL_ERROR, next_expected_text(offered, seq_num)
        if failure is not None:
            core.ledger.use_store(peer_store)  # the Logout uses a number from this peer's store
            core.fail(*failure, now)
            return
        next_expected = number + 1 if verdict is Verdict.EXPECTED else expected
        settings = self._own.answer_settings(logon.heart_bt_int, fields)
        frame = settings.encode(
            seq_num,
            now,
            reset=reset,
            processed=next_expected - 1,
            next_expected=None if offered is None else next_expected,
        )
        core.ledger.use_store(peer_store)
        if reset:
            core.outbound.restart(unanswered=False)
        core.outbound.record_and_queue(seq_num, frame, now)
        core.move(Input.ACCEPT)
        self._own.adopt(settings)
        # Called before `Recovery.begin`, which advances past the Logon or emits GapDetected. LoggedOn is
        # therefore the first event, and the store advances past the Logon only when LoggedOn is confirmed.
        core.logged_on(logon, settings.heart_bt_int, now, reset=reset)
        self._recovery.begin(number, now, peer_will_resend=offered is not None)
        if offered is not None:
            self._resender.resend_unrequested(offered, seq_num - 1, now)

    def refuse(self, text: str, now: Instant) -> None:
        """Answer the peer's Logon with a Logout."""
        self._core.require(Input.REFUSE)
        self._core.fail(CloseReason.LOGON_REFUSED, text, now, cause=Input.REFUSE)

    # The initiator

    def receive_answer(self, message: Any, problems: tuple[Problem, ...], now: Instant) -> None:
        """Process a message that an initiator receives before it is logged on: the answer to its Logon, or a
        refusal.
        """
        core = self._core
        msg_type = message.header.msg_type
        if msg_type == LOGON:
            self._handle_logon(message, problems, now)
        elif msg_type == LOGOUT:
            text = message.text or self.refusal or "the peer refused the Logon without a reason"
            core.end(Input.PEER_LOGOUT, CloseReason.LOGON_REFUSED, text)
        elif msg_type == REJECT:
            # A Reject does not end the session yet, because a Logout, the end of the connection, or the
            # timeout follows. Keep its Text, which explains the end.
            self.refusal = message.text or "the peer rejected the Logon without a reason"
            sent = core.outbound.find_sent(message.ref_seq_num)
            core.emit(RejectReceived(message, message.ref_seq_num, sent))
        else:
            text = f"MsgType {msg_type} was received before the answer to the Logon"
            core.end(Input.PEER_MESSAGE, CloseReason.PROTOCOL_ERROR, text)

    def _handle_logon(self, logon: Any, problems: tuple[Problem, ...], now: Instant) -> None:
        core = self._core
        failure = self._answer_failure(logon, problems, now)
        if failure is not None:
            core.fail(*failure, now, with_logout=core.config.protocol_options.explain_violation)
            return
        core.record_peer(logon.header.sender_comp_id)
        if logon.reset_seq_num_flag is True and not self._is_reset_requested:
            self.resets.apply(logon, now)
            return
        if self._is_reset_requested:
            core.ledger.reset_answered()
        core.move(Input.PEER_LOGON)
        # Read `last` before `Recovery.begin`, which may send a ResendRequest. That ResendRequest is not among
        # the messages that the peer has missed.
        offered, last = next_expected_of(logon, core.config), core.store.next_outgoing - 1
        peer_will_resend = offered is not None and core.config.offer_next_expected
        resetting = self._is_reset_requested
        core.logged_on(logon, core.config.heart_bt_int, now, reset=resetting, requested=resetting)
        self._recovery.begin(logon.header.msg_seq_num, now, peer_will_resend=peer_will_resend)
        if offered is not None and not self._is_reset_requested:
            self._resender.resend_unrequested(offered, last, now)

    def _answer_failure(self, logon: Any, problems: tuple[Problem, ...], now: Instant) -> Failure | None:
        core, config, header = self._core, self._core.config, logon.header
        problem = self._problem(logon, problems, now)
        if problem is not None:
            return CloseReason.PROTOCOL_ERROR, problem.text
        number, expected = header.msg_seq_num, core.ledger.expected
        if number is None:
            return CloseReason.PROTOCOL_ERROR, "MsgSeqNum missing"
        if logon.heart_bt_int not in {None, config.heart_bt_int}:
            text = f"HeartBtInt must be {config.heart_bt_int} as in the Logon, not {logon.heart_bt_int}"
            return CloseReason.PROTOCOL_ERROR, text
        resets = logon.reset_seq_num_flag is True
        # A peer that answers a reset with number 1 has reset its numbers, even if its Logon lacks
        # ResetSeqNumFlag.
        if resets or self._is_reset_requested:
            if number != 1:
                return CloseReason.PROTOCOL_ERROR, RESET_MUST_START_AT_1 if resets else RESET_NOT_ANSWERED
        elif classify(number, expected, poss_dup=False) is Verdict.TOO_LOW:
            return CloseReason.SEQUENCE_TOO_LOW, too_low_text(number, expected)
        offered = next_expected_of(logon, config)
        # If the peer requests a reset, this side's next number is 1. If the peer answers this side's reset,
        # it may or may not have advanced past this side's Logon, so it may expect 1 or 2.
        maximum = 1 if resets and not self._is_reset_requested else core.store.next_outgoing
        if offered is not None and offered > maximum:
            return CloseReason.PROTOCOL_ERROR, next_expected_text(offered, maximum)
        return None

    # Both roles

    def _expected_in(self, store: MessageStore) -> int:
        """Return the number expected next from the peer: from the ledger if it uses this store, otherwise
        from the store.
        """
        ledger = self._core.ledger
        # The ledger may be ahead of its store, which counts only messages whose events the user has
        # confirmed.
        return ledger.expected if store is ledger.store else store.next_incoming

    def _problem(self, logon: Message, problems: tuple[Problem, ...], now: Instant) -> Problem | None:
        """Return the first problem with a Logon; None if there is none. A strict session also applies the
        dialect's rules.
        """
        core, config, header = self._core, self._core.config, logon.header
        problem = comp_id_problem(header, config, config.accepted_sender_comp_ids)
        problem = problem or sending_time_problem(header, config, now)
        if problem is not None and problem.tag == SENDING_TIME and config.role is Role.INITIATOR:
            # Only an initiator accepts an old Logon that was read late. An acceptor never does, because an
            # attacker could replay a recorded Logon, whose signature is valid.
            problem = None if self._core.times.may_have_waited(header.sending_time) else problem
        if problem is None and config.strict:
            rules = core.peer_rules
            if config.role is Role.ACCEPTOR:
                rules = peer_rules(config, logon_facts(config.dialect, logon))
            all_problems = problems or rule_problems(logon, config, rules)
            problem = next(iter(all_problems), None) or version_problem(logon, config)
        return problem

    def handle_timeout(self, now: Instant) -> None:
        """End a handshake that took too long."""
        core = self._core
        within_timeout = f"within {core.config.logon_timeout:g} seconds"
        if core.state in {State.LOGON_RECEIVED, State.RESETTING}:
            text = f"the Logon was not answered {within_timeout}"
            core.fail(CloseReason.LOGON_TIMEOUT, text, now, cause=Input.LOGON_OVERDUE)
        elif self.refusal is not None:
            core.end(Input.LOGON_OVERDUE, CloseReason.LOGON_REFUSED, self.refusal)
        else:
            missing_message = "Logon" if core.state is State.AWAITING_LOGON else "answer to the Logon"
            core.end(
                Input.LOGON_OVERDUE,
                CloseReason.LOGON_TIMEOUT,
                f"no {missing_message} was received {within_timeout}",
            )


def _is_printable(text: str) -> bool:
    return all(" " < character <= "~" for character in text)


def _wire_sending_time(frame: Frame, header: Any) -> str:
    """Return the exact text of SendingTime (52) in the frame, or an empty string if other text that looks
    like field 52 precedes it.
    """
    # A data field before the header's field 52 may contain text that looks like another field 52. The
    # signature must not be checked against that text; with an empty string, the check fails.
    text = next(field[3:] for field in frame.data.decode("latin-1").split("\x01") if field.startswith("52="))
    try:
        return text if scalars.parse_utctimestamp(text) == header.sending_time else ""
    except ValueError:
        return ""
