"""`kalshi-fix venue do`, against a venue that runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_adapters.testing import Sandbox
from kalshi_fix_adapters.venue.control import ControlServer
from kalshi_fix_adapters.venue.operations import OPERATIONS
from kalshi_fix_adapters.venue.parameters import parameters, shown

MARKET = "KXNBA-27-NYK"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(("you",), random=Random(3)) as running:
        yield running


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path) -> Iterator[Path]:
    with ControlServer(sandbox.server, tmp_path):
        yield tmp_path


def do(folder: Path, *arguments: str, json: bool = False) -> Result:
    options = ["--json"] if json else []
    return CliRunner().invoke(commands, ["venue", "do", "--folder", str(folder), *options, *arguments])


def test_help_lists_everything_that_can_be_done() -> None:
    listed = CliRunner().invoke(commands, ["venue", "do", "--help"]).stdout
    for name, cls in OPERATIONS.items():
        assert f"\n  {name} " in listed
        told = CliRunner().invoke(commands, ["venue", "do", name, "--help"]).stdout
        for each in parameters(cls):
            assert (each.name.upper() if each.positional else f"--{shown(each.name)}") in told


def test_a_pause_and_its_end_are_done_and_told(folder: Path) -> None:
    assert do(folder, "pause", "exchange", "--product", "margin").stdout == "margin: exchange paused\n"
    state = json.loads(do(folder, "status", json=True).stdout)["products"]
    assert (state["prediction"]["state"], state["margin"]["state"]) == ("open", "exchange paused")
    assert do(folder, "resume").stdout == "prediction: open, margin: open\n"


def test_status_shows_orders_cash_and_sessions(folder: Path, sandbox: Sandbox) -> None:
    with order_entry(**sandbox.options("you", "prediction", "KalshiNR")):
        told = do(folder, "status")
    assert told.exit_code == 0
    for word in ("1 sessions are logged on", "prediction accounts", "prediction orders", "you", "KalshiNR"):
        assert word in told.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("halt", "KXNBA-27-NYX"), 1, f"did you mean '{MARKET}'?"),
        (("pase",), 2, "did you mean 'pause'?"),
        (("pause", "tading"), 2, "did you mean 'trading'?"),
        (("halt",), 2, "Missing argument"),
        (("logout", "--sesion", "KalshiNR"), 2, "--session"),
    ],
)
def test_what_fails_says_why_and_has_a_status(
    folder: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = do(folder, *arguments)
    assert result.exit_code == status
    assert said in result.stderr
    assert result.stdout == ""


def test_where_no_venue_runs_the_status_is_1(tmp_path: Path) -> None:
    result = do(tmp_path, "status")
    assert result.exit_code == 1
    assert "no venue runs in" in result.stderr
