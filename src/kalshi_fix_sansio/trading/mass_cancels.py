"""Cancels of all orders of the session (OrderMassCancelRequest), and what became of them.

The answer says that the orders are being cancelled; a report follows for each. So a mass cancel is over when
the orders that were live when it was sent have ended, or are known to be open all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import MassCancelResponse
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.trading.dumping import dump_text, dump_time, load_optional_key, load_time
from kalshi_fix_sansio.trading.exec_key import ExecKey


@explained
class MassCancelState(Enum):
    """How far a mass cancel is."""

    SENT = "no answer has come"
    ACCEPTED = "a report follows for each order"
    UNKNOWN = "whether it was carried out will not be told by itself"
    DONE = "its orders have ended"
    REFUSED = "it was refused"
    MISSED = "orders of it are open all the same"
    """By drop copy or the user, after its outcome was unknown."""


OVER: Final = frozenset((MassCancelState.DONE, MassCancelState.REFUSED, MassCancelState.MISSED))


@explained
@attrs.define(eq=False)
class MassCancel:
    """A cancel of all orders of the session. To be read alone."""

    number: int
    """Tells it from the others that are open; later ones have larger numbers."""
    cl_ord_id: str
    """Its ClOrdID (11)."""
    waiting: dict[int, ExecKey | None]
    """Numbers of its orders that have not ended, with the newest report of their shard when it was sent."""
    state: MassCancelState = MassCancelState.SENT
    """How far it is."""
    reason: str = ""
    """Why it was refused: MassCancelRejectReason (532) as text, or what a reject says."""
    unknown: int = 0
    """The moment (`Orders.moment`) since which an answer or a report may be missing; 0 if none may."""
    since: datetime | None = None
    """When that was, in UTC: SendingTime (52) of what came last."""
    missed: set[int] = attrs.field(factory=set)
    """Those of its orders that are known to be open all the same, since reports about them may be missing."""

    @property
    def is_unknown(self) -> bool:
        """Whether what became of it will not be told by itself."""
        return self.state is MassCancelState.UNKNOWN


class MassCancels:
    """The mass cancels that are not over."""

    __slots__ = ("open", "touched")

    def __init__(self) -> None:
        self.open: list[MassCancel] = []
        """The oldest first."""
        self.touched: dict[int, MassCancel] = {}
        """By number: what is being told of."""

    def send(self, cl_ord_id: str, orders: dict[int, ExecKey | None]) -> None:
        """Take note of a request that is about to be sent."""
        self._touch(MassCancel(self.open[-1].number + 1 if self.open else 1, cl_ord_id, orders))

    def named(self, cl_ord_id: str | None) -> MassCancel | None:
        """Return the one that an answer of this id is for: the oldest that waits for one, else one of which
        that was no longer to be expected."""
        found = [
            each
            for each in self.open
            if each.cl_ord_id == cl_ord_id and each.state is not MassCancelState.ACCEPTED
        ]
        return min(found, key=_is_unknown, default=None)

    def withdraw(self, cl_ord_id: str) -> None:
        """Forget the newest of this id that was sent."""
        sent = [
            each for each in self.open if each.cl_ord_id == cl_ord_id and each.state is MassCancelState.SENT
        ]
        if sent:
            self.open.remove(sent[-1])

    def answer(self, report: Any) -> bool:
        """Take an OrderMassCancelReport; say whether it answers one."""
        found = self.named(report.cl_ord_id)
        if found is None:
            return False
        self._touch(found)
        if report.mass_cancel_response == MassCancelResponse.ALL_ORDERS_CANCELLED:
            found.state = MassCancelState.ACCEPTED
        else:
            reason = report.mass_cancel_reject_reason
            found.state, found.reason = MassCancelState.REFUSED, "" if reason is None else str(reason)
        return True

    def refuse(self, cl_ord_id: str, reason: str) -> None:
        """Take a reject of a request."""
        found = self.named(cl_ord_id)
        if found is not None:
            self._touch(found)
            found.state, found.reason = MassCancelState.REFUSED, reason

    def lose(self, moment: int, since: datetime | None, cl_ord_id: str | None = None) -> None:
        """No answer is to be expected any more to one, or no answer and no report to any."""
        for each in self.open:
            if cl_ord_id in (None, each.cl_ord_id) and not each.unknown:
                each.unknown, each.since = moment, since
                if each.state is MassCancelState.SENT:
                    each.state = MassCancelState.UNKNOWN
                    self._touch(each)

    def ended(self, number: int) -> None:
        """An order is done, or no longer kept."""
        for each in self.open:
            each.waiting.pop(number, None)
            each.missed.discard(number)

    def is_open(self, number: int, begin: ExecKey | None = None, moment: int | None = None) -> None:
        """An order is known to be open: by drop copy from a report on, asked at a moment, or by the user."""
        for each in self.open:
            if number not in each.waiting or not each.unknown:
                continue
            after = each.waiting[number]
            if moment is None or (
                each.unknown <= moment and begin is not None and after is not None and begin <= after
            ):
                each.missed.add(number)

    def told(self) -> list[MassCancel]:
        """Return those of which the state is another than before, or that are new."""
        for each in self.open:
            if each.state not in (MassCancelState.ACCEPTED, MassCancelState.UNKNOWN):
                continue
            if len(each.missed) == len(each.waiting):
                each.state = MassCancelState.MISSED if each.waiting else MassCancelState.DONE
                self._touch(each)
        told, self.touched = list(self.touched.values()), {}
        self.open = [each for each in self.open if each.state not in OVER]
        return told

    def _touch(self, one: MassCancel) -> None:
        if one not in self.open:
            self.open.append(one)
        self.touched[one.number] = one

    # To be kept by the user

    def dump(self) -> list[dict[str, Any]]:
        """Return what is not over, as values that JSON has."""
        return [
            {
                "number": each.number,
                "cl_ord_id": each.cl_ord_id,
                "waiting": [[number, dump_text(key)] for number, key in each.waiting.items()],
                "state": each.state.name,
                "unknown": each.unknown,
                "since": dump_time(each.since),
                "missed": sorted(each.missed),
            }
            for each in self.open
        ]

    def load(self, rows: Iterable[Any]) -> None:
        """Take what `dump` gave."""
        self.open = [
            MassCancel(
                int(each["number"]),
                str(each["cl_ord_id"]),
                {int(number): load_optional_key(key) for number, key in each["waiting"]},
                MassCancelState[each["state"]],
                unknown=int(each["unknown"]),
                since=load_time(each["since"]),
                missed=set(map(int, each["missed"])),
            )
            for each in rows
        ]


def _is_unknown(one: MassCancel) -> bool:
    return one.unknown > 0
