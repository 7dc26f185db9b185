"""The initial state of a simulated venue: markets with their liquidity, accounts, keys, settings, and a
schedule of operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from kalshi_fix_sansio import PRODUCTS
from kalshi_fix_venue.config import AccountConfig, ApiKey, VenueConfig
from kalshi_fix_venue.exchange import (
    MARGIN,
    PREDICTION,
    MarketRules,
    margin_market,
    prediction_market,
)
from kalshi_fix_venue.flow import FlowConfig
from kalshi_fix_venue.gateway.logins import KeyProperties
from kalshi_fix_venue.identities import ClientKey
from kalshi_fix_venue.liquidity import LIQUIDITY, PARTICIPANT
from kalshi_fix_venue.schedule import InitialOrders, InitialPosition, Schedule, Step

OWNER: Final = "you"
"""Name of the default owner."""
BALANCE: Final = Decimal(10_000)
"""Default balance of an account in dollars."""
LIQUIDITY_BALANCE: Final = Decimal(10_000_000)
"""Balance in dollars, on each shard, of each of the venue's own accounts."""
KEYS_PER_OWNER: Final = 4
"""Default number of API keys of each owner on each product.

The venue allows one connection per key, so using orders, drop copy, market data and RFQs at the same time
requires four."""
MAX_KEYS_PER_OWNER: Final = 1000
"""Maximum number of API keys of each owner on each product."""
RESTING_LEVELS: Final = 2
"""Default number of price levels on each side of a market."""


@attrs.frozen
class Market:
    """A market and its initial resting orders, in dollars and contracts.

    Attributes:
        rules: The market itself: ticker, tick, limits.
        middle: The price in the middle of the initial resting orders.
        spacing: The distance between the prices of resting orders.
        levels: The number of prices with resting orders on each side; 0 for an empty book.
        largest: Maximum number of contracts at one price.
    """

    rules: MarketRules
    middle: Decimal
    spacing: Decimal
    levels: int = RESTING_LEVELS
    largest: int = 100


MARKETS: Final[Mapping[str, tuple[Market, ...]]] = {
    PREDICTION: (
        Market(prediction_market("KXHIGHNY-26DEC31-B50"), Decimal("0.45"), Decimal("0.02")),
        Market(prediction_market("KXNBA-27-NYK"), Decimal("0.12"), Decimal("0.01")),
    ),
    MARGIN: (
        Market(margin_market("BTC-PERP"), Decimal("19.50"), Decimal("0.05")),
        Market(margin_market("ETH-PERP"), Decimal("7.25"), Decimal("0.01")),
    ),
}
"""Markets of a scenario that does not define any."""


@attrs.frozen(kw_only=True)
class Keys(KeyProperties):
    """API keys of one owner on one product."""

    count: int = KEYS_PER_OWNER
    rsa: bool = False
    """Whether they are RSA keys with 2048 bits rather than Ed25519 keys."""


