"""The setup of a machine: interpreters, pinned versions, and the pages that name versions and extras."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from kalshi_fix_sansio import DIALECT
from tests.programs import run_program

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENT_FILES = sorted((ROOT / "requirements").glob("*.txt"))


def find_python(*arguments: str, python: str = "", **environ: str) -> CompletedProcess[str]:
    return run_program(
        ROOT / "tools" / "find-python", *arguments, env={**os.environ, "PYTHON": python, **environ}
    )


def test_a_chosen_interpreter_is_used() -> None:
    assert find_python(python=sys.executable).stdout.strip() == sys.executable


@pytest.mark.parametrize("chosen", ["/bin/false", "/no/such/python"])
def test_an_unsuitable_interpreter_is_named(chosen: str) -> None:
    found = find_python(python=chosen)
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.startswith(f"PYTHON={chosen} is not Python 3.11 or newer")


def test_a_missing_version_is_named() -> None:
    found = find_python("3.99")
    assert (found.returncode, found.stderr) == (1, "Python 3.99 is not installed on this machine\n")


@pytest.mark.parametrize(
    ("wanted", "free_threaded", "found"),
    [("3.14", 0, True), ("3.14", 1, False), ("3.14t", 1, True), ("3.14t", 0, False), ("3.13t", 1, False)],
)
def test_the_suffix_t_selects_a_free_threaded_interpreter(
    tmp_path: Path, wanted: str, free_threaded: int, *, found: bool
) -> None:
    prologue = (
        "import sys, sysconfig; sys.version_info = (3, 14, 0); "
        f"sysconfig.get_config_var = lambda name: {free_threaded}; code = sys.argv[2]; sys.argv[1:3] = []; "
    )
    fake = tmp_path / f"python{wanted}"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{prologue} exec(code)" "$@"\n')
    fake.chmod(0o700)
    result = find_python(wanted, PATH=f"{tmp_path}:{os.environ['PATH']}", PYENV_ROOT=str(tmp_path))
    assert (result.returncode == 0) is found


def test_the_found_interpreter_has_the_requested_version() -> None:
    version = "{}.{}".format(*sys.version_info)
    found = find_python(version)
    if found.returncode == 0:  # the search path may not include this interpreter itself
        assert run_program(found.stdout.strip(), "--version").stdout.startswith(f"Python {version}.")


@pytest.mark.parametrize("path", REQUIREMENT_FILES, ids=lambda path: path.name)
def test_every_requirement_is_pinned_with_hashes_and_names_no_index(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    entries = re.findall(r"^[^ #\n].*(?:\n    --hash=.*)*", text, re.MULTILINE)
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+==[^ ]+ ", entry), entry
        assert "--hash=sha256:" in entry
    assert "://" not in text


def test_all_requirement_files_agree_on_versions() -> None:
    versions: dict[str, set[str]] = {}
    for path in REQUIREMENT_FILES:
        for name, version in re.findall(r"^([a-z0-9._-]+)==([^ ]+)", path.read_text("utf-8"), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    conflicts = {name: found for name, found in versions.items() if len(found) > 1}
    # The documentation requires an older version of this package on Python before 3.11.5.
    assert set(conflicts) <= {"pymdown-extensions"}, conflicts


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "workflows").glob("*.y*ml")), ids=lambda path: path.name
)
def test_every_action_of_a_workflow_is_pinned_by_its_hash(path: Path) -> None:
    used = re.findall(r"uses:\s*(\S+)(.*)", path.read_text(encoding="utf-8"))
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), f"{action} is not pinned by a hash"
        assert re.search(r"# v\d+\.\d+\.\d+", comment), f"{action}: add the version of this hash"


def test_the_citation_names_the_sources_of_the_spec() -> None:
    """CITATION.cff follows CFF 1.2.0, in which each reference has authors, a title and a type."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    for reference in cited["references"]:
        assert {"authors", "title", "type"} <= reference.keys()
    [kalshi, *standards] = cited["references"]
    for date in re.findall(r"\d{4}-\d\d-\d\d", DIALECT.validated):
        assert date in kalshi["notes"]
    manifest = yaml.safe_load((ROOT / "spec" / "fixt11" / "manifest.yaml").read_text("utf-8"))
    titles = {f"{each['title']}, {each['authors'][0]['name']}" for each in standards}
    assert titles == set(manifest["sources"].values())


def _project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
    return project


def test_the_page_on_releases_lists_every_extra() -> None:
    page = (ROOT / "docs" / "releasing.md").read_text("utf-8")
    listed = re.search(r"Users install extras: (.*?)\.", page)
    assert listed is not None
    assert set(re.findall("`([a-z]+)`", listed[1])) == set(_project()["optional-dependencies"])


@pytest.mark.parametrize(
    ("engine", "pins"),
    [
        ("kalshi-sdk", "bench-sdk.txt"),
        ("QuickFIX", "quickfix.txt"),
        ("fixcore", "bench.txt"),
        ("simplefix", "bench.txt"),
    ],
)
def test_the_readme_names_the_measured_versions(engine: str, pins: str) -> None:
    package = {"QuickFIX": "quickfix", "fixcore": "fixcore-engine"}.get(engine, engine)
    pinned = re.search(
        rf"^{package}==([0-9]+[.][0-9]+)", (ROOT / "requirements" / pins).read_text("utf-8"), re.MULTILINE
    )
    assert pinned is not None
    shown = re.findall(rf"{engine} ([0-9]+[.][0-9]+)", (ROOT / "README.md").read_text("utf-8"))
    assert set(shown) == {pinned[1]}


def test_the_newest_python_is_tested_on_every_platform() -> None:
    workflow = (ROOT / ".github" / "workflows" / "platforms.yml").read_text("utf-8")
    classifiers = _project()["classifiers"]
    newest = max(
        (each.rpartition(" ")[2] for each in classifiers if re.search(r":: 3\.\d+$", each)),
        key=lambda version: int(version.partition(".")[2]),
    )
    assert f'"{newest}"' in workflow
