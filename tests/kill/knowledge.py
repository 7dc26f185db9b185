"""State derived from a client's journal: requests and their outcomes, fills, open orders.

The client uses this state after a restart, and at the end it is compared with the venue.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import attrs

from kalshi_fix_sansio import ExecType, Side
from tests.kill.journal import Entry

PENDING_EXEC_TYPES = frozenset({ExecType.PENDING_NEW, ExecType.PENDING_CANCEL, ExecType.PENDING_REPLACE})


@attrs.frozen
class Fill:
    """A fill, as both sides record it."""

    cl_ord_id: str
    side: str
    quantity: Decimal
    price: Decimal


@attrs.define
class Knowledge:
    """The state after the entries read so far."""

    intended: dict[str, int] = attrs.field(factory=dict)
    """The number of the run that intended to send the request, by ClOrdID."""
    sent: dict[str, int] = attrs.field(factory=dict)
    """The MsgSeqNum of each request for which `send` returned, by ClOrdID."""
    answered: set[str] = attrs.field(factory=set)
    uncertain: dict[str, str] = attrs.field(factory=dict)
    """Requests whose outcome was reported as unknown, with the reason."""
    never_sent: set[str] = attrs.field(factory=set)
    """Requests that were not in the store after a kill, and so cannot have been sent."""
    fills: dict[str, Fill] = attrs.field(factory=dict)
    """Fills by ExecID."""
    open: dict[str, tuple[str, Decimal]] = attrs.field(factory=dict)
    """The side and leaves quantity of orders that may still trade, by ClOrdID."""

    def read(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.record(entry)

    def record(self, entry: Entry) -> None:
        match entry["kind"]:
            case "intention":
                self.intended[entry["id"]] = entry["run"]
            case "sent":
                self.sent[entry["id"]] = entry["seq"]
            case "never sent":
                self.never_sent.add(entry["id"])
            case "unknown":
                self.uncertain.update(dict.fromkeys(entry["ids"], entry["why"]))
            case "report":
                self._report(entry)
            case "refusal" | "reject":
                self.answered.add(entry["id"])

    def _report(self, entry: Entry) -> None:
        if entry["type"] in PENDING_EXEC_TYPES:
            return
        cl_ord_id, leaves = entry["id"], Decimal(entry["leaves"])
        self.answered.add(cl_ord_id)
        self.open.pop(entry["orig"], None)
        if leaves:
            self.open[cl_ord_id] = (entry["side"], leaves)
        else:
            self.open.pop(cl_ord_id, None)
        if entry["type"] == ExecType.TRADE:
            fill = Fill(cl_ord_id, entry["side"], Decimal(entry["quantity"]), Decimal(entry["price"]))
            self.fills[entry["exec_id"]] = fill

    @property
    def unresolved(self) -> set[str]:
        """The intended requests that may have been sent and whose outcome was neither reported nor declared
        unknown.
        """
        return self.intended.keys() - self.answered - self.uncertain.keys() - self.never_sent

    @property
    def position(self) -> Decimal:
        """The net number of contracts of all fills."""
        return sum(
            (fill.quantity if fill.side == Side.BUY else -fill.quantity for fill in self.fills.values()),
            Decimal(0),
        )
