"""The command: its exit status, its output, and how it detects the subject of a source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result

from codegen.diff import sources
from tests.codegen.command import run
from tests.codegen.diff.pier_dialect import PAGES, SPEC, Scratch, line_of, original


def diff(spec: Path, *arguments: str | Path) -> Result:
    return run("--spec", spec, "diff", "--partial", *arguments)


def test_without_differences_no_work_remains(scratch: Scratch) -> None:
    result = diff(scratch.spec, scratch.pages)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "117 facts read from 7 files; nothing left to do.\n"


def test_remaining_work_is_reported_with_its_locations_as_text_or_json(scratch: Scratch) -> None:
    page, members = scratch.pages / "pier/bookings.md", scratch.spec / "messages/bookings.yaml"
    scratch.edit(page, "| 9003 | Length      | Decimal      | Y ", "| 9003 | Length      | Decimal      | N ")
    row, member = line_of(page, "| 9003 |"), line_of(members, "Length:")
    what = "BookingRequest: Length (9003) is optional, but required in the spec"
    write = "`Length` of BookingRequest: `optional`, perhaps with `required_when`"
    keep = '- {source: bookings, member: BookingRequest.Length, in_source: optional, why: "…"}'
    text, as_json = diff(scratch.spec, scratch.pages), diff(scratch.spec, "--json", page)
    assert (text.exit_code, as_json.exit_code) == (1, 1)
    assert text.stdout.splitlines() == [
        "Different: the sources and the spec disagree (1)",
        "",
        f"* {what} [freight]",
        f"    found at  {page}:{row}",
        f"    edit at   {members}:{member}: {write}",
        f"    or keep   {keep}",
        "",
        "117 facts read from 7 files; 1 left to do.",
    ]
    finding = {
        "kind": "different",
        "element": "member",
        "address": "BookingRequest.Length",
        "in_source": "optional",
        "what": what,
        "products": ["freight"],
        "sources": ["bookings"],
        "passages": [],
        "locations": [{"file": page.as_posix(), "line": row}],
        "edits": [{"file": members.as_posix(), "line": member, "write": write}],
        "keep": keep,
    }
    read = [{"file": page.as_posix(), "facts": 32}]
    assert json.loads(as_json.stdout) == {"findings": [finding], "kept": 0, "read": read, "skipped": []}


def test_an_entry_proposed_by_the_report_keeps_a_difference(scratch: Scratch) -> None:
    scratch.edit(scratch.pages / "pier/bookings.md", "| 9005 | Deck        |", "| 9005 | DeckNo      |")
    scratch.edit(scratch.pages / "pier/sessions.md", "**PierBK only.**", "**PierBK and PierTD only.**")
    lines = diff(scratch.spec, scratch.pages).stdout.splitlines()
    entries = [line.partition("or keep   ")[2] for line in lines if "or keep   -" in line]
    assert len(entries) == 2
    kept = [entry.removeprefix("- ") for entry in entries]
    scratch.set_differences(*kept)
    unfinished = diff(scratch.spec, scratch.pages)
    assert unfinished.exit_code == 2
    assert "why` is `…`; write a sentence or two" in unfinished.stderr
    scratch.set_differences(*(entry.replace("…", "Because.") for entry in kept))
    result = diff(scratch.spec, scratch.pages)
    assert (result.exit_code, result.stdout) == (
        0,
        "117 facts read from 7 files; 2 differ on purpose; nothing left to do.\n",
    )


def test_unreadable_parts_are_remaining_work(scratch: Scratch) -> None:
    scratch.edit(scratch.pages / "pier/bookings.md", "| 9003 | Length ", "| 9003-9005 | Length ")
    result = diff(scratch.spec, scratch.pages / "pier/bookings.md")
    assert result.exit_code == 1
    assert "could not read: `9003-9005` is not a tag" in result.stdout


def test_facts_are_printed_on_request() -> None:
    result = diff(SPEC, "--facts", PAGES / "pier/tides.md")
    assert result.exit_code == 0
    lines = [line.rpartition("tides.md:")[2] for line in result.stdout.splitlines()]
    assert lines == [
        "6: mention of session PierTD",
        "8: message T1 Tide Request",
        "8: mention of message T1",
        "12: member T1 9006 Until UTCTimestamp N",
        "14: message T2 Tide Report",
        "14: mention of message T2",
        "18: member T2 9020 NoTides Integer Y",
        "19: member T2 9021 TideKind Char Y inside 9020",
        "19: codes of 9021 in T2: H=High, L=Low",
        "20: member T2 9022 TideLevel Decimal Y inside 9020",
        " 10 facts about freight (codes: 1, member: 4, mention: 3, message: 2)",
    ]


URL = "---\nurl: https://pier.example.org/pier-tours/fees?x=1\n---\n"


@pytest.mark.parametrize(
    ("name", "head", "option", "expected"),
    [
        ("page.md", URL, None, ("pier-tours/fees", "tours")),
        ("page.md", "---\nslug: pier/fees\n---\n", None, ("pier/fees", "freight")),
        ("pier-tours/page.mdx", "", None, ("pier-tours/page", "tours")),
        ("later/pier-tours/page.md", "", None, ("pier-tours/page", "tours")),
        ("tours/page.md", "", None, ("pier-tours/page", "tours")),
        ("page.md", "", "tours", ("pier-tours/page", "tours")),
    ],
)
def test_the_product_of_a_page_follows_from_its_text_its_folder_or_an_option(
    name: str, head: str, option: str | None, expected: tuple[str, str], tmp_path: Path
) -> None:
    page = tmp_path / name
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"{head}# Fees\n", encoding="utf-8")
    (reading,) = sources.gather([tmp_path], original(), option).readings
    assert (reading.page, reading.product) == expected


def test_unusable_input_ends_with_status_2(tmp_path: Path, scratch: Scratch) -> None:
    (tmp_path / "page.md").write_text("# Fees\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("Fees", encoding="utf-8")
    (tmp_path / "latin.md").write_bytes("# Gebühren\n".encode("latin-1"))
    (tmp_path / "empty").mkdir()
    lines = {
        ("page.md",): "unknown product: add --product freight or tours",
        ("notes.txt",): "neither a page (.md, .mdx) nor a dictionary (.xml)",
        ("latin.md",): "is not UTF-8",
        ("empty",): "contains no page (.md, .mdx) or dictionary (.xml)",
        ("page.md", "--product", "planes"): "choose one of freight, tours",
        ("nothing.md",): "does not exist",
        (): "Missing argument",
    }
    for (*names,), line in lines.items():
        result = diff(SPEC, *(tmp_path / name if "." in name or name == "empty" else name for name in names))
        assert result.exit_code == 2, names
        assert line in result.stderr
        assert result.stdout == ""
    (scratch.spec / "fields.yaml").write_text("fields: 3\n", encoding="utf-8")
    assert diff(scratch.spec, scratch.pages).exit_code == 2


def test_a_file_that_is_not_a_dictionary_is_remaining_work(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_text("<fix>\n<fields>", encoding="utf-8")
    result = diff(SPEC, path)
    assert result.exit_code == 1
    assert f"found at  {path}:2" in result.stdout


def test_files_about_other_subjects_are_reported_and_skipped(tmp_path: Path, scratch: Scratch) -> None:
    """The sources are XML of another kind, a page of another API, and a page that does not state its
    subject."""
    folder = scratch.pages / "pier"
    (folder / "rss.xml").write_text("<rss>\n</rss>", encoding="utf-8")
    other = scratch.folder / "other"
    other.mkdir()
    (other / "rest.md").write_text(
        "---\nurl: https://pier.example.org/rest/orders\n---\n# REST\n", encoding="utf-8"
    )
    (other / "fees.md").write_text("# Fees\n", encoding="utf-8")
    result = diff(scratch.spec, scratch.pages, other)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:5] == [
        "Skipped (3)",
        "",
        f"* {folder}/rss.xml:1: not a QuickFIX dictionary: it does not begin with <fix>",
        f"* {other}/fees.md: unknown product: add --product freight or tours",
        f"* {other}/rest.md: rest/orders is not a page about the dialect",
    ]
    listed = json.loads(diff(scratch.spec, "--json", scratch.pages, other).stdout)["skipped"]
    assert listed[2] == {"file": f"{other}/rest.md", "why": "rest/orders is not a page about the dialect"}
    # The option applies to pages that do not state their product.
    (folder / "rss.xml").unlink()
    (other / "rest.md").unlink()
    given = sources.gather([scratch.pages, other], original(), "tours")
    assert {reading.product for reading in given.readings if "/pier/" in reading.file} == {"freight"}
    assert [reading.page for reading in given.readings if reading.file.endswith("fees.md")] == [
        "pier-tours/fees"
    ]
