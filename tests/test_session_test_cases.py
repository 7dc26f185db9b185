"""The table of session test cases names every scenario, and only scenarios that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kalshi_fix_sansio.config import Role
from tests.scenarios.runner.parse import roles

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "tests" / "scenarios"
PAGE = (ROOT / "docs" / "session-test-cases.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| case |", "| subject |"))
]
NAME = re.compile(r"`(\w+/[a-z0-9-]+)`")
SIDES = {
    "both": set(Role),
    "initiator": {Role.INITIATOR},
    "acceptor": {Role.ACCEPTOR},
}
CLASSIC_NUMBERS = [
    *("1B", "1S", "2", "3", "4", "5", "6", "7", "8", "9", "10"),
    *("11", "12", "13", "14", "15", "16", "17", "18", "19", "20"),
]


def scenarios_of(row: list[str]) -> list[Path]:
    return [SCENARIOS / f"{name}.yaml" for name in NAME.findall(row[3]) if not name.startswith("tests/")]


def test_every_scenario_is_named_and_every_name_is_a_scenario() -> None:
    named = {path for row in ROWS for path in scenarios_of(row)}
    existing = set(SCENARIOS.glob("*/*.yaml"))
    assert {str(path.relative_to(SCENARIOS)) for path in existing ^ named} == set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1][:40]}")
def test_a_row_names_its_tests_and_its_side(row: list[str]) -> None:
    assert len(row) == 4
    files = scenarios_of(row)
    if files:
        assert set().union(*(roles(path) for path in files)) == SIDES[row[2]]
    else:
        assert row[2] == "none"
        assert len(row[3]) > 20


def test_every_number_of_the_classic_list_is_present() -> None:
    numbers = list(dict.fromkeys(row[0].split(" ")[0] for row in ROWS if re.match(r"\d", row[0])))
    assert numbers == CLASSIC_NUMBERS
    letters: dict[str, str] = {}
    for row in ROWS:
        found = re.fullmatch(r"(\d+[BS]?) ([a-z])", row[0])
        if found:
            letters[found[1]] = letters.get(found[1], "") + found[2]
    assert all(text == "abcdefghijklmnopqrst"[: len(text)] for text in letters.values())
    assert len(letters["2"]) == 20
    assert len(letters["14"]) == 14
