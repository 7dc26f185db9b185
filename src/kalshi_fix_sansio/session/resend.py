"""Resends from the store, for the peer's ResendRequest (2) or the NextExpectedMsgSeqNum of its Logon.

FIXT 1.1 session layer, "Message recovery": application messages that the resend policy allows are resent with
PossDupFlag=Y and OrigSendingTime. Gap fills replace all others, such as session messages. A long resend is
sent in pages: each page is produced once the previous page was written, so the resend is never in memory as a
whole. One call to the session reads a limited number of stored messages, so no ResendRequest blocks the
caller for long. If an order or another request is not resent, the peer may never receive it; OutcomesUnknown
reports such requests.

Resent messages and gap fills have the original numbers; no new numbers are used.
"""

from __future__ import annotations

from typing import Any

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.events import ResendServed, Uncertainty
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.session.checks import checked_number
from kalshi_fix_sansio.session.core import NO_END, SEQUENCE_RESET, Core
from kalshi_fix_sansio.session.store import StoredMessage

PAGE_SIZE = 256 * 1024
"""Number of unsent bytes at which a resend pauses, or `max_unsent` if that is less."""
MESSAGES_PER_TURN = 500
"""Maximum number of stored messages read in one turn (one call to the session), for all its ResendRequests.
"""
BYTES_PER_TURN = 256 * 1024
"""Total size of stored messages, in bytes, after which a turn stops reading."""
BEGIN_SEQ_NO, END_SEQ_NO = 7, 16


@attrs.define
class _Job:
    """A resend in progress."""

    begin: int
    """The first requested number."""
    end: int
    """The last requested number."""
    position: int
    """The next number to send, in a resent message or a gap fill."""
    next_to_read: int
    """The next number to read from the store. The messages from `position` up to, but not including, this
    number were read and will not be resent. One gap fill replaces them, before the next resent message or at
    the end.
    """
    request: Message | None
    """The last ResendRequest for this range; None if the peer sent NextExpectedMsgSeqNum instead."""
    resent: int = 0
    """The number of messages resent."""


