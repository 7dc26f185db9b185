"""Positions and balances are sums over fills, in any order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import MarketResult
from kalshi_fix_sansio.trading import (
    Account,
    BalanceKey,
    Cash,
    DropCopyRange,
    DropCopyReport,
    Orders,
    PositionKey,
    Positions,
    Settlement,
    SettlementUpdate,
)
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from tests.trading.order_flow import (
    BUY,
    OTHER,
    SELL,
    SESSION_ENDED,
    SYMBOL,
    d,
    dump,
    feed,
    load,
    logged_on,
    place,
    reloaded,
    report,
)

PRIMARY = Account()


ZERO = Decimal(0)


class Harness:
    """Orders, and the positions and balances that follow from their updates."""

    def __init__(self) -> None:
        self.orders, self.positions, self.cash = Orders(), Positions(), Cash()

    def apply(self, *events: object) -> None:
        for item in events:
            for update in feed(self.orders, item):
                self.positions.apply(update)
                self.cash.apply(update)


@pytest.fixture
def harness() -> Harness:
    """Return a harness that has received no message."""
    return Harness()


@pytest.mark.parametrize("index", range(4))
def test_fills_are_booked_to_the_account_given_in_any_report(index: int) -> None:
    fields: dict[str, Any] = {"last": ("4", "0.40"), "fee": "0.02", "balance": "-1.62"}
    reports = [
        report("new", "1;1"),
        report("trade", "1;2", cum="4", long_qty="4", short_qty="0", **fields),
        report("trade", "1;3", cum="8", **fields),
        report("canceled", "1;4", cum="8"),
    ]
    reports[index].alloc_account = 5
    found = set()
    for permuted in permutations(reports):
        harness = Harness()
        harness.apply(*permuted)
        harness.apply(*permuted)
        [(key, position)], [(balance_key, balance)] = harness.positions.items(), harness.cash.items()
        assert (key.account, balance_key) == (Account(5), BalanceKey(Account(5), 0))
        assert (position.bought, position.bought_value, position.fees) == (d(8), d("3.2"), d("0.04"))
        assert position.incomplete_orders == {}
        assert balance.fills == 2
        assert balance.change == d("-3.24")
        assert balance.paid == d("3.2")
        assert balance.fees == d("0.04")
        found.add(position.reported_net)
    assert found == {(ExecKey(0, 1, 2), Decimal(4))}


def test_a_late_account_moves_only_the_counted_fills() -> None:
    harness = Harness()
    trade: dict[str, Any] = {"last": ("4", "0.40")}
    harness.apply(place(), report("trade", "1;1", cum="4", long_qty="4", short_qty="0", **trade))
    harness.apply(
        report("trade", "1;2", "o2", "b", cum="8", **trade),
        report("trade", "1;3;1", "o3", "c", cum="8", **trade),
    )
    [first, second, _] = harness.orders
    harness.apply(
        report("new", "1;4", alloc_account=5, cum="4"),
        report("new", "1;5", "o2", "b", cum="8", alloc_account=5),
    )
    assert [
        (key.account.subaccount, each.net, each.incomplete_orders) for key, each in harness.positions.items()
    ] == [
        (0, d(4), {3: None}),
        (5, d(8), {second.number: None}),
    ]
    assert (first.account, second.account) == (Account(5), Account(5))
    assert {key: balance.fills for key, balance in harness.cash.items()} == {
        BalanceKey(PRIMARY, 1): 1,
        BalanceKey(Account(5), 0): 2,
    }
    # A fill that was refused for lack of room was not counted and is therefore not subtracted.
    refusing = Harness()
    refusing.positions, refusing.cash = Positions(max_positions=0), Cash(max_balances=0)
    refusing.apply(report("trade", "1;1", cum="4", **trade), report("new", "1;2", cum="4", alloc_account=5))
    assert (len(refusing.positions), refusing.positions.refused, refusing.cash.refused) == (0, 1, 1)


def test_moving_fills_returns_their_previous_position_and_balance(harness: Harness) -> None:
    trade: dict[str, Any] = {"last": ("4", "0.40")}
    harness.apply(report("trade", "1;1", cum="4", **trade))
    harness.apply(report("trade", "1;2", "o2", "b", cum="4", **trade))
    positions, cash = harness.positions, harness.cash
    # At first a fill of the other order remains in the previous account, then none.
    for number, (cl_ord_id, order_id) in enumerate((("a", "o1"), ("b", "o2")), 3):
        message = report("new", f"1;{number}", order_id, cl_ord_id, alloc_account=5, cum="4")
        [update] = feed(harness.orders, message)
        left = 4 if number == 3 else 0
        assert [(item.account, item.net) for item in positions.apply(update)] == [
            (PRIMARY, d(left)),
            (Account(5), d(8 - left)),
        ]
        assert [(item.account, item.fills) for item in cash.apply(update)] == [
            (PRIMARY, left // 4),
            (Account(5), (8 - left) // 4),
        ]
    assert (list(positions), list(cash)) == ([PositionKey(Account(5), SYMBOL)], [BalanceKey(Account(5), 0)])


def random_fills(seed: int, count: int) -> list[Any]:
    """Return fills of one account in one market, with positions and balances as the venue reports them."""
    random = Random(seed)
    net, found = Decimal(0), []
    for number in range(1, count + 1):
        side, quantity = random.choice((BUY, SELL)), Decimal(random.randint(1, 900)) / 100
        before, net = net, net + (quantity if side is BUY else -quantity)
        price = Decimal(random.randint(1, 99)) / 100
        cost = price if side is BUY else 1 - price
        closed = min(quantity, max(Decimal(0), -before if side is BUY else before))
        flow = closed * (1 - cost) - (quantity - closed) * cost
        fee = Decimal(random.randint(0, 9)) / 100
        found.append(
            fill(
                number,
                side,
                str(quantity),
                str(price),
                fee=str(fee),
                long_qty=str(max(net, Decimal(0))),
                short_qty=str(max(-net, Decimal(0))),
                balance=str(flow - fee),
            )
        )
    return found


def slow_totals(found: Iterable[Any]) -> dict[str, Decimal]:
    """Return the expected totals of fills, as plain sums."""
    totals = dict.fromkeys(("net", "cash", "fees", "change"), Decimal(0))
    for item in found:
        signed = item.last_qty if item.side == BUY else -item.last_qty
        totals["net"] += signed
        totals["cash"] -= signed * item.last_px
        totals["fees"] += item.misc_fees[0].misc_fee_amt
        totals["change"] += item.collateral_amount_changes[0].collateral_amount_change
    return totals


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 25), st.integers(0, 10_000))
def test_positions_and_balances_follow_from_the_fills_in_any_order(
    seed: int, count: int, shuffle: int
) -> None:
    random = Random(shuffle)
    found = random_fills(seed, count)
    updates = found + [item for item in found if random.random() < 0.3]
    random.shuffle(updates)
    harness = Harness()
    harness.apply(*updates)
    expected = slow_totals(found)
    position, balance = harness.positions.of(SYMBOL), harness.cash.of()
    assert (position.net, position.fees) == (expected["net"], expected["fees"])
    before_fees = expected["cash"] + expected["net"] * Decimal("0.37")
    assert position.profit(Decimal("0.37")) == before_fees - expected["fees"]
    parts = position.realized + position.unrealized(Decimal("0.37"))
    assert abs(parts - before_fees) < Decimal("1e-20")  # Average prices have 28 digits.
    assert position.unexplained == balance.unexplained == 0
    assert harness.positions.discrepancies() == []
    assert balance.change == expected["change"]
    assert balance.fees == expected["fees"]
    assert balance.paid == -expected["cash"]
    assert (balance.fills, balance.unreported_changes) == (count, 0)


def fill(number: int, side: Any, quantity: str, price: str, **fields: Any) -> Any:
    return report(
        "filled", f"1;{number}", f"o{number}", f"c{number}", qty=quantity, cum=quantity, side=side,
        last=(quantity, price), **fields,
    )  # fmt: skip


def test_purchases_and_sales_are_netted_at_average_prices(harness: Harness) -> None:
    assert harness.positions.of(SYMBOL).average_price is None
    harness.apply(fill(1, BUY, "10", "0.40"), fill(2, BUY, "10", "0.50"))
    position = harness.positions[PositionKey(PRIMARY, SYMBOL)]
    assert (position.net, position.average_price, position.realized) == (Decimal(20), Decimal("0.45"), ZERO)
    harness.apply(fill(3, SELL, "5", "0.65"))
    assert (position.net, position.realized) == (Decimal(15), Decimal("1.00"))
    harness.apply(fill(4, SELL, "25", "0.65"))
    assert (position.net, position.average_price) == (Decimal(-10), Decimal("0.65"))
    assert position.realized == Decimal("4.00")
    assert position.unrealized(Decimal("0.60")) == Decimal("0.50")
    harness.apply(fill(5, BUY, "10", "0.60"))
    assert (position.net, position.realized) == (ZERO, Decimal("4.50"))


def test_profit_counts_realized_gains_once_and_deducts_fees(harness: Harness) -> None:
    harness.apply(fill(1, BUY, "10", "0.40", fee="0.17"), fill(2, SELL, "10", "0.50", fee="0.07"))
    position = harness.positions.of(SYMBOL)
    assert (position.realized, position.unrealized(Decimal("0.45"))) == (Decimal("1.00"), ZERO)
    assert position.profit(Decimal("0.45")) == Decimal("0.76")
    harness.apply(fill(3, SELL, "4", "0.50"))
    assert (position.realized, position.unrealized(Decimal("0.45"))) == (Decimal("1.00"), Decimal("0.20"))
    assert position.profit(Decimal("0.45")) == Decimal("0.96")


def test_initial_positions_are_included(harness: Harness) -> None:
    harness.positions.begin(SYMBOL, Decimal(-10), Decimal("0.60"))
    harness.apply(fill(1, BUY, "10", "0.40", long_qty="0", short_qty="0"))
    position = harness.positions.of(SYMBOL)
    assert (position.net, position.realized, position.unexplained) == (ZERO, Decimal("2.0"), ZERO)


@pytest.mark.parametrize(("price", "gain"), [("1", "6.0"), ("0", "-4.0"), ("0.306", "-0.94")])
@pytest.mark.parametrize("late", [False, True])
def test_a_settlement_closes_positions(harness: Harness, price: str, gain: str, late: bool) -> None:
    settled = Settlement(SYMBOL, date(2026, 11, 21), MarketResult.YES, Decimal(price), (), 1)
    bought = fill(1, BUY, "10", "0.40", long_qty="10", short_qty="0")
    harness.apply(
        fill(9, BUY, "1", "0.10", symbol=OTHER), fill(2, SELL, "1", "0.40"), fill(3, BUY, "1", "0.40")
    )
    if not late:
        harness.apply(bought)
    changed = harness.positions.apply(SettlementUpdate(SYMBOL, settled) if late else settled)
    assert [item.symbol for item in changed] == [SYMBOL]
    if late:
        harness.apply(bought)
    position = harness.positions.of(SYMBOL)
    assert (position.net, position.realized, position.average_price) == (ZERO, Decimal(gain), None)
    assert position.unrealized(Decimal("0.77")) == 0
    assert position.profit(Decimal("0.77")) == Decimal(gain)
    assert harness.positions.discrepancies() == []
    assert harness.positions.of(OTHER).net == 1


def test_a_different_reported_position_is_a_discrepancy_if_no_fills_are_missing(harness: Harness) -> None:
    harness.apply(logged_on(), fill(1, BUY, "10", "0.40", long_qty="12", short_qty="0"))
    [found] = harness.positions.discrepancies()
    assert (found.counted, found.reported_net, found.key) == (Decimal(10), Decimal(12), ExecKey(0, 1, 1))
    assert harness.positions.of(SYMBOL).unexplained == 2
    # An order with missing fills may explain it.
    harness.apply(place("z"), SESSION_ENDED)
    assert harness.positions.discrepancies() == []
    harness.apply(report("rejected", "1;9", "o9", "z"))
    assert len(harness.positions.discrepancies()) == 1


def test_a_missing_fill_is_listed_until_it_is_reported(harness: Harness) -> None:
    both: dict[str, Any] = {"short_qty": "0", "qty": "10"}
    harness.apply(logged_on(), place())
    harness.apply(report("trade", "1;3", cum="7", last=("3", "0.40"), long_qty="7", **both))
    position = harness.positions.of(SYMBOL)
    assert position.net == Decimal(3)
    assert position.unexplained == Decimal(4)
    assert harness.positions.discrepancies() == []
    harness.apply(
        SESSION_ENDED,
        DropCopyReport(report("trade", "1;2", cum="4", last=("4", "0.40"), long_qty="4", **both)),
    )
    assert (position.net, position.unexplained, list(position.incomplete_orders)) == (Decimal(7), ZERO, [1])
    harness.apply(DropCopyRange(0, ExecKey(0, 1, 1), harness.orders.epoch))
    assert list(position.incomplete_orders) == []


def test_accounts_and_shards_are_separate(harness: Harness) -> None:
    harness.apply(
        fill(1, BUY, "10", "0.40", alloc_account=3, balance="-4"),
        report("filled", "1;1;2", "o2", "c2", cum="10", symbol=OTHER, last=("10", "0.20"), fee="0.02"),
    )
    three = Account(3)
    assert set(harness.positions) == {PositionKey(three, SYMBOL), PositionKey(PRIMARY, OTHER)}
    assert set(harness.cash) == {BalanceKey(three, 0), BalanceKey(PRIMARY, 2)}
    assert (len(harness.positions), len(harness.cash)) == (2, 2)
    assert harness.cash.of(0, three).change == -4
    assert harness.cash[BalanceKey(PRIMARY, 2)].unreported_changes == 1
    assert harness.cash.of(7).fills == 0


def test_collateral_returned_by_market_groups_is_not_derived_from_price_and_position(
    harness: Harness,
) -> None:
    harness.apply(fill(1, BUY, "10", "0.40", fee="0.17", balance="1.83", long_qty="10", short_qty="0"))
    assert harness.cash.of().unexplained == Decimal("6.00")
    margin, orders = Cash(product="margin"), Orders(product="margin")
    for update in feed(orders, fill(1, BUY, "10", "0.40", balance="1.83", long_qty="10", short_qty="0")):
        margin.apply(update)
    assert (margin.of().unexplained, margin.of().change) == (ZERO, Decimal("1.83"))


def test_other_objects_have_no_effect(harness: Harness) -> None:
    for item in (None, "text", SettlementUpdate(SYMBOL)):
        assert not harness.positions.apply(item)
        assert not harness.cash.apply(item)
    harness.apply(report("new", "1;1"), "text")
    assert len(harness.positions) == len(harness.cash) == 0


def test_only_flat_positions_are_evicted(harness: Harness) -> None:
    harness.positions = Positions(max_positions=2)
    harness.apply(fill(1, BUY, "1", "0.4", symbol="a"), fill(2, BUY, "1", "0.4", symbol="b"))
    harness.apply(fill(3, BUY, "1", "0.4", symbol="c"))
    assert (harness.positions.refused, [key.symbol for key in harness.positions]) == (1, ["a", "b"])
    harness.positions.begin("d", Decimal(1), Decimal(1))
    assert (harness.positions.refused, len(harness.positions.uncertain())) == (2, 1)
    harness.apply(fill(4, SELL, "1", "0.4", symbol="a"), fill(5, BUY, "1", "0.4", symbol="c"))
    assert [key.symbol for key in harness.positions] == ["b", "c"]


def test_initial_positions_may_be_given_in_parts() -> None:
    positions = Positions()
    positions.begin("a", Decimal(1), Decimal("0.40"))
    positions.begin("a", Decimal(2), Decimal("0.70"))
    assert positions.of("a").net == 3
    assert [key.symbol for key in positions] == ["a"]


def test_the_missing_fills_of_an_evicted_order_stay_uncertain(harness: Harness) -> None:
    harness.orders = Orders(max_orders=1)
    harness.apply(report("canceled", "1;3", cum="7"))
    position = harness.positions.of(SYMBOL)
    harness.apply(fill(4, BUY, "1", "0.4"), fill(5, BUY, "1", "0.4"))
    assert (position.net, list(position.incomplete_orders)) == (Decimal(2), [1])


def test_balances_are_bounded(harness: Harness) -> None:
    harness.cash = Cash(max_balances=1)
    harness.apply(
        fill(1, BUY, "1", "0.4"), fill(2, BUY, "1", "0.4", alloc_account=1), fill(3, BUY, "1", "0.4")
    )
    assert (harness.cash.refused, harness.cash.of().fills) == (1, 2)


def full_harness() -> Harness:
    harness = Harness()
    harness.apply(
        logged_on(), *random_fills(3, 10), place("z"), fill(20, BUY, "1", "0.4", symbol=OTHER), SESSION_ENDED
    )
    harness.positions.apply(Settlement(OTHER, date(2026, 11, 21), MarketResult.YES, Decimal("0.3060"), (), 1))
    return harness


@pytest.mark.parametrize("name", ["positions", "cash"])
def test_the_whole_state_survives_a_round_trip(name: str) -> None:
    harness = full_harness()
    machine = getattr(harness, name)
    other = reloaded(machine)
    assert dump(other) == dump(machine)
    for item in harness.positions.values() if name == "positions" else ():
        loaded = other[PositionKey(item.account, item.symbol)]
        assert loaded.net == item.net
        assert loaded.reported_net == item.reported_net
        assert loaded.incomplete_orders == item.incomplete_orders


def test_positions_loaded_before_orders_may_miss_fills_of_uncertain_orders() -> None:
    harness = full_harness()
    loaded = Harness()
    loaded.positions = reloaded(harness.positions)
    assert not loaded.positions.may_miss_fills(loaded.positions.of(SYMBOL))
    for update in load(loaded.orders, dump(harness.orders)):
        loaded.positions.apply(update)
    assert loaded.positions.may_miss_fills(loaded.positions.of(SYMBOL))
