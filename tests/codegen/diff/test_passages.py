"""Unreviewed text: fingerprints of the reviewed passages, and changes since the review."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import Result

from tests.codegen.command import run
from tests.codegen.diff.pier_dialect import Scratch, line_of, row_of


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Return copies of the spec and of its sources in which every passage is reviewed."""
    made = Scratch(tmp_path)
    assert review(made).exit_code == 0
    return made


def review(scratch: Scratch) -> Result:
    return diff(scratch, "--reviewed")


def diff(scratch: Scratch, *options: str) -> Result:
    return run("--spec", scratch.spec, "diff", "--partial", *options, scratch.pages)


def unreviewed(scratch: Scratch) -> list[str]:
    return [finding.what for finding in scratch.diff_pages()]


def test_reviewed_text_is_kept_only_as_fingerprints(scratch: Scratch) -> None:
    text = (scratch.spec / "reviewed.yaml").read_text(encoding="utf-8")
    assert "  pier-tours/bookings: >-\n" in text
    assert "berth" not in text.lower()
    assert unreviewed(scratch) == []


def test_a_changed_sentence_is_reported(scratch: Scratch) -> None:
    page = scratch.pages / "pier/tides.md"
    scratch.edit(page, "Tides are reported on", "Tides are announced on")
    assert unreviewed(scratch) == [f"pier/tides: changed text on line {line_of(page, 'announced')}"]
    assert review(scratch).exit_code == 0
    assert unreviewed(scratch) == []


def test_differences_from_the_previous_page_are_shown_word_by_word(scratch: Scratch, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(scratch.pages, old)
    scratch.edit(scratch.pages / "pier/tides.md", "Tides are reported on", "Tides are announced on")
    assert "Tides are announced on" in diff(scratch).stdout
    assert "[-reported-] {+announced+}" not in diff(scratch).stdout
    assert "Tides are [-reported-] {+announced+} on" in diff(scratch, "--against", str(old)).stdout


def test_text_that_is_new_on_several_pages_is_reported_once(scratch: Scratch) -> None:
    pages = [scratch.pages / f"pier/{name}.md" for name in ("tides", "bookings")]
    for page in pages:
        scratch.append(page, "\nShips wait their turn.\n")
    assert unreviewed(scratch) == ["the same new text on 2 pages"]
    shown = diff(scratch).stdout
    assert shown.count("Ships wait their turn.") == 1
    assert all(page.as_posix() in shown for page in pages)
    scratch.edit(pages[0], "Ships wait their turn.", "")
    assert unreviewed(scratch) == [f"pier/bookings: new text on line {line_of(pages[1], 'Ships wait')}"]


def test_new_and_removed_text_is_reported(scratch: Scratch) -> None:
    page = scratch.pages / "pier/bookings.md"
    scratch.edit(page, "A ship asks for a berth.\n", "A ship asks for a berth.\n\nIt may.\n\n* Or not.\n")
    line = line_of(page, "It may.")
    assert unreviewed(scratch) == [f"pier/bookings: new text on lines {line} to {line + 2}"]
    scratch.edit(page, "A ship asks for a berth.\n\nIt may.\n\n* Or not.\n", "")
    heading = line_of(page, "## Booking Request")
    assert unreviewed(scratch) == [f"pier/bookings: 1 passage gone after line {heading}"]


def test_changes_to_the_layout_are_not_reported(scratch: Scratch) -> None:
    page = scratch.pages / "pier/tides.md"
    scratch.edit(page, row_of(page, "| 9020 "), "|9020|**NoTides**|Integer|Y|Number  of tides.|\n")
    scratch.edit(page, "on the **PierTD** session.", "on the\n`PierTD` session.")
    assert unreviewed(scratch) == []


def test_a_changed_example_is_reported(scratch: Scratch) -> None:
    page = scratch.pages / "pier/bookings.md"
    scratch.edit(page, "9003=80.5", "9003=81.5")
    line = line_of(page, "```fix Example")
    assert unreviewed(scratch) == [f"pier/bookings: changed text on line {line}"]


def test_a_section_that_only_moved_need_not_be_reviewed_again(scratch: Scratch) -> None:
    tides, bookings = scratch.pages / "pier/tides.md", scratch.pages / "pier/bookings.md"
    scratch.append(tides, "\n## Fog\n\nShips wait in fog.\n")
    assert review(scratch).exit_code == 0
    scratch.edit(tides, "\n## Fog\n\nShips wait in fog.\n", "")
    scratch.append(bookings, "\n## 3. Fog\n\nShips wait in fog.\n")
    assert unreviewed(scratch) == []


def test_a_line_with_a_finding_is_not_also_reported_as_text(scratch: Scratch) -> None:
    page = scratch.pages / "pier/tides.md"
    row = "| 9041 | TideTime | UTC Time | N | Repeating group field. |\n"
    scratch.insert(page, row, before="| 9022 | TideLevel ")
    (finding,) = scratch.diff_pages()
    assert finding.kind == "new"


def test_a_change_that_the_spec_does_not_represent_is_reported_as_text(scratch: Scratch) -> None:
    """The spec does not distinguish an optional field from a conditional one without a formal condition."""
    page = scratch.pages / "pier/bookings.md"
    scratch.edit(page, "| 9002 | Berth     | String       | N ", "| 9002 | Berth     | String       | C ")
    assert unreviewed(scratch) == [
        f"pier/bookings: changed text on line {line_of(page, '| 9002 | Berth     |')}"
    ]


def test_a_page_that_no_parser_reads_is_reported(scratch: Scratch) -> None:
    page = scratch.pages / "pier/fees.md"
    page.write_text("# Fees\n\nThere are none.\n", encoding="utf-8")
    assert unreviewed(scratch) == [
        "page pier/fees: is not among the sources; facts read from it: 0",
        "pier/fees: new text on line 3",
    ]
    source = "  fees:           page pier/fees\n"
    scratch.insert("manifest.yaml", source, after="  changes:        page pier/changes\n")
    assert unreviewed(scratch) == ["pier/fees: new text on lines 1 to 3"]


def test_changed_comments_of_a_dictionary_are_reported(scratch: Scratch) -> None:
    arguments = ("--product", "freight", scratch.dictionary, "--reviewed")
    assert run("--spec", scratch.spec, "diff", "--partial", *arguments).exit_code == 0
    path = scratch.dictionary / "FIX50SP2.xml"
    scratch.edit(path, "<components />", "<!-- Seals may come. -->\n <components />")
    (finding,) = scratch.diff_dictionary()
    assert finding.what == f"dictionary FIX50SP2: new text on line {line_of(path, 'Seals may come')}"
    run("--spec", scratch.spec, "diff", *arguments)
    for item in sorted(scratch.dictionary.iterdir()):
        item.rename(item.with_name(f"pier-{item.name}"))
    assert scratch.diff_dictionary() == []
