"""Scenarios on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_adapters.cli.venue_scenario import chosen_scenario
from kalshi_fix_adapters.venue.scenario.layout import json_schema

EXAMPLE = Path(__file__).parents[3] / "examples" / "scenario.yaml"


def test_check_says_that_a_file_is_in_order() -> None:
    result = CliRunner().invoke(commands, ["venue", "check", str(EXAMPLE)])
    assert result.exit_code == 0, result.output
    assert "5 markets, 2 owners, 8 API keys; it is in order" in result.output


@pytest.mark.parametrize("command", [["venue", "check"], ["venue", "--scenario"]])
def test_a_bad_file_ends_with_file_line_and_what_to_do(command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("seed: 1\nflow:\n  rat: 5\n")
    result = CliRunner().invoke(commands, [*command, str(path)])
    assert result.exit_code == 1
    assert f"{path}:3: flow has an unknown key `rat`; did you mean `rate`?" in result.stderr
    assert "Traceback" not in result.output


def test_schema_prints_the_json_schema() -> None:
    result = CliRunner().invoke(commands, ["venue", "schema"])
    assert json.loads(result.output) == json_schema()


def test_without_a_file_there_are_so_many_owners_with_so_many_keys() -> None:
    alone = chosen_scenario(None, None, None, None)
    assert (alone.owners, {(each.count, each.rsa) for each in alone.keys}) == (("you",), {(2, False)})
    three = chosen_scenario(None, 3, 4, "rsa")
    assert (three.owners, {(each.count, each.rsa) for each in three.keys}) == (
        ("you", "you-2", "you-3"),
        {(4, True)},
    )


def test_with_a_file_owners_join_those_of_the_file_and_nobody_does_unasked() -> None:
    assert chosen_scenario(EXAMPLE, None, None, None).owners == ("ann", "bob")
    joined = chosen_scenario(EXAMPLE, 1, 1, "ed25519")
    assert joined.owners == ("ann", "bob", "you")
    assert {(each.count, each.rsa) for each in joined.keys} == {(1, False)}
