"""Settings of the order flow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import attrs

from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.exchange import AccountId
from kalshi_fix_venue.settings import setting

_PREFIX = "flow-"


def is_trader(owner: str) -> bool:
    """Return whether an owner of accounts is one of the flow's traders."""
    return owner.startswith(_PREFIX)


@attrs.frozen(kw_only=True)
class FlowConfig:
    """Number and behaviour of the simulated traders."""

    seed: int = 0
    """The same seed, settings and times produce the same orders."""
    rate: float = setting(5.0, minimum=0, maximum=10_000)
    """Average number of orders, amends and cancels per second in all markets together, excluding bursts."""
    makers: int = setting(3, minimum=0, maximum=1000)
    """Number of traders on each product that quote both sides of a moving fair price."""
    takers: int = setting(3, minimum=0, maximum=1000)
    """Number of traders on each product that trade with the makers' quotes."""
    levels: int = setting(3, minimum=1, maximum=100)
    """Number of prices that a maker quotes on each side."""
    largest: int = setting(20, minimum=1, maximum=1_000_000)
    """Maximum number of contracts of an order."""
    volatility: float = setting(0.05, minimum=0, maximum=100)
    """Standard deviation of the fair price after an hour: in dollars for prediction, as a fraction of the
    price for margin."""
    bursts: float = setting(0.01, minimum=0, maximum=1)
    """Fraction of actions that begin a burst of orders on one side of one market."""
    burst_length: int = setting(10, minimum=1, maximum=1000)
    """Number of orders in a burst, a millisecond apart."""
    markets: tuple[str, ...] = setting(())
    """The tickers to trade; all by default."""
    initial_prices: Mapping[str, Decimal] = attrs.field(factory=dict)
    """Initial fair price, in dollars by ticker. The default is the midpoint of the book or, if the book is
    empty, half a dollar for prediction and 20 dollars for margin."""
    balance: Decimal = setting(Decimal(10_000_000), minimum=0, maximum=10**15)  # noqa: RUF009
    """Initial balance of each trader on each shard, in dollars."""

    def __attrs_post_init__(self) -> None:
        """Validate settings against one another.

        Raises:
            ConfigurationError: there is a rate but no traders.
        """
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
        """Return the initial balances of all traders on one product's shards."""
        return {
            AccountId(name, shard=shard): self.balance
            for shard in shards
            for name in (*self.maker_names, *self.taker_names)
        }
