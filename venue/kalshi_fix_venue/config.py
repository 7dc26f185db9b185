"""Configuration of a simulated venue: markets, accounts, keys and limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from kalshi_fix_sansio import PRODUCTS
from kalshi_fix_sansio._generated.layouts.fields import ALLOC_ACCOUNT
from kalshi_fix_sansio._generated.limits import (
    SENDING_TIME_TOLERANCE,
    WRITE_TOKENS,
)
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.session.store import MAX_KEPT_BYTES
from kalshi_fix_sansio.signing import Verifier
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.exchange import MARGIN, PREDICTION, AccountId, MarketGroup, MarketRules
from kalshi_fix_venue.exchange.accounts import AccountTerms
from kalshi_fix_venue.exchange.fees import FeeSchedule
from kalshi_fix_venue.flow.settings import FlowConfig, is_trader
from kalshi_fix_venue.gateway.drop_copy import MAX_EVENTS
from kalshi_fix_venue.gateway.logins import KeyProperties
from kalshi_fix_venue.gateway.market_data import SymbolLimits
from kalshi_fix_venue.gateway.rfq import ComboCollection, RfqSettings
from kalshi_fix_venue.liquidity import LIQUIDITY
from kalshi_fix_venue.pauses import PauseSchedule
from kalshi_fix_venue.schedule import InitialOrders, InitialPosition, Schedule

MAX_SUBACCOUNT = ALLOC_ACCOUNT.maximum or 0
"""The highest subaccount number."""
TRADING_ZONE = "America/New_York"
_CUSTOMER = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}_[A-Za-z0-9]{1,16}")
"""Format of a customer account (Kalshi's page on order entry)."""


def trading_zone() -> tzinfo:
    """Return the time zone of New York, which determines when Day orders expire.

    Raises:
        ConfigurationError: this machine has no time zone database.
    """
    try:
        return ZoneInfo(TRADING_ZONE)
    except ZoneInfoNotFoundError:
        raise ConfigurationError(
            f"this machine does not know the time zone {TRADING_ZONE}; install the package tzdata"
        ) from None


@attrs.frozen(kw_only=True)
class ApiKey(KeyProperties):
    """A key that may log on: its id is the client's SenderCompID (49)."""

    key_id: str
    public_key: Verifier = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class CustomerConfig:
    """A customer account at a clearing member. Amounts are in dollars."""

    party_id: str
    """The value of PartyID (448): the member's UUID, an underscore, and 1 to 16 letters and digits."""
    balance: Decimal
    """Balance on shard 0."""
    on_shards: Mapping[int, Decimal] = attrs.field(factory=dict)
    """Balances on other shards; 0 by default."""
    daily_cap: Decimal | None = None
    """Daily cap on the customer's orders on sessions with UseCapReservation. If None, such sessions refuse
    the customer's orders."""


@attrs.frozen(kw_only=True)
class AccountConfig:
    """Balances of an owner on one product, and of its subaccounts, in dollars.

    Each shard of the exchange (ExDestination 100) has separate balances. The primary account exists on every
    shard, by default with a balance of 0. A subaccount exists only on the shards for which its balance is
    given.
    """

    owner: str
    product: str
    balance: Decimal
    """Balance of the primary account on shard 0."""
    drop_copy: bool = False
    """Whether the venue has enabled requests for past execution reports (EventResendRequest U1)."""
    subaccounts: Mapping[int, Decimal] = attrs.field(factory=dict)
    """Balance on shard 0 by subaccount number (AllocAccount 79, from 1)."""
    on_shards: Mapping[int, Mapping[int, Decimal]] = attrs.field(factory=dict)
    """Balances on other shards: by shard (1 or higher), then by subaccount number (0 is the primary
    account)."""
    tier: str | None = None
    """API usage level, such as `Premier`, which limits the request rate; None for no limit."""
    terms: AccountTerms = attrs.field(factory=AccountTerms)
    allocation: Mapping[int, Decimal] = attrs.field(factory=dict)
    """Percentages by shard, which add up to 100: every ten seconds the free cash of the primary account is
    divided in these proportions. Empty disables it."""
    customers: tuple[CustomerConfig, ...] = ()
    """Customer accounts, which make the owner a clearing member."""


@attrs.frozen(kw_only=True)
class VenueConfig:
    """Configuration of a `VenueModel`."""

    markets: Mapping[str, tuple[MarketRules, ...]]
    """The markets of each product."""
    accounts: tuple[AccountConfig, ...]
    api_keys: tuple[ApiKey, ...]
    fees: Mapping[str, FeeSchedule] = attrs.field(factory=dict)
    """Fee schedules by product; a product without one has the default fees."""
    market_groups: tuple[MarketGroup, ...] = ()
    """Prediction markets that share collateral because their results depend on one another."""
    combos: tuple[ComboCollection, ...] = ()
    """Combinations of prediction markets that RFQs may name."""
    rfqs: RfqSettings = attrs.field(factory=RfqSettings)
    """Times and limits of RFQs."""
    symbol_limits: SymbolLimits = attrs.field(factory=SymbolLimits)
    sending_time_tolerance: float = SENDING_TIME_TOLERANCE
    """Maximum deviation of SendingTime (52), in seconds."""
    logon_timeout: float = 10.0
    """Seconds allowed for a connection to log on."""
    zone: tzinfo = attrs.field(factory=trading_zone)
    """Time zone of the trading day, which ends at midnight."""
    assumptions: Assumptions = attrs.field(factory=Assumptions)
    """Assumptions about behaviour that Kalshi's documents do not specify."""
    schedule: Schedule = attrs.field(factory=Schedule)
    """Positions and orders that exist from `VenueModel.begin` on, and operations scheduled after it."""
    flow: FlowConfig | None = None
    """The simulated traders, who start trading at `VenueModel.begin`; None for no traders."""
    max_kept_messages: int = 100_000
    """Maximum number of messages kept per key on KalshiRT and KalshiPT, for the next logon or for a resend.
    If there are more, the oldest are dropped, even before the end of MessageRetentionPeriod."""
    max_kept_bytes: int = MAX_KEPT_BYTES
    """Maximum total size in bytes of the messages that `max_kept_messages` counts."""
    max_past_events: int = MAX_EVENTS
    """Maximum number of order events kept for drop copy, across all accounts of a product. If there are more,
    the oldest are dropped, even before they are too old to be requested."""
    pauses: PauseSchedule = ()
    """Scheduled pauses of the exchange, such as `(MAINTENANCE,)`. Empty by default, so tests do not depend on
    the day."""
    max_unsent: int = 16 * 1024 * 1024
    """Maximum number of unsent bytes for a client that does not read. If there are more, the venue closes the
    connection."""

    def __attrs_post_init__(self) -> None:
        """Validate the settings, each one and against one another.

        Raises:
            ConfigurationError: a setting is invalid, or settings contradict one another. Examples are an
                unknown tier, a key without an account, or a schedule with an undefined market.
        """
        owners = {(account.owner, account.product) for account in self.accounts}
        product_names = [*self.markets, *self.fees, *(a.product for a in self.accounts)]
        for product in product_names:
            if product not in PRODUCTS:
                raise ConfigurationError(f"{product!r} is not a product; use one of {', '.join(PRODUCTS)}")
        for owner, _ in sorted(owners):
            if is_trader(owner):
                raise ConfigurationError(
                    f"the name {owner!r} is reserved for simulated traders; choose one with another prefix"
                )
        if len(owners) != len(self.accounts):
            raise ConfigurationError("an owner has two accounts on one product; define only one")
        for account in self.accounts:
            if account.tier is not None and account.tier not in WRITE_TOKENS:
                tiers = ", ".join(WRITE_TOKENS)
                raise ConfigurationError(
                    f"{account.owner} has the tier {account.tier!r}; use {tiers}, or None for no limits"
                )
        self._check_shards()
        self._check_groups()
        self._check_customers()
        self._check_schedule()
        ids = [key.key_id for key in self.api_keys]
        for key in self.api_keys:
            if ids.count(key.key_id) > 1:
                raise ConfigurationError(f"API key {key.key_id} is defined twice; give each its own id")
            if key.restricted_to is not None and not 0 <= key.restricted_to <= MAX_SUBACCOUNT:
                raise ConfigurationError(
                    f"API key {key.key_id} is restricted to subaccount {key.restricted_to}; "
                    f"use 0 to {MAX_SUBACCOUNT}, or None"
                )
            if (key.owner, key.product) not in owners:
                raise ConfigurationError(
                    f"API key {key.key_id} belongs to {key.owner!r}, "
                    f"who has no {key.product} account; add one"
                )

    def balances(self, product: str) -> dict[AccountId, Decimal]:
        """Return the balance of every account of a product, on each shard, in dollars."""
        accounts = [account for account in self.accounts if account.product == product]
        shards = {rules.shard for rules in self.markets.get(product, ())}
        shards.update(shard for account in accounts for shard in account.on_shards)
        shards.update(s for account in accounts for customer in account.customers for s in customer.on_shards)
        if product == PREDICTION:
            shards.update(collection.shard for collection in self.combos)
        balances: dict[AccountId, Decimal] = {}
        for account in accounts:
            for shard in sorted(shards | {0}):
                on_shard = account.on_shards.get(shard, {})
                if shard == 0:
                    on_shard = {0: account.balance, **account.subaccounts}
                for number, balance in {0: Decimal(0), **on_shard}.items():
                    balances[AccountId(account.owner, number, shard)] = balance
                for customer in account.customers:
                    balance = customer.on_shards.get(shard, Decimal(0)) if shard else customer.balance
                    balances[AccountId(account.owner, 0, shard, customer=customer.party_id)] = balance
        return balances if self.flow is None else balances | self.flow.balances(sorted(shards | {0}))

    def daily_caps(self, product: str) -> dict[str, Decimal]:
        """Return the daily caps of a product's customer accounts, by PartyID. Accounts without a cap are
        left out.
        """
        return {
            customer.party_id: customer.daily_cap
            for account in self.accounts
            if account.product == product
            for customer in account.customers
            if customer.daily_cap is not None
        }

    def terms(self, product: str) -> dict[str, AccountTerms]:
        """Return the terms of each owner on a product."""
        return {each.owner: each.terms for each in self.accounts if each.product == product}

    def drop_copy_owners(self, product: str) -> frozenset[str]:
        """Return the owners who may request past reports on a product."""
        return frozenset(a.owner for a in self.accounts if a.product == product and a.drop_copy)

    def allocations(self, product: str) -> dict[str, Mapping[int, Decimal]]:
        """Return `AccountConfig.allocation` by owner, for the owners that have one on a product."""
        return {a.owner: a.allocation for a in self.accounts if a.product == product and a.allocation}

    def _check_shards(self) -> None:
        for product, markets in self.markets.items():
            for rules in markets:
                if rules.shard < 0 or (rules.shard and product == MARGIN):
                    raise ConfigurationError(
                        f"market {rules.ticker} cannot be on shard {rules.shard}: "
                        "use 0; a prediction market may also be on a shard with a higher number"
                    )
        for account in self.accounts:
            customers = (shard for customer in account.customers for shard in customer.on_shards)
            for shard in (*account.on_shards, *customers):
                if shard < 1 or account.product == MARGIN:
                    raise ConfigurationError(
                        f"on_shards of {account.owner} names shard {shard}: "
                        "use 1 or higher, for prediction only; the balances on shard 0 are in `balance` and "
                        "`subaccounts`"
                    )
            self._check_allocation(account)

    def _check_allocation(self, account: AccountConfig) -> None:
        shares = account.allocation
        if shares and (sum(shares.values()) != 100 or min(shares.values()) < 0):
            raise ConfigurationError(
                f"the percentages in the allocation of {account.owner} must not be negative "
                "and must add up to 100"
            )
        shards = {each.shard for each in self.balances(account.product) if each.owner == account.owner}
        for shard in sorted(set(shares) - shards):
            raise ConfigurationError(
                f"the allocation of {account.owner} names shard {shard}, which has neither markets nor "
                "balances; remove it"
            )

    def _check_groups(self) -> None:
        shards = {rules.ticker: rules.shard for rules in self.markets.get(PREDICTION, ())}
        grouped: set[str] = set()
        names = [group.name for group in self.market_groups]
        for group in self.market_groups:
            subject = f"market group {group.name}"
            if names.count(group.name) > 1:
                raise ConfigurationError(f"{subject} is defined twice; give each its own name")
            if len(set(group.markets)) < max(2, len(group.markets)):
                raise ConfigurationError(f"{subject} needs two or more different markets")
            for ticker in group.markets:
                if ticker not in shards:
                    raise ConfigurationError(f"{subject} names {ticker}, which is not a prediction market")
                if ticker in grouped:
                    raise ConfigurationError(f"{subject} names {ticker}, which is already in another group")
            if len({shards[ticker] for ticker in group.markets}) > 1:
                raise ConfigurationError(
                    f"the markets of {subject} are on different shards; put them on one shard"
                )
            grouped.update(group.markets)

    def _check_schedule(self) -> None:
        accounts = {(account.owner, account.product) for account in self.accounts}
        needed: list[tuple[InitialPosition | InitialOrders, tuple[str, ...]]]
        needed = [(each, (each.owner, LIQUIDITY)) for each in self.schedule.positions]
        needed += [(each, (LIQUIDITY,)) for each in self.schedule.orders]
        for each, owners in needed:
            subject = f"the schedule's {type(each).__name__}({each.ticker!r})"
            if all(rules.ticker != each.ticker for rules in self.markets.get(each.product, ())):
                raise ConfigurationError(
                    f"{subject} names an unknown {each.product} market; add it to `markets`"
                )
            for owner in owners:
                if (owner, each.product) not in accounts:
                    role = "the other side of resting orders" if owner == LIQUIDITY else "the owner"
                    raise ConfigurationError(
                        f"{subject} needs a {each.product} account of {owner!r}, {role}; add "
                        f"AccountConfig(owner={owner!r}, product={each.product!r}, balance=...) to `accounts`"
                    )

    def _check_customers(self) -> None:
        owners: dict[tuple[str, str], str] = {}
        for account in self.accounts:
            for customer in account.customers:
                name = customer.party_id
                if not _CUSTOMER.fullmatch(name):
                    raise ConfigurationError(
                        f"{name!r} is not a customer account: write the member's UUID, an underscore, "
                        "and 1 to 16 letters and digits"
                    )
                if (account.product, name) in owners:
                    raise ConfigurationError(f"customer account {name} is defined twice; remove one")
                owners[account.product, name] = account.owner
        for key in self.api_keys:
            for name in sorted(key.customers or ()):
                if owners.get((key.product, name)) != key.owner:
                    raise ConfigurationError(
                        f"API key {key.key_id} may trade for {name}, which is not a customer account of "
                        f"{key.owner!r}; add it to `customers` of the account"
                    )
