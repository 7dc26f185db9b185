"""Processing of incoming messages.

The rules of the FIXT 1.1 session layer, "Message validation" and "Session level messages", in the order in
which they apply:

- bytes that are not a message are skipped;
- a message that has no MsgSeqNum, a wrong CompID or a wrong SendingTime ends the session, and the expected
  number does not advance;
- Logout and SequenceReset-Reset are processed regardless of their number;
- the session messages in EARLY_TYPES are processed even if an earlier message is missing;
- all other messages are processed in sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from kalshi_fix_sansio import scalars
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message, UnknownMessage
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.events import (
    CloseReason,
    GarbledReceived,
    HeartbeatReceived,
    LogoutReceived,
    MessageReceived,
    MessageTooLarge,
    Uncertainty,
)
from kalshi_fix_sansio.framing import Frame, Oversized
from kalshi_fix_sansio.session.answers import RequestMatcher
from kalshi_fix_sansio.session.checks import (
    ORIG_SENDING_TIME,
    SENDER_COMP_ID,
    SENDING_TIME,
    TARGET_COMP_ID,
    Verdict,
    classify,
    comp_id_problem,
    peer_may_send,
    poss_dup_problem,
    rule_problems,
    sending_time_problem,
    too_low_text,
)
from kalshi_fix_sansio.session.core import (
    BUSINESS_REJECT,
    HEARTBEAT,
    LOGON,
    LOGOUT,
    REJECT,
    RESEND_REQUEST,
    SEQUENCE_RESET,
    TEST_REQUEST,
    Core,
)
from kalshi_fix_sansio.session.logon import Handshake
from kalshi_fix_sansio.session.recovery import Recovery, SkipReason
from kalshi_fix_sansio.session.resend import Resender
from kalshi_fix_sansio.session.states import Input, State

NEW_SEQ_NO, TEST_REQ_ID, GAP_FILL_FLAG = 36, 112, 123
EARLY_TYPES = frozenset({HEARTBEAT, TEST_REQUEST, RESEND_REQUEST, REJECT})
"""MsgTypes that are processed at once even if an earlier message is missing. A Reject may be the peer's
refusal to resend; if it were held until the gap is filled, it would never be processed. A
BusinessMessageReject may be a refusal too, but is an application message: `recovery` checks it when it is
received, and it is delivered in sequence.
"""
ADVICE: Mapping[int | None, str] = MappingProxyType(
    {
        SENDING_TIME: "set this machine's clock; if it is right, report the wrong time to the peer's "
        "operator, or set sending_time_tolerance",
        SENDER_COMP_ID: "if the SenderCompID of the peer's message (in MessageRejected) is right, add it to "
        "accepted_sender_comp_ids",
        ORIG_SENDING_TIME: "the peer resends with OrigSendingTime after SendingTime: report this to the "
        "peer's operator, or turn strict off",
        TARGET_COMP_ID: "check sender_comp_id, the CompID that the peer expects for this side",
    }
)
"""The remedy if the same message ends every connection (`SessionEnded.advice`), by the tag of the problem."""
HANDSHAKE_STATES = frozenset({State.AWAITING_LOGON, State.LOGON_SENT})
"""States before the Logon handshake is complete."""
# Copied to globals, which are looked up faster than enum members. Together with the globals of `machine` and
# `timers`, this saves 8% of the time that a report takes on CPython 3.11.
_ESTABLISHED: Final = State.ESTABLISHED
_LOGON_RECEIVED: Final = State.LOGON_RECEIVED
_CLOSED: Final = State.CLOSED


class Receiver:
    """Splits received bytes into messages, and processes each message according to the rules of the session
    layer.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._strict = core.config.strict
        self._own_name = core.config.sender_comp_id
        # The framer also returns messages with another BeginString, so they can be answered.
        self._start = b"8=%b\x01" % core.config.dialect.begin_string.encode("latin-1")
        self.recovery: Recovery = Recovery(core, self._process_held)
        self.resender: Resender = Resender(core)
        self.handshake: Handshake = Handshake(core, self.recovery, self.resender)
        self._handlers = {
            HEARTBEAT: self._handle_heartbeat,
            TEST_REQUEST: self._handle_test_request,
            RESEND_REQUEST: self.resender.serve,
            REJECT: self._handle_reject,
            BUSINESS_REJECT: self._handle_reject,
            LOGON: self._handle_second_logon,
        }
        layouts = core.config.dialect.messages.values()
        delivered = (
            layout.cls for layout in layouts if not layout.admin and layout.msg_type not in self._handlers
        )
        self._unchecked_classes: frozenset[type[Message]] = (
            frozenset() if self._strict else frozenset((*delivered, UnknownMessage))
        )
        """Classes of messages that are delivered without a check of their content; empty on a strict session,
        which checks every message.
        """
        in_sequence = (TEST_REQUEST,) if core.config.protocol_options.test_requests_in_turn else ()
        self._early_types = EARLY_TYPES.difference(in_sequence)
        self._answers = RequestMatcher(core)

    def restart_waits(self, now: Instant) -> None:
        """Restart the timers that wait for the peer, because its answers could not be read."""
        core, timers = self._core, self._core.timers
        timers.last_received, timers.probed_at = now.monotonic, None
        if timers.resend_at is not None:
            timers.resend_at = now.monotonic + core.config.resend_timeout
        if core.state is State.LOGOUT_SENT:
            timers.logout_at = now.monotonic + core.config.logout_timeout
        elif core.state in {State.LOGON_SENT, State.RESETTING}:
            timers.logon_at = now.monotonic + core.config.logon_timeout

    def drain(self, now: Instant) -> None:
        """Process all complete messages, until a Logon waits for the user's decision or the session has
        ended.
        """
        core, marked_alive = self._core, False
        framer, ledger, times = core.framer, core.ledger, core.times
        # Attributes used for each message, looked up once.
        next_frame, decode = framer.next, core.codec.decode
        emit, mark = core.events.append, ledger.marks.append
        start, unchecked, strict, resting = self._start, self._unchecked_classes, self._strict, core.resting
        # Record the call before the first message is checked, because the message may have arrived while the
        # caller was blocked.
        if times.record_call(now):
            self.restart_waits(now)
        while (state := core.state) is not _LOGON_RECEIVED and state is not _CLOSED:
            item = next_frame()
            if not isinstance(item, Frame):
                if item is None:
                    # The framer reports skipped bytes only with the next message, but they may have to end
                    # the session now.
                    if framer.skipped:
                        self._end_on_garbage(now)
                    return
                if isinstance(item, Oversized):
                    core.emit(MessageTooLarge(item.body_length, item.limit, item.msg_type))
                elif not item.oversized:  # an oversized message was reported when it began
                    core.emit(GarbledReceived(item.reason, item.data, item.size))
                times.catch_up()  # the next message may have waited behind these bytes
                self._end_on_garbage(now)
                continue
            if not marked_alive:
                # Only a complete message shows that the peer is alive; garbage does not.
                marked_alive = True
                core.timers.last_received, core.timers.probed_at = now.monotonic, None
            data = item.data
            if not data.startswith(start):
                self._handle_other_version(item, now)
                continue
            if strict:
                self._handle(*core.codec.check(item), item, now)
                continue
            message = decode(item)
            header = message.header
            number, sending_time = header.msg_seq_num, header.sending_time
            if (
                state is not _ESTABLISHED
                or number != ledger.expected
                or message.__class__ not in unchecked
                or header.sender_comp_id not in core.peer_names
                or header.target_comp_id != self._own_name
                or header.poss_dup_flag
                or sending_time is None
                or not times.earliest <= sending_time <= times.latest
            ):
                self._handle(message, (), item, now)
                continue
            # Nearly all messages of a running session reach this point. The code below is an inlined copy of
            # `_handle` and its callees for these messages. Without it, the session takes 1.6 times as long
            # for a report or a book update, and the time from tick to order (with a tick every 5 ms) is 1.1
            # times as long. `tests/session/test_receive.py` checks that both give the same result.
            times.catching_up = False
            # `match` settles requests with the next event, so call it before the event of this message is
            # added.
            uncertain_requests = self._answers.match(message) if ledger.open_requests.by_key else None
            # `number` equals `ledger.mark` at this point; `ledger.mark` is lower only while a gap is open.
            mark(number)
            ledger.expected = number + 1
            emit(MessageReceived(message, False, header.poss_resend is True, data))
            if message.__class__ in resting.rules:
                resting.update(message, data)
            if uncertain_requests:
                core.emit_outcomes_unknown(uncertain_requests, Uncertainty.PEER_UNSURE)

    def _end_on_garbage(self, now: Instant) -> None:
        """End the session because of garbled bytes if a Logon is awaited and `end_on_garbage_before_logon` is
        set. Also end it during a reset: the bytes may have been the peer's answer, so it is unknown whether
        the next numbers are old or new.
        """
        core = self._core
        if core.config.protocol_options.end_on_garbage_before_logon and core.state in HANDSHAKE_STATES:
            text = "the bytes received instead of a Logon are not a message"
            core.end(Input.PEER_VIOLATION, CloseReason.PROTOCOL_ERROR, text)
        elif core.state in {State.RESETTING, State.LOGOUT_SENT} and core.store.reset_unanswered:
            core.break_off(CloseReason.PROTOCOL_ERROR, "the answer to a reset may have been garbled", now)

    def _handle_other_version(self, frame: Frame, now: Instant) -> None:
        """End the session because of a message with a wrong BeginString (8). Send a Logout, unless the
        session is not logged on yet.
        """
        core = self._core
        text = f"Incorrect BeginString {frame.begin_string}, expected {core.config.dialect.begin_string}"
        if core.state is State.ENDING:
            return
        if core.state in HANDSHAKE_STATES:
            core.end(Input.PEER_VIOLATION, CloseReason.PROTOCOL_ERROR, text)
        else:
            core.break_off(CloseReason.PROTOCOL_ERROR, text, now)

    def _handle(self, message: Message, problems: tuple[Problem, ...], frame: Frame, now: Instant) -> None:
        """Process a message according to the rules of the current state."""
        state = self._core.state
        if state is State.AWAITING_LOGON:
            self.handshake.receive_first(message, problems, frame, now)
        elif state is State.LOGON_SENT:
            self.handshake.receive_answer(message, problems, now)
        elif state is not State.ENDING:
            self._handle_in_session(message, problems, frame, now)
        elif message.header.msg_type == LOGOUT:
            self._core.end(Input.PEER_LOGOUT, *self._core.ending)

    def _handle_in_session(
        self, message: Any, problems: tuple[Problem, ...], frame: Frame, now: Instant
    ) -> None:
        core, header = self._core, message.header
        if header.msg_seq_num is None:
            core.break_off(CloseReason.PROTOCOL_ERROR, "MsgSeqNum missing", now)
            return
        # A wrong CompID is answered with a Reject (373=9) and a Logout. On a strict session, a missing CompID
        # is answered with a Reject (373=1) only, because `problems` already contains it.
        incomplete = problems and (header.sender_comp_id is None or header.target_comp_id is None)
        fatal = None if incomplete else comp_id_problem(header, core.config, core.peer_names)
        fatal = fatal or self._time_problem(header, now)
        if fatal is not None:
            self._refuse(message, problems, fatal, frame, now)
            return
        core.times.record_read(header.sending_time)
        msg_type = header.msg_type
        # The first four cases precede the check of MsgSeqNum. A Logout ends the session even if messages are
        # missing, a Logon that resets the numbers always has number 1, and the number of a
        # SequenceReset-Reset is ignored.
        if msg_type == LOGOUT:
            self._handle_logout(message, now)
        elif msg_type == LOGON and core.store.reset_unanswered:
            self.handshake.resets.complete(message, now)
        elif (
            msg_type == LOGON
            and message.reset_seq_num_flag is True
            and (core.is_logged_on or header.msg_seq_num == 1)
        ):
            # This also applies after this side's Logout: the peer may have sent its Logon before it read the
            # Logout.
            self.handshake.resets.apply(message, now)
        elif msg_type == SEQUENCE_RESET and message.gap_fill_flag is not True:
            self._handle_reset_mode(message, problems, now)
        else:
            self._handle_numbered(message, problems, frame, now)

    def _time_problem(self, header: Any, now: Instant) -> Problem | None:
        """Check SendingTime (52), except for resent messages, which may contain their original time.

        A Logon is never resent, so its SendingTime is checked even with PossDupFlag=Y.
        """
        if header.poss_dup_flag is True and header.msg_type != LOGON:
            return None
        problem = sending_time_problem(header, self._core.config, now)
        waited = problem is not None and self._core.times.may_have_waited(header.sending_time)
        return None if waited else problem

    def _refuse(
        self, message: Message, problems: tuple[Problem, ...], fatal: Problem, frame: Frame, now: Instant
    ) -> None:
        """End the session, with a Reject and a Logout, because of a wrong SendingTime or CompID in the header
        of a message.

        Contrary to FIXT 1.1, the expected number does not advance past the message, so the peer resends it: a
        message that is rejected only because it is late may report a fill. Without resend, such a message is
        delivered before the session ends.
        """
        core, number = self._core, message.header.msg_seq_num
        expected = core.ledger.expected
        # A message that is refused during a reset will not be resent, because its number is void once the
        # peer has answered.
        peer_can_resend = core.config.session_type.resend and not core.store.reset_unanswered
        only_late = fatal.reason is Reason.SENDING_TIME_ACCURACY and not problems
        if only_late and not peer_can_resend and number == expected and self._is_for_user(message):
            # `_process` delivers the message, so the expected number advances.
            message.problems = (*message.problems, fatal)
            self._process(message, (), frame, now)
            core.send_reject(message, fatal, now)
        else:
            core.reject(message, (fatal,), now, will_be_resent=peer_can_resend and number >= expected)
        core.record_fatal_message(number, fatal.tag, ADVICE[fatal.tag])
        core.break_off(CloseReason.PROTOCOL_ERROR, fatal.text, now, rejected=True)

    def _is_for_user(self, message: Message) -> bool:
        """Return whether a message is for the user (an application message or a Reject) and can be
        delivered.
        """
        core, msg_type = self._core, message.header.msg_type
        handler = self._handlers.get(msg_type)
        if handler is not None or msg_type in {LOGOUT, SEQUENCE_RESET}:
            return handler == self._handle_reject
        if not self._strict:
            return True
        # The caller has checked that the dialect has the type.
        layout = core.config.dialect.messages[msg_type]
        return peer_may_send(layout, core.config) and not rule_problems(message, core.config, core.peer_rules)

    def _advance_past(self, number: int) -> None:
        """Advance the expected number past a message, if the message has that number."""
        if number == self._core.ledger.expected:
            self._core.ledger.expected = number + 1

    def _handle_logout(self, message: Any, now: Instant) -> None:
        """Process a Logout (5). It either answers this side's Logout, or is answered with one.

        If the number of a Logout is too high, the expected number does not advance, so the next logon detects
        and repairs the gap.
        """
        core = self._core
        if core.state is State.LOGOUT_SENT:
            self._advance_past(message.header.msg_seq_num)
            # If this side logged out because of an error, report this error instead of the peer's Text.
            reason, text = core.ending
            if reason is CloseReason.LOGGED_OUT:
                text = message.text or text or "logged out"
            core.end(Input.PEER_LOGOUT, reason, text, clean=True)
            return
        core.emit(LogoutReceived(message.text))
        self._advance_past(message.header.msg_seq_num)
        core.send_logout(None, now)
        text = message.text or "logged out by the peer"
        core.end(Input.PEER_LOGOUT, CloseReason.LOGGED_OUT, text, clean=True)

    def _handle_reset_mode(self, message: Any, problems: tuple[Problem, ...], now: Instant) -> None:
        """Process a SequenceReset-Reset. Its own number is ignored, and NewSeqNo must not be below the
        expected number.
        """
        core = self._core
        # An unreadable GapFillFlag is decoded as absent, which means Reset mode. A damaged gap fill would
        # then reset the numbers, so it is rejected even on a lenient session.
        problems = problems or tuple(each for each in message.problems if each.tag == GAP_FILL_FLAG)
        problem = problems[0] if problems else self._sequence_reset_problem(message, core.ledger.expected)
        if problem is not None:
            core.reject(message, problems or (problem,), now)
            return
        self.recovery.skip(message.new_seq_no, SkipReason.RESET)
        self.recovery.advance(now)

    def _sequence_reset_problem(self, message: Any, minimum: int) -> Problem | None:
        session_type, new_seq_no = self._core.config.session_type, message.new_seq_no
        if not session_type.resend:
            return Problem(Reason.INVALID_MSG_TYPE, f"SequenceReset is not available on {session_type.name}")
        if new_seq_no is None:
            return Problem(Reason.REQUIRED_TAG_MISSING, "NewSeqNo is missing or unreadable", NEW_SEQ_NO)
        if new_seq_no < minimum:
            text = f"NewSeqNo {new_seq_no} is too low; the minimum is {minimum}"
            return Problem(Reason.VALUE_INCORRECT, text, NEW_SEQ_NO, str(new_seq_no))
        return None

    def _handle_numbered(
        self, message: Message, problems: tuple[Problem, ...], frame: Frame, now: Instant
    ) -> None:
        core, header, options = self._core, message.header, self._core.config.protocol_options
        number, expected = header.msg_seq_num, core.ledger.expected
        verdict = classify(number, expected, poss_dup=header.poss_dup_flag is True)
        if verdict is Verdict.EXPECTED:
            self._process(message, problems, frame, now)
            self.recovery.advance(now)
        elif verdict is Verdict.TOO_HIGH:
            # The order of these steps matters. `handle_too_high` sends a ResendRequest if this message
            # reveals a gap. If the message is a Reject, it cannot refer to that request, so `is_refused_by`
            # is called first. If it is a ResendRequest, it is answered first: otherwise two sides that are
            # both missing messages would keep sending requests.
            refused = self.recovery.is_refused_by(message)
            processed = not problems and self._process_early(message, now)
            self.recovery.handle_too_high(number, None if processed else frame, now)
            if refused:
                self.recovery.handle_refusal(now)
        elif verdict is Verdict.DUPLICATE:
            problem = poss_dup_problem(header)
            if problem is not None:
                core.reject(message, (problem,), now)
                if problem.reason is Reason.SENDING_TIME_ACCURACY and options.end_on_late_orig_sending_time:
                    core.break_off(CloseReason.PROTOCOL_ERROR, problem.text, now, rejected=True)
        elif header.msg_type == RESEND_REQUEST and not problems and options.serve_low_resend_requests:
            self.resender.serve(message, now)
        else:
            core.break_off(CloseReason.SEQUENCE_TOO_LOW, too_low_text(number, expected), now)

    def _process_early(self, message: Message, now: Instant) -> bool:
        """Process a message at once if its type is in `_early_types`; return whether it was processed. If it
        waited until a gap is filled, two sides that are both missing messages would wait forever.
        """
        msg_type = message.header.msg_type
        if not self._core.config.session_type.resend or msg_type not in self._early_types:
            return False
        self._handlers[msg_type](message, now)
        return True

    def _process_held(self, frame: Frame, now: Instant) -> None:
        """Process a held message in sequence."""
        codec = self._core.codec
        message, problems = codec.check(frame) if self._strict else (codec.decode(frame), ())
        self._process(message, problems, frame, now)

    def _process(self, message: Any, problems: tuple[Problem, ...], frame: Frame, now: Instant) -> None:
        """Process the message with the expected number, and advance the number."""
        core, header = self._core, message.header
        msg_type, number = header.msg_type, header.msg_seq_num
        if self._strict and not problems:
            problems = rule_problems(message, core.config, core.peer_rules)
            if (
                problems
                and problems[0].reason is Reason.SENDING_TIME_ACCURACY
                and core.config.session_type.resend
                and not core.store.reset_unanswered
            ):
                self._refuse(message, (), problems[0], frame, now)
                return
        if msg_type == SEQUENCE_RESET and not problems:
            problem = self._sequence_reset_problem(message, number + 1)
            if problem is None:
                # The expected number does not advance here: `Recovery.advance` advances it to NewSeqNo and
                # reports the skipped numbers, for gap fills received in sequence and for held ones.
                self.recovery.skip(message.new_seq_no, SkipReason.FILL)
                return
            problems = (problem,)
        # Advance only after the events of the message are emitted: their mark is then its number, so the
        # store advances past the message only when these events are confirmed.
        self._dispatch(message, problems, frame, now)
        core.ledger.expected = number + 1

    def _dispatch(self, message: Message, problems: tuple[Problem, ...], frame: Frame, now: Instant) -> None:
        """Reject, handle or deliver the message with the expected number."""
        core, config, header = self._core, self._core.config, message.header
        msg_type = header.msg_type
        layout = config.dialect.messages.get(msg_type)
        handler = self._handlers.get(msg_type)
        # FIXT 1.1: a Reject is never answered with a Reject, because the two sides might reject each other's
        # Rejects forever.
        if problems and handler != self._handle_reject:
            core.reject(message, problems, now)
        elif handler is not None:
            handler(message, now)
        elif self._strict and layout is not None and not peer_may_send(layout, config):
            text = f"{layout.name} is not available on {config.session_type.name}"
            core.reject_unsupported(message, Problem(Reason.INVALID_MSG_TYPE, text), now)
        else:
            # A message with PossDupFlag=Y and the expected number was not received before, so it is
            # delivered. A problem with its OrigSendingTime is added to `message.problems`.
            problem = poss_dup_problem(header)
            if problem is not None:
                message.problems = (*message.problems, problem)
            uncertain_requests = self._answers.match(message)  # before the event: see `drain`
            core.emit(
                MessageReceived(message, header.poss_dup_flag is True, header.poss_resend is True, frame.data)
            )
            core.resting.update(message, frame.data)
            if uncertain_requests:
                # Advance the number before OutcomesUnknown is emitted, as in `drain`. If the process crashes
                # when the message is confirmed but OutcomesUnknown is not, the message need not be resent:
                # the store marks these requests as uncertain, and the next process reports them.
                core.ledger.expected = header.msg_seq_num + 1
                core.emit_outcomes_unknown(uncertain_requests, Uncertainty.PEER_UNSURE)

    def send_heartbeat(self, now: Instant) -> None:
        """Send a Heartbeat, because no message was sent for HeartBtInt seconds."""
        self._core.outbound.post(self._core.outbound.admin(HEARTBEAT), now, keep=False)

    # Handlers of session messages

    def _handle_heartbeat(self, message: Any, now: Instant) -> None:  # noqa: ARG002 - every handler gets it
        """Process a Heartbeat (0); emit an event only if it answers a TestRequest."""
        if message.test_req_id is not None:
            self._core.emit(HeartbeatReceived(message.test_req_id))

    def _handle_test_request(self, message: Any, now: Instant) -> None:
        """Answer a TestRequest (1) with a Heartbeat that contains its TestReqID."""
        # A lenient decoder accepts a TestReqID that cannot be sent, such as one that contains NUL. Without
        # this check, `receive_data` would raise the EncodeError of the answer.
        try:
            scalars.format_string(message.test_req_id or "")
        except EncodeError as error:
            reason = Reason.VALUE_INCORRECT if message.test_req_id else Reason.REQUIRED_TAG_MISSING
            self._core.reject(message, (Problem(reason, f"TestReqID: {error}", TEST_REQ_ID),), now)
            return
        answer = self._core.outbound.admin(HEARTBEAT, test_req_id=message.test_req_id)
        self._core.outbound.post(answer, now, keep=False)

    def _handle_reject(self, message: Message, now: Instant) -> None:  # noqa: ARG002 - every handler gets it
        """Process a Reject (3) or BusinessMessageReject (j)."""
        self._answers.emit_reject(message)

    def _handle_second_logon(self, message: Message, now: Instant) -> None:
        """Reject a Logon (A) without ResetSeqNumFlag=Y on an established session."""
        self._core.reject(message, (Problem(Reason.OTHER, "already logged on"),), now)
