"""What can be adjusted about the flow of orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import attrs

from kalshi_fix_adapters.venue.exchange import AccountId
from kalshi_fix_sansio.errors import ConfigurationError

_PREFIX = "flow-"


def is_trader(owner: str) -> bool:
    """Say whether an owner of accounts is one of the flow's own traders."""
    return owner.startswith(_PREFIX)


@attrs.frozen(kw_only=True)
class FlowConfig:
    """How many simulated traders there are, and what they do."""

    seed: int = 0
    """The same seed, settings and times give the same orders."""
    rate: float = 5.0
    """Orders, amends and cancels a second, on average, over all markets; bursts come on top."""
    makers: int = 3
    """Traders on each product who keep quotes on both sides of a fair price that moves."""
    takers: int = 3
    """Traders on each product who take them."""
    levels: int = 3
    """Prices that a maker quotes on each side."""
    largest: int = 20
    """Contracts of an order, at most."""
    volatility: float = 0.05
    """How far the fair price moves in an hour (one standard deviation): in dollars on prediction, as a
    fraction of itself on margin."""
    bursts: float = 0.01
    """The share of actions that begin a burst: takers in a row on one side of one market."""
    burst_length: int = 10
    """Orders of a burst, a millisecond apart."""
    markets: tuple[str, ...] = ()
    """The tickers to trade; none named means all."""
    middles: Mapping[str, Decimal] = attrs.field(factory=dict)
    """Where a fair price begins, in dollars by ticker. One that is not named begins at the middle of its
    book, or where there is none at half a dollar on prediction and 20 dollars on margin."""
    balance: Decimal = Decimal(10_000_000)
    """Dollars that each trader begins with, on each shard."""

    def __attrs_post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigurationError: one is out of its range.
        """
        for name, least, most in (
            ("rate", 0, 10_000),
            ("makers", 0, 1000),
            ("takers", 0, 1000),
            ("levels", 1, 100),
            ("largest", 1, 1_000_000),
            ("volatility", 0, 100),
            ("bursts", 0, 1),
            ("burst_length", 1, 1000),
            ("balance", 0, 10**15),
        ):
            value = getattr(self, name)
            # Written so that what is not a number fails too.
            if not least <= value <= most:
                raise ConfigurationError(f"{name} of the flow must be {least} to {most}, not {value}")
        if self.rate and not self.makers + self.takers:
            raise ConfigurationError("the flow has a rate but neither makers nor takers; add some")

    @property
    def maker_names(self) -> tuple[str, ...]:
        """The owners of the makers' accounts."""
        return tuple(f"{_PREFIX}maker-{number}" for number in range(1, self.makers + 1))

    @property
    def taker_names(self) -> tuple[str, ...]:
        """The owners of the takers' accounts."""
        return tuple(f"{_PREFIX}taker-{number}" for number in range(1, self.takers + 1))

    def balances(self, shards: Iterable[int]) -> dict[AccountId, Decimal]:
        """Return the purses of all traders on one product's shards, with what is in them at the start."""
        return {
            AccountId(name, shard=shard): self.balance
            for shard in shards
            for name in (*self.maker_names, *self.taker_names)
        }
