"""The state machines of a trader, to which all events of a session are passed.

The machines run with a decimal context of the caller in which ordinary arithmetic rounds or raises.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, localcontext
from typing import Any

import attrs

from kalshi_fix_adapters.engine.connection import read_clocks
from kalshi_fix_sansio.trading import (
    Account,
    Cash,
    CopyState,
    DropCopy,
    ExecKey,
    OrderGroups,
    Orders,
    Positions,
    Settlements,
    UncertainItem,
    UncertainItems,
)
from tests.helpers import HOSTILE_CONTEXTS

FIRST_EVENT = ExecKey(0, 1, 1)
_DUMPED_MACHINES = ("positions", "cash", "settlements", "groups", "drop_copy")


@attrs.define(eq=False)
class Machines:
    """Orders, positions, money, settlements, order groups and drop copy of one owner on one product."""

    orders: Orders
    positions: Positions
    cash: Cash
    drop_copy: DropCopy
    settlements: Settlements = attrs.field(factory=Settlements)
    groups: OrderGroups = attrs.field(factory=OrderGroups)
    context: Context = HOSTILE_CONTEXTS["every trap"]
    """The decimal context of the caller's thread."""
    discrepancies: list[Any] = attrs.field(factory=list)
    since: ExecKey = FIRST_EVENT
    """The last report up to which all reports were received or requested from drop copy."""
    rows: dict[str, Any] = attrs.field(factory=dict)
    """The dump of the orders, which the next dump updates."""
    looked_up: int = 0
    """Number of uncertain items for which drop copy was requested."""
    resolved: int = 0
    """Number of uncertain items that were resolved without drop copy."""

    @classmethod
    def of(cls, session: str, product: str, *, parties: Mapping[str, Account] | None = None) -> Machines:
        """Return state machines in their initial state."""
        return cls(
            Orders(session, product=product),
            Positions(),
            Cash(product=product, parties=parties),
            DropCopy("KalshiDC", product=product),
            groups=OrderGroups(session),
        )

    def restarted(self, session: str, product: str, journal: str) -> Machines:
        """Return the state machines of the next process, loaded from a journal."""
        fresh = Machines.of(session, product)
        fresh.load(journal)
        fresh.discrepancies, fresh.since = self.discrepancies, self.since
        fresh.looked_up, fresh.resolved = self.looked_up, self.resolved
        return fresh

    @property
    def uncertain(self) -> UncertainItems:
        """The uncertain items of all state machines."""
        return UncertainItems(
            self.orders, self.positions, self.cash, self.drop_copy, self.settlements, self.groups
        )

    def is_certain(self) -> bool:
        """Return whether no item is uncertain."""
        with localcontext(self.context):
            return not len(self.uncertain)

    def apply(self, event: object) -> list[Any]:
        """Apply a request that is about to be sent, an event of the session, or an item from drop copy;
        return the updates of the orders."""
        with localcontext(self.context):
            # The order groups are first, because they refuse a second request while one has no answer.
            grouped = self.groups.apply(event)
            for group in grouped:
                self.discrepancies.extend(group.discrepancies)
            updates = self.orders.apply(event)
            self._apply_updates(updates)
            settled = self.settlements.apply(event)
            if settled is not None:
                self.discrepancies.extend(settled.discrepancies)
                self.positions.apply(settled)
                self.cash.apply(settled)
        return updates

    def withdraw(self, request: Any) -> None:
        """Undo `apply` for a request that `send` refused."""
        with localcontext(self.context):
            self.orders.withdraw(request)
            self.groups.withdraw(request)

    def _apply_updates(self, updates: list[Any]) -> None:
        for update in updates:
            self.discrepancies.extend(update.discrepancies)
            self.positions.apply(update)
            self.cash.apply(update)

    def dump(self) -> str:
        """Return the state of all machines, as a user would store it in a journal."""
        with localcontext(self.context):
            self.rows.update(self.orders.dump())
            return json.dumps(
                {"orders": self.rows, **{name: getattr(self, name).dump() for name in _DUMPED_MACHINES}}
            )

    def load(self, journal: str) -> None:
        """Continue from a journal, as a restarted process."""
        dumped = json.loads(journal)
        with localcontext(self.context):
            for name in _DUMPED_MACHINES:
                getattr(self, name).load(dumped[name])
            self.rows = dumped["orders"]
            for updates in self.orders.load(self.rows):
                self._apply_updates(updates)

    async def look_up(self, client: Any, seconds: float, latest: ExecKey) -> list[object]:
        """Request from drop copy every report since the last call, and the reports about older uncertain
        items, if the venue still has them; return the resulting events.

        Args:
            client: a client on KalshiDC.
            seconds: the time to wait for an event.
            latest: the last event of the exchange.
        """
        self.looked_up += len(list(self.orders.uncertain()))
        since, self.since = self.since, latest
        self._request(since)
        events: list[object] = []
        async for event in client.events(seconds):
            events.append(event)
            for received in self.drop_copy.apply(event, read_clocks()):
                self.apply(received)
            if any(item.state is CopyState.FAILED for item in self.drop_copy.pending):
                # The uncertain item is older than the reports that the venue keeps, and is looked up via REST
                # at the end.
                forgotten = self.drop_copy.forgotten.get(FIRST_EVENT.shard, FIRST_EVENT)
                assert forgotten < since, self.drop_copy.pending
                self.drop_copy.resolve(FIRST_EVENT.shard)
                self._request(since)
            for request in self.drop_copy.handle_timer(read_clocks()):
                self.drop_copy.apply(request, read_clocks())
                await client.send(request)
            if not self.drop_copy.pending:
                break
        return events

    def _request(self, since: ExecKey) -> None:
        begin = self.orders.drop_copy_start(self.drop_copy.forgotten).get(FIRST_EVENT.shard, since)
        self.drop_copy.request({FIRST_EVENT.shard: min(begin, since)}, self.orders.epoch, read_clocks())

    def balance(self, initial: Decimal, account: Account | None = None, shard: int | None = None) -> Decimal:
        """Return the balance of an account (or of all) on a shard (or on all), given the initial balance."""
        balances = [
            balance
            for key, balance in self.cash.items()
            if account in (None, key.account) and shard in (None, key.shard)
        ]
        return initial + sum((balance.change + balance.payouts for balance in balances), Decimal(0))

    def held(self) -> dict[tuple[Account, str], Decimal]:
        """Return the contracts held, by account and market."""
        with localcontext(self.context):
            return {(key.account, key.symbol): each.net for key, each in self.positions.items() if each.net}

    def resting(self) -> dict[str, tuple[object, ...]]:
        """Return each order that has not ended, by OrderID."""
        with localcontext(self.context):
            return {
                order.order_id or f"ClOrdID {order.cl_ord_id}": (
                    order.cl_ord_id,
                    order.account,
                    order.filled_qty,
                    order.leaves_qty,
                    order.price,
                    order.value,
                )
                for order in self.orders.live()
            }

    def learn_groups(self, groups_on_venue: Sequence[Any]) -> None:
        """Store the order groups and whether they have triggered, as after a look-up via REST.

        Args:
            groups_on_venue: the groups that the venue has.
        """
        for group_id in set(self.groups) - {group.id for group in groups_on_venue}:
            self.groups.forget(group_id)
        for group in groups_on_venue:
            self.groups.learn(
                group.id,
                limit=group.limit,
                alloc_account=group.account.subaccount,
                triggered=group.triggered,
            )
        self.groups.lost_creates = 0

    def resolve(self, open_orders: set[str]) -> list[UncertainItem]:
        """Resolve the items that drop copy cannot, as after a look-up via REST; return those still uncertain.

        Args:
            open_orders: the ClOrdIDs of the venue's open orders.
        """
        forgotten = self.drop_copy.forgotten.get(FIRST_EVENT.shard, FIRST_EVENT)
        for item in self.orders.uncertain():
            if item.order is not None and (item.begin is None or item.begin <= forgotten):
                self.orders.resolve(item.order, is_open=item.order.cl_ord_id in open_orders)
                self.resolved += 1
        return list(self.uncertain)
