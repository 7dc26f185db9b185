"""What SECURITY.md and docs/bounds.md say is shown by tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kalshi_fix_sansio.config import SessionConfig

ROOT = Path(__file__).resolve().parent.parent
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")
BOUNDS = (ROOT / "docs" / "bounds.md").read_text("utf-8")


def rows(page: str, columns: int) -> list[list[str]]:
    """The cells of every row of the tables with so many columns, without their heads."""
    cells = [
        [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        for line in page.splitlines()
        if line.startswith("| ") and not line.startswith("| ---")
    ]
    return [row for row in cells if len(row) == columns][1:]


BAD_INPUTS = [row for row in rows(SECURITY, 4) if "tests/" in row[-1]]
BOUND_ROWS = rows(BOUNDS, 5)


def test_the_tables_are_there() -> None:
    assert len(BAD_INPUTS) > 20
    assert len(BOUND_ROWS) > 10


@pytest.mark.parametrize("row", [*BAD_INPUTS, *BOUND_ROWS], ids=lambda row: row[0][:50])
def test_a_row_names_tests_that_are_there(row: list[str]) -> None:
    named = re.findall(r"`([^`]+)`", row[-1])
    assert named, row[0]
    folder = ROOT
    for name in named:
        path, _, test = name.partition("::")
        # A name without its folder is of the one before.
        found = ROOT / path if "/" in path else folder / path
        assert found.is_file(), f"{row[0]}: there is no {path}"
        assert not test or f"def {test}(" in found.read_text("utf-8"), f"{row[0]}: there is no {test}"
        folder = found.parent


def test_the_settings_in_the_table_of_bounds_are_there() -> None:
    named = set(re.findall(r"`SessionConfig\.(\w+)`", BOUNDS))
    assert named
    assert named <= {each.name for each in SessionConfig.__attrs_attrs__}


def test_every_bound_of_a_session_is_in_the_table() -> None:
    limits = {each.name for each in SessionConfig.__attrs_attrs__ if each.name.startswith("max_")}
    missing = {
        name
        for name in limits - {"max_heart_bt_int"}
        if f"`{name}`" not in BOUNDS.replace("SessionConfig.", "")
    }
    assert not missing
