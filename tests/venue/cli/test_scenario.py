"""Scenarios on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_venue.cli.scenario import chosen_scenario
from kalshi_fix_venue.scenario.schema import json_schema

EXAMPLE = Path(__file__).parents[3] / "examples" / "scenario.yaml"


def test_check_reports_a_valid_file() -> None:
    result = CliRunner().invoke(commands, ["venue", "check", str(EXAMPLE)])
    assert result.exit_code == 0, result.output
    assert "5 markets, 2 owners, 10 API keys; valid" in result.output


def test_schema_prints_the_json_schema() -> None:
    result = CliRunner().invoke(commands, ["venue", "schema"])
    assert json.loads(result.output) == json_schema()


def test_without_a_file_the_options_set_the_numbers_of_owners_and_keys() -> None:
    alone = chosen_scenario()
    assert (alone.owners, {(key.count, key.rsa) for key in alone.keys}) == (("you",), {(4, False)})
    three = chosen_scenario(owners=3, keys=2, key_type="rsa")
    assert (three.owners, {(key.count, key.rsa) for key in three.keys}) == (
        ("you", "you-2", "you-3"),
        {(2, True)},
    )


def test_with_a_file_only_requested_owners_are_added() -> None:
    assert chosen_scenario(EXAMPLE).owners == ("ann", "bob")
    joined = chosen_scenario(EXAMPLE, owners=1, keys=1, key_type="ed25519")
    assert joined.owners == ("ann", "bob", "you")
    assert {(key.count, key.rsa) for key in joined.keys} == {(1, False)}


def test_flow_adds_traders_to_every_market_unless_the_file_defines_traders() -> None:
    assert chosen_scenario().flow is None
    flow = chosen_scenario(flow=True).flow
    assert flow is not None
    assert flow.rate > 0
    assert flow.markets == ()
    assert chosen_scenario(EXAMPLE, flow=True).flow == chosen_scenario(EXAMPLE).flow


def test_with_flow_the_default_markets_trade() -> None:
    arguments = ["venue", "simulate", "--flow", "--for", "10m"]
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 0, result.output
    assert (
        CliRunner().invoke(commands, [argument for argument in arguments if argument != "--flow"]).output
        != result.output
    )


def simulated(*options: str) -> str:
    result = CliRunner().invoke(commands, ["venue", "simulate", "--scenario", str(EXAMPLE), *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_simulate_skips_time_and_is_reproducible_for_a_seed() -> None:
    first = simulated("--for", "1m")
    assert "From 2026-01-05 14:30:00 to 2026-01-05 14:31:00 UTC" in first
    assert "KXHIGHNY-26DEC30-B50" in first
    assert simulated("--for", "60s") == first
    assert simulated("--for", "90s") != first


def test_simulate_begins_at_the_given_time() -> None:
    output = simulated("--for", "1m", "--start", "2026-11-05T09:30:00-05:00")
    assert "From 2026-11-05 14:30:00 to 2026-11-05 14:31:00 UTC" in output
    for wrong in ("soon", "2026-11-05T14:30:00"):
        result = CliRunner().invoke(commands, ["venue", "simulate", "--start", wrong])
        assert result.exit_code == 2
        assert "is not a time with a zone" in " ".join(result.output.split())


def test_an_input_log_does_not_change_a_simulation(tmp_path: Path) -> None:
    input_log = tmp_path / "input-log"
    state = simulated("--for", "30s").split()[-1]
    assert simulated("--for", "30s", "--input-log", str(input_log)).split()[-1] == state
    replayed = CliRunner().invoke(commands, ["venue", "replay", str(input_log)])
    assert replayed.exit_code == 0, replayed.output
    assert f"state at the end: {state}" in replayed.output


@pytest.mark.parametrize("wrong", ["5", "0s", "-1s", "400d", "soon"])
def test_an_invalid_time_is_reported(wrong: str) -> None:
    result = CliRunner().invoke(commands, ["venue", "simulate", "--for", wrong])
    assert result.exit_code == 2
    assert "write a time such as" in " ".join(result.output.split())
