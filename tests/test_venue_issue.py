"""The scheduled comparison: one issue, which is updated while differences remain and closed when there are
none."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from codegen.files import write_files
from tests.codegen.diff.pier_dialect import PAGES, SPEC
from tests.codegen.diff.published import documents, publish, revised
from tests.codegen.diff.test_fetch import Site
from tests.programs import run_program

ROOT = Path(__file__).resolve().parent.parent
ISSUE: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "venue_issue.py"))
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "venue.yml").read_text(encoding="utf-8"))
STEPS = WORKFLOW["jobs"]["compare"]["steps"]
RUN = """\
#!/bin/sh
export PYTHONPATH='{path}'
exec {python} "$@"
"""
DIFF = """\
import json, sys
sys.stdout.write({json!r} if "--json" in sys.argv else {text!r})
sys.exit({status})
"""
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


class Runner:
    """A machine that runs the workflow day by day, with a `gh` that keeps issues in a file."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.root, self._temp, self._cache = folder / "clone", folder / "temp", folder / "cache"
        self._state = folder / "issues.json"
        self.open_by_hand()
        for item in ("codegen", "tools", "spec/fixt11"):
            shutil.copytree(ROOT / item, self.root / item, ignore=shutil.ignore_patterns("__pycache__"))
        # Instead of Kalshi's spec, the clone has that of the dialect `pier`, whose documents `site` serves.
        shutil.copytree(SPEC, self.root / "spec" / "kalshi")
        manifest = self.root / "spec" / "kalshi" / "manifest.yaml"
        text = manifest.read_text("utf-8").replace("../../../../spec/fixt11", "../fixt11")
        urls = f"{{index: {site.url}/llms.txt, dictionary: {site.url}/fix/pier.xml}}"
        manifest.write_text(f"{text}documents: {urls}\n", encoding="utf-8")
        path = os.pathsep.join([str(self.root), *sys.path])
        self._command(self.root / ".venv" / "bin" / "python", RUN.format(path=path, python=sys.executable))
        self._command(folder / "gh", GH.format(python=sys.executable, state=str(self._state)))
        self._environment = {
            **os.environ,
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(self._temp),
            "GITHUB_OUTPUT": str(folder / "outputs"),
        }

    def _command(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run_day(self) -> bool:
        """Run the steps of the workflow after the set-up; return whether all of them succeeded."""
        shutil.rmtree(self._temp, ignore_errors=True)
        outputs = Path(self._environment["GITHUB_OUTPUT"])
        outputs.write_text("", encoding="utf-8")
        restored = self._cache.exists()
        for step in STEPS[3:]:
            action = step.get("uses", "").partition("@")[0]
            if action == "actions/cache/restore":
                if restored:
                    shutil.copytree(self._cache, self._temp / "pages")
                else:
                    self._temp.mkdir()
            elif action == "actions/cache/save":
                agrees = "steps.compare.outputs.agrees == 'true'"
                assert step["if"] == f"{agrees} || steps.before.outputs.cache-matched-key == ''"
                if outputs.read_text("utf-8") == "agrees=true\n" or not restored:
                    shutil.rmtree(self._cache, ignore_errors=True)
                    shutil.copytree(self._temp / "pages", self._cache)
            else:
                command = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
                if run_program(*command, cwd=self.root, env=self._environment).returncode:
                    return False
        return True

    def report(self, status: int, text: str = "", **content: Any) -> int:
        """Update the issue with the report of a fake `diff`; return the exit status."""
        (self.root / "codegen" / "__main__.py").write_text(
            DIFF.format(json=json.dumps({"findings": [], **content}), text=text, status=status),
            encoding="utf-8",
        )
        command = (self.root / ".venv/bin/python", "tools/venue_issue.py", "pages", "before")
        return run_program(*command, cwd=self.root, env=self._environment).returncode

    @property
    def issues(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = json.loads(self._state.read_text(encoding="utf-8"))
        return found

    @property
    def shown(self) -> str:
        """The body of the only open issue, or an empty string if there is none."""
        bodies = [issue["body"] for issue in self.issues.values() if issue["open"]]
        assert len(bodies) <= 1
        return "".join(bodies)

    def open_by_hand(self, *numbers: int) -> None:
        issues = {str(number): {"open": True, "body": ""} for number in numbers}
        self._state.write_text(json.dumps(issues), encoding="utf-8")


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(PAGES) as made:
        yield made


@pytest.fixture
def runner(tmp_path: Path, site: Site) -> Runner:
    publish(site, documents())
    return Runner(tmp_path, site)


def test_the_issue_shows_the_changed_words_until_the_documents_agree(runner: Runner, site: Site) -> None:
    command = (runner.root / ".venv/bin/python", "-m", "codegen", "diff", "--reviewed")
    pages = runner.root.parent / "pages"
    write_files(documents(), pages)
    run_program(*command, pages, cwd=runner.root).check_returncode()
    assert runner.run_day()
    assert runner.issues == {}
    publish(site, revised())
    for _ in range(2):  # the report shows changes since the documents last agreed, not since the previous day
        assert runner.run_day()
        assert "Tides are [-reported-] {+announced+} on" in runner.shown
        assert "9040 Draught" in runner.shown
    del site.answers["/fix/pier.xml"]
    assert not runner.run_day()
    assert "9040 Draught" in runner.shown
    publish(site, documents())
    assert runner.run_day()
    assert runner.shown == ""
    assert runner.issues["1"]["comment"] == "Nothing is left to do."


def test_one_issue_is_opened_updated_and_closed(runner: Runner) -> None:
    assert runner.report(0) == 0
    assert runner.issues == {}
    assert runner.report(1, "* A field is new.\n") == 0
    assert runner.report(1, "* Another field is new.\n") == 0
    assert list(runner.issues) == ["1"]
    assert "Another field is new." in runner.shown
    assert "A field is new." not in runner.shown
    assert runner.report(0) == 0
    assert not runner.issues["1"]["open"]
    assert runner.report(1, "* A third one is.\n") == 0
    assert [number for number, each in runner.issues.items() if each["open"]] == ["2"]


def test_a_second_open_issue_is_closed(runner: Runner) -> None:
    runner.open_by_hand(1, 2, 3)
    assert runner.report(1, "* A field is new.\n") == 0
    assert [issue["open"] for issue in runner.issues.values()] == [True, False, False]
    assert runner.issues["2"]["comment"] == "See #1."


def test_a_failed_comparison_does_not_change_the_issue(runner: Runner) -> None:
    runner.open_by_hand(1)
    before = runner.issues
    assert runner.report(2) == 1
    assert runner.issues == before


@pytest.mark.parametrize(
    ("status", "findings"), [(1, []), (1, [{"kind": "unread"}]), (0, [{"kind": "unread"}])]
)
def test_a_report_with_unread_sources_never_closes_the_issue(
    runner: Runner, status: int, findings: list[dict[str, str]]
) -> None:
    runner.open_by_hand(1)
    assert runner.report(status, "* fix/orders was not read.\n", findings=findings) == 0
    assert "fix/orders was not read." in runner.shown


def test_quotations_are_short_and_a_report_cannot_close_its_code_block() -> None:
    quoted = "    the text  "
    changed = f"{quoted}Orders may [-not-] {{+now+}} rest. {'It follows. ' * 20}"
    new = f"{quoted}{'A long new paragraph. ' * 20}secret"
    body = ISSUE["body"](f"* new text\n{new}\n{changed}\n`````\n# Loud\n{'x' * 70_000}")
    assert changed in body
    assert "secret" not in body
    assert "A long new paragraph." in body
    assert [line for line in body.splitlines() if line.startswith("````")] == ["````text", "````"]
    assert len(body) < 65_536
    assert "… and more" in body
