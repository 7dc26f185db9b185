"""Failures of the demo."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO

import pytest
from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_adapters.cli.kit.terminal import Screen
from kalshi_fix_sansio import (
    ExecType,
    ExecutionReport,
    MarketDataSnapshotFullRefresh,
    NewOrderSingle,
    OrderGroupRequest,
)
from kalshi_fix_venue.cli.demo import DemoError, Participant
from kalshi_fix_venue.testing import MARKETS, PREDICTION, Sandbox


def participant(sandbox: Sandbox, session: str) -> Participant:
    return Participant(sandbox, Screen(StringIO()), "you", PREDICTION, session)


def order() -> NewOrderSingle:
    symbol = MARKETS[PREDICTION][0].rules.ticker
    return NewOrderSingle(cl_ord_id="1", symbol=symbol, side="1", ord_type="2", price="0.01", order_qty=1)


def test_a_failing_demo_is_reported_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_venue.scenario.scenario.LIQUIDITY_BALANCE", Decimal(0))
    result = CliRunner().invoke(commands, ["demo"])
    assert result.exit_code == 1
    [sentence] = result.stderr.splitlines()
    assert sentence.startswith("kalshi-fix: the book of ")
    assert "Orders" not in result.stdout


def test_an_unexpected_message_fails_the_demo(sandbox: Sandbox) -> None:
    you = participant(sandbox, "KalshiNR")
    with you.logged_on():
        you.send(order())
        with pytest.raises(DemoError, match=r"you expected MarketDataSnapshot.* from KalshiNR, but got Exec"):
            you.expect(MarketDataSnapshotFullRefresh)
        with pytest.raises(
            DemoError, match=r"expected ExecutionReport exec_type=CANCELED from KalshiNR, but got"
        ):
            you.expect(ExecutionReport, exec_type=ExecType.CANCELED)


def test_a_reject_fails_the_demo(sandbox: Sandbox) -> None:
    you = participant(sandbox, "KalshiNR")
    with you.logged_on():
        you.send(OrderGroupRequest.reset("0d5ba9a8-5b1c-4d0a-9d5e-1f6b3a3f0c11"))
        with pytest.raises(DemoError, match="but got BusinessMessageReject"):
            you.expect(ExecutionReport)


def test_silence_fails_the_demo(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_venue.cli.demo.MESSAGE_TIMEOUT", 0.01)
    you = participant(sandbox, "KalshiNR")
    with (
        you.logged_on(),
        pytest.raises(DemoError, match=r"expected ExecutionReport .*nothing was received within"),
    ):
        you.expect(ExecutionReport)
