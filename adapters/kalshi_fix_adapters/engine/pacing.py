"""How a client keeps to a rate budget: who waits for tokens, and in which order.

Senders whose messages draw on the same bucket leave in the order in which they came; cancels have a line of
their own, and tokens that the others leave alone (`RateBudget`), so that they overtake. A budget may be
shared by clients in several threads, so it is used under one lock of the process.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from math import inf

from kalshi_fix_adapters.config.budget import Bucket, Budget
from kalshi_fix_adapters.observe.locks import Lock
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message

_lock = Lock()
"""For every budget of the process: one that clients share belongs to none of them. Held for microseconds."""


class Turn:
    """A sender's place in line. It counts while `held` is locked, which the sender does by `with`: an
    interrupt at any point frees it."""

    __slots__ = ("held", "lane", "message", "waits")

    def __init__(self, message: Message, lane: str) -> None:
        self.message: Message = message
        self.lane: str = lane
        self.held: Lock = Lock()
        self.waits: bool = False
        """Whether it stands in line."""


class Pacing:
    """The senders of one client that wait for a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._lines: dict[str, deque[Turn]] = {}
        self.due: float | None = None
        """When the next of them has to look again, monotonic."""
        self.logon_due: float = -inf
        """When to ask again for a Logon, monotonic."""

    def turn(self, message: Message) -> Turn:
        """Return a place in line for a message, to be taken by `take`."""
        return Turn(message, self._budget.lane(message))

    def take(self, turn: Turn, now: Instant) -> bool:
        """Take the tokens for a message, if it is its turn and they are there; get in line otherwise, and
        look again when `due` has come."""
        line = self._lines.setdefault(turn.lane, deque())
        if not turn.waits:
            turn.waits = True
            line.append(turn)
        # Those in front that an interrupt has kept from leaving: nobody holds their place any more.
        while not line[0].held.locked():
            line.popleft()
        if line[0] is not turn:
            return False
        seconds = self.charge(turn.message, now)
        if seconds:
            self._look(now.monotonic + seconds)
            return False
        self.leave(turn, now)
        return True

    def leave(self, turn: Turn, now: Instant) -> None:
        """Get out of line; whoever stands behind is to look."""
        line = self._lines.get(turn.lane)
        if not turn.waits or line is None:
            return
        turn.waits = False
        with contextlib.suppress(ValueError):
            line.remove(turn)
        if line:
            self._look(now.monotonic)
        else:
            del self._lines[turn.lane]

    def _look(self, at: float) -> None:
        if self.due is None or at < self.due:
            self.due = at

    def clear_due(self, now: Instant) -> None:
        """All that wait are about to look."""
        if self.due is not None and self.due <= now.monotonic:
            self.due = None

    # The budget

    def charge(self, message: Message, now: Instant) -> float:
        """Take the tokens for a message and return 0, or the seconds until they are there."""
        with _lock:
            seconds = self._budget.wait(message, now)
            if not seconds:
                self._budget.sent(message, now)
            return seconds

    def withdraw(self, message: Message, now: Instant) -> None:
        """Give back the tokens of a message that has not left."""
        with _lock:
            self._budget.withdraw(message, now)

    def reserve_logon(self, seconds: float, now: Instant) -> bool:
        """Reserve a Logon, held for so many seconds; return whether the budget has one.

        If not, call again at `logon_due`.
        """
        with _lock:
            wait = self._budget.reserve_logon(self, seconds, now)
        self.logon_due = now.monotonic + wait
        return not wait

    def settle_logon(self, now: Instant, *, sent: bool) -> None:
        """End the reservation of a Logon, or the wait for one."""
        self.logon_due = -inf
        with _lock:
            self._budget.settle_logon(self, now, sent=sent)

    def spent(self, tokens: float, bucket: Bucket, shard: int | None, now: Instant) -> None:
        """Take note of tokens that something else has spent."""
        with _lock:
            self._budget.spent(tokens, now, bucket=bucket, shard=shard)

    def apply(self, happened: object, now: Instant) -> None:
        """Take an event."""
        with _lock:
            self._budget.apply(happened, now)


def _forked() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent, which this process does not have, may hold it
    _lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
