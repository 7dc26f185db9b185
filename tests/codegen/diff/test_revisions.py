"""Typical revisions of a venue's documents are found in both kinds of sources, and resolved by editing only
YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from codegen.emit.render import render
from codegen.export import dictionary
from codegen.read.resolve import load_dialect
from tests.codegen.diff.pier_dialect import SPEC, Scratch, line_of, locations_of, summarize

REVISIONS: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("revisions.yaml").read_text(encoding="utf-8")
)


def edits(revision: dict[str, Any], place: str) -> list[tuple[str, str, str]]:
    """Return the file, the old passage and the new one for each edit."""
    found = []
    for item in revision[place]:
        before, after, added = item.get("before", ""), item.get("after", ""), item.get("add", "")
        old = item.get("old", before + after)
        found.append((item["file"], old, item.get("new", after + added + before)))
    return found


@pytest.fixture(scope="module")
def package() -> dict[str, str]:
    """Return the package generated from the unchanged dialect."""
    return render(load_dialect(SPEC), "pier_dialect")


@pytest.mark.parametrize("revision", REVISIONS, ids=lambda revision: revision["name"])
def test_a_revision_is_found_in_the_pages_and_resolved_in_the_yaml(
    scratch: Scratch, revision: dict[str, Any]
) -> None:
    scratch.revise(scratch.pages, edits(revision, "pages"))
    found = scratch.diff_pages()
    assert summarize(found) == {*map(tuple, revision["found"])}
    first = min(found, key=lambda finding: finding.address)
    page, passage = revision["line"]
    assert locations_of(first)[0] == f"{Path(page).name}:{line_of(scratch.pages / page, passage)}"
    assert all(edit.location.file.startswith(SPEC.as_posix()) for item in found for edit in item.edits)
    scratch.revise(scratch.spec, edits(revision, "spec"))
    assert scratch.diff_pages() == []


@pytest.mark.parametrize(
    "revision", [item for item in REVISIONS if "dictionary" in item], ids=lambda revision: revision["name"]
)
def test_a_revision_is_found_in_the_dictionary_and_resolved_in_the_yaml(
    scratch: Scratch, revision: dict[str, Any]
) -> None:
    scratch.revise(scratch.dictionary, edits(revision, "dictionary"))
    found = scratch.diff_dictionary()
    assert summarize(found) == {*map(tuple, revision["found"])}
    assert all(finding.locations for finding in found)
    scratch.revise(scratch.spec, edits(revision, "spec"))
    assert scratch.diff_dictionary() == []


@pytest.mark.parametrize("revision", REVISIONS, ids=lambda revision: revision["name"])
def test_generated_files_follow_the_spec(
    scratch: Scratch, package: dict[str, str], revision: dict[str, Any]
) -> None:
    scratch.revise(scratch.spec, edits(revision, "spec"))
    dialect = load_dialect(scratch.spec)
    revised = render(dialect, "pier_dialect")
    for name, passage in revision["generated"]:
        assert passage in revised[name]
        assert passage not in package[name]
    if "written" in revision:
        name, passage = revision["written"]
        assert passage in dictionary.render(dialect, "freight")[name]
