"""Market groups: markets whose results depend on one another, so that positions in several of them are sure
to pay something together. That much is returned at once (RangedMarketCollateralReturn). Dollars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum

import attrs

from kalshi_fix_adapters.venue.exchange.orders import ZERO

_YES, _NO = Decimal(1), Decimal(0)


class GroupKind(Enum):
    """How the results of a group's markets depend on one another."""

    MUTUALLY_EXCLUSIVE = "mutually exclusive"
    """At most one of them is decided YES."""
    DIRECTIONAL = "directional"
    """Each is decided YES whenever the one after it is, such as 'above 50', 'above 60', 'above 70'."""


@attrs.frozen(kw_only=True)
class MarketGroup:
    """Markets of one event, all on one shard."""

    name: str
    markets: tuple[str, ...]
    """Tickers; for directional ones from the one that is likeliest to be decided YES."""
    kind: GroupKind = GroupKind.MUTUALLY_EXCLUSIVE
    exhaustive: bool = False
    """Whether one of mutually exclusive markets is sure to be decided YES."""


@attrs.define(eq=False)
class GroupResults:
    """A group, and how those of its markets were decided that have been settled."""

    group: MarketGroup
    settled: dict[str, Decimal] = attrs.field(factory=dict)
    """What a contract of each paid, in dollars."""

    def guaranteed(self, nets: Mapping[str, Decimal]) -> Decimal:
        """Return what positions, net by market, pay at least, whatever comes out.

        A market with a scalar result says nothing about the others.
        """
        if self.group.kind is GroupKind.DIRECTIONAL:
            return self._least_of_prefixes(nets)
        return self._least_of_single(nets)

    def _least_of_single(self, nets: Mapping[str, Decimal]) -> Decimal:
        """At most one is decided YES: all shorts pay but that one, and of the longs only that one."""
        results = self.settled.values()
        shorts = sum((-net for net in nets.values() if net < 0), ZERO)
        if _YES in results:
            return shorts
        one_is_yes = self.group.exhaustive and all(result == _NO for result in results)
        if one_is_yes and len(nets) + len(self.settled) == len(self.group.markets):
            return shorts + min(nets.values(), default=ZERO)
        # A market without a position, or none of them, may be the one that is decided YES.
        return shorts + min(ZERO, min(nets.values(), default=ZERO))

    def _least_of_prefixes(self, nets: Mapping[str, Decimal]) -> Decimal:
        """Those before some place are decided YES, those from there on NO."""
        markets = self.group.markets
        first, last = 0, len(markets)
        for place, market in enumerate(markets):
            result = self.settled.get(market)
            if result == _YES:
                first = max(first, place + 1)
            elif result == _NO:
                last = min(last, place)
        signed = [nets.get(market, ZERO) for market in markets]
        # Longs before the first possible place, and shorts from there on.
        paid = sum((max(net, ZERO) for net in signed[:first]), ZERO)
        paid += sum((max(-net, ZERO) for net in signed[first:]), ZERO)
        least = paid
        for net in signed[first:last]:
            # It is decided YES, too: it pays if long and no more if short.
            paid += net
            least = min(least, paid)
        return least


@attrs.define
class GroupShare:
    """What one account has of a group."""

    results: GroupResults
    advanced: Decimal = ZERO
    """What was returned already of what its positions are sure to pay."""
    reserved: Decimal = ZERO
    """What is held back for open orders that close positions of the group."""

    def reserve(self, closers: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
        """Return what to hold back for orders that close, given as what a contract would cost to open, and
        how many there are.

        Closing a contract gives back 1 dollar less that cost, and takes back as much as 1 dollar of what was
        advanced. So each may need its cost, as far as the advance goes; those that cost most are counted.
        """
        left, reserve = self.advanced, ZERO
        if left:
            for cost, quantity in sorted(closers, reverse=True):
                taken = min(left, quantity)
                reserve += taken * cost
                left -= taken
                if not left:
                    break
        return reserve
