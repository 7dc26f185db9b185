"""What a trader keeps beside a session: every machine that reconciles, fed with what its client tells."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from kalshi_fix_adapters.engine.connection import read_clocks
from kalshi_fix_sansio.trading import (
    Cash,
    CopyState,
    Doubt,
    Doubts,
    DropCopy,
    ExecKey,
    Orders,
    Positions,
    Settlements,
)

FIRST = ExecKey(0, 1, 1)


@attrs.define(eq=False)
class Machines:
    """Orders, positions, money, settlements and drop copy of one account on one product."""

    orders: Orders
    positions: Positions
    cash: Cash
    copies: DropCopy
    settlements: Settlements = attrs.field(factory=Settlements)
    discrepancies: list[object] = attrs.field(factory=list)
    since: ExecKey = FIRST
    """Everything up to here has come, or been asked for."""
    doubted: int = 0
    """Doubts that drop copy was asked about."""
    resolved: int = 0
    """Doubts that it could not settle."""

    @classmethod
    def of(cls, session: str, product: str) -> Machines:
        """Return machines that know nothing yet."""
        return cls(
            Orders(session, product=product),
            Positions(),
            Cash(product=product),
            DropCopy("KalshiDC", product=product),
        )

    @property
    def doubts(self) -> Doubts:
        """What none of them knows."""
        return Doubts(self.orders, self.positions, self.cash, self.copies, self.settlements)

    def tell(self, happened: object) -> None:
        """Take a request that is about to be sent, an event of the session, or what drop copy gave."""
        for update in self.orders.apply(happened):
            self.discrepancies.extend(update.discrepancies)
            self.positions.apply(update)
            self.cash.apply(update)
        settled = self.settlements.apply(happened)
        if settled is not None:
            self.discrepancies.extend(settled.discrepancies)
            self.positions.apply(settled)
            self.cash.apply(settled)

    async def look_up(self, client: Any, seconds: float) -> list[object]:
        """Ask drop copy for all that has come since the last time, and for what is in doubt from before that,
        as far as the venue keeps it; return the events of it."""
        self.doubted += len(self.orders.doubts())
        since, self.since = self.since, max(self.since, self.orders.newest.get(FIRST.shard, FIRST))
        self._ask(since)
        events: list[object] = []
        async for event in client.events(seconds):
            events.append(event)
            for told in self.copies.apply(event, read_clocks()):
                self.tell(told)
            if any(each.state is CopyState.FAILED for each in self.copies.wanted):
                # A doubt is older than what the venue keeps. It is looked up elsewhere at the end.
                assert self.copies.forgotten.get(FIRST.shard, FIRST) < since, self.copies.wanted
                self.copies.resolve(FIRST.shard)
                self._ask(since)
            for request in self.copies.handle_timer(read_clocks()):
                self.copies.apply(request, read_clocks())
                await client.send(request)
            if not self.copies.wanted:
                break
        return events

    def _ask(self, since: ExecKey) -> None:
        begin = self.orders.copy_from(self.copies.forgotten).get(FIRST.shard, since)
        self.copies.ask({FIRST.shard: min(begin, since)}, self.orders.moment, read_clocks())

    def balance(self, at_first: Decimal) -> Decimal:
        """Return the money there is, by what there was at first."""
        purses = self.cash.values()
        return at_first + sum((purse.change + purse.payouts for purse in purses), Decimal(0))

    def held(self) -> dict[str, Decimal]:
        """Return the contracts that are held, by market."""
        return {key.symbol: position.net for key, position in self.positions.items() if position.net}

    def resting(self) -> dict[str, tuple[object, ...]]:
        """Return what is known of each order that is not done, by OrderID."""
        return {
            order.order_id or "": (order.cl_ord_id, order.filled, order.remaining, order.price, order.value)
            for order in self.orders.live()
        }

    def resolve(self, open_orders: set[str]) -> list[Doubt]:
        """Look up elsewhere what drop copy cannot tell, and say so; return the doubts that are left.

        Args:
            open_orders: the ClOrdIDs that the venue has.
        """
        forgotten = self.copies.forgotten.get(FIRST.shard, FIRST)
        for doubt in self.orders.doubts():
            if doubt.order is not None and (doubt.begin is None or doubt.begin <= forgotten):
                self.orders.resolve(doubt.order, is_open=doubt.order.cl_ord_id in open_orders)
                self.resolved += 1
        return list(self.doubts)
