"""The guaranteed payouts of positions in market groups, computed by enumerating all possible outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise, product

import attrs

from kalshi_fix_venue.exchange.netting import GroupKind, MarketGroup

Outcome = Mapping[str, bool]


def possible_outcomes(group: MarketGroup, known: Outcome) -> Iterator[Outcome]:
    """Yield every possible outcome of a group, given the known results."""
    for results in product((False, True), repeat=len(group.markets)):
        if group.kind is GroupKind.DIRECTIONAL:
            is_consistent = all(before or not after for before, after in pairwise(results))
        else:
            is_consistent = sum(results) == 1 if group.exhaustive else sum(results) <= 1
        outcome = dict(zip(group.markets, results, strict=True))
        if is_consistent and all(outcome[market] == result for market, result in known.items()):
            yield outcome


@attrs.define
class SlowBalance:
    """All YES and NO contracts that an account has ever bought, and their cost. Selling YES is modelled as
    buying NO.
    """

    paid: Fraction = Fraction(0)
    yes: dict[str, Fraction] = attrs.field(factory=dict)
    no: dict[str, Fraction] = attrs.field(factory=dict)

    def buy(self, market: str, *, yes: bool, price: Fraction, quantity: Fraction) -> None:
        held = self.yes if yes else self.no
        held[market] = held.get(market, Fraction(0)) + quantity
        self.paid += quantity * (price if yes else 1 - price)

    def payout(self, outcome: Outcome) -> Fraction:
        return sum(
            (
                (self.yes if result else self.no).get(market, Fraction(0))
                for market, result in outcome.items()
            ),
            Fraction(0),
        )

    def worst_loss(self, groups: tuple[MarketGroup, ...]) -> Fraction:
        """Return the loss in the worst outcome, which equals the required collateral."""
        return self.paid - sum(
            (min(self.payout(outcome) for outcome in possible_outcomes(group, {})) for group in groups),
            Fraction(0),
        )
