"""Recovery of missing incoming messages.

FIXT 1.1 session layer, "Message recovery". On a session type with resend, one ResendRequest is sent for the
missing messages. Later messages are held, up to a limit, and then delivered in sequence. A resend that stalls
is requested again; after several attempts, the session logs out. If the peer refuses to resend, a `Search`
finds the oldest message that it still has, and earlier ones are reported as lost. On a session type without
resend, a gap ends the session with a Logout.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import Enum
from typing import Any

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.events import (
    CloseReason,
    GapClosed,
    GapDetected,
    MessagesLost,
    SequenceSkipped,
    Uncertainty,
)
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.session.checks import too_high_text
from kalshi_fix_sansio.session.core import BUSINESS_REJECT, NO_END, REJECT, RESEND_REQUEST, Core
from kalshi_fix_sansio.session.states import ENDED_STATES, Input, State

HEADER_REASONS = (
    Reason.COMP_ID_PROBLEM,
    Reason.SENDING_TIME_ACCURACY,
    Reason.DECRYPTION_PROBLEM,
    Reason.SIGNATURE_PROBLEM,
)
"""SessionRejectReasons (373) that concern only the header of the ResendRequest. The peer may still have the
requested messages, so the request is repeated after such a Reject.
"""
TEMPORARY_REASONS = (4, 8)
"""BusinessRejectReasons (380) that are temporary: application unavailable, rate limit exceeded."""

Process = Callable[[Frame, Instant], None]
"""A function that processes a held message when its number is the expected one."""


class SkipReason(Enum):
    """Why numbers are skipped."""

    FILL = "SequenceReset-GapFill"
    RESET = "SequenceReset-Reset"
    LOST = "the peer no longer has them"


@attrs.define
class Search:
    """A binary search for the oldest message that the peer still has. Each step requests a single message.
    The result is between `low` and `high`, inclusive.

    A peer may keep messages only for a limited time, and refuse a ResendRequest that begins before that time
    (Kalshi: "before the retention window"). It does not report the first number that it has kept. All dropped
    messages are older than all kept ones, so about log2(n) requests suffice for n numbers.
    """

    low: int
    """The peer has no message with a lower number."""
    high: int
    """The first number that is not missing or, if lower, the lowest number that the peer has sent during the
    search.
    """

    @property
    def is_complete(self) -> bool:
        """Whether the search is complete: `low` is the oldest message that the peer has."""
        return self.low >= self.high

    @property
    def probe(self) -> int:
        """The number to request next."""
        return (self.low + self.high) // 2

    def record_received(self, number: int) -> bool:
        """Record that the peer has sent the message with this number; return whether that narrows the
        search."""
        if not self.low <= number < self.high:
            return False
        self.high = number
        return True

    def record_refused(self) -> None:
        """Record that the peer does not have the requested message."""
        self.low = self.probe + 1


class Recovery:
    """The gap in the peer's numbers, if there is one, and the messages held until it is closed."""

    def __init__(self, core: Core, process: Process) -> None:
        self._core = core
        self._process = process
        self._held: dict[int, Frame | None] = {}
        """Held messages by MsgSeqNum; None for a session message that was processed when it was received.
        Only bytes are held, because a decoded message takes many times their memory.
        """
        self._held_bytes = 0
        self._held_numbers: list[int] = []
        """The numbers of the held messages, as a heap."""
        self._highest = 0
        """The highest number received since the gap was detected, even if the message was not held. The gap
        is closed when the expected number exceeds this number.
        """
        self._last_awaited = 0
        """The last of the missing numbers that are awaited. The ResendRequest may have another range:
        EndSeqNo 0 (no end) or, during a search, a single number.
        """
        self._attempts = 0
        """Number of ResendRequests since the last progress."""
        self._request_number = 0
        """MsgSeqNum of the last ResendRequest sent; 0 if none was sent for this gap."""
        self._search: Search | None = None
        self._search_begin = 0
        """The first number that was missing when the search began."""
        self._maybe_refused = False
        """Whether a Reject without RefSeqNum was received that may refer to the ResendRequest."""
        self._sent_before = 0
        """The missing messages can only answer requests whose MsgSeqNum is lower than this one."""
        self._skip_to = 0
        """`advance` skips to this number; it may be far above the expected number."""
        self._skip_reason = SkipReason.FILL

    def begin(self, number: int, now: Instant, *, peer_will_resend: bool = False) -> None:
        """Process the number of the peer's Logon. If it is too high, the gap is filled after the logon. With
        `peer_will_resend`, the peer knows from NextExpectedMsgSeqNum which messages are missing, and resends
        them without a request.
        """
        core = self._core
        if number == core.ledger.expected:
            core.ledger.expected = number + 1
            core.emit_outcomes_unknown(core.ledger.take_suspects(), Uncertainty.ANSWERS_LOST)
        else:
            self.handle_too_high(number, None, now, peer_will_resend=peer_will_resend)

    def handle_too_high(
        self, seq_num: int, held: Frame | None, now: Instant, *, peer_will_resend: bool = False
    ) -> None:
        """Process a message whose number is higher than expected; `held` is its frame, or None if only
        its number must be kept, because it has been processed already.

        No resend is requested during a reset. After this side's Logout, the resend is left to the next logon.
        With `peer_will_resend`, a resend is requested only if the peer does not begin it on its own. During a
        search, resent messages are not held, because they are requested again when the search is complete.
        """
        core = self._core
        # Update this even if the message is dropped, so `_check_gap` requests it again, or `report_lost`
        # reports it.
        self._highest = max(self._highest, seq_num)
        if core.state is State.LOGOUT_SENT:
            return
        expected = core.ledger.expected
        # While the answer to a reset is awaited, no earlier message can be requested: the peer would take
        # BeginSeqNo for one of the new numbers.
        if not core.config.session_type.resend or core.state is State.RESETTING:
            core.emit(GapDetected(expected, seq_num - 1, recoverable=False))
            text = too_high_text(seq_num, expected)
            core.begin_logout(Input.PEER_LOST, CloseReason.SEQUENCE_GAP, text, now)
            return
        if core.state is not State.RECOVERING:
            core.emit(GapDetected(expected, seq_num - 1, recoverable=True))
            core.move(Input.PEER_GAP)
            self._request_to(seq_num - 1, now, peer_will_resend=peer_will_resend)
        if self._search is not None and seq_num <= self._last_awaited:
            if self._search.record_received(seq_num):
                self._continue_search(self._search, now)
            return
        size = 0 if held is None else len(held.data)
        if (
            seq_num not in self._held
            and len(self._held) < core.config.max_held
            and self._held_bytes + size <= core.config.max_held_bytes
        ):
            self._held[seq_num] = held
            self._held_bytes += size
            heapq.heappush(self._held_numbers, seq_num)

    def skip(self, new_seq_no: int, reason: SkipReason) -> None:
        """Let `advance` raise the expected number to `new_seq_no`, because the peer will not send any message
        with a lower number.
        """
        # Never lower the number: a held gap fill may be processed during a longer skip.
        if new_seq_no > self._skip_to:
            self._skip_to = new_seq_no
            self._skip_reason = reason

    def advance(self, now: Instant) -> None:
        """Continue after the expected number has advanced: deliver held messages, advance past skipped
        numbers, and check whether other messages are missing.

        A held message is delivered even if a gap fill from the peer includes its number.
        """
        core, ledger = self._core, self._core.ledger
        while True:
            expected = ledger.expected
            if self._held_numbers and self._held_numbers[0] == expected:
                heapq.heappop(self._held_numbers)
                held = self._held.pop(expected)
                if held is None:
                    ledger.expected = expected + 1
                else:
                    self._held_bytes -= len(held.data)
                    # The event is emitted only now, so its bytes count as received now.
                    core.event_bytes += len(held.data)
                    self._process(held, now)
                    if core.state in ENDED_STATES:
                        # The message may have been rejected without advancing the expected number, so do
                        # not continue with higher numbers.
                        return
            elif self._skip_to > expected:
                # Stop before the next held message. The peer wants to skip it too, but it was received, and
                # may report a trade.
                stop = min(self._skip_to, self._held_numbers[0]) if self._held_numbers else self._skip_to
                # Emit the event before the expected number advances: if the process crashes before the event
                # is confirmed, the skip is then detected again.
                self._emit_skipped(expected, stop - 1)
                ledger.expected = stop
            else:
                self._check_gap(expected, now)
                return

    def _emit_skipped(self, begin: int, end: int) -> None:
        """Emit an event for the skipped numbers. Mark requests as suspect if one of the skipped messages may
        have been the answer; even a gap fill may replace a Reject, which is never resent.
        """
        core = self._core
        # The peer sent the missing messages before it could read this side's ResendRequest, so they answer
        # only earlier requests. With a SequenceReset-Reset, or without a ResendRequest, the peer may have
        # read all requests.
        awaits_resend = core.state is State.RECOVERING and self._skip_reason is not SkipReason.RESET
        sent_before = self._sent_before if awaits_resend else core.store.next_outgoing
        core.ledger.suspect(sent_before, lost=self._skip_reason is not SkipReason.FILL)
        if self._skip_reason is SkipReason.LOST:
            core.emit(MessagesLost(begin, end))
        else:
            core.emit(SequenceSkipped(begin, end, self._skip_reason is SkipReason.FILL))

    def _check_gap(self, expected: int, now: Instant) -> None:
        """Check whether the gap is closed; otherwise wait for the missing messages, or request them."""
        if self._core.state is not State.RECOVERING:
            if self._highest < expected:  # otherwise the next logon requests the rest
                self._core.emit_outcomes_unknown(self._core.ledger.take_suspects(), Uncertainty.ANSWERS_LOST)
            return
        if self._search is not None and expected == self._search_begin:
            return  # no message arrived in sequence, so the search continues
        if expected <= self._last_awaited and self._search is None:
            self._restart_timer(now)
        elif expected <= self._last_awaited:
            # The peer has resent or skipped the first missing message after all, so the search is obsolete.
            self._request_to(self._last_awaited, now)
        elif expected <= self._highest:
            # There is a second gap behind the first, or messages were dropped for lack of space.
            self._request_to(self._held_numbers[0] - 1 if self._held_numbers else self._highest, now)
        else:
            unanswered = self._core.ledger.take_suspects()
            self._core.emit(GapClosed(expected))
            self._core.emit_outcomes_unknown(unanswered, Uncertainty.ANSWERS_LOST)
            self._core.move(Input.PEER_CAUGHT_UP)
            self.forget()

    def handle_stall(self, now: Instant) -> None:
        """Repeat the ResendRequest or, after `resend_attempts`, log out. If a Reject without RefSeqNum may
        have refused the request, treat it as refused instead.
        """
        expected = self._core.ledger.expected
        if self._maybe_refused:
            self.handle_refusal(now)
            return
        if self._attempts < self._core.config.resend_attempts:
            self._request(now)
            return
        text = f"the resend of messages {expected} to {self._last_awaited} did not arrive"
        self._core.begin_logout(Input.RESEND_OVERDUE, CloseReason.SEQUENCE_GAP, text, now)

    def is_refused_by(self, message: Any) -> bool:
        """Return whether a message is the peer's refusal of the pending ResendRequest.

        A Reject without RefSeqNum is only recorded here: it counts as a refusal only if no resend follows
        (`handle_stall`). A Reject for a temporary reason, or because of the header, does not count, because
        the peer may still have the messages.
        """
        is_reject = message.header.msg_type in {REJECT, BUSINESS_REJECT}
        # There may be no request to refuse: the peer resends without one after NextExpectedMsgSeqNum.
        if not is_reject or self._core.state is not State.RECOVERING or not self._request_number:
            return False
        if (
            getattr(message, "session_reject_reason", None) in HEADER_REASONS
            or getattr(message, "business_reject_reason", None) in TEMPORARY_REASONS
        ):
            return False
        if message.ref_seq_num is None and message.ref_msg_type in {None, RESEND_REQUEST}:
            self._maybe_refused = True
        return bool(message.ref_seq_num == self._request_number)

    def handle_refusal(self, now: Instant) -> None:
        """Search for the oldest message of a refused range that the peer still has; earlier ones are lost.

        The peer may have refused for any reason, so the search may request the first message of the range
        again. That message is then either received or lost, so even a peer that keeps refusing receives a
        limited number of requests.
        """
        search = self._search
        self._maybe_refused = False
        if search is not None:
            search.record_refused()
        else:
            end = self._last_awaited + 1
            begin = self._core.ledger.expected
            self._search_begin = begin
            # If only one message is missing, the refused request was for this message alone, so it is lost.
            search = self._search = Search(end if begin == self._last_awaited else begin, end)
        self._continue_search(search, now)

    def _continue_search(self, search: Search, now: Instant) -> None:
        """Continue the search with the next single message. When the search is complete, request all messages
        from its result on.
        """
        self._attempts = 0
        if not search.is_complete:
            self._request(now)
            return
        self._search = None
        previous_request = self._request_number
        self.skip(search.low, SkipReason.LOST)
        self.advance(now)
        # `advance` assumes that a resend of the rest is in progress, and only restarts the timer. But only
        # single messages were requested so far, so request the rest, unless `advance` has sent a request.
        if self._core.state is State.RECOVERING and self._request_number == previous_request:
            self._request(now)

    def report_lost(self) -> None:
        """Emit MessagesLost, before a reset of the numbers, for the missing messages and for the held ones,
        which will not be delivered.
        """
        begin = self._core.ledger.expected
        if self._highest >= begin:
            self._core.emit(MessagesLost(begin, self._highest))

    def forget(self) -> None:
        """Clear the state. Call this when no message is missing, or when the numbers restart at 1."""
        self._held.clear()
        self._held_bytes = 0
        self._held_numbers.clear()
        self._highest = self._last_awaited = self._attempts = self._skip_to = 0
        self._request_number = 0
        self._search = None
        self._maybe_refused = False
        self._core.timers.resend_at = None

    def _request_to(self, end: int, now: Instant, *, peer_will_resend: bool = False) -> None:
        """Begin to wait for all messages up to `end`; request them, unless the peer resends them without a
        request (`peer_will_resend`).
        """
        self._last_awaited = end
        self._attempts = 0
        self._search = None
        self._maybe_refused = False
        # The peer sent the missing messages before it read the message that this side sends next.
        self._sent_before = self._core.store.next_outgoing
        if peer_will_resend:
            self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout
        else:
            self._request(now)

    def _request(self, now: Instant) -> None:
        """Request, or request again, all missing messages, or the single message of a search."""
        begin, end = self._core.ledger.expected, self._last_awaited
        if self._search is not None:
            begin = end = self._search.probe
        elif self._core.config.protocol_options.open_ended_resend:
            end = NO_END
        request = self._core.outbound.admin(RESEND_REQUEST, begin_seq_no=begin, end_seq_no=end)
        self._request_number = self._core.outbound.post(request, now, keep=False)
        self._attempts += 1
        self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout

    def _restart_timer(self, now: Instant) -> None:
        """Restart the timer of a resend that makes progress."""
        self._maybe_refused = False
        self._attempts = 1  # the request that the peer is answering
        self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout
