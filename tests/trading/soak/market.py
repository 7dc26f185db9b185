"""The simulated venue of the soak test: two permanent markets, and a series of markets that end one after the
other."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import attrs

from kalshi_fix_sansio.trading import Account
from kalshi_fix_sansio.trading.money.fees import CENT, CENTICENT
from kalshi_fix_venue.config import AccountConfig
from kalshi_fix_venue.exchange import (
    AccountId,
    Exchange,
    ListMarket,
    MarketResult,
    MarketState,
    SetMarketState,
    prediction_market,
)
from kalshi_fix_venue.exchange.accounts import AccountTerms
from kalshi_fix_venue.gateway.settlement import party_id
from tests.venue.venue_harness import KEYS, VenueHarness, api_key, config, new_key

OWNERS = ("ann", "bob")
SUBACCOUNTS = (0, 2)
SHARDS = (0, 2)
PERMANENT_MARKETS = {"HIGHNY-26AUG20": 0, "KXBTC-26AUG20": 2}
"""The shard of each permanent market."""
INITIAL_BALANCE = Decimal(10) ** 9
"""Initial dollars of each account on each shard."""
PRECISIONS = {"ann": CENTICENT, "bob": CENT}
"""The precision of each owner's balances: Ann is a direct member."""
PARTIES = {
    owner: {party_id(AccountId(owner, number)): Account(number) for number in SUBACCOUNTS} for owner in OWNERS
}
_SESSIONS = ("dc", "pt")
KEYS.update(
    {f"{owner}-{session}": new_key(f"{owner}-{session}") for owner in OWNERS for session in _SESSIONS}
)


@attrs.define(eq=False)
class SoakVenue:
    """The venue, and the markets that are open."""

    random: Random
    harness: VenueHarness = attrs.field(init=False)
    open: dict[str, int] = attrs.field(factory=lambda: dict(PERMANENT_MARKETS))
    """The shard of each open market; the market listed last ends next."""
    settled: dict[str, Decimal] = attrs.field(factory=dict)
    """The payout per contract of the markets that have ended most recently."""
    count: int = 0

    def __attrs_post_init__(self) -> None:
        balances = dict.fromkeys(SUBACCOUNTS, INITIAL_BALANCE)
        accounts = tuple(
            AccountConfig(
                owner=owner,
                product="prediction",
                balance=INITIAL_BALANCE,
                subaccounts={number: INITIAL_BALANCE for number in SUBACCOUNTS if number},
                on_shards={shard: balances for shard in SHARDS if shard},
                drop_copy=True,
                terms=AccountTerms(direct_member=PRECISIONS[owner] == CENTICENT),
            )
            for owner in OWNERS
        )
        defaults = config()
        names = (*OWNERS, *(f"{owner}-{session}" for owner in OWNERS for session in _SESSIONS))
        rules = tuple(
            prediction_market(symbol, shard=shard, tick=Decimal("0.0001"))
            for symbol, shard in PERMANENT_MARKETS.items()
        )
        self.harness = VenueHarness(
            self.random.randrange(2**32),
            accounts=(*accounts, *(account for account in defaults.accounts if account.product == "margin")),
            markets={"prediction": rules, "margin": defaults.markets["margin"]},
            api_keys=tuple(api_key(name) for name in (*names, "perp")),
        )
        self.list_next()

    @property
    def exchange(self) -> Exchange:
        return self.harness.venue.exchange("prediction")

    @property
    def next_to_end(self) -> str:
        """The market that ends next."""
        return next(reversed(self.open))

    def list_next(self) -> None:
        """List a new market, which will be the next one to end."""
        self.count += 1
        symbol, shard = f"KXDAY-{self.count}", self.random.choice(SHARDS)
        self.harness.execute(ListMarket(prediction_market(symbol, shard=shard, tick=Decimal("0.0001"))))
        self.open[symbol] = shard

    def settle(self) -> None:
        """Settle the market that ends next."""
        symbol, _ = self.open.popitem()
        result = self.random.choice((MarketResult.YES, MarketResult.NO, MarketResult.SCALAR))
        price = Decimal(self.random.randint(1, 9_999)) / 10_000 if result is MarketResult.SCALAR else None
        self.harness.execute(SetMarketState(symbol, MarketState.DETERMINED, result, price))
        self.harness.execute(SetMarketState(symbol, MarketState.SETTLED))
        self.settled[symbol] = Decimal(result is MarketResult.YES) if price is None else price
        if len(self.settled) > 10:
            del self.settled[next(iter(self.settled))]
