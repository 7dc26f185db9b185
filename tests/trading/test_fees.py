"""Fees are computed as on the venue's page about fee rounding."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from kalshi_fix_sansio import Side
from kalshi_fix_sansio.trading import FeeTerms, Order, Orders, check_fees, expected_charges, revenue
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.orders.order import Fill
from tests.trading.order_flow import BUY, SELL, feed, only, report


def order(*fills: dict[str, Any], side: Side = BUY, **fields: Any) -> Order:
    """Return an order with these fills. In each fill, `last` is the quantity and price; the other keys are
    the fee, the balance change and the position after the fill.
    """
    orders = Orders()
    filled = Decimal(0)
    for number, fill in enumerate(fills, 1):
        filled += Decimal(fill["last"][0])
        updates = {"aggressor_indicator": True, **fields, **fill}
        feed(orders, report("trade", f"1;{number}", qty="100", cum=str(filled), side=side, **updates))
    return only(orders)


def positions_after(*quantities: str) -> list[dict[str, Any]]:
    """Return the position after each of the fills that buy these quantities."""
    total, found = Decimal(0), []
    for quantity in quantities:
        total += Decimal(quantity)
        found.append({"long_qty": str(total), "short_qty": "0"})
    return found


# The page's examples: a rate that yields the trade fees; quantity and price of each fill; trade fee, rounding
# fee and rebate of each fill; net fee of each fill.
EXAMPLES = {
    "subpenny prices": (
        "0.1635",
        ("1", "0.055"),
        [("0.0085", "0.0065", "0"), ("0.0085", "0.0065", "0.01"), ("0.0085", "0.0065", "0")],
        ["0.0150", "0.0050", "0.0150"],
    ),
    "fractional contracts": (
        "0.0546",
        ("0.30", "0.50"),
        [("0.0041", "0.0059", "0"), ("0.0041", "0.0059", "0.01"), ("0.0041", "0.0059", "0")],
        ["0.0100", "0.0000", "0.0100"],
    ),
    "both": (
        "0.07",
        ("0.03", "0.3301"),
        [("0.0005", "0.009597", "0"), ("0.0005", "0.009597", "0.01"), ("0.0005", "0.009597", "0.01")],
        ["0.010097", "0.000097", "0.000097"],
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("by_balance", [False, True])
def test_the_examples_of_the_fee_page_are_computed(name: str, by_balance: bool) -> None:
    rate, last, parts, net = EXAMPLES[name]
    fills = [{"last": last, **after} for after in positions_after(*[last[0]] * 3)]
    if by_balance:  # pass the balance change, which includes any rebate, instead of the position
        for fill, fee in zip(fills, net, strict=True):
            paid = Decimal(last[0]) * Decimal(last[1])
            fill |= {"balance": str(-paid - Decimal(fee)), "fee": fee}
            del fill["long_qty"]
    charges = expected_charges(order(*fills), FeeTerms(taker_rate=Decimal(rate)))
    assert charges is not None
    assert [(charge.trade_fee, charge.rounding_fee, charge.rebate) for charge in charges.values()] == [
        tuple(map(Decimal, part)) for part in parts
    ]
    assert [charge.net for charge in charges.values()] == list(map(Decimal, net))


def test_balances_of_direct_members_are_rounded_to_a_hundredth_of_a_cent() -> None:
    terms = FeeTerms(taker_rate=Decimal("0.07"), precision=Decimal("0.0001"))
    charges = expected_charges(order({"last": ("0.03", "0.3301"), **positions_after("0.03")[0]}), terms)
    assert charges is not None
    [charge] = charges.values()
    assert (charge.trade_fee, charge.rounding_fee) == (Decimal("0.0005"), Decimal("0.000097"))


def test_makers_have_a_different_rate_and_the_margin_product_a_different_base() -> None:
    fill = Fill(ExecKey(0, 1, 1), Decimal(200), Decimal(3), Decimal(0), aggressor=False)
    terms = FeeTerms(taker_rate=Decimal("0.0005"), maker_rate=Decimal("0.0002"), variance=False)
    assert terms.trade_fee(fill) == Decimal("0.12")
    assert terms.trade_fee(fill._replace(aggressor=True)) == Decimal("0.3")


TERMS = FeeTerms(taker_rate=Decimal("0.07"))
CORRECT_FILL: dict[str, Any] = {
    "last": ("10", "0.40"),
    "fee": "0.17",
    "balance": "-4.17",
    **positions_after("10")[0],
}


def test_a_correct_fee_is_not_reported() -> None:
    assert check_fees(order(CORRECT_FILL), TERMS) == []


def test_a_wrong_fee_and_an_imprecise_balance_are_reported() -> None:
    [wrong] = check_fees(order(CORRECT_FILL | {"fee": "0.18", "balance": "-4.18"}), TERMS)
    assert (wrong.kind.name, wrong.reported, wrong.expected) == ("FEE", Decimal("0.18"), Decimal("0.17"))
    fee, precision = check_fees(order(CORRECT_FILL | {"fee": "0.168", "balance": "-4.168"}), TERMS)
    assert (fee.kind.name, fee.expected) == ("FEE", Decimal("0.17"))
    assert (precision.kind.name, precision.reported) == ("PRECISION", Decimal("-4.168"))


@pytest.mark.parametrize(
    "changes",
    [
        {"aggressor_indicator": None},
        {"balance": None, "long_qty": None},
    ],
)
def test_incomplete_reports_are_not_checked(changes: dict[str, Any]) -> None:
    fill = {name: value for name, value in (CORRECT_FILL | changes).items() if value is not None}
    if "aggressor_indicator" in changes:
        fill["aggressor_indicator"] = None
    assert check_fees(order(fill), TERMS) == []


def test_fees_are_not_checked_while_fills_are_missing() -> None:
    orders = Orders()
    feed(orders, report("trade", "1;1", cum="9", qty="100", last=("1", "0.40"), fee="9", balance="-1"))
    assert expected_charges(only(orders), TERMS) is None
    assert check_fees(only(orders), TERMS) == []


def test_the_position_does_not_determine_the_revenue_of_a_margin_fill() -> None:
    fill = {name: value for name, value in CORRECT_FILL.items() if name != "balance"}
    terms = FeeTerms(taker_rate=Decimal("0.0005"), variance=False)
    assert expected_charges(order(fill), terms) is None


@pytest.mark.parametrize("seed", range(20))
def test_the_revenue_of_a_fill_is_the_change_in_value_of_the_position(seed: int) -> None:
    """A long contract is paid for when it is bought; a short contract requires a deposit of a dollar minus
    its price.
    """
    random = Random(seed)
    net = paid = Decimal(0)
    for _ in range(50):
        quantity, price = Decimal(random.randint(1, 2000)) / 100, Decimal(random.randint(1, 9999)) / 10_000
        side = random.choice((BUY, SELL))
        net += quantity if side is BUY else -quantity
        fill = Fill(
            ExecKey(0, 1, 1), price, quantity, Decimal(0), None, max(net, Decimal(0)), max(-net, Decimal(0))
        )
        change = revenue(side, fill)
        assert change is not None
        paid += change
        # Without the prices, one dollar is paid for each open short contract, and returned when it is closed.
        paid += price * quantity if side is BUY else -price * quantity
        assert paid == -max(-net, Decimal(0))
