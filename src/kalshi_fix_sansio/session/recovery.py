"""Recovery of missing incoming messages.

FIXT 1.1 session layer, "Message recovery". On a session type with resend: one ResendRequest for the
missing messages; later messages are held (bounded) and then delivered in order; a resend that stalls is
requested again, and finally the session logs out. A refused resend leads to a `Search` for the messages that
the peer still has; the others are reported as lost. Without resend: a Logout with the reason.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import Enum
from typing import Any

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
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
from kalshi_fix_sansio.session.core import BUSINESS_REJECT, REJECT, RESEND_REQUEST, TO_THE_END, Core
from kalshi_fix_sansio.session.states import OVER_STATES, Input, State

ABOUT_THE_HEADER = (
    Reason.COMP_ID_PROBLEM,
    Reason.SENDING_TIME_ACCURACY,
    Reason.DECRYPTION_PROBLEM,
    Reason.SIGNATURE_PROBLEM,
)
"""SessionRejectReasons (373) that concern only the header of our request: the peer may still have the
requested messages, so its Reject is not a refusal to resend, and the request is repeated."""
TEMPORARY_REASONS = (4, 8)
"""Temporary BusinessRejectReasons (380): the application is unavailable, too many messages."""

Process = Callable[[Frame, Instant], None]
"""Processes a held message when its number is the next."""


class Skip(Enum):
    """The reason for which numbers are skipped."""

    FILL = "SequenceReset-GapFill"
    RESET = "SequenceReset-Reset"
    LOST = "the peer no longer has them"


@attrs.define
class Search:
    """A binary search for the oldest message that the peer still has, by requests for single messages. Its
    number is from `low` to `high`, inclusive.

    A peer that keeps messages for a limited time refuses a ResendRequest that begins before that time
    (Kalshi: "before the retention window"), without stating where the window begins. The messages that it
    has dropped are all older than those that it has kept, so about log2(n) requests suffice for n numbers.
    """

    low: int
    """The peer does not have any message before this number."""
    high: int
    """The peer has sent the message with this number, or it is the first number that is not missing."""

    @property
    def over(self) -> bool:
        """Whether the search is complete: `low` is the oldest message that the peer has."""
        return self.low >= self.high

    @property
    def probe(self) -> int:
        """The number to request next."""
        return (self.low + self.high) // 2

    def served(self, number: int) -> bool:
        """Record that the peer has sent the message with this number; return whether that narrows the
        search."""
        if not self.low <= number < self.high:
            return False
        self.high = number
        return True

    def refused(self) -> None:
        """Record that the peer does not have the requested message."""
        self.low = self.probe + 1


class Recovery:
    """The gap in the incoming numbers, if there is one, and the messages held until it is closed."""

    __slots__ = (
        "_attempts",
        "_core",
        "_held",
        "_held_bytes",
        "_highest",
        "_order",
        "_process",
        "_request_number",
        "_requested_to",
        "_search",
        "_searched_from",
        "_sent_before",
        "_skip_to",
        "_skip_why",
        "_suspected",
    )

    def __init__(self, core: Core, process: Process) -> None:
        self._core = core
        self._process = process
        self._held: dict[int, Frame | None] = {}
        """By MsgSeqNum; None for a session message that was served when received. A message is decoded again
        when it is processed, because decoded it takes many times the memory of its bytes."""
        self._held_bytes = 0
        self._order: list[int] = []
        """The numbers held, as a heap."""
        self._highest = 0
        """The highest number seen since the gap was detected, held or not. The gap is closed once the
        expected number is beyond it."""
        self._requested_to = 0
        """The last number of the range to wait for. The ResendRequest itself may contain EndSeqNo 0 instead
        or, during a search, a single number."""
        self._attempts = 0
        """ResendRequests since the last progress."""
        self._request_number = 0
        """MsgSeqNum of our last ResendRequest."""
        self._search: Search | None = None
        self._searched_from = 0
        """The first number that was missing when the search began."""
        self._suspected = False
        """Whether a Reject was received that may refer to our ResendRequest without naming it."""
        self._sent_before = 0
        """Our first outgoing number whose answer cannot be among the missing messages."""
        self._skip_to = 0
        """The number to which `settle` advances; it may be far above the expected one."""
        self._skip_why = Skip.FILL

    def begin(self, number: int, now: Instant, *, unrequested: bool = False) -> None:
        """Begin with the number of the peer's Logon. If it is too high, the Logon is accepted and the gap is
        filled afterwards, `unrequested` if the peer knows from NextExpectedMsgSeqNum which messages are
        missing."""
        core = self._core
        if number == core.ledger.expected:
            core.ledger.expected = number + 1
            core.give_up_on(core.ledger.release(), Uncertainty.ANSWERS_LOST)
        else:
            self.too_high(number, None, now, unrequested=unrequested)

    def too_high(self, seq_num: int, held: Frame | None, now: Instant, *, unrequested: bool = False) -> None:
        """Process a message whose number is higher than expected.

        No resend is requested after a Logout was sent, because the next logon requests it, nor during a
        reset. With `unrequested` the peer is expected to resend without a request, and gets one only if it
        does not. Messages received in a search are not held: they are resent later.
        """
        core = self._core
        if core.state is State.LOGOUT_SENT:
            return
        expected = core.ledger.expected
        # While a reset is awaited, no earlier message can be requested: our Logon was sent, so the peer would
        # read BeginSeqNo as one of the new numbers.
        if not core.config.session_type.resend or core.state is State.RESETTING:
            core.emit(GapDetected(expected, seq_num - 1, recoverable=False))
            text = too_high_text(seq_num, expected)
            core.begin_logout(Input.PEER_LOST, CloseReason.SEQUENCE_GAP, text, now)
            return
        if core.state is not State.RECOVERING:
            core.emit(GapDetected(expected, seq_num - 1, recoverable=True))
            core.move(Input.PEER_GAP)
            self._request_to(seq_num - 1, now, unrequested=unrequested)
        if self._search is not None and seq_num <= self._requested_to:
            if self._search.served(seq_num):
                self._narrow(self._search, now)
            return
        # Updated even for a message that is dropped below for lack of space: `_look_for_the_rest` requests it
        # again.
        self._highest = max(self._highest, seq_num)
        size = 0 if held is None else len(held.data)
        if (
            seq_num not in self._held
            and len(self._held) < core.config.max_held
            and self._held_bytes + size <= core.config.max_held_bytes
        ):
            self._held[seq_num] = held
            self._held_bytes += size
            heapq.heappush(self._order, seq_num)

    def skip(self, new_seq_no: int, why: Skip) -> None:
        """Let `settle` advance to this number, unless it is already further: the peer will not send the
        messages before it."""
        # A held gap fill may be processed inside a longer skip; it must not shorten that.
        if new_seq_no > self._skip_to:
            self._skip_to = new_seq_no
            self._skip_why = why

    def settle(self, now: Instant) -> None:
        """Continue after a message in sequence: deliver held messages, skip skipped numbers, check the rest.

        A held message is delivered even when the peer gap-fills over its number.
        """
        core, ledger = self._core, self._core.ledger
        while True:
            expected = ledger.expected
            if self._order and self._order[0] == expected:
                heapq.heappop(self._order)
                held = self._held.pop(expected)
                if held is None:
                    ledger.expected = expected + 1
                else:
                    self._held_bytes -= len(held.data)
                    # The message's event is emitted only now, so its bytes count as received now.
                    core.event_bytes += len(held.data)
                    self._process(held, now)
                    if core.state in OVER_STATES:
                        # The message may have been rejected and not counted, so do not skip beyond it.
                        return
            elif self._skip_to > expected:
                # Skip only up to the next held message. The peer skips that one too, but it was received, and
                # may report a trade.
                stop = min(self._skip_to, self._order[0]) if self._order else self._skip_to
                # Emitted before the numbers are counted: if the process crashes before the event is
                # confirmed, the skip is detected again.
                self._emit_skipped(expected, stop - 1)
                ledger.expected = stop
            else:
                self._look_for_the_rest(expected, now)
                return

    def _emit_skipped(self, begin: int, end: int) -> None:
        """Emit an event for the skipped numbers, and suspect the requests whose answers may be among them.
        Even a gap fill may replace an answer: a Reject, which is never resent."""
        core = self._core
        # The peer sent the messages missing at our request before it could read any later message. A reset,
        # or an unrequested skip, may be as recent as our last message.
        waited_for = core.state is State.RECOVERING and self._skip_why is not Skip.RESET
        sent_before = self._sent_before if waited_for else core.store.next_outgoing
        core.ledger.suspect(sent_before, lost=self._skip_why is not Skip.FILL)
        if self._skip_why is Skip.LOST:
            core.emit(MessagesLost(begin, end))
        else:
            core.emit(SequenceSkipped(begin, end, self._skip_why is Skip.FILL))

    def _look_for_the_rest(self, expected: int, now: Instant) -> None:
        """Check whether the gap is closed; if not, wait for or request the missing messages."""
        if self._core.state is not State.RECOVERING:
            if self._highest < expected:  # after a Logout, the next logon requests the rest of a gap
                self._core.give_up_on(self._core.ledger.release(), Uncertainty.ANSWERS_LOST)
            return
        if self._search is not None and expected == self._searched_from:
            return  # no message in sequence: the search continues
        if expected <= self._requested_to and self._search is None:
            self._wait(now)
        elif expected <= self._requested_to:
            # The refused messages were sent after all, or their beginning was skipped: the search is
            # obsolete.
            self._request_to(self._requested_to, now)
        elif expected <= self._highest:
            # A second gap after the first, or messages dropped for lack of space.
            self._request_to(self._order[0] - 1 if self._order else self._highest, now)
        else:
            unanswered = self._core.ledger.release()
            self._core.emit(GapClosed(expected))
            self._core.give_up_on(unanswered, Uncertainty.ANSWERS_LOST)
            self._core.move(Input.PEER_CAUGHT_UP)
            self.forget()

    def stalled(self, now: Instant) -> None:
        """Repeat the request for missing messages, or give up."""
        expected = self._core.ledger.expected
        if self._suspected:
            self.refused(now)
            return
        if self._attempts < self._core.config.resend_attempts:
            self._repeat(now)
            return
        text = f"the resend of messages {expected} to {self._requested_to} did not arrive"
        self._core.begin_logout(Input.RESEND_OVERDUE, CloseReason.SEQUENCE_GAP, text, now)

    def is_refused_by(self, message: Message) -> bool:
        """Return whether a message is the peer's refusal of the pending ResendRequest.

        A refusal without a reference is remembered: it applies if no resend follows. Messages refused because
        of the header, or temporarily, may still be available.
        """
        if self._core.state is not State.RECOVERING or message.header.msg_type not in {
            REJECT,
            BUSINESS_REJECT,
        }:
            return False
        if not self._request_number:  # no request yet: the peer resends without one
            return False
        fields: Any = message
        if (
            getattr(message, "session_reject_reason", None) in ABOUT_THE_HEADER
            or getattr(message, "business_reject_reason", None) in TEMPORARY_REASONS
        ):
            return False
        if fields.ref_seq_num is None and fields.ref_msg_type in {None, RESEND_REQUEST}:
            self._suspected = True
        return bool(fields.ref_seq_num == self._request_number)

    def refused(self, now: Instant) -> None:
        """Search for the oldest message that the peer still has of a refused range; earlier ones are lost.

        The reason for refusing a range is uncertain, so its first message is requested as well: it is
        received or lost, which bounds the requests to a peer that keeps refusing messages it has just served.
        """
        search = self._search
        self._suspected = False
        if search is not None:
            search.refused()
        else:
            end = self._requested_to + 1
            begin = self._core.ledger.expected
            self._searched_from = begin
            # If only one message is missing, it was requested alone: it is lost, and not requested again.
            search = self._search = Search(end if begin == self._requested_to else begin, end)
        self._narrow(search, now)

    def _narrow(self, search: Search, now: Instant) -> None:
        """Request the next single message or, once the oldest one is known, all messages from that one on."""
        self._attempts = 0
        if not search.over:
            self._repeat(now)
            return
        self._search = None
        last = self._request_number
        self.skip(search.low, Skip.LOST)
        self.settle(now)
        # After the search, `settle` would treat the rest as a resend in progress and only set the timer, but
        # only single messages were requested so far.
        if self._core.state is State.RECOVERING and self._request_number == last:
            self._repeat(now)

    def lose(self) -> None:
        """Emit MessagesLost for missing and held messages, because the numbers are about to restart."""
        begin = self._core.ledger.expected
        if self._highest >= begin:
            self._core.emit(MessagesLost(begin, self._highest))

    def forget(self) -> None:
        """Reset the state, because no message is missing or the numbers start again at 1."""
        self._held.clear()
        self._held_bytes = 0
        self._order.clear()
        self._highest = self._requested_to = self._attempts = self._skip_to = 0
        self._request_number = 0
        self._search = None
        self._suspected = False
        self._core.timers.resend_at = None

    def _request_to(self, end: int, now: Instant, *, unrequested: bool = False) -> None:
        """Begin to wait for all messages up to `end`; request them, unless the peer resends `unrequested`."""
        self._requested_to = end
        self._attempts = 0
        self._search = None
        self._suspected = False
        # The peer reads all later messages after it has sent the missing ones.
        self._sent_before = self._core.store.next_outgoing
        if unrequested:
            self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout
        else:
            self._repeat(now)

    def _repeat(self, now: Instant) -> None:
        """Request, or request again, all missing messages, or the single message of a search."""
        if self._search is not None:
            self._request(self._search.probe, self._search.probe, now)
        elif self._core.config.protocol_options.open_ended_resend:
            self._request(self._core.ledger.expected, TO_THE_END, now)
        else:
            self._request(self._core.ledger.expected, self._requested_to, now)

    def _request(self, begin: int, end: int, now: Instant) -> None:
        request = self._core.outbound.admin(RESEND_REQUEST, begin_seq_no=begin, end_seq_no=end)
        self._request_number = self._core.outbound.post(request, now, keep=False)
        self._attempts += 1
        self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout

    def _wait(self, now: Instant) -> None:
        """Restart the timer of a resend that makes progress."""
        self._suspected = False
        self._attempts = 1  # the request that is being answered
        self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout
