"""What is known about an order beyond its reports, as one value. Each method of `Knowledge` is a column of
the table of transitions in `docs/orders.md`."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Final
from weakref import WeakValueDictionary

import attrs

from kalshi_fix_sansio.trading.common.dumping import keyed_by
from kalshi_fix_sansio.trading.common.exec_key import NO_KEY, ExecKey, covers


class KnowledgeKind(Enum):
    """Kinds of knowledge about an order beyond its reports.

    Attributes:
        LOSS: A newer unsolicited report shows the current state; drop copy does too.
        NOT_AT_VENUE: The end of the order has not been reported: only the report of the end, drop copy or the
            user can resolve this.
    """

    CLEAR = "no report is missing"
    LOSS = "reports may be missing"
    NOT_AT_VENUE = "a refusal states that the venue has no such order any more"
    RESOLVED_OPEN = "the user found out that it is open"
    RESOLVED_DONE = "the user found out that it is done"


# An attribute of an Enum class takes three times as long as a global name to look up, and `Order.state` is
# computed for each message.
_CLEAR, LOSS, NOT_AT_VENUE, RESOLVED_OPEN, RESOLVED_DONE = KnowledgeKind


@attrs.frozen
class Knowledge:
    """What is known about an order beyond its reports, and since when it is uncertain."""

    kind: KnowledgeKind = _CLEAR
    epoch: int = 0
    """`Orders.epoch` of the latest loss or reject: drop copy requested earlier does not cover it."""
    since: datetime | None = None
    """UTC: SendingTime (52) of the last message before the uncertainty began."""
    begin: ExecKey | None = None
    """Newest unsolicited report before the uncertainty began: drop copy must be requested from here. None
    for the newest report when the order was sent, or the first report about it."""
    floor: ExecKey = NO_KEY
    """Newest report about the order before the latest loss: a newer unsolicited one ends a LOSS."""
    cancel_expected: bool = False
    """Whether the venue should have cancelled the order when the connection ended."""

    @property
    def is_uncertain(self) -> bool:
        """Whether reports about the order may be missing."""
        return self.kind is LOSS or self.kind is NOT_AT_VENUE

    def lose(self, epoch: int, time: datetime | None, begin: ExecKey, last: ExecKey) -> Knowledge:
        """Return the knowledge after a loss of reports about an order; `last` is its newest report."""
        if self.is_uncertain:
            return attrs.evolve(self, epoch=epoch, floor=last)
        return Knowledge(LOSS, epoch, time, begin, last)

    def leave_unanswered(self, epoch: int, time: datetime | None) -> Knowledge:
        """Return the knowledge once the request of an order without reports will have no answer."""
        if self.kind is RESOLVED_DONE:
            return self
        if self.is_uncertain:
            return attrs.evolve(self, epoch=epoch, since=self.since or time, begin=None, floor=NO_KEY)
        return Knowledge(LOSS, epoch, time)

    def record_absence(self, epoch: int, time: datetime | None, last: ExecKey | None) -> Knowledge:
        """Return the knowledge after a reject that states that the order no longer exists; `last` is its
        newest report."""
        if self.is_uncertain:
            return attrs.evolve(
                self,
                kind=NOT_AT_VENUE,
                epoch=epoch,
                since=self.since or time,
                begin=self.begin or last,
            )
        return Knowledge(NOT_AT_VENUE, epoch, time, last)

    def report(self, key: ExecKey, *, is_open: bool) -> Knowledge:
        """Return the knowledge after an unsolicited report; `is_open` if it is the newest and does not end
        the order."""
        if self.kind is LOSS:
            return CLEAR if key > self.floor else self
        # Only a new report can contradict the user's resolution.
        return CLEAR if self.kind is RESOLVED_DONE and is_open else self

    def cover(self, epoch: int, begin: ExecKey, needed: ExecKey | None) -> Knowledge:
        """Return the knowledge after drop copy from `begin` on, requested at an epoch; `needed` is the report
        from which it must be requested."""
        return CLEAR if self.is_uncertain and self.epoch <= epoch and covers(begin, needed) else self

    def expect_cancel(self) -> Knowledge:
        """Return the knowledge after the end of a connection with CancelOrdersOnDisconnect."""
        return attrs.evolve(self, cancel_expected=True) if self.is_uncertain else self


CLEAR: Final = Knowledge()
RESOLVED: Final = {
    True: Knowledge(RESOLVED_OPEN),
    False: Knowledge(RESOLVED_DONE),
}
"""The resolved knowledge, by whether the user reports the order as open."""


@attrs.frozen
class Loss:
    """A loss of reports about any order.

    Attributes:
        epoch: `Orders.epoch` since then.
        time: UTC: SendingTime (52) of the last message before it.
        newest: By shard, the newest unsolicited report before it.
    """

    epoch: int
    time: datetime | None
    newest: dict[int, ExecKey] = attrs.field(metadata=keyed_by("shard"))


@attrs.define(eq=False)
class Mark:
    """The losses that an order has not applied yet. All orders that were last evaluated between the same two
    losses share one mark.

    Attributes:
        epoch: The last loss before it.
        reports: The first loss of reports after it; None if there is none.
        answers: The first loss of reports and of the answers to requests.
    """

    epoch: int
    reports: Loss | None = None
    answers: Loss | None = None


@attrs.frozen
class LossesState:
    """The layout of `Losses` in a dump."""

    reports: int
    answers: int
    cancels: int
    marks: list[Mark]


class Losses:
    """The losses of reports about any order. Adding one takes constant time, however many orders are open: an
    order applies the first and the last loss since it was last evaluated, which has the effect of all."""

    __slots__ = ("_marks", "answers", "cancels", "mark", "reports")

    def __init__(self) -> None:
        self.reports: int = 1
        """The epoch of the last loss."""
        self.answers: int = 0
        """The epoch of the last loss that includes the answers to requests."""
        self.cancels: int = 0
        """The epoch of the last loss at which the venue should have cancelled the orders."""
        self.mark: Mark = Mark(1)
        """The mark of an order that has applied all losses."""
        self._marks: WeakValueDictionary[int, Mark] = WeakValueDictionary({1: self.mark})

    def add(self, loss: Loss, *, answers: bool, cancels: bool) -> None:
        """Add a loss of reports, of the answers to requests too if `answers`."""
        self.reports = loss.epoch
        if cancels:
            self.cancels = loss.epoch
        self.mark.reports = loss
        if answers:
            self.answers = loss.epoch
            for each in self._marks.values():
                each.answers = each.answers or loss
        self.mark = self._marks[loss.epoch] = Mark(loss.epoch)

    def dump(self) -> LossesState:
        """Return the state, for the dump of `Orders`."""
        return LossesState(self.reports, self.answers, self.cancels, list(self._marks.values()))

    def load(self, state: LossesState) -> dict[int, Mark]:
        """Replace the state with one returned by `dump`; return the marks by their epochs."""
        self.reports, self.answers, self.cancels = state.reports, state.answers, state.cancels
        marks = {each.epoch: each for each in state.marks}
        self._marks.clear()
        self._marks.update(marks)
        self.mark = marks[self.reports]
        return marks
