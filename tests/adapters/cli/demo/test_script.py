"""The demo when something does not go as it must."""

from __future__ import annotations

from decimal import Decimal

import pytest
from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_adapters.cli.demo.participant import DemoError, Participant
from kalshi_fix_adapters.config.plan import ClientConfig, make_plan
from kalshi_fix_adapters.testing import MARKETS, PREDICTION, Sandbox
from kalshi_fix_sansio import (
    ExecType,
    ExecutionReport,
    MarketDataSnapshotFullRefresh,
    NewOrderSingle,
    OrderGroupRequest,
)


def participant(sandbox: Sandbox, session: str) -> Participant:
    plan = make_plan(session, ClientConfig(**sandbox.options("you", PREDICTION, session)))
    return Participant("somebody", plan, lambda *_: None)


def order() -> NewOrderSingle:
    symbol = MARKETS[PREDICTION][0].rules.ticker
    return NewOrderSingle(cl_ord_id="1", symbol=symbol, side="1", ord_type="2", price="0.01", order_qty=1)


def test_a_demo_that_breaks_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_adapters.venue.scenario.scenario.LIQUIDITY_BALANCE", Decimal(0))
    result = CliRunner().invoke(commands, ["demo"])
    assert result.exit_code == 1
    [sentence] = result.stderr.splitlines()
    assert sentence.startswith("kalshi-fix: the book of ")
    assert "Orders" not in result.stdout


def test_another_message_than_expected_breaks_it(sandbox: Sandbox) -> None:
    somebody = participant(sandbox, "KalshiNR")
    with somebody.logged_on():
        somebody.send(order())
        with pytest.raises(
            DemoError, match=r"somebody expected MarketDataSnapshot.* from KalshiNR, but got Exec"
        ):
            somebody.expect(MarketDataSnapshotFullRefresh)
        with pytest.raises(
            DemoError, match=r"expected ExecutionReport exec_type=CANCELED from KalshiNR, but got"
        ):
            somebody.expect(ExecutionReport, exec_type=ExecType.CANCELED)


def test_a_reject_breaks_it(sandbox: Sandbox) -> None:
    somebody = participant(sandbox, "KalshiNR")
    with somebody.logged_on():
        somebody.send(OrderGroupRequest.reset("0d5ba9a8-5b1c-4d0a-9d5e-1f6b3a3f0c11"))
        with pytest.raises(DemoError, match="but got BusinessMessageReject"):
            somebody.expect(ExecutionReport)


def test_silence_breaks_it(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_adapters.cli.demo.participant.PATIENCE", 0.01)
    somebody = participant(sandbox, "KalshiNR")
    with (
        somebody.logged_on(),
        pytest.raises(DemoError, match=r"expected ExecutionReport .*nothing came within"),
    ):
        somebody.expect(ExecutionReport)
