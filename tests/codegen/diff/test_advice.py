"""The edits that `diff` proposes are applied unchanged: codegen accepts them, and `diff` finds no more
differences."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from codegen.diff import proposals
from codegen.diff.findings import Edit, Finding
from codegen.read.resolve import load_dialect
from kalshi_fix_adapters.documents.mistakes import Location
from tests.codegen.diff.pier_dialect import SPEC, Scratch
from tests.codegen.spec_folder import mistakes_of

BOOKINGS, TOURS, TIDES = "pier/bookings.md", "pier-tours/bookings.md", "pier/tides.md"


def apply_proposals(scratch: Scratch, found: list[Finding], words: str = "A description.") -> None:
    """Write all proposals to the copy, with these words in place of each `…`."""
    edits = [
        attrs.evolve(edit, location=attrs.evolve(edit.location, file=moved(scratch, edit.location.file)))
        for finding in found
        for edit in finding.edits
    ]
    _, others = proposals.write(attrs.evolve(found[0], kind="new", edits=tuple(edits)) for _ in [0])
    assert others == []
    for path in scratch.spec.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"…"', f'"{words}"'), encoding="utf-8")


def moved(scratch: Scratch, file: str) -> str:
    """Return the path that a file of the spec has in the copy."""
    return file.replace(SPEC.as_posix(), scratch.spec.as_posix())


LENGTH, LENGTH_OF_TOURS = "| 9003 | Length  ", "| Yes      | Length "
TIDE_LEVEL = "| 9022 | TideLevel "
KINDS_OF_TOURS = ("`1 = Take`, `2 = Extend (longer)`, `3 = Leave`", "`1 = Take`, `3 = Leave`")
EXTEND = "#### Extend (Kind=2)\n\n| Tag  | Name  | Description | Required |\n"
EXTEND += "| ---- | ----- | ----------- | -------- |\n| 9002 | Berth | Which.      | Yes      |\n\n"


def insert_before(page: str, anchor: str, row: str) -> tuple[str, str, str]:
    return page, anchor, f"{row}\n{anchor}"


CHANGES = {
    "a field on two pages": [
        insert_before(BOOKINGS, LENGTH, "| 9040 | Draught | Decimal | N | In metres. |"),
        insert_before(TOURS, LENGTH_OF_TOURS, "| No | Draught | 9040 | In metres | Decimal |"),
    ],
    "a required field of one product": [
        insert_before(BOOKINGS, LENGTH, "| 9040 | Draught | Decimal | Y | In metres. |"),
        (BOOKINGS, "9003=80.5|", "9003=80.5|9040=7|"),
    ],
    "a flag with the values Y and N": [
        insert_before(BOOKINGS, LENGTH, "| 9040 | Urgent | Char | N | Y/N, whether to hurry. |")
    ],
    "a field with values": [
        insert_before(BOOKINGS, LENGTH, "| 9040 | Tug | Integer | N | `1`=None, `2`=One. |")
    ],
    "a field of a group": [
        insert_before(TIDES, TIDE_LEVEL, "| 9040 | TideFlow | Decimal | N | Tide entries only. |")
    ],
    "a field of the header in two messages": [
        insert_before(BOOKINGS, LENGTH, "| 9040 | Watch | String | N | Header field. |"),
        insert_before(TIDES, "| 9006 | Until ", "| 9040 | Watch | String | N | Header field. |"),
    ],
    "a value": [(TIDES, "`H`=High, `L`=Low", "`H`=High, `L`=Low, `S`=Slack water")],
    "a text with a code": [
        insert_before(
            BOOKINGS,
            "* **SHIP\\_TOO\\_LONG**",
            '* **PIER\\_CLOSED** - maps to RefusalReason "No berth"',
        )
    ],
    "a value that one message excludes": [
        (BOOKINGS, "`1`=Take, `2`=Extend (for longer), `3`=Leave.", "`1`=Take, `3`=Leave."),
        (TOURS, *KINDS_OF_TOURS),
        (BOOKINGS, EXTEND, ""),
    ],
    "a value that one message of one product excludes": [(TOURS, *KINDS_OF_TOURS)],
}


@pytest.mark.parametrize("edits", CHANGES.values(), ids=CHANGES)
def test_codegen_accepts_the_proposals_and_no_differences_remain(
    scratch: Scratch, edits: list[tuple[str, str, str]]
) -> None:
    scratch.revise(scratch.pages, edits)
    found = [finding for finding in scratch.diff_pages() if "required_when" not in finding.edits[0].text]
    assert found
    apply_proposals(scratch, found)
    load_dialect(scratch.spec)
    assert [each.what for each in scratch.diff_pages() if "required_when" not in each.edits[0].text] == []


@pytest.mark.parametrize(
    "line",
    ["  BookingRequest:", "  Other: optional", "  Kind:", '  Kind: {doc: "One",', "  Kind: optional # why"],
)
def test_a_setting_of_a_missing_or_multi_line_member_is_not_written(tmp_path: Path, line: str) -> None:
    path = tmp_path / "messages.yaml"
    path.write_text(f"messages:\n{line}\n    doc: Two\n", encoding="utf-8")
    edit = Edit(Location(path.as_posix(), 2), "`Kind`: `limits: {values: [Take]}`")
    finding = Finding("gone", "code", "Kind=1", "absent", "", (), (edit,))
    before = path.read_text(encoding="utf-8")
    assert proposals.write([finding]) == ([], [edit])
    assert path.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(("at", "line"), [(2, 4), (4, 5), (5, 7), (9, 11)])
def test_a_member_is_written_into_its_own_message(tmp_path: Path, at: int, line: int) -> None:
    """It is inserted after a member that takes one or several lines, or as the first member."""
    text = """\
