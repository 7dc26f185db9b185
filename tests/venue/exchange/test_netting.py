"""Market groups: the payout that positions in several markets jointly guarantee is returned immediately."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange import (
    GroupKind,
    MarketGroup,
    MarketResult,
    MarketState,
    TimeInForce,
    prediction_market,
)
from kalshi_fix_venue.exchange.accounts import AccountTerms
from kalshi_fix_venue.exchange.netting import GroupResults
from kalshi_fix_venue.exchange.outcomes import MarketSettled, OrderTraded, Outcome
from tests.venue.exchange.slow_netting import SlowBalance, possible_outcomes
from tests.venue.exchange_harness import BUY, SELL, ExchangeHarness, account, d, ds, summary

RACE = ("CUP-ARG", "CUP-BRA", "CUP-CHI")
RANGES = ("GDP-T1", "GDP-T2", "GDP-T3")
UNGROUPED = "RAIN"
EXCLUSIVE = MarketGroup(name="CUP", markets=RACE)
EXHAUSTIVE = MarketGroup(name="CUP", markets=RACE, exhaustive=True)
DIRECTIONAL = MarketGroup(name="GDP", markets=RANGES, kind=GroupKind.DIRECTIONAL)
UNGROUPED_GROUP = MarketGroup(name="alone", markets=(UNGROUPED,))
"""The group that the slow model uses for the market without a group; the exchange does not have it."""
OWNERS = ("ann", "bob", "cat")


def netting_harness(*groups: MarketGroup, balance: str = "100") -> ExchangeHarness:
    markets = tuple(prediction_market(ticker) for ticker in (*RACE, *RANGES, UNGROUPED))
    return ExchangeHarness(markets=markets, balances=dict.fromkeys(OWNERS, balance), market_groups=groups)


def trade(
    harness: ExchangeHarness, owner: str, side: Side, quantity: int | str, price: str, market: str
) -> OrderTraded:
    """Trade between an owner and cat, who places her order first; return the owner's trade."""
    number = harness.exchange.next_exec_id()
    other = SELL if side is BUY else BUY
    harness.place("cat", f"c{number}", other, quantity, price, market=market)
    outcomes = harness.place(owner, f"o{number}", side, quantity, price, market=market)
    return next(o for o in outcomes if isinstance(o, OrderTraded) and o.aggressor)


def test_short_positions_in_two_exclusive_markets_guarantee_one_payout() -> None:
    harness = netting_harness(EXCLUSIVE)
    first = trade(harness, "ann", SELL, 10, "0.30", RACE[0])
    assert (first.ranged_return, first.balance_change) == ds(0, -7)
    second = trade(harness, "ann", SELL, 4, "0.20", RACE[1])
    assert (second.ranged_return, second.collateral_return, second.balance_change) == ds(4, 0, "0.8")
    third = trade(harness, "ann", SELL, 4, "0.20", RACE[2])
    assert (third.ranged_return, third.balance_change) == ds(4, "0.8")
    # The remaining cost is the loss in the worst case, in which the first market is determined YES.
    assert harness.balance("ann") == 100 - 7 + d("1.6")
    # Cat is long in all three markets and may lose everything, because there may be no winner.
    assert harness.balance("cat") == 100 - 3 - d("1.6")


def test_an_order_reserves_the_collateral_return_that_its_fill_would_revoke() -> None:
    harness = netting_harness(EXCLUSIVE, balance="10")
    for market in RACE[:2]:
        trade(harness, "ann", SELL, 10, "0.50", market)
    assert harness.balance("ann") == 10
    harness.place("ann", "a1", BUY, 10, "0.70", market=UNGROUPED)
    assert harness.available("ann") == 3
    assert summary(harness.place("ann", "a2", BUY, 10, "0.31", market=RACE[0])) == [
        "a2 rejected INSUFFICIENT_BALANCE"
    ]
    assert summary(harness.place("ann", "a2", BUY, 10, "0.30", market=RACE[0])) == ["a2 accepted"]
    # Only the first of the two closing orders revokes a collateral return, so the second needs no money.
    assert harness.available("ann") == 0
    assert summary(harness.place("ann", "a3", BUY, 1, "0.30", market=RACE[1])) == ["a3 accepted"]
    harness.place("cat", "c", SELL, 10, "0.30", market=RACE[0])
    assert (harness.balance("ann"), harness.available("ann")) == ds(7, 0)
    harness.place("cat", "c2", SELL, 1, "0.30", market=RACE[1])
    assert harness.available("ann") == d("0.7")


