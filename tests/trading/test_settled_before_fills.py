"""Positions and cash are the same whether a settlement is received before, between or after fills."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import MarketResult, Party, PartyRole
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.trading import (
    Account,
    Cash,
    Orders,
    Positions,
    SettledParty,
    Settlement,
    Settlements,
)
from kalshi_fix_sansio.trading.money.cash import NO_SHARD
from tests.trading.order_flow import BUY, OTHER, SELL, SYMBOL, d, dump, load
from tests.trading.order_flow import report as fill_report
from tests.trading.test_settlements import party
from tests.trading.test_settlements import report as page

PRIMARY, SECOND, CUSTOMER = Account(), Account(subaccount=2), Account(customer="ann")
PARTIES = {"me": PRIMARY, "me_2": SECOND}
MARK = d("0.77")
NEXT_DAY = date(2026, 11, 21)


class Portfolio:
    """Orders and settlements, and the positions and cash that follow from their updates."""

    def __init__(self, **bounds: int) -> None:
        self.orders, self.settlements = Orders("KalshiRT"), Settlements()
        self.positions = Positions(**bounds)
        self.cash = Cash(parties=PARTIES)

    def apply(self, *messages: Message) -> None:
        for message in messages:
            for update in (*self.orders.apply(message), self.settlements.apply(message)):
                self.positions.apply(update)
                self.cash.apply(update)

    def reopen(self) -> Portfolio:
        """Return a portfolio loaded from the dumps, as in another process."""
        loaded = Portfolio()
        for name, machine in vars(self).items():
            load(getattr(loaded, name), dump(machine))
        return loaded

    def figures(self) -> dict[Any, Any]:
        """Return all values that a user reads, by key."""
        found: dict[Any, Any] = {
            key: (each.net, each.realized, each.unrealized(MARK), each.profit(MARK), each.settled_at)
            for key, each in self.positions.items()
        }
        for key, balance in self.cash.items():
            found[key] = (
                balance.change,
                balance.payouts,
                balance.settlement_fees,
                balance.fills,
                balance.settlements,
            )
        found["not known exactly"] = len(self.positions.uncertain()), len(self.cash.uncertain())
        return found


def fill(number: int, account: Account = PRIMARY, *, symbol: str = SYMBOL, shard: int = 0) -> Message:
    """Return a fill that buys 10 contracts or, for every third number, sells 4."""
    side, quantity = (SELL, "4") if number % 3 == 0 else (BUY, "10")
    more: dict[str, Any] = {}
    if account.subaccount:
        more["alloc_account"] = account.subaccount
    if account.customer is not None:
        more["party_ids"] = [Party(party_id=account.customer, party_role=PartyRole.CUSTOMER_ACCOUNT)]
    return fill_report(
        "filled", f"1;{number}" + (f";{shard}" if shard else ""), f"o{number}", f"c{number}", qty=quantity,
        cum=quantity, side=side, last=(quantity, "0.40"), fee="0.01", balance="-4.01", symbol=symbol, **more,
    )  # fmt: skip


HISTORY: tuple[Message, ...] = (
    # Two accounts and a clearing member's customer trade in a market on shard 0, settled in three pages.
    *(fill(number) for number in (1, 2, 3)),
    *(fill(number, SECOND) for number in (4, 5)),
    fill(6, CUSTOMER),
    page("r1", party("me", "9.50", "0.01"), symbol=SYMBOL, last_fragment=False),
    page("r2", party("me_2", "19.00", "0.02"), party("ann", "0"), symbol=SYMBOL, last_fragment=True),
    page("r3", party("me", "0.25"), party("zoe", "3"), symbol=SYMBOL, last_fragment=False),
    # A market on shard 2 is settled again on the next day, at another price.
    *(fill(number, symbol=OTHER, shard=2) for number in (7, 8)),
    page("s1", party("me", "20"), symbol=OTHER, settlement_price="100"),
    page("s2", party("me", "-1"), symbol=OTHER, settlement_price="95", clearing_business_date=NEXT_DAY),
    # One market has a settlement but no fill; another market has a fill but no settlement.
    page("t1", party("me", "0", "0.5"), symbol="M3"),
    fill(10, symbol="M4", shard=2),
)  # fmt: skip


@settings(max_examples=150)
@given(st.integers(0, 100_000))
def test_the_order_of_fills_and_settlements_does_not_matter(seed: int) -> None:
    random, expected, portfolio = Random(seed), Portfolio(), Portfolio()
    expected.apply(*HISTORY)
    shuffled = [*HISTORY, *random.choices(HISTORY, k=5)]
    random.shuffle(shuffled)
    restart = random.randrange(len(shuffled))
    for number, message in enumerate(shuffled):
        if number == restart:
            portfolio = portfolio.reopen()
        portfolio.apply(message)
    assert portfolio.figures() == portfolio.reopen().figures() == expected.figures()


def test_a_settlement_before_the_first_fill_closes_the_position_and_pays_on_its_shard() -> None:
    portfolio = Portfolio()
    portfolio.apply(page("r", party("me", "10"), symbol=SYMBOL))
    assert (list(portfolio.positions), portfolio.cash.of(NO_SHARD).payouts) == ([], d(10))
    assert portfolio.positions.of(SYMBOL).settled_at == 1
    portfolio.apply(fill(1, shard=3))
    position = portfolio.positions.of(SYMBOL)
    assert (position.net, position.realized, position.profit(MARK)) == (d(0), d(6), d("5.99"))
    assert [(key.shard, balance.payouts) for key, balance in portfolio.cash.items()] == [(3, d(10))]


def test_a_party_on_two_pages_is_paid_both_amounts() -> None:
    portfolio = Portfolio()
    portfolio.apply(page("r1", party("me", "4", "1")), page("r2", party("me", "3", "1")))
    balance = portfolio.cash.of(NO_SHARD)
    assert (balance.payouts, balance.settlement_fees, balance.settlements) == (d(7), d(2), 1)


def test_remembered_settled_markets_are_bounded() -> None:
    portfolio = Portfolio(max_settled=2)
    for name in ("M1", "M2", "M3"):
        portfolio.apply(page(name, party("me"), symbol=name))
    portfolio.apply(*(fill(number, symbol=f"M{number}") for number in (1, 2)))
    assert [portfolio.positions.of(name).net for name in ("M1", "M2")] == [10, 0]


def test_a_payout_is_not_moved_without_room_for_another_balance() -> None:
    portfolio = Portfolio()
    portfolio.cash = Cash(parties=PARTIES, max_balances=1)
    portfolio.apply(page("r", party("me", "10"), symbol=SYMBOL), page("s", party("me", "1"), symbol=OTHER))
    portfolio.apply(fill(1, shard=3))
    assert [(key.shard, balance.payouts) for key, balance in portfolio.cash.items()] == [(NO_SHARD, d(11))]
    assert portfolio.cash.refused == 1  # for the fill


@pytest.mark.parametrize(("remembered", "shard"), [(2, NO_SHARD), (3, 0)])
def test_remembered_payouts_of_settlements_are_bounded(remembered: int, shard: int) -> None:
    """Beyond the limit a payout is counted, but not moved to another balance."""
    cash = Cash(max_paid=remembered)
    paid = tuple(SettledParty(name, d(1), d(0), d(2), d(0)) for name in ("ann", "bob", "eve"))
    cash.apply(Settlement(SYMBOL, NEXT_DAY, MarketResult.YES, d(1), paid, 1))
    [update] = Orders().apply(fill(1))
    cash.apply(update)
    assert cash.of(shard, Account(customer="ann")).payouts == 2
    assert cash.of(0, Account(customer="bob")).payouts == 2
