"""Decide whether a drop copy range proves that an accepted quote has no order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import attrs

from kalshi_fix_sansio.trading.common.dumping import keyed_by
from kalshi_fix_sansio.trading.common.exec_key import ExecKey, covers
from kalshi_fix_sansio.trading.common.received import is_valid_id, remember
from kalshi_fix_sansio.trading.drop_copy import MAX_SHARDS
from kalshi_fix_sansio.trading.orders.uncertain_orders import DropCopyRange

MAX_SYMBOLS: Final = 10_000
"""Maximum number of markets whose shard is remembered."""


@attrs.define(eq=False)
class PrecedingReports:
    """The newest reports, and the latest time, that are known to precede the order of an accepted quote.
    The order need not exist.
    """

    keys: dict[int, ExecKey] = attrs.field(factory=dict, metadata=keyed_by("shard"))
    """Key of the newest report that precedes the order, by shard."""
    time: datetime | None = None
    """Time, in UTC according to the venue, before which there was no order; None if unknown."""
    lost_at: datetime | None = None
    """Time at which the quote was marked as uncertain, in UTC according to the caller's clock. The
    message that accepts or confirms the quote had been sent by then.
    """


@attrs.define(eq=False)
class ReportKeys:
    """The keys of the reports received, and the shards of their markets."""

    _newest: dict[int, ExecKey] = attrs.field(factory=dict, metadata=keyed_by("shard"))
    _shards: dict[str, int] = attrs.field(factory=dict)

    def record_report(self, report: Any, waiting: Iterable[PrecedingReports]) -> None:
        """Record the key of a report. Record it also for each accepted quote in `waiting` whose time is later
        than the TransactTime of the report.
        """
        try:
            key = ExecKey.parse(report.exec_id or "")
        except ValueError:
            return
        if key is None:
            return
        if is_valid_id(report.symbol):
            self.record_shard(report.symbol, key.shard)
        _keep_newest(self._newest, key)
        if report.transact_time is not None:
            for each in waiting:
                if each.time is not None and report.transact_time < each.time:
                    _keep_newest(each.keys, key)

    def record_shard(self, symbol: str, shard: int) -> None:
        """Record the shard of a market."""
        remember(self._shards, symbol, shard, MAX_SYMBOLS)

    def record_preceding(self, preceding: PrecedingReports, time: datetime | None) -> None:
        """Record that all reports received so far, and `time` if given, precede the order."""
        for key in self._newest.values():
            _keep_newest(preceding.keys, key)
        if time is not None:
            preceding.time = time if preceding.time is None else max(preceding.time, time)

    def first_key(self, symbol: str, preceding: PrecedingReports) -> ExecKey | None:
        """Return the key from which drop copy must be requested to find an order in a market; None if it is
        unknown.
        """
        shard = self._shards.get(symbol)
        return None if shard is None else preceding.keys.get(shard)

    def proves_no_order(
        self, drop_copy_range: DropCopyRange, symbol: str, preceding: PrecedingReports, due: datetime
    ) -> bool:
        """Return whether a range that contains no report about the order proves that there is no order. `due`
        is the time by which the order would have been reported.

        A range contains the reports up to the time of its request.
        """
        if (
            drop_copy_range.end is not None
            or drop_copy_range.requested_at is None
            or drop_copy_range.requested_at < due
        ):
            return False
        return covers(drop_copy_range.begin, self.first_key(symbol, preceding))


def _keep_newest(newest: dict[int, ExecKey], key: ExecKey) -> None:
    newest_key = newest.get(key.shard)
    if newest_key is None or newest_key < key:
        remember(newest, key.shard, key, MAX_SHARDS)