@attrs.frozen(kw_only=True)
class Scenario:
    """The initial state of a venue."""

    markets: Mapping[str, tuple[Market, ...]] = MARKETS
    """The markets, by product."""
    accounts: tuple[AccountConfig, ...] = ()
    keys: tuple[Keys, ...] = ()
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    """Further arguments of `VenueConfig`."""
    positions: tuple[InitialPosition, ...] = ()
    """Initial positions."""
    steps: tuple[Step, ...] = ()
    """Scheduled operations, such as a market halt at the start and a pause after an hour."""
    flow: FlowConfig | None = None
    seed: int | None = None
    """Seed of all random numbers; None for a different one each time."""

    def with_owners(self, owners: Iterable[str], *, balance: Decimal = BALANCE) -> Scenario:
        """Return the scenario with these owners added. On each product, an owner without an account gets one
        with this balance in dollars, and an owner without keys gets keys.

        Existing accounts and keys are unchanged."""
        accounts, keys = list(self.accounts), list(self.keys)
        for owner in owners:
            for product in PRODUCTS:
                if all((each.owner, each.product) != (owner, product) for each in accounts):
                    accounts.append(
                        AccountConfig(owner=owner, product=product, balance=balance, drop_copy=True)
                    )
                if all((each.owner, each.product) != (owner, product) for each in keys):
                    keys.append(Keys(owner=owner, product=product))
        return attrs.evolve(self, accounts=tuple(accounts), keys=tuple(keys))

    def with_keys(self, *, count: int | None = None, rsa: bool | None = None) -> Scenario:
        """Return the scenario with `count` keys in each entry of `keys`, of the type that `rsa` selects. None
        leaves the number or the type unchanged."""
        requested = {"count": count, "rsa": rsa}
        changes: dict[str, Any] = {name: value for name, value in requested.items() if value is not None}
        return attrs.evolve(self, keys=tuple(attrs.evolve(each, **changes) for each in self.keys))

    @property
    def owners(self) -> tuple[str, ...]:
        """The owners of accounts, in order."""
        return tuple(dict.fromkeys(account.owner for account in self.accounts))

    def make_keys(self) -> dict[tuple[str, str], tuple[ClientKey, ...]]:
        """Create and return all API keys by owner and product, each with both halves of its key pair."""
        client_keys: dict[tuple[str, str], tuple[ClientKey, ...]] = {}
        for each in self.keys:
            new = tuple(ClientKey.generate(ed25519_key=not each.rsa) for _ in range(each.count))
            client_keys[each.owner, each.product] = client_keys.get((each.owner, each.product), ()) + new
        return client_keys

    def config(self, client_keys: Mapping[tuple[str, str], tuple[ClientKey, ...]]) -> VenueConfig:
        """Return the configuration of the venue, with keys from `make_keys`.

        Raises:
            ConfigurationError: the parts of the scenario contradict one another.
        """
        return VenueConfig(
            markets={
                product: tuple(market.rules for market in markets)
                for product, markets in self.markets.items()
            },
            accounts=(*self.accounts, *self._venue_accounts()),
            api_keys=tuple(self._api_keys(client_keys)),
            schedule=self._schedule(),
            flow=self._flow(),
            **self.settings,
        )

    def _api_keys(self, client_keys: Mapping[tuple[str, str], tuple[ClientKey, ...]]) -> Iterator[ApiKey]:
        unused = {owner_product: iter(keys) for owner_product, keys in client_keys.items()}
        for each in self.keys:
            for _ in range(each.count):
                key = next(unused[each.owner, each.product])
                yield ApiKey(key_id=key.key_id, public_key=key.public_key, **each.properties())

    def _venue_accounts(self) -> Iterator[AccountConfig]:
        """Yield the venue's own accounts: one for the resting orders, and one for the participant that trades
        on the operator's command."""
        for product, markets in self.markets.items():
            shards = {market.rules.shard for market in markets} - {0}
            for owner in (LIQUIDITY, PARTICIPANT):
                yield AccountConfig(
                    owner=owner,
                    product=product,
                    balance=LIQUIDITY_BALANCE,
                    on_shards={shard: {0: LIQUIDITY_BALANCE} for shard in sorted(shards)},
                )

    def _flow(self) -> FlowConfig | None:
        if self.flow is None:
            return None
        traded = {m.rules.ticker: m.middle for markets in self.markets.values() for m in markets}
        return attrs.evolve(self.flow, initial_prices={**traded, **self.flow.initial_prices})

    def _schedule(self) -> Schedule:
        orders = tuple(
            InitialOrders(
                product=product,
                ticker=market.rules.ticker,
                middle=market.middle,
                spacing=market.spacing,
                levels=market.levels,
                largest=market.largest,
            )
            for product, markets in self.markets.items()
            for market in markets
            if market.levels
        )
        return Schedule(positions=self.positions, orders=orders, steps=self.steps)
