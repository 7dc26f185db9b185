"""What happens when incoming messages are missing, until they have come.

FIXT 1.1 session layer, "Message recovery". On a session type with resend: one ResendRequest for exactly
what is missing, what comes after it is held (bounded) and then delivered in order; a resend that stalls is
asked for again, and in the end the session logs out. Without resend: a Logout that says why.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import CloseReason, GapClosed, GapDetected, SequenceSkipped
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.problems import Problem
from kalshi_fix_sansio.session.core import REJECT, RESEND_REQUEST, TO_THE_END, Core
from kalshi_fix_sansio.session.sequence import too_high_text
from kalshi_fix_sansio.session.states import Input, State

Held = tuple[Message, tuple[Problem, ...], Frame]
Process = Callable[[Message, tuple[Problem, ...], Frame, Instant], None]


class Recovery:
    """The gap in the incoming numbers, if there is one, and the messages held behind it."""

    __slots__ = (
        "_asked_to",
        "_attempts",
        "_core",
        "_held",
        "_highest",
        "_order",
        "_process",
        "_request_number",
        "_skip_is_fill",
        "_skip_to",
    )

    def __init__(self, core: Core, process: Process) -> None:
        self._core = core
        self._process = process
        self._held: dict[int, Held | None] = {}
        """By MsgSeqNum; None for a session message that was served when it came."""
        self._order: list[int] = []
        """The numbers held, as a heap."""
        self._highest = 0
        self._asked_to = 0
        self._attempts = 0
        self._request_number = 0
        """MsgSeqNum of our last ResendRequest."""
        self._skip_to = 0
        self._skip_is_fill = True

    def too_high(self, seq_num: int, held: Held | None, now: Instant, *, unasked: bool = False) -> None:
        """Take a message whose number is ahead. After a Logout was sent nothing is asked for: the next
        logon will; while the numbers are reset nothing can be. With `unasked` the peer resends by itself, and
        is asked only if it does not."""
        core = self._core
        if core.state is State.LOGOUT_SENT:
            return
        expected = core.ledger.expected
        if not core.config.session_type.resend or core.state is State.RESETTING:
            core.tell(GapDetected(expected, seq_num - 1, recoverable=False))
            text = too_high_text(seq_num, expected)
            core.begin_logout(Input.PEER_LOST, CloseReason.SEQUENCE_GAP, text, now)
            return
        if core.state is not State.RECOVERING:
            core.tell(GapDetected(expected, seq_num - 1, recoverable=True))
            core.move(Input.PEER_GAP)
            self._ask(seq_num - 1, now, unasked=unasked)
        self._highest = max(self._highest, seq_num)
        if seq_num not in self._held and len(self._held) < core.config.max_held:
            self._held[seq_num] = held
            heapq.heappush(self._order, seq_num)

    def skip(self, new_seq_no: int, *, gap_fill: bool) -> None:
        """Let `settle` move on to this number, and no less far than before: the peer will not send what is
        before it."""
        if new_seq_no > self._skip_to:
            self._skip_to = new_seq_no
            self._skip_is_fill = gap_fill

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
                    self._process(*held, now)
            elif self._skip_to > expected:
                stop = min(self._skip_to, self._order[0]) if self._order else self._skip_to
                core.tell(SequenceSkipped(expected, stop - 1, self._skip_is_fill))
                ledger.expected = stop
            else:
                self._look_for_the_rest(expected, now)
                return

    def _look_for_the_rest(self, expected: int, now: Instant) -> None:
        if self._core.state is not State.RECOVERING:
            return
        if expected <= self._asked_to:
            self._wait(now)
        elif expected <= self._highest:
            self._ask(self._order[0] - 1 if self._order else self._highest, now)
        else:
            self._core.tell(GapClosed(expected))
            self._core.move(Input.PEER_CAUGHT_UP)
            self.forget()

    def stalled(self, now: Instant) -> None:
        """Ask again for what has not come, or give up."""
        expected = self._core.ledger.expected
        if self._attempts < self._core.config.resend_attempts:
            self._request(expected, now)
            return
        text = f"the resend of messages {expected} to {self._asked_to} did not come"
        self._core.begin_logout(Input.RESEND_OVERDUE, CloseReason.SEQUENCE_GAP, text, now)

    def is_refused_by(self, message: Message) -> bool:
        """Say whether a message is the peer's Reject of the ResendRequest that is being waited for."""
        fields: Any = message
        return (
            self._core.state is State.RECOVERING
            and message.header.msg_type == REJECT
            and fields.ref_seq_num == self._request_number
        )

    def give_up(self, now: Instant) -> None:
        """Go on without what was asked for: it is lost."""
        self.skip(self._asked_to + 1, gap_fill=False)
        self.settle(now)

    def forget(self) -> None:
        """Start afresh, because nothing is missing or the numbers start again at 1."""
        self._held.clear()
        self._order.clear()
        self._highest = self._asked_to = self._attempts = self._skip_to = 0
        self._core.timers.resend_at = None

    def _ask(self, end: int, now: Instant, *, unasked: bool = False) -> None:
        self._asked_to = end
        self._attempts = 0
        if unasked:
            self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout
        else:
            self._request(self._core.ledger.expected, now)

    def _request(self, begin: int, now: Instant) -> None:
        end = TO_THE_END if self._core.config.conduct.open_ended_resend else self._asked_to
        request = self._core.outbound.admin(RESEND_REQUEST, begin_seq_no=begin, end_seq_no=end)
        self._request_number = self._core.outbound.post(request, now, keep=False)
        self._attempts += 1
        self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout

    def _wait(self, now: Instant) -> None:
        self._attempts = 1
        self._core.timers.resend_at = now.monotonic + self._core.config.resend_timeout
