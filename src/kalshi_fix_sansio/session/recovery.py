"""What happens when incoming messages are missing, until they have come.

FIXT 1.1 session layer, "Message recovery". On a session type with resend: one ResendRequest for exactly
what is missing, what comes after it is held (bounded) and then delivered in order; a resend that stalls is
asked for again, and in the end the session logs out. A resend that is refused leads to a `Search` for what
the peer still has; the rest is reported as lost. Without resend: a Logout that says why.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import Enum
from typing import Any

import attrs

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import CloseReason, GapClosed, GapDetected, MessagesLost, SequenceSkipped
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.outcomes import Uncertainty
from kalshi_fix_sansio.problems import Reason
from kalshi_fix_sansio.session.core import BUSINESS_REJECT, REJECT, RESEND_REQUEST, TO_THE_END, Core
from kalshi_fix_sansio.session.sequence import too_high_text
from kalshi_fix_sansio.session.states import OVER_STATES, Input, State

ABOUT_THE_HEADER = (
    Reason.COMP_ID_PROBLEM,
    Reason.SENDING_TIME_ACCURACY,
    Reason.DECRYPTION_PROBLEM,
    Reason.SIGNATURE_PROBLEM,
)
"""SessionRejectReasons (373) that concern the header alone: the peer may still have what was asked for, so
its Reject is no refusal to resend, and the request is repeated."""
FOR_THE_MOMENT = (4, 8)
"""BusinessRejectReasons (380) that time cures: what would serve it is down, too many messages."""

Process = Callable[[Frame, Instant], None]
"""Deals with a held message whose turn has come."""


class Skip(Enum):
    """Why numbers hold nothing that is still to come."""

    FILL = "SequenceReset-GapFill"
    RESET = "SequenceReset-Reset"
    LOST = "the peer no longer has them"


@attrs.define
class Search:
    """Where the peer's memory begins, found by asking for single messages: the oldest that it still has is
    one of `low` to `high`.

    A peer that keeps messages for a time refuses a ResendRequest that begins before that time (Kalshi:
    "before the retention window"), and does not say where the window begins. What it has forgotten is all
    older than what it has, so halving the doubtful numbers finds the border in as many requests as their
    count has binary digits.
    """

    low: int
    """Everything before it is refused."""
    high: int
    """It is served, or was not asked for because it is not missing."""

    @property
    def over(self) -> bool:
        """Whether the oldest one is known: it is `low`."""
        return self.low >= self.high

    @property
    def probe(self) -> int:
        """Which number to ask for next."""
        return (self.low + self.high) // 2

    def served(self, number: int) -> bool:
        """Take note that the peer has this one; say whether that is news."""
        if not self.low <= number < self.high:
            return False
        self.high = number
        return True

    def refused(self) -> None:
        """Take note that the peer does not have the one it was asked for."""
        self.low = self.probe + 1


class Recovery:
    """The gap in the incoming numbers, if there is one, and the messages held behind it."""

    __slots__ = (
        "_asked_to",
        "_attempts",
        "_core",
        "_held",
        "_held_bytes",
        "_highest",
        "_order",
        "_process",
        "_request_number",
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
        """By MsgSeqNum; None for a session message that was served when it came. A message is decoded again
        when its turn comes, because decoded it takes many times the memory of its bytes."""
        self._held_bytes = 0
        self._order: list[int] = []
        """The numbers held, as a heap."""
        self._highest = 0
        """The highest number seen since the gap was found, held or not. The gap is closed once it is
        passed."""
        self._asked_to = 0
        """The last number that is waited for. The ResendRequest itself may say EndSeqNo 0 instead, or, during
        a search, a single number."""
        self._attempts = 0
        """ResendRequests since the last progress."""
        self._request_number = 0
        """MsgSeqNum of our last ResendRequest."""
        self._search: Search | None = None
        self._searched_from = 0
        """The first number that was missing when the search began."""
        self._suspected = False
        """Whether a Reject came that may have meant our ResendRequest, and does not say so."""
        self._sent_before = 0
        """Nothing that was sent from this number on can have its answer among what is missing."""
        self._skip_to = 0
        """The number to move on to, which may be far ahead of the one expected."""
        self._skip_why = Skip.FILL

    def begin(self, number: int, now: Instant, *, unasked: bool = False) -> None:
        """Begin with the number of the peer's Logon. One that is ahead is accepted first and repaired then,
        `unasked` where the peer knows from NextExpectedMsgSeqNum what is missing."""
        core = self._core
        if number == core.ledger.expected:
            core.ledger.expected = number + 1
            core.give_up_on(core.ledger.release(), Uncertainty.ANSWERS_LOST)
        else:
            self.too_high(number, None, now, unasked=unasked)

    def too_high(self, seq_num: int, held: Frame | None, now: Instant, *, unasked: bool = False) -> None:
        """Take a message whose number is ahead. After a Logout was sent nothing is asked for: the next
        logon will; while the numbers are reset nothing can be. With `unasked` the peer resends by itself, and
        is asked only if it does not. What a search brings is not held: it comes again with the rest."""
        core = self._core
        if core.state is State.LOGOUT_SENT:
            return
        expected = core.ledger.expected
        # While a reset is awaited, nothing of before can be asked for: our Logon has left, so the peer would
        # read BeginSeqNo as one of the new numbers.
        if not core.config.session_type.resend or core.state is State.RESETTING:
            core.tell(GapDetected(expected, seq_num - 1, recoverable=False))
            text = too_high_text(seq_num, expected)
            core.begin_logout(Input.PEER_LOST, CloseReason.SEQUENCE_GAP, text, now)
            return
        if core.state is not State.RECOVERING:
            core.tell(GapDetected(expected, seq_num - 1, recoverable=True))
            core.move(Input.PEER_GAP)
            self._ask(seq_num - 1, now, unasked=unasked)
        if self._search is not None and seq_num <= self._asked_to:
            if self._search.served(seq_num):
                self._narrow(self._search, now)
            return
        # Also for a message that is dropped below for want of room: `_look_for_the_rest` asks for it again.
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
        """Let `settle` move on to this number, and no less far than before: the peer will not send what is
        before it."""
        # A gap fill that was held comes into its turn inside a longer skip; it must not shorten that.
        if new_seq_no > self._skip_to:
            self._skip_to = new_seq_no
            self._skip_why = why

    def settle(self, now: Instant) -> None:
        """After a message in sequence: deliver what is held behind it, skip what is to be skipped, see what
        is missing.

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
                    # Its event is made now; the count of received bytes may have begun anew since it came.
                    core.event_bytes += len(held.data)
                    self._process(held, now)
                    if core.state in OVER_STATES:
                        # Refused, perhaps, and so not counted: a skip of the peer's must not go beyond it.
                        return
            elif self._skip_to > expected:
                # Only up to the next held message: the peer skips it, but it is here and may report a trade.
                stop = min(self._skip_to, self._order[0]) if self._order else self._skip_to
                # Told before it is counted: if the process dies before that is confirmed, it is found again.
                self._tell_skipped(expected, stop - 1)
                ledger.expected = stop
            else:
                self._look_for_the_rest(expected, now)
                return

    def _tell_skipped(self, begin: int, end: int) -> None:
        """Tell what will not come. A gap fill, too, may stand for a Reject, which is never sent again."""
        core = self._core
        # What was missing when we asked, the peer had sent before it could read anything that left later. A
        # reset, or a skip that nobody asked for, may be as young as the last message that we sent.
        waited_for = core.state is State.RECOVERING and self._skip_why is not Skip.RESET
        sent_before = self._sent_before if waited_for else core.store.next_outgoing
        core.ledger.suspect(sent_before, lost=self._skip_why is not Skip.FILL)
        if self._skip_why is Skip.LOST:
            core.tell(MessagesLost(begin, end))
        else:
            core.tell(SequenceSkipped(begin, end, self._skip_why is Skip.FILL))

    def _look_for_the_rest(self, expected: int, now: Instant) -> None:
        """See whether the gap is closed; if not, wait or ask for what is still missing."""
        if self._core.state is not State.RECOVERING:
            if self._highest < expected:  # after a Logout, the next logon asks for the rest of a gap
                self._core.give_up_on(self._core.ledger.release(), Uncertainty.ANSWERS_LOST)
            return
        if self._search is not None and expected == self._searched_from:
            return  # nothing has come in sequence: the search goes on
        if expected <= self._asked_to and self._search is None:
            self._wait(now)
        elif expected <= self._asked_to:
            # What was refused came after all, or its beginning was skipped: the search is of no use any more.
            self._ask(self._asked_to, now)
        elif expected <= self._highest:
            # A second gap behind the first, or messages that found no room.
            self._ask(self._order[0] - 1 if self._order else self._highest, now)
        else:
            unanswered = self._core.ledger.release()
            self._core.tell(GapClosed(expected))
            self._core.give_up_on(unanswered, Uncertainty.ANSWERS_LOST)
            self._core.move(Input.PEER_CAUGHT_UP)
            self.forget()

    def stalled(self, now: Instant) -> None:
        """Ask again for what has not come, or give up."""
        expected = self._core.ledger.expected
        if self._suspected:
            self.refused(now)
            return
        if self._attempts < self._core.config.resend_attempts:
            self._repeat(now)
            return
        text = f"the resend of messages {expected} to {self._asked_to} did not come"
        self._core.begin_logout(Input.RESEND_OVERDUE, CloseReason.SEQUENCE_GAP, text, now)

    def is_refused_by(self, message: Message) -> bool:
        """Say whether a message is the peer's refusal of the ResendRequest that is being waited for.

        One that does not say what it refuses is remembered: should nothing come, it was that. What a peer
        refuses for its header, or for the moment, it may well still have.
        """
        if self._core.state is not State.RECOVERING or message.header.msg_type not in {
            REJECT,
            BUSINESS_REJECT,
        }:
            return False
        if not self._request_number:  # nothing was asked yet: the peer resends unasked
            return False
        fields: Any = message
        if (
            getattr(message, "session_reject_reason", None) in ABOUT_THE_HEADER
            or getattr(message, "business_reject_reason", None) in FOR_THE_MOMENT
        ):
            return False
        if fields.ref_seq_num is None and fields.ref_msg_type in {None, RESEND_REQUEST}:
            self._suspected = True
        return bool(fields.ref_seq_num == self._request_number)

    def refused(self, now: Instant) -> None:
        """Look for what the peer still has of what it refused to resend; all that is before it is lost.

        Why it refused a range is not sure, so its first message is asked for as well: it comes, or it is
        lost, so that a peer which goes on refusing what it has just served is not asked for ever.
        """
        search = self._search
        self._suspected = False
        if search is not None:
            search.refused()
        else:
            end = self._asked_to + 1
            begin = self._core.ledger.expected
            self._searched_from = begin
            # A single message was asked for by itself already: it is lost, and not asked for once more.
            search = self._search = Search(end if begin == self._asked_to else begin, end)
        self._narrow(search, now)

    def _narrow(self, search: Search, now: Instant) -> None:
        """Ask for the next single message; once the oldest one is known, for everything from there on."""
        self._attempts = 0
        if not search.over:
            self._repeat(now)
            return
        self._search = None
        last = self._request_number
        self.skip(search.low, Skip.LOST)
        self.settle(now)
        # With the search over, `settle` takes the rest for a resend under way and only sets the timer. But it
        # was never asked for: so far the peer was asked for single messages.
        if self._core.state is State.RECOVERING and self._request_number == last:
            self._repeat(now)

    def lose(self) -> None:
        """Tell the user what does not come any more, because the numbers are about to start again: what is
        missing, and what was held behind it."""
        begin = self._core.ledger.expected
        if self._highest >= begin:
            self._core.tell(MessagesLost(begin, self._highest))

    def forget(self) -> None:
        """Start afresh, because nothing is missing or the numbers start again at 1."""
        self._held.clear()
        self._held_bytes = 0
        self._order.clear()
        self._highest = self._asked_to = self._attempts = self._skip_to = 0
        self._request_number = 0
        self._search = None
        self._suspected = False
        self._core.timers.resend_at = None

    def _ask(self, end: int, now: Instant, *, unasked: bool = False) -> None:
        """Begin to wait for everything up to `end`; ask for it, unless the peer resends `unasked`."""
        self._asked_to = end
        self._attempts = 0
        self._search = None
        self._suspected = False
        # Whatever leaves from here on, the peer reads after it has sent what is missing.
        self._sent_before = self._core.store.next_outgoing
        if unasked:
            self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout
        else:
            self._repeat(now)

    def _repeat(self, now: Instant) -> None:
        """Ask, or ask again, for everything that is missing, or for the one message that is looked for."""
        if self._search is not None:
            self._request(self._search.probe, self._search.probe, now)
        elif self._core.config.protocol_options.open_ended_resend:
            self._request(self._core.ledger.expected, TO_THE_END, now)
        else:
            self._request(self._core.ledger.expected, self._asked_to, now)

    def _request(self, begin: int, end: int, now: Instant) -> None:
        request = self._core.outbound.admin(RESEND_REQUEST, begin_seq_no=begin, end_seq_no=end)
        self._request_number = self._core.outbound.post(request, now, keep=False)
        self._attempts += 1
        self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout

    def _wait(self, now: Instant) -> None:
        """Give a resend that makes progress new time."""
        self._suspected = False
        self._attempts = 1  # the request that is being answered
        self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout
