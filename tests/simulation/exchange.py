"""The venue's application and its own database, which no crash of the session's process touches.

Messages wait in its outbox until a session, or the store where there is resend, has taken them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from kalshi_fix_sansio import (
    ExecutionReport,
    MarketDataRequest,
    MarketDataSnapshotFullRefresh,
    MarketSettlementReport,
    MDReqSymbol,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelRequest,
)
from kalshi_fix_sansio.base import Message

if TYPE_CHECKING:
    from tests.simulation.world import World

PENDING_NEW, NEW, TRADE, CANCELED, REJECTED, PENDING_CANCEL = "A", "0", "F", "4", "8", "6"
NO_OUTCOME = frozenset({PENDING_NEW, PENDING_CANCEL, "E"})
"""ExecTypes that only say that the request has arrived."""


def order(cl_ord_id: str) -> Message:
    return NewOrderSingle(
        cl_ord_id=cl_ord_id, symbol="KX-1", side="1", order_qty=10, ord_type="2", price="0.75"
    )


def cancel(cl_ord_id: str, of: str) -> Message:
    return OrderCancelRequest(cl_ord_id=cl_ord_id, orig_cl_ord_id=of, symbol="KX-1", side="1")


def subscription(symbol: str) -> Message:
    return MarketDataRequest(subscription_request_type="1", related_sym=[MDReqSymbol(symbol=symbol)])


class Exchange:
    """Answers orders, and has things to say unasked."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self._count = 0
        self._known: set[str] = set()
        self.outbox: deque[Message] = deque()
        self.paused_until = 0.0

    def _uid(self) -> str:
        self._count += 1
        return f"e{self._count}"

    def take(self, message: Any, *, poss_dup: bool) -> None:
        """An order, a cancel or a subscription; one that is known is a duplicate and changes nothing."""
        uid = getattr(message, "cl_ord_id", None)
        if uid is None or uid in self._known:
            return
        self._known.add(uid)
        random = self._random.random
        if message.MSG_TYPE == "F":
            plan: list[Callable[[], Message]] = [lambda: self._report(uid, PENDING_CANCEL)]
            if random() < 0.5:
                plan.append(lambda: self._report(uid, CANCELED))
            else:
                plan.append(lambda: self._cancel_reject(uid))
        else:
            plan = [lambda: self._report(uid, PENDING_NEW)]
            if random() < 0.2:
                plan.append(lambda: self._report(uid, REJECTED))
            else:
                plan.append(lambda: self._report(uid, NEW))
                plan += [lambda: self._report(uid, TRADE)] * int(random() * 3)
        delay = 0.0
        for make in plan:
            delay += random() ** 4 * 10
            self.later(delay, make)

    def later(self, delay: float, make: Callable[[], Message]) -> None:
        self._world.at(self._world.now + delay, lambda: self.publish(make))

    def publish(self, make: Callable[[], Message]) -> None:
        """Something happened that the client is to be told of."""
        if self.paused_until > self._world.now:
            self.later(self.paused_until - self._world.now, make)
            return
        self.outbox.append(make())
        self._world.venue_has_news()

    def unasked(self) -> Message:
        """Something that the venue says by itself, of a type that the session allows."""
        session = self._world.schedule.session
        if session == "KalshiPT":
            return MarketSettlementReport(
                market_settlement_report_id=self._uid(),
                symbol="KX-1",
                clearing_business_date=date(2026, 8, 21),
                market_result="yes",
                settlement_price=Decimal(100),
            )
        if session == "KalshiMD":
            return MarketDataSnapshotFullRefresh(symbol=self._uid(), md_entries=[])
        return self._report("other", TRADE)

    def _report(self, cl_ord_id: str, exec_type: str) -> Message:
        fill: dict[str, Any] = {"last_px": Decimal("0.75"), "last_qty": 1} if exec_type == TRADE else {}
        refusal: dict[str, Any] = {"ord_rej_reason": 99} if exec_type == REJECTED else {}
        return ExecutionReport(
            order_id="o-" + cl_ord_id,
            cl_ord_id=cl_ord_id,
            exec_id=self._uid(),
            exec_type=exec_type,
            ord_status="1" if exec_type == TRADE else exec_type,
            side="1",
            symbol="KX-1",
            order_qty=10,
            leaves_qty=10,
            cum_qty=0,
            avg_px=0,
            **fill,
            **refusal,
        )

    def _cancel_reject(self, cl_ord_id: str) -> Message:
        return OrderCancelReject(
            order_id=self._uid(), cl_ord_id=cl_ord_id, ord_status="0", cxl_rej_response_to="1"
        )
