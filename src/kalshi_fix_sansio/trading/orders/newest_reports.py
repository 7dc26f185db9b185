"""The newest report of each shard. It determines the drop copy range that an order needs.

An unsolicited report is one that the venue sent when the order changed, not a copy returned by drop copy.
"""

from __future__ import annotations

from typing import Final

import attrs

from kalshi_fix_sansio.trading.common.dumping import NOT_DUMPED, keyed_by
from kalshi_fix_sansio.trading.common.exec_key import NO_KEY, ExecKey
from kalshi_fix_sansio.trading.orders.order import Order

MAX_SHARDS: Final = 64
"""Maximum number of shards whose newest report is remembered."""


@attrs.define(eq=False, repr=False)
class NewestReports:
    """The newest reports from a session and from its drop copy, by shard, and the shard of each symbol."""

    _max_symbols: int = attrs.field(metadata=NOT_DUMPED)
    live: dict[int, ExecKey] = attrs.field(factory=dict, metadata=keyed_by("shard"))
    """The newest report that was not received through drop copy, by shard."""
    copied: dict[int, ExecKey] = attrs.field(factory=dict, metadata=keyed_by("shard"))
    """The newest report from drop copy, by shard."""
    loaded: dict[int, ExecKey] = attrs.field(factory=dict, metadata=NOT_DUMPED)
    """The newest report when `Orders.load` was called, by shard. A request that is not
    in the loaded state was sent later, so all reports about it have higher keys.
    """
    floors: dict[int, ExecKey] = attrs.field(factory=dict, metadata=keyed_by("shard"))
    """By shard, the highest key of the reports about orders that are no longer kept. A report with a higher
    key is not about such an order.
    """
    shards: dict[str, int] = attrs.field(factory=dict)
    """The shard of the reports, by symbol."""

    def record(self, key: ExecKey, *, live: bool) -> None:
        """Record the key of a report; `live` means that the report was unsolicited, not from drop copy."""
        newest = self.live if live else self.copied
        shard = key.shard
        if key > newest.get(shard, NO_KEY) and (shard in newest or len(newest) < MAX_SHARDS):
            newest[shard] = key

    def record_shard(self, symbol: str, shard: int) -> None:
        """Record the shard of a symbol."""
        if symbol in self.shards or len(self.shards) < self._max_symbols:
            self.shards[symbol] = shard

    def newest(self) -> dict[int, ExecKey]:
        """Return the newest report of each shard, unsolicited or from drop copy."""
        return self.copied | {
            shard: max(key, self.copied.get(shard, key)) for shard, key in self.live.items()
        }

    def shard_of(self, order: Order) -> int | None:
        """Return the shard of an order; None if it is unknown."""
        shard = order.shard
        return self.shards.get(order.symbol) if shard is None else shard

    def newest_of(self, order: Order) -> ExecKey | None:
        """Return the newest key among the order's own reports and all unsolicited reports of its shard. The
        answer to a request that is sent now has a higher key.
        """
        shard = self.shard_of(order)
        known = order.key, None if shard is None else self.live.get(shard)
        return max((key for key in known if key is not None), default=None)

    def newest_before(self, order: Order) -> ExecKey | None:
        """Return the newest key of the order's shard at the time when the order was sent."""
        shard = self.shard_of(order)
        sent_after = () if order.placed is None else order.placed.after
        return next((key for key in sent_after if key.shard == shard), None)

    def drop_copy_begin(self, order: Order) -> ExecKey | None:
        """Return the key at which drop copy for an uncertain order must begin."""
        return order.knowledge.begin or self.newest_before(order) or order.first_key

    def newest_at_load(self, order: Order) -> ExecKey | None:
        """Return the newest report of the order's shard at the time when the state was loaded."""
        shard = self.shard_of(order)
        return None if shard is None else self.loaded.get(shard)
