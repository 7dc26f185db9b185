"""Certainty about the state of an order, as one value. Each method of `Knowledge` that can change the
kind is a column of the transition table in `docs/orders.md`.

An unsolicited report is one that the venue sent when the order changed, not a copy returned by drop copy.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Final
from weakref import WeakValueDictionary

import attrs

from kalshi_fix_sansio.trading.common.dumping import keyed_by
from kalshi_fix_sansio.trading.common.exec_key import NO_KEY, ExecKey, covers


class KnowledgeKind(Enum):
    """Whether the reports received determine the state of an order, and if not, why.

    Attributes:
        LOSS: Ends with a newer unsolicited report or with drop copy; either shows the current state.
        NOT_AT_VENUE: The venue has not reported how the order ended. Ends with that report, with drop copy,
            or when the user resolves the order.
    """

    CLEAR = "no report is missing"
    LOSS = "reports may be missing"
    NOT_AT_VENUE = "a refusal states that the venue no longer has such an order"
    RESOLVED_OPEN = "the user has reported the order as open"
    RESOLVED_DONE = "the user has reported the order as done"


# An attribute of an Enum class takes three times as long as a global name to look up, and `Order.state` is
# computed for each message.
_CLEAR, LOSS, NOT_AT_VENUE, RESOLVED_OPEN, RESOLVED_DONE = KnowledgeKind


@attrs.frozen
class Knowledge:
    """Certainty about the state of an order, and when an uncertainty began."""

    kind: KnowledgeKind = _CLEAR
    epoch: int = 0
    """`Orders.epoch` of the latest loss or reject. Drop copy requested before that epoch does not resolve the
    uncertainty.
    """
    since: datetime | None = None
    """SendingTime (52), in UTC, of the last message before the uncertainty began."""
    begin: ExecKey | None = None
    """Newest unsolicited report before the uncertainty began, from which drop copy must be requested. If
    None, drop copy must begin at the newest report known when the order was sent, or else at the first report
    about the order.
    """
    floor: ExecKey = NO_KEY
    """Newest report about the order before the latest loss. A newer unsolicited report ends a LOSS."""
    cancel_expected: bool = False
    """Whether the venue should have cancelled the order when the connection ended."""

    @property
    def is_uncertain(self) -> bool:
        """Whether reports about the order may be missing."""
        return self.kind is LOSS or self.kind is NOT_AT_VENUE

    def record_loss(self, epoch: int, time: datetime | None, begin: ExecKey, last: ExecKey) -> Knowledge:
        """Return the knowledge after a loss of reports; `last` is the order's newest report."""
        if self.is_uncertain:
            return attrs.evolve(self, epoch=epoch, floor=last)
        return Knowledge(LOSS, epoch, time, begin, last)

    def leave_unanswered(self, epoch: int, time: datetime | None) -> Knowledge:
        """Return the knowledge about an order that has no report and whose request will not be answered."""
        if self.kind is RESOLVED_DONE:
            return self
        if self.is_uncertain:
            return attrs.evolve(self, epoch=epoch, since=self.since or time, begin=None, floor=NO_KEY)
        return Knowledge(LOSS, epoch, time)

    def record_absence(self, epoch: int, time: datetime | None, last: ExecKey | None) -> Knowledge:
        """Return the knowledge after a reject stating that the order no longer exists; `last` is the order's
        newest report. An earlier uncertainty keeps its `begin` and `since`.
        """
        if self.is_uncertain:
            return attrs.evolve(
                self,
                kind=NOT_AT_VENUE,
                epoch=epoch,
                since=self.since or time,
                begin=self.begin or last,
            )
        return Knowledge(NOT_AT_VENUE, epoch, time, last)

    def record_report(self, key: ExecKey, *, is_open: bool) -> Knowledge:
        """Return the knowledge after an unsolicited report; `is_open` is set if the report is the newest and
        does not end the order.
        """
        if self.kind is LOSS:
            return CLEAR if key > self.floor else self
        # Only a new report can contradict the user's resolution.
        return CLEAR if self.kind is RESOLVED_DONE and is_open else self

    def record_coverage(self, epoch: int, begin: ExecKey, needed: ExecKey | None) -> Knowledge:
        """Return the knowledge after a complete drop copy range that was requested from `begin`, when
        `Orders.epoch` was `epoch`. `needed` is the report from which drop copy must begin for this order.
        """
        return CLEAR if self.is_uncertain and self.epoch <= epoch and covers(begin, needed) else self

    def expect_cancel(self) -> Knowledge:
        """Return the knowledge after a connection with CancelOrdersOnDisconnect has ended. Knowledge that is
        certain stays as it is.
        """
        return attrs.evolve(self, cancel_expected=True) if self.is_uncertain else self


