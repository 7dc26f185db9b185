"""The issue of the scheduled comparison: one, updated while differences remain, closed when none do."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tools" / "venue_issue.py"
GH = """\
#!{python}
import json, pathlib, sys
state = pathlib.Path({state!r})
issues = json.loads(state.read_text())
verb, rest = sys.argv[1:3], sys.argv[3:]
given = dict(zip(rest[::1], rest[1::1]))
if verb == ["issue", "list"]:
    assert given["--label"] == "venue-revision" and given["--state"] == "open"
    print(json.dumps([{{"number": int(n)}} for n, each in issues.items() if each["open"]]))
elif verb == ["issue", "close"]:
    issues[rest[0]].update(open=False, comment=given["--comment"])
elif verb == ["issue", "edit"]:
    issues[rest[0]]["body"] = sys.stdin.read()
elif verb == ["issue", "create"]:
    issues[str(len(issues) + 1)] = {{"open": True, "body": sys.stdin.read()}}
elif verb != ["label", "create"]:
    sys.exit(f"unknown: {{sys.argv}}")
state.write_text(json.dumps(issues))
"""


class Tracker:
    """A `gh` that keeps issues in a file."""

    def __init__(self, folder: Path) -> None:
        self._state, self._report = folder / "issues.json", folder / "report.txt"
        self._state.write_text("{}", encoding="utf-8")
        command = folder / "gh"
        command.write_text(GH.format(python=sys.executable, state=str(self._state)), encoding="utf-8")
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        self._environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    def run(self, status: int, report: str = "") -> int:
        self._report.write_text(report, encoding="utf-8")
        arguments = [sys.executable, str(SCRIPT), str(status), str(self._report)]
        return subprocess.run(arguments, env=self._environment, check=False).returncode

    @property
    def issues(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = json.loads(self._state.read_text(encoding="utf-8"))
        return found

    def open_by_hand(self, *numbers: int) -> None:
        issues = {str(number): {"open": True, "body": ""} for number in numbers}
        self._state.write_text(json.dumps(issues), encoding="utf-8")


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return Tracker(tmp_path)


def test_one_issue_is_opened_kept_current_and_closed(tracker: Tracker) -> None:
    assert tracker.run(0) == 0
    assert tracker.issues == {}
    assert tracker.run(1, "* A field is new.\n") == 0
    assert tracker.run(1, "* Another field is new.\n") == 0
    assert list(tracker.issues) == ["1"]
    assert "Another field is new." in tracker.issues["1"]["body"]
    assert "A field is new." not in tracker.issues["1"]["body"]
    assert tracker.run(0) == 0
    assert not tracker.issues["1"]["open"]
    assert tracker.run(1, "* A third one is.\n") == 0
    assert [number for number, each in tracker.issues.items() if each["open"]] == ["2"]


def test_a_second_open_issue_is_closed(tracker: Tracker) -> None:
    tracker.open_by_hand(1, 2, 3)
    assert tracker.run(1, "* A field is new.\n") == 0
    assert [each["open"] for each in tracker.issues.values()] == [True, False, False]
    assert tracker.issues["2"]["comment"] == "See #1."


def test_a_comparison_that_failed_leaves_the_issue_as_it_is(tracker: Tracker) -> None:
    tracker.open_by_hand(1)
    before = tracker.issues
    assert tracker.run(2, "") == 1
    assert tracker.issues == before


def test_text_of_the_venue_is_left_out_and_the_report_cannot_end_its_block(tracker: Tracker) -> None:
    report = (
        "* fix/orders: new text in line 3\n    it says   A secret of @everyone.\n`````\n# Loud\n"
        + "x" * 70_000
    )
    assert tracker.run(1, report) == 0
    body = tracker.issues["1"]["body"]
    assert "secret" not in body
    assert [line for line in body.splitlines() if line.startswith("````")] == ["````text", "````"]
    assert len(body) < 65_536
    assert "… and more" in body
