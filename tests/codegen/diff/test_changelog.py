"""The changelog of all APIs of a venue: entries, their dispositions, and the last date the spec covers."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from codegen.diff.documents import changelog
from codegen.diff.documents.headings import sender_by_arrow
from codegen.diff.facts import EntryFact, EntryForm, Fact
from codegen.read.resolve import load_dialect
from tests.codegen.command import run
from tests.codegen.diff.pier_dialect import Scratch, original

HEAD = """\
---
url: https://pier.example.org/changes-of-all
lastmod: 2024-06-03T10:00:00.000Z
---
# What changed

"""


def entry(date: str, title: str, tags: str = '["FIX"]', text: str = "The pier is longer.") -> str:
    described = f"  tags={{{tags}}}\n" if tags else ""
    return (
        f'<Update\n  label="{date}"\n{described}'
        f'  rss={{{{\ntitle: "{title}",\ndescription: "Says {{more}}, and \\"more\\"."\n}}}}\n>\n'
        f"  {text}\n</Update>\n\n"
    )


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    edited = Scratch(tmp_path)
    manifest = edited.spec / "manifest.yaml"
    edited.edit(
        manifest, "  dictionary 2.0:", "  all changes:    changelog changes-of-all\n  dictionary 2.0:"
    )
    return edited


def write(scratch: Scratch, *entries: str) -> Path:
    path = scratch.folder / "news.md"
    path.write_text(HEAD + "".join(entries), encoding="utf-8")
    return path


def write_dispositions(scratch: Scratch, *lines: str) -> None:
    text = "".join(f"  - {{{line}}}\n" for line in lines)
    (scratch.spec / "changelog.yaml").write_text(f"entries:\n{text}", encoding="utf-8")


def proposed(scratch: Scratch, path: Path) -> list[str]:
    """Return the proposed dispositions, each with a reason in place of the ellipsis."""
    found = [edit.text for finding in scratch.diff(path) for edit in finding.edits]
    return [item.split("`")[1][3:-1].replace('"…"', '"Seen to."') for item in found]


def read(text: str) -> list[Fact]:
    return changelog.read(HEAD + text, "news.md", original().vocabulary)


def only_entry(text: str) -> EntryFact:
    (entry_fact,) = read(text)
    assert isinstance(entry_fact, EntryFact)
    return entry_fact


def test_an_entry_is_identified_by_its_date_and_title() -> None:
    entry_fact = only_entry(entry("May 3, 2024", "Longer pier", '["REST", "FIX"]'))
    assert (entry_fact.date, entry_fact.title, entry_fact.tags, entry_fact.location.line) == (
        "2024-05-03",
        "Longer pier",
        ("REST", "FIX"),
        7,
    )


@pytest.mark.parametrize(
    "title", ["GET /berths/{id} and {more}", "a > b, <b>", "it's `x`", 'say \\"berth\\"']
)
def test_a_title_may_contain_any_characters(title: str) -> None:
    entry_fact = only_entry(entry("May 3, 2024", title))
    assert entry_fact.title == title.replace("\\", "")


@pytest.mark.parametrize(
    ("tags", "text", "is_reported"),
    [
        ('["FIX", "Freight"]', "Nothing else.", True),
        ('["REST"]', "Nothing else.", False),
        ('["REST"]', "The FIX session is as before.", True),
        ("", "The FIX session is new.", True),
        ("", "The page is new. See [there](/fix/there); a prefix.", False),
    ],
)
def test_only_entries_that_are_tagged_fix_or_mention_it_are_reported(
    scratch: Scratch, tags: str, text: str, is_reported: bool
) -> None:
    found = scratch.diff(write(scratch, entry("May 3, 2024", "Longer pier", tags, text)))
    assert [item.element for item in found] == (["entry"] if is_reported else [])


def test_each_entry_needs_a_disposition_and_the_report_proposes_one(scratch: Scratch) -> None:
    path = write(scratch, *(entry(f"May {day}, 2024", f"Change {day}") for day in (3, 4, 5)))
    lines = proposed(scratch, path)
    assert len(lines) == 3
    write_dispositions(scratch, lines[0], lines[1].replace("done", "not_ours"))
    assert [item.what for item in scratch.diff(path)] == ["changelog of 2024-05-05 [FIX]: Change 5"]
    write_dispositions(
        scratch, lines[0], lines[1].replace("done", "not_ours"), lines[2].replace("done", "later")
    )
    assert scratch.diff(path) == []


LONGER_PIER = entry("May 3, 2024", "Longer pier")
WIDER_PIER = entry("May 3, 2024", "Longer pier", text="And wider.")
DEEPER_PIER = entry("May 3, 2024", "Deeper water")
REST = entry("May 3, 2024", "Longer pier", '["REST"]')
VERSION = entry("May 20, 2024", "Pier FIX v1.1.0: HoldHours")
CHANGED = ("different", "another text", "changed text of: Longer pier")


@pytest.mark.parametrize(
    ("kept", "published", "expected"),
    [
        pytest.param(
            [LONGER_PIER],
            [LONGER_PIER, DEEPER_PIER],
            [("new", "present", "Deeper water")],
            id="another title",
        ),
        pytest.param(
            [LONGER_PIER], [LONGER_PIER, WIDER_PIER], [("new", "present", "Longer pier")], id="the same title"
        ),
        pytest.param([LONGER_PIER], [WIDER_PIER], [CHANGED], id="a changed text"),
        pytest.param([LONGER_PIER], [REST], [CHANGED], id="an entry that no longer mentions the dialect"),
        pytest.param(
            [LONGER_PIER], [LONGER_PIER.replace(" is longer", "\n\n  is longer")], [], id="other line breaks"
        ),
        pytest.param([VERSION], [VERSION], [], id="the entry of a version"),
    ],
)
def test_an_entry_is_compared_with_its_disposition(
    scratch: Scratch, kept: list[str], published: list[str], expected: list[tuple[str, str, str]]
) -> None:
    write_dispositions(scratch, *proposed(scratch, write(scratch, *kept)))
    found = scratch.diff(write(scratch, *published))
    assert [(item.kind, item.in_source, item.what.partition(": ")[2]) for item in found] == expected
    assert all(item.edits[0].location.file.endswith("changelog.yaml") for item in found)


def test_a_removed_entry_is_reported_unless_it_is_older_than_the_page(scratch: Scratch) -> None:
    entries = [entry(f"May {day}, 2024", f"Change {day}") for day in (3, 4, 5)]
    write_dispositions(scratch, *proposed(scratch, write(scratch, *entries)))
    assert scratch.diff(write(scratch, *entries[1:])) == []
    (found,) = scratch.diff(write(scratch, entries[0], entries[2]))
    assert (found.kind, found.address[:10]) == ("gone", "2024-05-04")


def test_an_entry_whose_date_changed_is_reported_as_moved(scratch: Scratch) -> None:
    entries = [entry("May 3, 2024", "Longer pier"), entry("May 1, 2024", "Deeper water")]
    write_dispositions(scratch, *proposed(scratch, write(scratch, *entries)))
    (found,) = scratch.diff(write(scratch, entry("May 5, 2024", "Longer pier"), entries[1]))
    assert (found.kind, found.in_source, found.passages) == (
        "different",
        "moved from 2024-05-03",
        ("The pier is longer.",),
    )
    both = entry("May 5, 2024", "Longer pier", text="By a metre.")
    (found,) = scratch.diff(write(scratch, both, entries[1]))
    assert found.in_source == "moved from 2024-05-03, another text"
    assert found.edits[0].text.startswith("review it; `date: 2024-05-05, entry: ")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (entry("May 3, 2024", ""), "could not read: an entry of the changelog without a title"),
        (entry("Some day", "Longer pier"), "could not read: an entry of the changelog without a date"),
        (
            '<Update label="May 3, 2024" tags={["FIX"]}>\n</Update>\n',
            "could not read: an entry of the changelog without a title",
        ),
        (
            '<Update label="May 3, 2024" tags={["FIX"]} rss={{title: "x}}>\nText.\n</Update>\n',
            "could not read: the component <Update has no end",
        ),
    ],
)
def test_unreadable_parts_are_reported(scratch: Scratch, text: str, what: str) -> None:
    assert [item.what for item in scratch.diff(write(scratch, text))] == [what]


def test_an_entry_needs_exactly_one_disposition(scratch: Scratch) -> None:
    path = write(scratch, entry("May 3, 2024", "Longer pier"))
    (line,) = proposed(scratch, path)
    for wrong in (f'{line}, later: "Both."', line.partition(", done")[0]):
        write_dispositions(scratch, wrong)
        result = run("--spec", scratch.spec, "diff", path)
        assert result.exit_code == 2
        assert "changelog.yaml:2: `entries[1]` is a mapping; write an entry: date" in result.stderr


def test_the_dialect_contains_the_last_compared_version(scratch: Scratch) -> None:
    assert load_dialect(scratch.spec).validated == ""
    path = write(scratch, entry("May 3, 2024", "Longer pier"), entry("April 1, 2024", "No joke"))
    write_dispositions(scratch, *proposed(scratch, path))
    assert load_dialect(scratch.spec).validated == "changelog through 2024-05-03"
    page = scratch.pages / "pier/tides.md"
    scratch.edit(page, "\n---\n# Tides", "\nlastmod: 2024-06-07T08:09:10.111Z\n---\n# Tides")
    review = ("--spec", scratch.spec, "diff", "--partial", "--reviewed")
    assert run(*review, scratch.pages, path).exit_code == 0
    assert load_dialect(scratch.spec).validated == "changelog through 2024-05-03, pages of 2024-06-07"
    # The pages of this folder contain no date, so the recorded date does not change.
    assert run(*review, scratch.pages / "pier-tours").exit_code == 0
    assert load_dialect(scratch.spec).newest_page_date == "2024-06-07"


def test_a_long_changelog_is_read_in_linear_time() -> None:
    """The inputs are a long title, a list of 2,000 tags, and an object without an end."""
    entry_fact = only_entry(entry("May 3, 2024", "x " * 3000))
    strings = ", ".join('"FIX"' for _ in range(2000))
    entry_fact = only_entry(
        f'<Update label="May 3, 2024" tags={{[{strings}]}} rss={{{{title: "Many"}}}}>\n</Update>\n'
    )
    assert len(entry_fact.tags) == 2000
    unclosed = '<Update label="May 3, 2024" rss={{' + '"a" ' * 3000 + "\n" * 3
    assert [type(item).__name__ for item in read(unclosed)] == ["UnreadableFact"]


def test_an_entry_without_an_end_extends_to_the_next_entry() -> None:
    first = entry("May 3, 2024", "Longer pier").replace("</Update>\n", "")
    found = read(first + entry("May 4, 2024", "Deeper water") + first)
    assert [item.title for item in found if isinstance(item, EntryFact)] == [
        "Longer pier",
        "Deeper water",
        "Longer pier",
    ]


def test_the_manifest_names_the_component_and_its_attributes() -> None:
    usual = HEAD + entry("May 3, 2024", "Longer pier")
    form = EntryForm(component="News", date="on", title="feed", description="about", tags="apis", about="FIX")
    other = usual.replace("Update", "News").replace("label=", "on=").replace("tags=", "apis=")
    other = other.replace("rss=", "feed=")
    vocabulary = attrs.evolve(original().vocabulary, entry=form)
    [fact] = changelog.read(other, "news.md", vocabulary)
    assert isinstance(fact, EntryFact)
    assert (fact.date, fact.title, fact.is_relevant) == ("2024-05-03", "Longer pier", True)
    assert changelog.is_changelog(other, form)
    assert not changelog.is_changelog(usual, form)
    assert not changelog.is_changelog(usual, EntryForm())
    assert changelog.is_changelog(usual, original().vocabulary.entry)


@pytest.mark.parametrize(
    ("text", "venue", "sender"),
    [
        ("Acme → Member", "acme", "venue"),
        ("Member → Acme", "acme", "client"),
        ("Big Acme → Member", "big acme", "venue"),
        ("Big Member → Server", "big acme", "client"),
        ("Acme → Member", "other", None),
        ("Acme → Member", "", None),
    ],
)
def test_a_direction_may_contain_the_name_of_the_venue(text: str, venue: str, sender: str | None) -> None:
    assert sender_by_arrow(text, venue) == sender
