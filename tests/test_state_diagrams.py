"""The page of session states shows the current transition table."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess

from kalshi_fix_sansio.session import TRANSITIONS, Input, State
from tests.programs import run_program

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "state_diagrams.py"
PAGE = ROOT / "docs" / "session-states.md"


def run(*arguments: str | Path) -> CompletedProcess[str]:
    return run_program(sys.executable, TOOL, *arguments)


def test_the_page_is_up_to_date() -> None:
    result = run("--check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_stale_page_is_detected_and_updated(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    shutil.copy(PAGE, page)
    fresh = page.read_text("utf-8")
    stale = fresh.replace("established --> recovering", "established --> closed")
    assert stale != fresh
    page.write_text(stale, "utf-8")
    checked = run("--check", page)
    assert checked.returncode == 1
    assert "run: python tools/state_diagrams.py" in checked.stdout
    assert page.read_text("utf-8") == stale
    assert run(page).returncode == 0
    assert page.read_text("utf-8") == fresh


def test_every_state_is_drawn_and_every_input_is_in_the_tables() -> None:
    text = PAGE.read_text("utf-8")
    drawn = set(re.findall(r'^    state "(.*)" as ', text, re.MULTILINE))
    assert drawn == {state.value for state in State}
    rows = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    assert sorted(row for row in rows if row.strip()) == sorted(each.value for each in Input)
    for state, row in TRANSITIONS.items():
        for target in row.values():
            arrow = f"{state.name.lower()} --> {target.name.lower()}:" if target else ""
            assert target in {None, state, State.CLOSED} or arrow in text