CLEAR: Final = Knowledge()
RESOLUTIONS: Final = {True: Knowledge(RESOLVED_OPEN), False: Knowledge(RESOLVED_DONE)}
"""The knowledge after the user has reported an order as open (True) or done (False)."""


@attrs.frozen
class Loss:
    """An event, such as a disconnect, after which reports about any order may be missing.

    Attributes:
        epoch: `Orders.epoch` after the event.
        time: SendingTime (52), in UTC, of the last message before the event.
        newest: By shard, the newest unsolicited report before the event.
    """

    epoch: int
    time: datetime | None
    newest: dict[int, ExecKey] = attrs.field(metadata=keyed_by("shard"))


@attrs.define(eq=False)
class Mark:
    """The position of an order in the sequence of losses; later losses have not been applied to the order
    yet. All orders that were last evaluated between the same two losses share one mark.

    Attributes:
        epoch: Epoch of the last loss before the mark.
        first_loss: The first loss of reports after the mark; None if there is none.
        first_answer_loss: The first loss after the mark that also affected answers to requests; None if there
            is none.
    """

    epoch: int
    first_loss: Loss | None = None
    first_answer_loss: Loss | None = None


@attrs.frozen
class LossesState:
    """The layout of `Losses` in a dump: the dumped attributes."""

    epoch: int
    answers_epoch: int
    cancels_epoch: int
    marks: list[Mark]


class Losses:
    """All losses of reports. Adding a loss takes constant time, however many orders are open. Each order
    later applies the first and the last loss since it was last evaluated. This has the same effect as
    applying all losses.
    """

    def __init__(self) -> None:
        self.epoch: int = 1
        """The epoch of the last loss."""
        self.answers_epoch: int = 0
        """The epoch of the last loss that may have included answers to requests."""
        self.cancels_epoch: int = 0
        """The epoch of the last loss at which the venue should have cancelled the orders."""
        self.mark: Mark = Mark(1)
        """The mark of an order to which all losses have been applied."""
        self._marks: WeakValueDictionary[int, Mark] = WeakValueDictionary({1: self.mark})

    def add(self, loss: Loss, *, answers: bool, cancels: bool) -> None:
        """Add a loss of reports. With `answers`, answers to requests may be lost too; with `cancels`, the
        venue should have cancelled the orders.
        """
        self.epoch = loss.epoch
        if cancels:
            self.cancels_epoch = loss.epoch
        self.mark.first_loss = loss
        if answers:
            self.answers_epoch = loss.epoch
            for each in self._marks.values():
                each.first_answer_loss = each.first_answer_loss or loss
        self.mark = self._marks[loss.epoch] = Mark(loss.epoch)

    @property
    def marks(self) -> list[Mark]:
        """The marks of all orders."""
        return list(self._marks.values())

    def load(self, state: LossesState) -> dict[int, Mark]:
        """Replace the state with one from a dump; return the marks by their epochs."""
        self.epoch, self.answers_epoch, self.cancels_epoch = (
            state.epoch,
            state.answers_epoch,
            state.cancels_epoch,
        )
        marks = {each.epoch: each for each in state.marks}
        self._marks.clear()
        self._marks.update(marks)
        self.mark = marks[self.epoch]
        return marks
