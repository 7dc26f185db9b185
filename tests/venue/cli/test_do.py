"""`kalshi-fix venue do`, against a running venue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_sansio import ExecutionReport, NewOrderSingle, Side
from kalshi_fix_venue.cli.status import WIDTH
from kalshi_fix_venue.control import ControlServer
from kalshi_fix_venue.liquidity import LIQUIDITY
from kalshi_fix_venue.operations import OPERATIONS
from kalshi_fix_venue.operations.faults import FAULTS
from kalshi_fix_venue.parameters import display_name, parameters
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.cli.pipes import interrupt, lines_until, started

MARKET = "KXNBA-27-NYK"


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path) -> Iterator[Path]:
    with ControlServer(sandbox.server, tmp_path):
        yield tmp_path


def do(folder: Path, *arguments: str, json: bool = False) -> Result:
    options = ["--json"] if json else []
    return CliRunner().invoke(commands, ["venue", "do", "--folder", str(folder), *options, *arguments])


def test_help_lists_every_operation() -> None:
    listed = CliRunner().invoke(commands, ["venue", "do", "--help"]).stdout
    for name, cls in OPERATIONS.items():
        assert f"\n  {name} " in listed
        output = CliRunner().invoke(commands, ["venue", "do", name, "--help"]).stdout
        paragraph = output.partition("\n\n")[2].partition("\n\n")[0]
        assert "  " not in paragraph.strip().replace("\n  ", " ")
        for each in parameters(cls):
            assert (each.name.upper() if each.positional else f"--{display_name(each.name)}") in output


def test_a_pause_and_its_end_are_performed_and_reported(folder: Path) -> None:
    assert do(folder, "pause", "exchange", "--product", "margin").stdout == "margin: exchange paused\n"
    state = json.loads(do(folder, "status", json=True).stdout)["products"]
    assert (state["prediction"]["state"], state["margin"]["state"]) == ("open", "exchange paused")
    assert do(folder, "resume").stdout == "prediction: open, margin: open\n"


@pytest.mark.parametrize("index", [0, 1, 2])
def test_options_may_precede_or_follow_the_operation(folder: Path, index: int) -> None:
    words = ["pause", "trading"]
    words[index:index] = ["--json", "--folder", str(folder)]
    result = CliRunner().invoke(commands, ["venue", "do", *words])
    assert result.exit_code == 0, result.output
    assert "trading paused" in json.loads(result.stdout)["text"]
    # The option closer to the operation takes precedence.
    assert do(folder.parent / "nowhere", "resume", "--folder", str(folder)).exit_code == 0


def test_status_shows_orders_cash_and_sessions(folder: Path, sandbox: Sandbox) -> None:
    order = NewOrderSingle(cl_ord_id="a-1", symbol=MARKET, side=Side.BUY, price="0.13", order_qty=1000)
    with order_entry(**sandbox.options("you", "prediction", "KalshiNR")) as client:
        client.send(order)
        assert any(isinstance(each, ExecutionReport) for each in client.messages(timeout=5))
        assert do(folder, "withhold", "--session", "KalshiMD", "--owner", "them").exit_code == 0
        output = do(folder, "status")
        assert do(folder, "release").exit_code == 0
    assert output.exit_code == 0
    lines = output.stdout.splitlines()
    assert max(map(len, lines)) <= WIDTH
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    for row in (
        [MARKET, "active", "0.13", "0.14"],
        ["market", "state", "bid", "ask"],
        ["KalshiNR", "prediction", "you", sandbox.keys["you", "prediction"][0].key_id[:8]],
    ):
        assert any(each[: len(row)] == row for each in rows), output.stdout
    assert any(each[:3] == ["you", MARKET, "buy"] and each[4:] == ["0.13"] for each in rows)
    assert any(each[:2] == ["you", MARKET] and each[2].isdigit() for each in rows)
    assert lines[0] == "1 session is logged on"
    assert "from simulated traders" in lines[-2]
    assert LIQUIDITY not in output.stdout


def test_another_participant_trades_with_the_resting_orders(folder: Path) -> None:
    assert do(folder, "trade", "BTC-PERP", "buy", "5").stdout.splitlines()[0] == "BTC-PERP: 5 traded at 19.55"


def test_an_operation_that_is_not_preceded_by_do_suggests_the_command() -> None:
    result = CliRunner().invoke(commands, ["venue", "status"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "run: kalshi-fix venue do status" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("halt", "KXNBA-27-NYX"), 1, f"did you mean `{MARKET}`?"),
        (("pause", "tading"), 2, "did you mean `trading`?"),
        (("halt",), 2, "Missing argument"),
        (("logout", "--sesion", "KalshiNR"), 2, "--session"),
        (("cut", "--at", "frme"), 2, "did you mean `frame`"),
        (("delay", "soon"), 2, "'soon' is not a number"),
    ],
)
def test_a_failure_prints_its_reason_and_sets_the_exit_status(
    folder: Path, arguments: tuple[str, ...], status: int, text: str
) -> None:
    result = do(folder, *arguments)
    assert result.exit_code == status
    assert text in result.stderr
    assert result.stdout == ""
    assert do(folder, "faults").stdout == "0 faults are armed\n"


FAULT_ARGUMENTS = {
    "cut": ("--at", "reply", "--how", "reset", "--message", "NewOrderSingle"),
    "delay": ("0.5", "--session", "KalshiMD"),
    "late-heartbeats": ("3",),
    "silence": ("--lasting", "60", "--session", "KalshiMD"),
    "withhold": ("--message", "8", "--product", "margin"),
    "garble": ("--how", "body-length", "--times", "3", "--skip", "1", "--chance", "0.5"),
    "wrong-comp-ids": ("--sender", "Somebody"),
    "reject": ("INTERNAL_ERROR", "--after", "5"),
    "unavailable": ("--applied", "yes"),
    "refuse-logon": ("rate limit exceeded",),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_armed_listed_and_released(folder: Path, name: str) -> None:
    arguments = FAULT_ARGUMENTS.get(name, ())
    assert do(folder, name, "--owner", LIQUIDITY, *arguments).stdout == f"{name} is armed\n"
    (listed,) = json.loads(do(folder, "faults", json=True).stdout)["faults"]
    assert listed["fault"] == name
    for value in arguments:
        if not value.startswith("--") and value not in {"NewOrderSingle", "3", "60", "5"}:
            assert value in listed["with"].replace("True", "yes")
    assert name in do(folder, "faults").stdout
    assert do(folder, "release", name).stdout == "1 fault released\n"
    assert do(folder, "faults").stdout == "0 faults are armed\n"


def test_without_an_input_log_the_answer_names_the_option(folder: Path) -> None:
    assert "--input-log FILE" in do(folder, "input-log").stdout
    assert json.loads(do(folder, "input-log", json=True).stdout)["path"] is None


def test_operations_reach_a_venue_in_another_process(tmp_path: Path) -> None:
    folder, input_log = tmp_path / "venue", tmp_path / "input.log"
    with started("venue", "--folder", str(folder), "--input-log", str(input_log)) as process:
        lines_until(process, "export KALSHI_FIX_VENUE_FOLDER=")
        assert do(folder, "maintenance", "--lasting", "60").exit_code == 0
        assert do(folder, "input-log").stdout == f"{input_log}\n"
        assert do(folder, "cut").stdout == "0 connections cut\n"
        assert do(folder, "resume").stdout == "prediction: open, margin: open\n"
        assert interrupt(process)[0] == 130
    assert list(folder.iterdir()) == []
    assert "no venue is running in" in do(folder, "status").stderr
    assert CliRunner().invoke(commands, ["venue", "replay", str(input_log)]).exit_code == 0
