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
    rate: float = setting(
        "average number of orders, amends and cancels per second, over all markets, without bursts",
        default=5.0,
        minimum=0,
        maximum=10_000,
    )
    makers: int = setting(
        "number of traders on each product that quote both sides of a moving fair price",
        default=3,
        minimum=0,
        maximum=1000,
    )
    takers: int = setting(
        "number of traders on each product that trade with the makers' quotes",
        default=3,
        minimum=0,
        maximum=1000,
    )
    levels: int = setting(
        "number of prices that a maker quotes on each side", default=3, minimum=1, maximum=100
    )
    largest: int = setting(
        "maximum number of contracts of an order", default=20, minimum=1, maximum=1_000_000
    )
    volatility: float = setting(
        "standard deviation of the fair price after an hour: in dollars for prediction, as a fraction of "
        "the price for margin",
        default=0.05,
        minimum=0,
        maximum=100,
    )
    bursts: float = setting(
        "fraction of actions that begin a burst of orders on one side of one market",
        default=0.01,
        minimum=0,
        maximum=1,
    )
    burst_length: int = setting(
        "number of orders in a burst, a millisecond apart", default=10, minimum=1, maximum=1000
    )
    markets: tuple[str, ...] = setting("the tickers to trade; all by default", default=())
    middles: Mapping[str, Decimal] = attrs.field(factory=dict)
    """Initial fair price, in dollars by ticker. The default is the midpoint of the book or, if the book is
    empty, half a dollar for prediction and 20 dollars for margin."""
    balance: Decimal = setting(  # noqa: RUF009
        "initial balance of each trader on each shard, in dollars",
        default=Decimal(10_000_000),
        minimum=0,
        maximum=10**15,
    )

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
