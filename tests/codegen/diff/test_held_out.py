"""Changes to pages, devised after the tool was written: only those that affect the spec are reported."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.codegen.command import run
from tests.codegen.diff.pier_dialect import FindingSummary, Scratch, row_of, summarize

BOOKINGS, TIDES = "pier/bookings.md", "pier/tides.md"
Change = Callable[[Scratch], None]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """Return a dialect with every passage reviewed, whose TideReport has a field before its group."""
    dialect = Scratch(tmp_path_factory.mktemp("base"))
    members = "      Until: optional\n      Tides: required"
    dialect.edit(dialect.spec / "messages/tides.yaml", "      Tides: required", members)
    row = "| 9006 | Until | UTCTimestamp | N | How far it looks. |\n"
    dialect.edit(dialect.pages / TIDES, "| 9020 | NoTides ", f"{row}| 9020 | NoTides ")
    assert run("--spec", dialect.spec, "diff", "--partial", "--reviewed", dialect.pages).exit_code == 0
    assert dialect.diff_pages() == []
    return dialect


@pytest.fixture
def scratch(base: Scratch, tmp_path: Path) -> Scratch:
    """Return `base` with its own copy of the pages."""
    copied = copy.copy(base)
    copied.pages = tmp_path / "pages"
    shutil.copytree(base.pages, copied.pages)
    return copied


def text_of(scratch: Scratch, page: str) -> str:
    return (scratch.pages / page).read_text(encoding="utf-8")


def move_beside(page: str, row: str, other: str, join: Callable[[str, str], str]) -> Change:
    def change(scratch: Scratch) -> None:
        path = scratch.pages / page
        line = row_of(path, row)
        scratch.edit(path, line, "")
        target = row_of(path, other)
        scratch.edit(path, target, join(line, target))

    return change


def move(page: str, row: str, before: str) -> Change:
    """Move a row before another one."""
    return move_beside(page, row, before, lambda line, target: line + target)


def move_after(page: str, row: str, after: str) -> Change:
    return move_beside(page, row, after, lambda line, target: target + line)


def replace(page: str, old: str, new: str) -> Change:
    return lambda scratch: scratch.edit(scratch.pages / page, old, new)


def rewrite(page: str, how: Callable[[str], str]) -> Change:
    def change(scratch: Scratch) -> None:
        (scratch.pages / page).write_text(how(text_of(scratch, page)), encoding="utf-8")

    return change


def reverse_columns(text: str) -> str:
    return re.sub(r"(?m)^\|(.*)\|$", lambda row: f"|{'|'.join(reversed(row[1].split('|')))}|", text)


def deepen_headings(text: str) -> str:
    return re.sub(r"(?m)^(#+ )", r"#\1", text)


def number_headings(text: str) -> str:
    count = iter(range(1, 100))
    return re.sub(r"(?m)^(#+) ", lambda mark: f"{mark[1]} {next(count)}.{next(count)}. ", text)


def reverse_rows(scratch: Scratch) -> None:
    """Reverse the fields of a message; FIX does not define their order."""
    for row in ("| 9002 ", "| 9003 ", "| 9005 "):
        line = next(line for line in text_of(scratch, BOOKINGS).splitlines(True) if line.startswith(row))
        text = text_of(scratch, BOOKINGS).replace(line, "", 1)
        at = text.index("| 9001 ")
        (scratch.pages / BOOKINGS).write_text(text[:at] + line + text[at:], encoding="utf-8")


def member(name: str, expected: str) -> set[FindingSummary]:
    return {("different", "member", name, expected)}


CHANGES: dict[str, tuple[Change, set[FindingSummary]]] = {
    "from the body into a group with a table": (
        move(BOOKINGS, "| 9005 |", "| 9012 |"),
        member("BookingRequest.Deck", "in NoLots"),
    ),
    "from a group with a table into the body": (
        move(BOOKINGS, "| 9012 |", "| 9005 |"),
        member("BookingRequest.LotWeight", "in the body"),
    ),
    "from an inner group into the outer one": (
        move(BOOKINGS, "| 9014 |", "| 9012 |"),
        member("BookingRequest.SealNumber", "in NoLots"),
    ),
    "from a group into its inner one": (
        move_after(BOOKINGS, "| 9012 |", "| 9014 |"),
        member("BookingRequest.LotWeight", "in NoSeals"),
    ),
    "from the body into the rows of a group": (
        move(TIDES, "| 9006 | Until | UTCTimestamp | N |", "| 9022 |"),
        member("TideReport.Until", "among the fields of NoTides"),
    ),
    "from the rows of a group to a place before its counter": (
        move(TIDES, "| 9022 |", "| 9020 |"),
        member("TideReport.TideLevel", "before NoTides"),
    ),
    "from the body to a place after the rows of a group": (
        move_after(TIDES, "| 9006 | Until | UTCTimestamp | N | How far it looks", "| 9022 |"),
        member("TideReport.Until", "after the fields of NoTides"),
    ),
    "a counter to a place after the rows of its group": (
        move_after(TIDES, "| 9020 |", "| 9022 |"),
        member("TideReport.TideKind", "before NoTides") | member("TideReport.TideLevel", "before NoTides"),
    ),
    "another field opens the entries of a table": (
        move(BOOKINGS, "| 9012 |", "| 9011 |"),
        member("BookingRequest.LotWeight", "first of NoLots"),
    ),
    "another field opens the entries among rows": (
        move(TIDES, "| 9022 |", "| 9021 |"),
        member("TideReport.TideLevel", "first of NoTides"),
    ),
    "a group gets a maximum number of entries": (
        replace(TIDES, "Number of tides.", "Number of tides, up to 4."),
        member("TideReport.NoTides", "at most 4 entries"),
    ),
    "a field requires another": (
        replace(BOOKINGS, "Length in metres.", "Length in metres, requires Deck."),
        member("BookingRequest.Length", "tied to Deck"),
    ),
    "a field is retyped": (
        replace(TIDES, "| 9022 | TideLevel | Decimal", "| 9022 | TideLevel | String"),
        {("different", "field", "TideLevel", "type String")},
    ),
    "a value is removed": (
        replace(BOOKINGS, "* **Refused\\<R>**: It is not.\n", ""),
        {("gone", "code", "Answer=R", "absent")},
    ),
}
HARMLESS: dict[str, Change] = {
    "columns in another order": rewrite(BOOKINGS, reverse_columns),
    "deeper headings": rewrite(BOOKINGS, deepen_headings),
    "numbered headings": rewrite(BOOKINGS, number_headings),
    "rows of the body in another order": reverse_rows,
    "later rows of a group in another order": move(BOOKINGS, "| 9013 |", "| 9012 |"),
}


@pytest.mark.parametrize(("change", "found"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_reported(scratch: Scratch, change: Change, found: set[FindingSummary]) -> None:
    change(scratch)
    # There are no other findings, except for text whose form has changed.
    assert {item for item in summarize(scratch.diff_pages()) if item[0] != "unreviewed"} == found


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_a_change_that_does_not_affect_the_spec_is_not_reported(scratch: Scratch, change: Change) -> None:
    before = {page: text_of(scratch, page) for page in (BOOKINGS, TIDES)}
    change(scratch)
    assert before != {page: text_of(scratch, page) for page in (BOOKINGS, TIDES)}
    assert scratch.diff_pages() == []


def test_a_split_page_is_reported_page_by_page_and_not_field_by_field(scratch: Scratch) -> None:
    text = text_of(scratch, BOOKINGS)
    first, second = text[: text.index("## Booking Report")], text[text.index("## Booking Report") :]
    (scratch.pages / BOOKINGS).write_text(first, encoding="utf-8")
    (scratch.pages / "pier/reports.md").write_text(f"# Reports\n\n{second}", encoding="utf-8")
    found = summarize(scratch.diff_pages())
    assert ("new", "page", "pier/reports", "present") in found
    assert ("different", "message", "BookingReport", "on pier/reports") in found
    assert not any(element in ("member", "field", "code") for _, element, _, _ in found)
    # Both halves have new names, so the old page is missing as well.
    (scratch.pages / BOOKINGS).rename(scratch.pages / "pier/requests.md")
    text = text_of(scratch, "pier/requests.md").replace(
        "example.org/pier/bookings", "example.org/pier/requests"
    )
    (scratch.pages / "pier/requests.md").write_text(text, encoding="utf-8")
    found = summarize(scratch.diff_pages())
    assert ("gone", "page", "pier/bookings", "absent") in found
    assert {address for _, element, address, _ in found if element == "message"} == {
        "BookingRequest",
        "BookingReport",
    }


EXAMPLE = "8=FIXT.1.1|35=B1|9001=a|9004=1|9003=80.5|9010=1|9011=salt|9012=4|"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("9003=80.5", "9003=80.5|9099=x", ("new", "member", "BookingRequest.9099", "present in an example")),
        ("9003=80.5", "9003=x", ("different", "member", "BookingRequest.Length", "x in an example")),
        ("9004=1", "9004=7", ("different", "member", "BookingRequest.BookingKind", "7 in an example")),
        ("9003=80.5|", "", ("different", "message", "BookingRequest", "example without Length")),
        ("9010=1", "9010=2", ("different", "member", "BookingRequest.NoLots", "2 in an example with 1")),
        (
            "9011=salt|9012=4",
            "9012=4|9011=salt",
            ("different", "member", "BookingRequest.LotWeight", "first of NoLots in an example"),
        ),
        (
            "9004=1|",
            "9004=1|9012=3|",
            ("different", "member", "BookingRequest.LotWeight", "outside of NoLots in an example"),
        ),
    ],
)
def test_an_example_that_contradicts_the_spec_is_reported(
    scratch: Scratch, old: str, new: str, found: FindingSummary
) -> None:
    scratch.edit(scratch.pages / BOOKINGS, EXAMPLE, EXAMPLE.replace(old, new))
    assert found in summarize(scratch.diff_pages())


@pytest.mark.parametrize(
    "example",
    [
        EXAMPLE.replace("|", "\\x01").encode().decode("unicode_escape"),
        EXAMPLE.replace("9012=4|", "9012=4|9013=2|9014=a|9014=b|10=123|"),
        EXAMPLE.replace("9010=1|9011=salt|9012=4|", "\n9010=2|\n  9011=salt|9012=4|\n  9011=tea|9012=1|\n"),
        "8=FIXT.1.1|35=B1|9001=<your id>|...|",
        "35=B1|9001=a|9004=1|9003=1|",
        "no message at all, 9012=4",
    ],
)
def test_an_example_that_agrees_with_the_spec_is_not_reported(scratch: Scratch, example: str) -> None:
    scratch.edit(scratch.pages / BOOKINGS, EXAMPLE, example)
    assert {kind for kind, _, _, _ in summarize(scratch.diff_pages())} <= {"unreviewed"}
