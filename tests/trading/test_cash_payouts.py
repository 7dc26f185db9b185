"""Payouts of settlements are counted once, for the account and shard to which they belong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from kalshi_fix_sansio import MarketResult
from kalshi_fix_sansio.trading import Account, Cash, Orders, SettledParty, Settlement, SettlementUpdate
from kalshi_fix_sansio.trading.money.cash import NO_SHARD
from tests.trading.order_flow import OTHER, SYMBOL, feed, report

OWN_ACCOUNT = Account()


def settled(payouts: dict[str, str], symbol: str = SYMBOL, day: int = 21) -> Settlement:
    parties = tuple(
        SettledParty(name, Decimal(1), Decimal(0), Decimal(payout), Decimal("0.05"))
        for name, payout in payouts.items()
    )
    return Settlement(symbol, date(2026, 11, day), MarketResult.YES, Decimal(1), parties, 1)


def apply_fill(cash: Cash, shard: int = 2) -> None:
    """Apply a fill of `SYMBOL`."""
    for update in feed(
        Orders(), report("trade", f"1;2;{shard}", cum="4", last=("4", "0.40"), balance="-1.6")
    ):
        cash.apply(update)


def test_a_payout_belongs_to_the_shard_of_its_market() -> None:
    cash = Cash(parties={"me": OWN_ACCOUNT})
    apply_fill(cash)
    [balance] = cash.apply(SettlementUpdate(SYMBOL, settled({"me": "3.95"})))
    assert balance is cash.of(2)
    assert balance.change == Decimal("-1.6")
    assert balance.payouts == Decimal("3.95")
    assert balance.settlement_fees == Decimal("0.05")
    assert cash.apply(SettlementUpdate(SYMBOL)) == []


def test_a_payout_is_counted_once_however_often_it_is_reported() -> None:
    cash = Cash(parties={"me": OWN_ACCOUNT})
    apply_fill(cash)
    cash.apply(settled({"me": "3.95"}))
    reloaded = Cash()
    reloaded.load(cash.dump())
    assert cash.apply(settled({"me": "3.95"})) == reloaded.apply(settled({"me": "3.95"})) == []
    # The same payout on another page, and on another day.
    assert [item.account for item in cash.apply(settled({"me": "3.95", "you": "1"}))] == [
        Account(customer="you")
    ]
    assert cash.apply(settled({"me": "1"}, day=22)) == [cash.of(2)]
    assert cash.of(2).payouts == Decimal("4.95")
    assert reloaded.of(2).payouts == Decimal("3.95")


def test_a_market_without_fills_has_no_known_shard() -> None:
    cash = Cash()
    cash.apply(settled({"c7": "2"}, OTHER))
    assert cash.of(NO_SHARD, Account(customer="c7")).payouts == 2


def test_remembered_payouts_are_bounded() -> None:
    cash = Cash(max_paid=2, max_balances=3)
    for number in range(5):
        cash.apply(settled({f"c{number}": "1"}, f"M{number}"))
    assert (len(cash), cash._remembered, cash.refused) == (3, 2, 2)
    for number in range(5):
        updates = feed(Orders(), report("trade", "1;2", cum="4", last=("4", "0.40"), symbol=f"M{number}"))
        cash.apply(updates[0])
    assert len(cash._shards) == 2


def test_a_payout_stays_in_its_balance_if_the_shard_of_its_fills_has_no_room() -> None:
    cash = Cash(parties={"me": OWN_ACCOUNT})
    cash.apply(settled({"me": "3.95", "you": "1", "they": "1"}))
    reloaded = Cash(max_balances=2)
    reloaded.load(cash.dump())
    for shard in (2, 3):
        apply_fill(reloaded, shard)
        assert sorted(balance.payouts for balance in reloaded.values()) == [1, 1, Decimal("3.95")]
        assert reloaded.refused == shard - 1
