"""A venue started from the command line: its input log, a kill, and the replay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands
from tests.adapters.cli.pipes import lines_until, started

SCENARIO = """
seed: 3
flow: {rate: 200}
schedule:
- {do: pause, product: margin}
"""


@pytest.fixture
def input_log(tmp_path: Path) -> Path:
    """Return the input log of a venue that traded with itself briefly and was killed."""
    scenario, input_log = tmp_path / "scenario.yaml", tmp_path / "venue.input_log"
    scenario.write_text(SCENARIO)
    arguments = [
        "--folder",
        str(tmp_path / "venue"),
        "--scenario",
        str(scenario),
        "--input-log",
        str(input_log),
    ]
    with started("venue", *arguments, environ={"PYTHONUNBUFFERED": "1"}) as process:
        lines_until(process, "In another shell")
        process.kill()
    return input_log


def test_replay_reports_an_identical_result(input_log: Path) -> None:
    result = CliRunner().invoke(commands, ["venue", "replay", str(input_log)])
    assert result.exit_code == 0, result.output
    assert "were reproduced" in result.output
    assert "state at the end: " in result.output


def test_replay_reports_the_line_at_which_it_diverges(input_log: Path) -> None:
    lines = input_log.read_text().splitlines()
    input_log.write_text(
        "\n".join([lines[0].replace('"seed":3', '"seed":4'), *lines[1:], '{"state":"none"}', ""])
    )
    result = CliRunner().invoke(commands, ["venue", "replay", str(input_log)])
    assert result.exit_code == 1
    assert "the venue is in a different state" in result.stderr
    assert f"{input_log}:{len(lines) + 1}: " in result.stderr


def test_a_path_that_is_unusable_for_an_input_log_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("no input log\nat all\n")
    output = CliRunner().invoke(commands, ["venue", "replay", str(path)])
    assert (output.exit_code, f"{path}:1 is not a line of an input log" in output.stderr) == (1, True)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    output = CliRunner().invoke(commands, ["venue", "replay", str(pipe)])
    assert (output.exit_code, f"{pipe} is a pipe, and a replay reads" in output.stderr) == (1, True)
    output = CliRunner().invoke(commands, ["venue", "--input-log", str(path)])
    assert output.exit_code == 1
    assert f"the input log {path} cannot be written (File exists); choose another path" in output.stderr