def test_a_subaccount_may_disable_netting() -> None:
    markets = tuple(prediction_market(ticker) for ticker in RACE)
    harness = ExchangeHarness(
        markets=markets,
        balances=dict.fromkeys(("ann", "ann/1", "cat"), "100"),
        market_groups=(EXCLUSIVE,),
        terms={"ann": AccountTerms(without_netting=frozenset({1}))},
    )
    for owner, returned in (("ann", 10), ("ann/1", 0)):
        trade(harness, owner, SELL, 10, "0.30", RACE[0])
        assert trade(harness, owner, SELL, 10, "0.30", RACE[1]).ranged_return == returned


def settle(
    harness: ExchangeHarness, market: str, result: MarketResult, price: str | None = None
) -> MarketSettled:
    harness.market_state(MarketState.DETERMINED, result, price, market=market)
    outcomes = harness.market_state(MarketState.SETTLED, market=market)
    return next(o for o in outcomes if isinstance(o, MarketSettled))


@pytest.mark.parametrize("winner", [*RACE, None])
def test_settlements_pay_the_part_that_has_not_been_advanced(winner: str | None) -> None:
    harness = netting_harness(EXCLUSIVE)
    for market in RACE:
        trade(harness, "ann", SELL, 10, "0.30", market)
    assert harness.balance("ann") == 100 - 21 + 20
    for market in RACE:
        settle(harness, market, MarketResult.YES if market == winner else MarketResult.NO)
        assert harness.balance("ann") >= 99
    assert harness.balance("ann") == 100 - 21 + (20 if winner else 30)
    assert harness.balance("ann") + harness.balance("cat") == 200
    assert harness.exchange.account(account("ann")).collateral_advance == 0


def test_a_result_releases_newly_guaranteed_collateral_with_the_settlement() -> None:
    harness = netting_harness(EXCLUSIVE)
    for market in RACE:
        trade(harness, "ann", SELL, 10, "0.30", market)
    paid = settle(harness, RACE[0], MarketResult.YES)
    (ann, cat) = paid.positions
    # The account has already received 20 dollars, and the other two markets are now certain to pay 20.
    assert (ann.payout, cat.payout) == ds(0, 10)
    # There is no other winner, so the other two markets pay nothing to cat and nothing more to ann.
    for market in RACE[1:]:
        assert [position.payout for position in settle(harness, market, MarketResult.NO).positions] == [0, 0]


def test_a_scalar_result_also_conserves_money() -> None:
    harness = netting_harness(EXCLUSIVE)
    for market in RACE[:2]:
        trade(harness, "ann", SELL, 10, "0.30", market)
    settle(harness, RACE[0], MarketResult.SCALAR, "0.6")
    settle(harness, RACE[1], MarketResult.SCALAR, "0.4")
    assert harness.balance("ann") == 100 - 14 + 4 + 6
    assert harness.balance("ann") + harness.balance("cat") == 200


nets = st.dictionaries(st.integers(0, 3), st.integers(-5, 5).filter(bool), max_size=4)


@given(
    nets,
    st.sampled_from(
        [
            (GroupKind.MUTUALLY_EXCLUSIVE, False),
            (GroupKind.MUTUALLY_EXCLUSIVE, True),
            (GroupKind.DIRECTIONAL, False),
        ]
    ),
    st.randoms(use_true_random=False),
)
def test_the_guaranteed_payout_is_the_minimum_over_all_outcomes(
    held: dict[int, int], kind: tuple[GroupKind, bool], random: Random
) -> None:
    markets = ("A", "B", "C", "D")
    group = MarketGroup(name="g", markets=markets, kind=kind[0], exhaustive=kind[1])
    final = random.choice(list(possible_outcomes(group, {})))
    known = {market: final[market] for market in markets if random.random() < 0.3}
    balance = SlowBalance()
    positions = {markets[index]: Decimal(net) for index, net in held.items() if markets[index] not in known}
    for market, net in positions.items():
        balance.buy(market, yes=net > 0, price=Fraction(0), quantity=Fraction(abs(net)))
    slow = min(balance.payout(outcome) for outcome in possible_outcomes(group, known))
    settled = {market: Decimal(int(result)) for market, result in known.items()}
    assert GroupResults(group, settled).guaranteed_payout(positions) == slow


