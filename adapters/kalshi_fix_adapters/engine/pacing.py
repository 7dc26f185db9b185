"""Rate limiting with a budget: the queues of senders that wait for tokens.

Senders whose messages need tokens of the same bucket are served in order of arrival. Cancels have a separate
queue and reserved tokens (`RateBudget`), so they overtake other messages. Clients in several threads may
share a budget, so one lock for the whole process protects all budgets.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from math import inf

from kalshi_fix_adapters.config.budget import Bucket, RateBudget
from kalshi_fix_adapters.observe.locks import Lock
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message

_lock = Lock()
"""Held, for microseconds, while any budget is used."""


class Turn:
    """A sender's place in the queue.

    The place is valid while `lock` is locked. The sender locks it in a `with` statement, so an interrupt at
    any point frees the place.
    """

    __slots__ = ("connection", "is_waiting", "lock", "queue")

    def __init__(self, queue: str = "") -> None:
        self.queue: str = queue
        """The name of the queue; messages in different queues do not block each other."""
        self.connection: object = None
        """The only connection on which the message may be sent."""
        self.lock: Lock = Lock()
        self.is_waiting: bool = False
        """Whether the sender is in the queue."""


class Pacing:
    """The senders of one client that wait for tokens."""

    def __init__(self, budget: RateBudget) -> None:
        self._budget = budget
        self._queues: dict[str, deque[Turn]] = {}
        self.due: float | None = None
        """Monotonic time at which a sender must try again; None if no sender waits."""
        self.logon_due: float = -inf
        """Monotonic time at which to try again to reserve a Logon."""

    def turn(self, message: Message) -> Turn:
        """Return a place in the queue for a message, for use with `try_spend`."""
        return Turn(self._budget.queue_of(message))

    def try_spend(self, message: Message, turn: Turn | None, now: Instant) -> bool:
        """If a message is first in its queue and its tokens are available, spend them and return True.

        Otherwise return False. If a `turn` was passed, its sender is now in the queue; call again at `due`.
        """
        if turn is None:
            turn = self.turn(message)
            with turn.lock:
                try:
                    return self.try_spend(message, turn, now)
                finally:
                    self.leave(turn, now)
        queue = self._queues.setdefault(turn.queue, deque())
        if not turn.is_waiting:
            turn.is_waiting = True
            queue.append(turn)
        # Drop the places of senders that were interrupted before they could leave the queue.
        while not queue[0].lock.locked():
            queue.popleft()
        if queue[0] is not turn:
            return False
        seconds = self.charge(message, now)
        if seconds:
            self._schedule_retry(now.monotonic + seconds)
            return False
        self.leave(turn, now)
        return True

    def leave(self, turn: Turn, now: Instant) -> None:
        """Leave the queue, and let the next sender try at once."""
        queue = self._queues.get(turn.queue)
        if not turn.is_waiting or queue is None:
            return
        turn.is_waiting = False
        with contextlib.suppress(ValueError):
            queue.remove(turn)
        if queue:
            self._schedule_retry(now.monotonic)
        else:
            del self._queues[turn.queue]

    def _schedule_retry(self, at: float) -> None:
        if self.due is None or at < self.due:
            self.due = at

    def clear_due(self, now: Instant) -> None:
        """Reset `due` if it has passed; the caller wakes all waiting senders."""
        if self.due is not None and self.due <= now.monotonic:
            self.due = None

    # The budget

    def charge(self, message: Message, now: Instant) -> float:
        """Spend the tokens for a message and return 0, or return the number of seconds until they are
        available.
        """
        with _lock:
            seconds = self._budget.wait(message, now)
            if not seconds:
                self._budget.sent(message, now)
            return seconds

    def withdraw(self, message: Message, now: Instant) -> None:
        """Give back the tokens of a message that was not sent."""
        with _lock:
            self._budget.withdraw(message, now)

    def try_reserve_logon(self, seconds: float, now: Instant) -> bool:
        """Reserve a Logon for this many seconds; return whether that was possible.

        If not, call again at `logon_due`.
        """
        with _lock:
            wait = self._budget.reserve_logon(self, seconds, now)
        self.logon_due = now.monotonic + wait
        return not wait

    def end_logon_reservation(self, now: Instant, *, sent: bool) -> None:
        """End the reservation of a Logon, or the wait for one."""
        self.logon_due = -inf
        with _lock:
            self._budget.end_logon_reservation(self, now, sent=sent)

    def record_spending(self, tokens: float, bucket: Bucket, shard: int | None, now: Instant) -> None:
        """Record tokens spent outside this client."""
        with _lock:
            self._budget.record_spending(tokens, now, bucket=bucket, shard=shard)

    def apply(self, event: object, now: Instant) -> None:
        """Apply an event to the budget."""
        with _lock:
            self._budget.apply(event, now)


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603 - a parent thread may hold the old lock, and does not exist here
    _lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
