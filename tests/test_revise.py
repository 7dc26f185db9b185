"""A revision, from changed documents to passing checks, in a temporary repository and with a local server."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from codegen.files import write_files
from tests.codegen.diff.pier_dialect import PAGES, SPEC
from tests.codegen.diff.published import documents, publish, revised
from tests.codegen.diff.test_fetch import Site
from tests.programs import run_program

ROOT = Path(__file__).resolve().parent.parent
PIER = SPEC.relative_to(ROOT)
COPIED_PATHS = ("codegen", "spec", "tools", PIER)
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@attrs.frozen
class Workspace:
    """A repository with the code generator and the spec of the invented dialect `pier`, and a server with the
    documents of that dialect's venue."""

    root: Path
    revisions: Path
    site: Site

    def git(self, *arguments: str) -> str:
        names = ("-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
        done = run_program("git", *names, *arguments, cwd=self.root)
        done.check_returncode()
        return done.stdout

    def revise(self, *options: str, gate: str = "git --version") -> tuple[int, str]:
        """Run the tool; return its exit status and its summary, or its error."""
        urls = ("--index", f"{self.site.url}/llms.txt", "--dictionary", f"{self.site.url}/fix/pier.xml")
        package = ("--spec", str(PIER), "--out", "pier_dialect", "--package", "pier_dialect")
        command = [sys.executable, "tools/revise.py", *urls, *package, "--folder", str(self.revisions)]
        done = run_program(*command, "--gate", gate, *options, cwd=self.root, env=ENVIRON)
        return done.returncode, done.stdout.partition("# Revision ")[2] or done.stderr

    def fill_in(self) -> None:
        """Replace each placeholder with words and write the type from the dictionary, as a maintainer
        does."""
        for path in (self.root / PIER).rglob("*.yaml"):
            text = path.read_text(encoding="utf-8")
            text = text.replace('"…"', '"How deep the ship lies."').replace(
                "9040, type: AMT", "9040, type: QTY"
            )
            path.write_text(text, encoding="utf-8")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    root = tmp_path / "workspace"
    for item in COPIED_PATHS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / item, root / item, ignore=ignored, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", root)
    site = Site(PAGES)
    made = Workspace(root, tmp_path / "revisions", site)
    pages = tmp_path / "pages"
    write_files(documents(), pages)
    (root / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    for command in (
        ["diff", "--reviewed", str(pages)],
        ["--out", "pier_dialect", "--package", "pier_dialect"],
    ):
        run_program(
            sys.executable, "-m", "codegen", "--spec", PIER, *command, cwd=root, env=ENVIRON
        ).check_returncode()
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("add", ".")
    made.git("commit", "--quiet", "--message", "Start")
    with site:
        publish(site, documents())
        yield made


def test_a_revision_from_changed_documents_to_passing_checks(workspace: Workspace) -> None:
    status, summary = workspace.revise("--name", "2024-06-01")
    assert (status, summary.endswith("summary.md\n")) == (0, True)
    assert "The spec agrees with the documents." in summary
    assert workspace.git("branch", "--show-current") == "main\n"

    publish(workspace.site, revised())
    status, summary = workspace.revise("--name", "2024-06-02")
    assert status == 1
    assert workspace.git("branch", "--show-current") == "venue-2024-06-02\n"
    assert "Replace each `…` with text, and run the script again:\n\n- " in summary
    assert re.search(r"/fields.yaml:\d+: Draught: .*\(BookingRequest: has new field 9040 Draught ", summary)
    report = (workspace.revisions / "2024-06-02" / "report.txt").read_text("utf-8")
    assert "Tides are [-reported-] {+announced+} on" in report
    assert workspace.revise()[0] == 1  # the placeholders have not been filled in yet

    workspace.fill_in()
    status, summary = workspace.revise()
    assert status == 1
    assert "run the script with --reviewed" in summary
    assert "compatible source: BookingRequest.draught is new" in summary

    status, summary = workspace.revise("--reviewed")
    assert (status, "Nothing is left" in summary) == (0, True), summary
    steps = re.findall(r"^\| ([a-z ]+) \| \d+\.\d \|", summary, re.MULTILINE)
    assert steps[:4] == ["fetch", "compare", "branch", "proposals"]
    assert [step for step in steps if step != "between two runs"][-5:] == [
        *("compare", "generate", "api", "gate", "all")
    ]
    assert "between two runs" in steps
    assert re.search(r"Changed files: 3 of the spec, \d generated, 0 other\.", summary)
    assert workspace.git("status", "--porcelain", "--", "codegen", "tools", "spec") == ""
    changes = workspace.git("diff", "HEAD")
    assert "draught: Decimal | None" in changes
    assert "announced" not in changes  # the text of the documents stays outside the repository


def test_a_step_that_fails_ends_the_run(workspace: Workspace) -> None:
    del workspace.site.answers["/pier/tides.md"]
    status, error = workspace.revise("--name", "a")
    assert (status, "pier/tides.md: the response is 404" in error) == (2, True)
    publish(workspace.site, revised())
    (workspace.root / "new.txt").touch()
    status, error = workspace.revise("--name", "a")
    assert (status, "The work tree has changes" in error) == (2, True)
    assert workspace.git("branch", "--show-current") == "main\n"
    (workspace.root / "new.txt").unlink()
    assert workspace.revise("--name", "a")[0] == 1
    workspace.git("switch", "--quiet", "--force", "main")
    assert workspace.revise("--name", "a") == (2, "Revision a has begun: switch to its branch.\n")


def test_a_new_field_that_no_code_handles_and_a_failed_gate_are_reported(workspace: Workspace) -> None:
    areas = "areas:\n  tools: {in: tools, kinds: messages}\n"
    known = "known:\n  - {area: tools, families: [session, bookings, tides], why: None.}\n"
    (workspace.root / PIER / "downstream.yaml").write_text(areas + known, encoding="utf-8")
    workspace.git("add", ".")
    workspace.git("commit", "--quiet", "--message", "Downstream")
    publish(workspace.site, revised())
    workspace.revise("--name", "a")
    workspace.fill_in()
    path = workspace.root / PIER / "downstream.yaml"
    path.write_text(areas, encoding="utf-8")
    status, summary = workspace.revise("--reviewed")
    assert (status, "tools: BookingRequest (messages), at " in summary) == (1, True)
    path.write_text(areas + known.replace("why", "because"), encoding="utf-8")
    status, summary = workspace.revise()
    assert (status, "has an unknown key `because`" in summary) == (1, True)
    path.write_text(areas + known, encoding="utf-8")
    status, summary = workspace.revise(gate="git no-such-command")
    assert (status, "`git no-such-command` failed: see " in summary) == (1, True)
    assert "no-such-command" in (workspace.revisions / "a" / "gate.txt").read_text("utf-8")
    assert workspace.revise()[0] == 0
