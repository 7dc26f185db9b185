"""Market groups: markets whose results depend on one another, so positions in several of them have a
guaranteed payout. This payout is returned immediately (RangedMarketCollateralReturn). Amounts are in dollars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum

import attrs

from kalshi_fix_venue.exchange.orders import ZERO

_YES, _NO = Decimal(1), Decimal(0)


class GroupKind(Enum):
    """The dependency between the results of a group's markets."""

    MUTUALLY_EXCLUSIVE = "mutually exclusive"
    """At most one of them resolves YES."""
    DIRECTIONAL = "directional"
    """Each resolves YES if the next one does, such as 'above 50', 'above 60', 'above 70'."""


@attrs.frozen(kw_only=True)
class MarketGroup:
    """Markets of one event, all on one shard."""

    name: str
    markets: tuple[str, ...]
    """Tickers; directional ones are ordered from the most to the least likely YES."""
    kind: GroupKind = GroupKind.MUTUALLY_EXCLUSIVE
    exhaustive: bool = False
    """Whether exactly one of the mutually exclusive markets resolves YES."""


@attrs.define(eq=False)
class GroupResults:
    """A group and the results of its settled markets."""

    group: MarketGroup
    settled: dict[str, Decimal] = attrs.field(factory=dict)
    """Payout of a YES contract of each settled market, in dollars."""

    def guaranteed_payout(self, nets: Mapping[str, Decimal]) -> Decimal:
        """Return the minimum payout of net positions, given by market, over all possible results.

        A scalar result of one market does not restrict the results of the others.
        """
        if self.group.kind is GroupKind.DIRECTIONAL:
            return self._minimum_if_directional(nets)
        return self._minimum_if_exclusive(nets)

    def _minimum_if_exclusive(self, nets: Mapping[str, Decimal]) -> Decimal:
        """Return the minimum payout if at most one market resolves YES. The long position in that market
        pays, and so do the short positions in all others.
        """
        results = self.settled.values()
        shorts = sum((-net for net in nets.values() if net < 0), ZERO)
        if _YES in results:
            return shorts
        one_is_yes = self.group.exhaustive and all(result == _NO for result in results)
        holds_all_unsettled = len(nets) + len(self.settled) == len(self.group.markets)
        if one_is_yes and holds_all_unsettled:
            return shorts + min(nets.values(), default=ZERO)
        # The account may have no position in the market that resolves YES, or no market may resolve YES.
        return shorts + min(ZERO, min(nets.values(), default=ZERO))

    def _minimum_if_directional(self, nets: Mapping[str, Decimal]) -> Decimal:
        """Return the minimum payout if the markets before some index resolve YES and the others NO, over all
        possible indexes.
        """
        markets = self.group.markets
        first, last = 0, len(markets)
        for index, market in enumerate(markets):
            result = self.settled.get(market)
            if result == _YES:
                first = max(first, index + 1)
            elif result == _NO:
                last = min(last, index)
        ordered_nets = [nets.get(market, ZERO) for market in markets]
        # Begin with the payout at the first possible index: long positions before it pay, and so do short
        # positions at and after it.
        paid = sum((max(net, ZERO) for net in ordered_nets[:first]), ZERO)
        paid += sum((max(-net, ZERO) for net in ordered_nets[first:]), ZERO)
        minimum = paid
        for net in ordered_nets[first:last]:
            # At the next index this market also resolves YES, so a long position in it pays, and a short one
            # no longer does.
            paid += net
            minimum = min(minimum, paid)
        return minimum


@attrs.define
class GroupShare:
    """The advance and the reserve of one account in a group."""

    results: GroupResults
    collateral_advance: Decimal = ZERO
    """The collateral already returned for the guaranteed payout of its positions."""
    reserved: Decimal = ZERO
    """The reserve for open orders that close positions of the group."""

    def reserve(self, closing_orders: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
        """Return the reserve for closing orders, given as pairs of opening cost and quantity.

        Closing a contract returns 1 dollar minus its opening cost, and revokes up to 1 dollar of the advance.
        So for each dollar of the advance, the opening cost of one contract is reserved, the most expensive
        contracts first.
        """
        remaining, reserve = self.collateral_advance, ZERO
        if remaining:
            for cost, quantity in sorted(closing_orders, reverse=True):
                taken = min(remaining, quantity)
                reserve += taken * cost
                remaining -= taken
                if not remaining:
                    break
        return reserve
