"""The tables of SECURITY.md, BOUNDS.md, REGRESSIONS.md and some pages name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from kalshi_fix_sansio.config import SessionConfig
from kalshi_fix_venue.assumptions import Assumptions

ROOT = Path(__file__).resolve().parent.parent
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")
BOUNDS = (ROOT / "docs" / "bounds.md").read_text("utf-8")
VENUE = (ROOT / "docs" / "simulated-venue.md").read_text("utf-8")
BEHAVIOUR = (ROOT / "docs" / "venue-behaviour.md").read_text("utf-8")
REGRESSIONS = (ROOT / "tests" / "REGRESSIONS.md").read_text("utf-8")
FUZZ_REGRESSIONS = "tests/fuzz/test_regressions.py"


def rows(page: str, columns: int) -> list[list[str]]:
    """Return the cells of every row of the tables with this number of columns, without the header rows.
    All these tables must have the same header.
    """
    cells = [
        [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        for line in page.splitlines()
        if line.startswith("| ") and not line.startswith("| ---")
    ]
    found = [row for row in cells if len(row) == columns]
    return [row for row in found if row != found[0]]


BAD_INPUT_ROWS = [row for row in rows(SECURITY, 4) if "tests/" in row[-1]]
BOUND_ROWS = rows((ROOT / "tests" / "BOUNDS.md").read_text("utf-8"), 2)
REGRESSION_ROWS = rows(REGRESSIONS, 2)
ASSUMPTION_ROWS = [row for row in rows(VENUE, 4) if row[0] != "name"]
BEHAVIOUR_ROWS = [row for row in rows(BEHAVIOUR, 3) if row[-1] != "test"]


def test_the_tables_are_found() -> None:
    assert len(BAD_INPUT_ROWS) > 20
    assert len(BOUND_ROWS) > 10
    assert len(REGRESSION_ROWS) > 50


@pytest.mark.parametrize(
    "row", [*BAD_INPUT_ROWS, *BOUND_ROWS, *REGRESSION_ROWS, *BEHAVIOUR_ROWS], ids=lambda row: row[0][:50]
)
def test_a_row_names_existing_tests(row: list[str]) -> None:
    named = re.findall(r"`([^`]+)`", row[-1])
    assert named, row[0]
    folder = ROOT
    for name in named:
        path, _, test = name.partition("::")
        # A name without a folder is in the folder of the previous name.
        found = ROOT / path if "/" in path else folder / path
        assert found.is_file(), f"{row[0]}: there is no {path}"
        # The name of a Python test, of a dialogue, or of a case in a table.
        definition = rf"def {re.escape(test)}\(|^ *{re.escape(test)}:"
        assert not test or re.search(definition, found.read_text("utf-8"), re.MULTILINE), (
            f"{row[0]}: there is no {test} in {path}"
        )
        folder = found.parent


def test_the_assumptions_of_the_simulated_venue_are_documented_and_can_be_changed() -> None:
    """A row may name several assumptions, or another setting that controls the behaviour."""
    rows = {name: row for row in ASSUMPTION_ROWS for name in row[0].strip("`").split("`, `")}
    fields = attrs.fields_dict(Assumptions)
    assert sorted(set(fields) - set(rows)) == []
    assert len(rows) == sum(len(row[0].split("`, `")) for row in ASSUMPTION_ROWS)
    for name, row in rows.items():
        assert all(row), f"{name}: a cell is empty"
        default = fields[name].default if name in fields else None
        assert not row[3].startswith(f"`{default!r}`:"), f"{name}: the documented alternative is the default"


def test_every_regression_of_a_fuzz_target_is_in_the_table() -> None:
    tests = re.findall(r"^def (test_\w+)", (ROOT / FUZZ_REGRESSIONS).read_text("utf-8"), re.MULTILINE)
    missing = [test for test in tests if f"`{FUZZ_REGRESSIONS}::{test}`" not in REGRESSIONS]
    assert not missing


def test_every_row_of_the_table_of_bounds_has_its_tests() -> None:
    assert [row[0] for row in BOUND_ROWS] == re.findall(
        r"^\| (?!subject \||---)(.*?) \|", BOUNDS, re.MULTILINE
    )


def test_the_settings_in_the_table_of_bounds_exist() -> None:
    named = set(re.findall(r"`SessionConfig\.(\w+)`", BOUNDS))
    assert named
    assert named <= {attr.name for attr in SessionConfig.__attrs_attrs__}


def test_every_bound_of_a_session_is_in_the_table() -> None:
    limits = {attr.name for attr in SessionConfig.__attrs_attrs__ if attr.name.startswith("max_")}
    missing = {
        name
        for name in limits - {"max_heart_bt_int"}
        if f"`{name}`" not in BOUNDS.replace("SessionConfig.", "")
    }
    assert not missing