@attrs.define
class ComparedExchange:
    """An exchange and the slow model, with the same trades."""

    harness: ExchangeHarness
    groups: tuple[MarketGroup, ...]
    balances: dict[str, SlowBalance]
    trades: int = 0
    returned: Decimal = Decimal(0)

    def record(self, outcomes: tuple[Outcome, ...]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, OrderTraded):
                order = outcome.order
                self.balances[order.account.owner].buy(
                    order.market,
                    yes=order.side is BUY,
                    price=Fraction(outcome.price),
                    quantity=Fraction(outcome.quantity),
                )
                self.trades += 1
                self.returned += max(outcome.ranged_return, Decimal(0))

    def check(self, start: int) -> None:
        held = Decimal(0)
        for owner in OWNERS:
            found = self.harness.exchange.account(account(owner))
            assert found.balance == start - self.balances[owner].worst_loss(self.groups)
            assert found.available >= 0, owner
            held -= found.collateral_advance
            held += sum((holding.position.long for holding in found.holdings.values()), Decimal(0))
        balances = sum((self.harness.balance(owner) for owner in OWNERS), Decimal(0))
        assert balances + held == start * len(OWNERS)


def play(seed: int, length: int, start: int, kinds: tuple[MarketGroup, MarketGroup]) -> ComparedExchange:
    """Place random orders of three owners with little money in seven markets, and compare the accounts with
    the model after each order."""
    random = Random(seed)
    harness = netting_harness(*kinds, balance=str(start))
    model = ComparedExchange(harness, (*kinds, UNGROUPED_GROUP), {owner: SlowBalance() for owner in OWNERS})
    placed: list[tuple[str, str, Side, str]] = []
    for number in range(length):
        owner = random.choice(OWNERS)
        market = random.choice((*RACE, *RANGES, UNGROUPED))
        side = random.choice((BUY, SELL))
        quantity = str(Decimal(random.randint(1, 800)) / 100)
        price = str(Decimal(random.randint(30, 60)) / 100)
        kind = random.randrange(8)
        if kind < 6 or not placed:
            tif = TimeInForce.IMMEDIATE_OR_CANCEL if kind == 0 else TimeInForce.GOOD_TILL_CANCEL
            placed.append((owner, f"o{number}", side, market))
            model.record(harness.place(owner, f"o{number}", side, quantity, price, tif=tif, market=market))
        else:
            owner, name, side, market = random.choice(placed)
            if kind == 6:
                harness.cancel(owner, f"x{number}", name, side, market=market)
            else:
                model.record(harness.amend(owner, name, name, quantity, price, side, market=market))
        model.check(start)
    return model


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("race", [EXCLUSIVE, EXHAUSTIVE], ids=["exclusive", "exhaustive"])
def test_balances_are_reduced_by_exactly_the_worst_loss(seed: int, race: MarketGroup) -> None:
    model = play(seed, 300, 30, (race, DIRECTIONAL))
    assert model.trades > 30
    assert model.returned > 5
    harness = model.harness
    for owner in OWNERS:
        harness.mass_cancel(owner)
        assert harness.available(owner) == harness.balance(owner)
    random = Random(seed)
    results: dict[str, bool] = {}
    for group in model.groups:
        results |= random.choice(list(possible_outcomes(group, {})))
    for market in random.sample(sorted(results), len(results)):
        settle(harness, market, MarketResult.YES if results[market] else MarketResult.NO)
        assert all(harness.balance(owner) >= 0 for owner in OWNERS)
    for owner in OWNERS:
        balance = model.balances[owner]
        assert harness.balance(owner) == 30 - balance.paid + balance.payout(results)
    assert sum(harness.balance(owner) for owner in OWNERS) == 90