class Resender:
    """Serves one ResendRequest at a time; a second ResendRequest extends the resend in progress."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.job: _Job | None = None
        """The resend in progress; None if there is none."""
        self._paused_at = 0.0
        """Time at which the last page was produced, in seconds of `Instant.monotonic`."""
        self._turn: Instant | None = None
        """The Instant of the current turn. `_messages_left` and `_bytes_left` limit how many stored messages
        and bytes this turn may still read. Another Instant object, or `continue_resend`, begins the next
        turn.
        """
        self._messages_left = self._bytes_left = 0

    def _begin_turn(self, now: Instant) -> None:
        self._turn = now
        self._messages_left, self._bytes_left = MESSAGES_PER_TURN, BYTES_PER_TURN

    def _turn_is_over(self) -> bool:
        return self._messages_left <= 0 or self._bytes_left <= 0

    def serve(self, request: Any, now: Instant) -> None:
        """Answer a ResendRequest: reject it, or start to resend."""
        problem = self._problem(request)
        if problem is not None:
            self._core.reject(request, (problem,), now)
            # If the store has dropped the messages, the peer will not receive them. If BeginSeqNo has not
            # been sent yet, this range is empty.
            if problem.tag == BEGIN_SEQ_NO and request.begin_seq_no:
                self._give_up_between(request.begin_seq_no, self._core.store.oldest_kept)
            return
        last = self._core.store.next_outgoing - 1
        end = last if request.end_seq_no == NO_END else request.end_seq_no
        self._start(request.begin_seq_no, end, request, now)

    def resend_unrequested(self, begin: int, end: int, now: Instant) -> None:
        """Resend the messages that are missing according to the peer's NextExpectedMsgSeqNum (789), without a
        ResendRequest.

        If the store has dropped the first message, nothing is resent here; the peer will then send a
        ResendRequest, which is rejected.
        """
        if begin <= end and self._retention_problem(begin) is None:
            self._start(max(begin, 1), end, None, now)

    def _start(self, begin: int, end: int, request: Message | None, now: Instant) -> None:
        """Begin a resend, or extend the one in progress. A resend in progress starts again from `begin` if
        the peer requests numbers that were already resent or filled.
        """
        end = min(end, self._core.store.next_outgoing - 1)
        job = self.job
        if job is None:
            self.job = _Job(begin, end, begin, begin, request)
        else:
            job.end, job.request = max(end, job.end), request
            if begin < job.position:
                job.begin = job.position = job.next_to_read = begin
                job.resent = 0
        if now is not self._turn:
            self._begin_turn(now)
        self._produce(now)

    def _problem(self, request: Any) -> Problem | None:
        begin, end, store = request.begin_seq_no, request.end_seq_no, self._core.store
        session_type = self._core.config.session_type
        if not session_type.resend:
            text = f"ResendRequest is not available on {session_type.name}"
            return Problem(Reason.INVALID_MSG_TYPE, text)
        if begin is None or end is None:
            tag, name = (BEGIN_SEQ_NO, "BeginSeqNo") if begin is None else (END_SEQ_NO, "EndSeqNo")
            return Problem(Reason.REQUIRED_TAG_MISSING, f"{name} is missing or unreadable", tag)
        if not 1 <= begin < store.next_outgoing:
            text = (
                f"BeginSeqNo {begin} has not been sent yet; the last number sent is {store.next_outgoing - 1}"
            )
            return Problem(Reason.VALUE_INCORRECT, text, BEGIN_SEQ_NO, str(begin))
        if end != NO_END and end < begin:
            text = f"EndSeqNo {end} is before BeginSeqNo {begin}"
            return Problem(Reason.VALUE_INCORRECT, text, END_SEQ_NO, str(end))
        return self._retention_problem(begin)

    def _retention_problem(self, begin: int) -> Problem | None:
        """Return a problem if a request that begins with this number must be rejected, because the store has
        dropped the message.
        """
        oldest = self._core.store.oldest_kept
        if begin >= oldest or not self._core.config.reject_forgotten_resend:
            return None
        text = f"BeginSeqNo {begin} is before the retention window, which begins at {oldest}"
        return Problem(Reason.VALUE_INCORRECT, text, BEGIN_SEQ_NO, str(begin))

    def continue_resend(self, now: Instant) -> None:
        """Run the next turn of the resend in progress."""
        self._begin_turn(now)
        self._produce(now)

    def _produce(self, now: Instant) -> None:
        """Produce the next page, if there is space in the buffer and this turn may read more messages."""
        core, job = self._core, self.job
        core.timers.page_at = None
        self._paused_at = now.monotonic
        # With more than twice `max_unsent` in the buffer, the session assumes that the peer has stopped
        # reading, and ends. A resend alone must not reach that size.
        page = min(PAGE_SIZE, core.config.max_unsent)
        if job is None or len(core.outbound.buffer) >= page or self._turn_is_over():
            return
        # Checked for each page, because the store may drop messages during a long resend.
        problem = self._retention_problem(job.next_to_read)
        if problem is not None:
            self._break_off(job, problem, now)
            return
        for stored in core.store.sent_between(job.next_to_read, job.end):
            if self._turn_is_over():
                return
            self._messages_left -= 1
            self._bytes_left -= len(stored.frame)
            job.next_to_read = stored.seq_num + 1
            message = core.codec.decode(Frame(stored.frame))
            age = (now.utc - stored.sent_at).total_seconds()
            if core.config.resend_policy(message, age):
                # Fill the earlier numbers first; otherwise the peer would detect a gap.
                self._fill(job, stored.seq_num, now)
                self._resend_message(message, stored, now)
                core.ledger.record_resend(stored.seq_num)
                job.position = stored.seq_num + 1
                job.resent += 1
                if len(core.outbound.buffer) >= page:
                    return
        self._fill(job, job.end + 1, now)
        self.forget()
        core.emit(ResendServed(job.begin, job.end, job.resent))

    def _break_off(self, job: _Job, problem: Problem, now: Instant) -> None:
        """Stop the resend: the store has meanwhile dropped the next messages, and a gap fill in their place
        would hide the loss.

        If the resend answers a ResendRequest, emit OutcomesUnknown for the open requests among the dropped
        messages, and reject the ResendRequest as if it were received now. After several ResendRequests, the
        last one may begin with a message that is still kept; then continue from there instead.

        If the resend answers a NextExpectedMsgSeqNum, only stop. The peer will send a ResendRequest, which is
        rejected.
        """
        self._fill(job, job.next_to_read, now)
        self.forget()
        request: Any = job.request
        if request is None:
            return
        oldest = self._core.store.oldest_kept
        self._give_up_between(job.position, oldest)
        if request.begin_seq_no < oldest:
            self._core.reject(request, (problem,), now)
        else:
            self._start(request.begin_seq_no, job.end, request, now)

    def mark_written(self) -> None:
        """Record that `data_to_send` has returned bytes, or has none left: the next page is due."""
        # `_paused_at` is in the past, so the next page is due at once.
        self._core.timers.page_at = self._paused_at

    def forget(self) -> None:
        """Abandon the resend in progress."""
        self.job = None
        self._core.timers.page_at = None

    def _fill(self, job: _Job, new_seq_no: int, now: Instant) -> None:
        """Send a gap fill from the position of the job up to, but not including, `new_seq_no`."""
        if new_seq_no <= job.position:
            return
        outbound = self._core.outbound
        fill = outbound.admin(SEQUENCE_RESET, gap_fill_flag=True, new_seq_no=checked_number(new_seq_no))
        # FIXT 1.1, "Standard message header": if the original time is unknown, OrigSendingTime is equal to
        # SendingTime.
        duplicate = {"poss_dup_flag": True, "orig_sending_time": now.utc}
        header = outbound.header(SEQUENCE_RESET, job.position, now, fields=duplicate)
        self._give_up_between(job.position, new_seq_no)
        outbound.write(self._core.codec.encode(fill, header), now)
        job.position = new_seq_no

    def _give_up_between(self, begin: int, end: int) -> None:
        """Emit OutcomesUnknown for the requests with numbers from `begin` up to, but not including, `end`,
        which are not resent.
        """
        self._core.emit_outcomes_unknown(
            self._core.ledger.open_requests.find_between(begin, end), Uncertainty.NOT_RESENT
        )

    def _resend_message(self, message: Message, stored: StoredMessage, now: Instant) -> None:
        header = message.header
        header.poss_dup_flag = True
        header.orig_sending_time = stored.sent_at
        # Peers reject a message whose OrigSendingTime (122) is after its SendingTime (52). If this side's
        # clock was set back since the first sending, SendingTime therefore keeps its original value.
        header.sending_time = max(now.utc, stored.sent_at)
        self._core.outbound.set_last_processed(header)
        self._core.outbound.write(self._core.codec.with_header(Frame(stored.frame), header), now)
