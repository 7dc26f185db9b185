"""Mass cancels (OrderMassCancelRequest) of all orders of the session, and their outcomes.

The answer only states that the venue is cancelling the orders; an execution report follows for each of them.
A mass cancel applies to the orders that were live when the request was sent. It is complete when each of them
has ended, or is known to be still open.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import MassCancelResponse
from kalshi_fix_sansio.trading.common.dumping import NOT_DUMPED, keyed_by
from kalshi_fix_sansio.trading.common.exec_key import ExecKey, covers


class MassCancelState(Enum):
    """Progress of a mass cancel.

    Attributes:
        MISSED: The answer or a report may have been lost, and drop copy or the user has reported that some
            orders are still open.
    """

    SENT = "no answer has been received"
    ACCEPTED = "a report follows for each order"
    UNKNOWN = "the outcome is unknown, and no message will report it"
    DONE = "its orders have ended"
    REFUSED = "it was refused"
    MISSED = "some of its orders are still open"


ENDED_STATES: Final = frozenset((MassCancelState.DONE, MassCancelState.REFUSED, MassCancelState.MISSED))


@attrs.define(eq=False)
class MassCancel:
    """A cancel of all orders of the session. Read-only for the user.

    Attributes:
        number: Number that is unique among the open mass cancels. Later ones have larger numbers.
        cl_ord_id: ClOrdID (11) of the request.
        waiting: Numbers of the orders that it should cancel and that have not ended.
        newest: By shard, the newest report known when the request was sent.
        state: Progress of the mass cancel.
        reason: Reason for a reject: MassCancelRejectReason (532) as text, or the text of the reject message.
        uncertain_since_epoch: `Orders.epoch` of the first event after which the answer, or a report about one
            of the orders, may be missing; 0 if there was no such event.
        since: Time of that event, in UTC: SendingTime (52) of the last message received before it.
        missed: Numbers of the orders that are known to be still open, although the venue may have accepted
            the mass cancel.
    """

    number: int
    cl_ord_id: str
    waiting: set[int]
    newest: dict[int, ExecKey] = attrs.field(metadata=keyed_by("shard"))
    state: MassCancelState = MassCancelState.SENT
    reason: str = ""
    uncertain_since_epoch: int = 0
    since: datetime | None = None
    missed: set[int] = attrs.field(factory=set)

    @property
    def is_unknown(self) -> bool:
        """Whether the outcome is unknown and no expected message will report it."""
        return self.state is MassCancelState.UNKNOWN


@attrs.define(eq=False, repr=False)
class MassCancels:
    """The mass cancels that are not complete."""

    open: list[MassCancel] = attrs.field(factory=list)
    """Mass cancels that are not complete, the oldest first."""
    changed: dict[int, MassCancel] = attrs.field(factory=dict, metadata=NOT_DUMPED)
    """Changed mass cancels that have not been reported to the user yet, by number."""

    def record_sent(self, cl_ord_id: str, orders: set[int], newest: dict[int, ExecKey]) -> None:
        """Record a mass cancel that is about to be sent for these orders."""
        self._mark_changed(
            MassCancel(self.open[-1].number + 1 if self.open else 1, cl_ord_id, orders, newest)
        )

    def find(self, cl_ord_id: str | None) -> MassCancel | None:
        """Return the mass cancel that an answer with this ClOrdID belongs to. This is the oldest one that
        awaits its answer, or else the oldest one whose answer was no longer expected.
        """
        candidates = [
            each
            for each in self.open
            if each.cl_ord_id == cl_ord_id and each.state is not MassCancelState.ACCEPTED
        ]
        return min(candidates, key=lambda each: each.uncertain_since_epoch > 0, default=None)

    def withdraw(self, cl_ord_id: str) -> None:
        """Remove the newest unanswered mass cancel with this ClOrdID, which was not sent after all."""
        sent = [
            each for each in self.open if each.cl_ord_id == cl_ord_id and each.state is MassCancelState.SENT
        ]
        if sent:
            self.open.remove(sent[-1])

    def apply_report(self, report: Any) -> bool:
        """Apply an OrderMassCancelReport; return whether it answers a mass cancel."""
        mass_cancel = self.find(report.cl_ord_id)
        if mass_cancel is None:
            return False
        self._mark_changed(mass_cancel)
        if report.mass_cancel_response == MassCancelResponse.ALL_ORDERS_CANCELLED:
            mass_cancel.state = MassCancelState.ACCEPTED
        else:
            reason = report.mass_cancel_reject_reason
            mass_cancel.state, mass_cancel.reason = (
                MassCancelState.REFUSED,
                "" if reason is None else str(reason),
            )
        return True

    def record_refusal(self, cl_ord_id: str, reason: str) -> None:
        """Record that the venue has refused the mass cancel with this ClOrdID."""
        mass_cancel = self.find(cl_ord_id)
        if mass_cancel is not None:
            self._mark_changed(mass_cancel)
            mass_cancel.state, mass_cancel.reason = MassCancelState.REFUSED, reason

    def record_loss(self, epoch: int, since: datetime | None, cl_ord_id: str | None = None) -> None:
        """Record that the mass cancel with this ClOrdID will not be answered. Without a ClOrdID, record that
        answers and reports for all open mass cancels may be missing.
        """
        for each in self.open:
            if cl_ord_id in (None, each.cl_ord_id) and not each.uncertain_since_epoch:
                each.uncertain_since_epoch, each.since = epoch, since
                if each.state is MassCancelState.SENT:
                    each.state = MassCancelState.UNKNOWN
                    self._mark_changed(each)

    def record_end(self, number: int) -> None:
        """Record that an order is done or has been removed."""
        for each in self.open:
            each.waiting.discard(number)
            each.missed.discard(number)

    def record_open(self, number: int) -> None:
        """Record that the user has reported an order as open."""
        for each in self.open:
            if each.uncertain_since_epoch and number in each.waiting:
                each.missed.add(number)

    def record_covered(self, numbers: AbstractSet[int], begin: ExecKey, epoch: int) -> None:
        """Record that drop copy shows these orders as still open. Drop copy was requested from `begin`, when
        `Orders.epoch` was `epoch`.
        """
        for each in self.open:
            if 0 < each.uncertain_since_epoch <= epoch and covers(begin, each.newest.get(begin.shard)):
                each.missed |= each.waiting & numbers

    def take_updates(self) -> list[MassCancel]:
        """Return the mass cancels that are new or whose state has changed since the last call."""
        for each in self.open:
            if each.state not in (MassCancelState.ACCEPTED, MassCancelState.UNKNOWN):
                continue
            # `missed` is a subset of `waiting`. If their sizes are equal, every order that has not ended is
            # known to be open.
            if len(each.missed) == len(each.waiting):
                each.state = MassCancelState.MISSED if each.waiting else MassCancelState.DONE
                self._mark_changed(each)
        updates, self.changed = list(self.changed.values()), {}
        self.open = [each for each in self.open if each.state not in ENDED_STATES]
        return updates

    def _mark_changed(self, mass_cancel: MassCancel) -> None:
        if mass_cancel not in self.open:
            self.open.append(mass_cancel)
        self.changed[mass_cancel.number] = mass_cancel
