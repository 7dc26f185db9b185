"""The orders that the client's user tracks across all restarts of its process.

A process writes its journal whenever it takes an event. After a crash, the requests sent since then are only
in the store. The next process learns of them from OutcomesUnknown, or receives their answers again.
"""

from __future__ import annotations

from decimal import localcontext

from kalshi_fix_sansio import NewOrderSingle
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import Event, OutcomesUnknown
from kalshi_fix_sansio.trading import Orders
from tests.helpers import HOSTILE_CONTEXTS
from tests.simulation.violation import Violation

SESSIONS = ("KalshiRT", "KalshiNR")


class UserOrders:
    """`Orders`, restored from a process's journal."""

    def __init__(self, session: str) -> None:
        self._orders = Orders(session)
        self._journal = dict(self._orders.dump())
        self._is_written = True
        """Whether the journal is complete; otherwise it lacks the requests sent after the last event."""
        self._has_orders = session in SESSIONS

    def send(self, message: Message) -> None:
        """Apply a request that is about to be sent; the journal does not contain it yet."""
        if self._has_orders and self._is_written:
            self._journal.update(self._orders.dump())
            self._is_written = False
        self._apply(message)

    def withdraw(self, message: Message) -> None:
        """Remove a request that the session has refused."""
        self._orders.withdraw(message)

    def take(self, event: Event) -> None:
        """Apply an event and write the journal."""
        self._is_written = True
        self._apply(event)
        if not self._has_orders or not isinstance(event, OutcomesUnknown):
            return
        for request in event.requests:
            known = self._orders.by_cl_ord_id(request.request_id)
            if request.msg_type == NewOrderSingle.MSG_TYPE and known is None:
                raise Violation(
                    "dropped", f"{request.label} has no outcome, and the orders do not contain it"
                )

    def restart(self) -> None:
        """Continue in a new process from the journal."""
        if self._is_written:
            self._journal.update(self._orders.dump())
        self._is_written = True
        with localcontext(HOSTILE_CONTEXTS["every trap"]):
            for _ in self._orders.load(self._journal):
                pass

    def _apply(self, event: object) -> None:
        if self._has_orders:
            with localcontext(HOSTILE_CONTEXTS["every trap"]):
                self._orders.apply(event)