messages:
  One:
    members:
      A: optional
      B:
        limits: {values: 1}
  # --- more

  Two:
    members:
      C: optional
"""
    path = tmp_path / "messages.yaml"
    path.write_text(text, encoding="utf-8")
    edit = Edit(Location(path.as_posix(), at), "add `D: optional` to the members of One")
    assert proposals.write([Finding("new", "member", "One.D", "present", "", (), (edit,))]) == ([edit], [])
    lines = text.splitlines()
    lines.insert(line - 1, "      D: optional")
    assert path.read_text(encoding="utf-8").splitlines() == lines


def test_codegen_rejects_a_placeholder(scratch: Scratch) -> None:
    scratch.revise(scratch.pages, CHANGES["a field with values"])
    apply_proposals(scratch, scratch.diff_pages(), words="…")
    found = mistakes_of(scratch.spec)
    assert len(found) == 4
    assert all(str(item).endswith("is `…`; write a sentence or two") for item in found)


def test_a_field_on_two_pages_has_one_proposal(scratch: Scratch) -> None:
    scratch.revise(scratch.pages, CHANGES["a field on two pages"])
    (found,) = scratch.diff_pages()
    texts = [edit.text for edit in found.edits]
    field = 'Draught: {tag: 9040, type: AMT, source: [bookings, tours bookings], doc: "…"}'
    assert texts == [
        f"add `{field}` after this entry",
        "add `Draught: optional` to the members of BookingRequest",
    ]


def test_a_missing_condition_is_reported_only_for_its_product(scratch: Scratch) -> None:
    """Both pages mark as optional a field that the spec requires on freight only."""
    members = scratch.spec / "messages/bookings.yaml"
    deck = "      Deck:        {required_when: {products: freight, BookingKind: Take}}"
    scratch.edit(members, "      Deck:        optional", deck)
    found = [finding for finding in scratch.diff_pages() if finding.in_source == "optional"]
    assert [(item.address, item.products) for item in found] == [("BookingRequest.Deck", ("freight",))]
