"""Logon flags, the units of prices and amounts, and ExecIDs."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import Logon
from kalshi_fix_sansio._generated.sessions import SESSION_TYPES
from kalshi_fix_venue.exchange import MARGIN, PREDICTION, ExecId
from kalshi_fix_venue.gateway.flags import LogonFlags
from kalshi_fix_venue.gateway.units import contracts, money, order_price_from_wire, price_to_wire
from tests.venue.exchange_harness import d


def test_flags_default_to_the_documented_values() -> None:
    flags = LogonFlags.from_logon(Logon(heart_bt_int=30), PREDICTION)
    assert flags == LogonFlags()
    assert (flags.use_dollars, flags.message_retention_period) == (
        False,
        SESSION_TYPES["KalshiRT"].retention_hours,
    )


def test_flags_are_read_from_the_logon() -> None:
    logon = Logon(
        heart_bt_int=30,
        use_dollars=True,
        skip_pending_exec_reports=True,
        enable_ioc_cancel_report=True,
        preserve_original_order_qty=True,
        use_expired_ord_status=True,
        always_emit_new_before_trade=True,
        split_collateral_return=True,
        listener_session=True,
        cancel_orders_on_disconnect=True,
        message_retention_period=72,
    )
    assert LogonFlags.from_logon(logon, PREDICTION) == LogonFlags(
        use_dollars=True,
        skip_pending_exec_reports=True,
        enable_ioc_cancel_report=True,
        preserve_original_order_qty=True,
        use_expired_ord_status=True,
        always_emit_new_before_trade=True,
        split_collateral_return=True,
        listener_session=True,
        cancel_orders_on_disconnect=True,
        message_retention_period=72,
    )


def test_margin_uses_dollars_whatever_the_flags_of_the_logon() -> None:
    assert LogonFlags.from_logon(Logon(heart_bt_int=30, use_dollars=False), MARGIN).use_dollars


@pytest.mark.parametrize(
    ("value", "dollars", "wire"),
    [
        ("0.75", True, "0.7500"),
        ("0.0123", True, "0.0123"),
        ("19.5", True, "19.5000"),
        ("0.75", False, "75"),
        ("0.1", False, "10"),
        ("0.0123", False, "1"),
        ("0.405", False, "40"),
        ("0.9999", False, "99"),
        ("0", False, "0"),
        ("0.333333", False, "33"),
        ("0.399999", False, "39"),
    ],
)
def test_prices_are_sent_in_the_sessions_unit(value: str, dollars: bool, wire: str) -> None:
    assert str(price_to_wire(d(value), dollars=dollars)) == wire


def test_prices_are_received_in_the_sessions_unit() -> None:
    assert order_price_from_wire(d("0.75"), dollars=True) == d("0.75")
    assert order_price_from_wire(d("75"), dollars=False) == d("0.75")
    assert order_price_from_wire(d("75.5"), dollars=False) == d("0.75")


def test_quantities_have_two_decimals_and_amounts_at_least_two() -> None:
    assert str(contracts(d("10"))) == "10.00"
    assert [str(money(d(text))) for text in ("5", "-0.5", "0.0975", "0.097500", "100")] == [
        "5.00",
        "-0.50",
        "0.0975",
        "0.0975",
        "100.00",
    ]


def test_exec_ids_contain_the_shard_except_for_shard_zero() -> None:
    assert (str(ExecId(4, 7)), str(ExecId(4, 7, 1))) == ("4;7", "4;7;1")
