"""Findings of a comparison: absence, moves, and intended differences."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from codegen.diff.report import text
from codegen.diff.sources import GivenSources
from codegen.errors import SpecError
from tests.codegen.diff.pier_dialect import Scratch, line_of, locations_of, row_of, summarize

CASES: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    Path(__file__).with_name("findings.yaml").read_text(encoding="utf-8")
)


def test_a_page_is_compared_only_with_the_elements_it_covers(scratch: Scratch) -> None:
    for page in sorted(scratch.pages.rglob("*.md")):
        assert scratch.diff(page) == [], page


def test_a_deleted_row_is_missing_from_the_message_of_that_product(scratch: Scratch) -> None:
    page = scratch.pages / "pier/bookings.md"
    scratch.edit(page, row_of(page, "| 9005 |"), "")
    (finding,) = scratch.diff_pages()
    assert (finding.kind, finding.address, finding.in_source) == ("gone", "BookingRequest.Deck", "absent")
    assert finding.products == ("freight",)
    assert locations_of(finding) == [f"bookings.md:{line_of(page, '## Booking Request')}"]
    (edit,) = finding.edits
    members = scratch.spec / "messages/bookings.yaml"
    assert edit.location.line == line_of(members, "Deck: ")
    # An element that is marked as removed in the spec is not expected.
    scratch.edit(members, "Deck:        optional", 'Deck: {until: {2026-10: "Unused."}}')
    assert scratch.diff_pages() == []


def test_a_removed_group_is_reported_once(scratch: Scratch) -> None:
    scratch.cut(scratch.pages / "pier/bookings.md", "| 9010 | NoLots", "\n```fix Example")
    assert summarize(scratch.diff_pages()) == {("gone", "member", "BookingRequest.NoLots", "absent")}


def test_a_message_without_a_section_or_without_a_table_is_reported_once(scratch: Scratch) -> None:
    page = scratch.pages / "pier/tides.md"
    scratch.cut(page, "## Tide Request (35=T1)", "## Tide Report")
    assert summarize(scratch.diff_pages()) == {("gone", "message", "TideRequest", "absent")}
    scratch.append(page, "\n## Tide Request (35=T1)\n\nJust ask.\n")
    assert summarize(scratch.diff_pages()) == {("gone", "message", "TideRequest", "no fields")}


def test_messages_missing_from_a_dictionary_are_reported_by_family(scratch: Scratch) -> None:
    path = scratch.dictionary / "FIX50SP2.xml"
    whole = path.read_text(encoding="utf-8")
    remaining = re.sub(r'  <message name="[BT].*?</message>\n', "", whole, flags=re.DOTALL)
    path.write_text(remaining, encoding="utf-8")
    assert scratch.diff_dictionary() == []  # a dictionary of the session layer
    remaining = re.sub(r'  <message name="Tide.*?</message>\n', "", whole, flags=re.DOTALL)
    path.write_text(remaining, encoding="utf-8")
    found = scratch.diff_dictionary()
    assert summarize(found) == {
        ("gone", "message", "TideRequest", "absent"),
        ("gone", "message", "TideReport", "absent"),
    }
    assert {finding.group for finding in found} == {"family tides"}


def test_a_section_on_another_page_has_moved(scratch: Scratch) -> None:
    tides, bookings = scratch.pages / "pier/tides.md", scratch.pages / "pier/bookings.md"
    section = scratch.cut(tides, "## Tide Request", "## Tide Report")
    scratch.append(bookings, f"\n{section}")
    assert summarize(scratch.diff_pages()) == {("different", "message", "TideRequest", "on bookings")}
    scratch.insert("messages/tides.yaml", "    source: bookings\n", after="    msg_type: T1\n")
    assert scratch.diff_pages() == []


def test_a_new_or_removed_page_is_reported(scratch: Scratch) -> None:
    folder = scratch.pages / "pier"
    page = (folder / "tides.md").read_text(encoding="utf-8").replace("pier/tides", "pier/water")
    (folder / "tides.md").unlink()
    (folder / "water.md").write_text(page, encoding="utf-8")
    assert summarize(scratch.diff_pages()) == {
        ("new", "page", "pier/water", "present"),
        ("gone", "page", "pier/tides", "absent"),
        ("different", "message", "TideRequest", "on pier/water"),
        ("different", "message", "TideReport", "on pier/water"),
    }
    # A single page does not imply that the other pages are gone.
    assert scratch.diff(folder / "bookings.md") == []


def test_a_new_or_removed_environment_is_reported(scratch: Scratch) -> None:
    page = scratch.pages / "pier/sessions.md"
    scratch.edit(page, '<Tab title="Trial">', '<Tab title="Playground">')
    found = summarize(scratch.diff_pages())
    assert ("new", "environment", "playground", "present") in found
    assert ("gone", "environment", "trial", "absent") in found
    assert ("gone", "host", "trial freight tides", "absent") in found


def test_an_element_that_a_page_allows_and_the_spec_forbids_is_reported(scratch: Scratch) -> None:
    page = scratch.pages / "pier-tours/bookings.md"
    row = "| No       | Until     | 9006 | When it ends | UTCTimestamp |\n"
    scratch.insert(page, row, before="| No       | Text      | 58   |")
    (finding,) = scratch.diff_pages()
    assert (finding.address, finding.in_source, finding.products) == (
        "BookingReport.Until",
        "present",
        ("tours",),
    )


def test_a_condition_is_compared_only_where_it_applies(scratch: Scratch) -> None:
    """A field that one product requires under a condition may be optional on the pages of another."""
    page, row = scratch.pages / "pier/bookings.md", "| 9006 | Until       | UTCTimestamp | {}        | {}"
    finding = ("different", "member", "BookingRequest.Until", "optional")
    scratch.edit(page, row.format("C", "Required when"), row.format("N", "Stated when"))
    assert finding in summarize(scratch.diff_pages())
    scratch.insert("messages/bookings.yaml", "products: tours, ", before="BookingKind: Take}}")
    assert finding not in summarize(scratch.diff_pages())


@pytest.mark.parametrize(
    ("limits", "is_reported"),
    [
        ("{values: [Take, Extend]}", False),
        ("{when: {products: freight}, values: [Take, Extend]}", False),
        ("{when: {products: tours}, values: [Take, Extend]}", True),
        ("{when: {sender: client}, values: [Take, Extend]}", False),
        ("{when: {Berth: present}, values: [Take, Extend]}", True),
        ("{values: [Take, Extend, Leave]}", True),
    ],
)
def test_values_excluded_by_limits_are_not_reported_as_absent(
    scratch: Scratch, limits: str, is_reported: bool
) -> None:
    listed = "`1`=Take, `2`=Extend (for longer), `3`=Leave."
    scratch.edit(scratch.pages / "pier/bookings.md", listed, "`1`=Take, `2`=Extend (for longer).")
    messages = scratch.spec / "messages/bookings.yaml"
    scratch.edit(messages, "BookingKind: required", f"BookingKind: {{presence: required, limits: {limits}}}")
    missed = ("gone", "code", "BookingRequest.BookingKind=3", "absent")
    assert (missed in summarize(scratch.diff_pages())) is is_reported


def test_the_same_statement_about_two_products_is_one_finding(scratch: Scratch) -> None:
    scratch.edit(scratch.pages / "pier/bookings.md", "| 9005 | Deck        |", "| 9005 | DeckNo      |")
    scratch.edit(scratch.pages / "pier-tours/bookings.md", "| Deck        | 9005 |", "| DeckNo      | 9005 |")
    (finding,) = scratch.diff_pages()
    assert finding.products == ("freight", "tours")
    assert len(finding.locations) == 2


def test_proposals_name_the_products_only_if_needed(scratch: Scratch) -> None:
    row = "| 9040 | Draught | Decimal | N | x |"
    scratch.edit(scratch.pages / "pier/bookings.md", "| 9010 | NoLots ", f"{row}\n| 9010 | NoLots ")
    (finding,) = scratch.diff_pages()
    assert [edit.text for edit in finding.edits] == [
        'add `Draught: {tag: 9040, type: AMT, source: bookings, doc: "…"}` after this entry',
        "add `Draught: {only: {products: freight}}` to the members of BookingRequest",
    ]
    members = scratch.spec / "messages/bookings.yaml"
    assert finding.edits[1].location.line == line_of(members, "Until:       {")


def test_a_new_tag_after_a_group_may_belong_to_the_group(scratch: Scratch) -> None:
    page = scratch.pages / "pier/tides.md"
    scratch.insert(page, "| 9041 | Wind | Decimal | N | Speed |\n", after=row_of(page, "| 9022 "))
    (finding,) = scratch.diff_pages()
    assert "(or of group Tides: the page does not state which)" in finding.edits[-1].text


@pytest.mark.parametrize("case", CASES["pages"], ids=lambda case: " ".join(case["found"]))
def test_a_change_to_a_page_is_found(scratch: Scratch, case: dict[str, Any]) -> None:
    scratch.edit(scratch.pages / case["file"], case["old"], case["new"])
    assert tuple(case["found"]) in summarize(scratch.diff_pages())


@pytest.mark.parametrize("case", CASES["dictionary"], ids=lambda case: " ".join(case["found"]))
def test_a_change_to_a_dictionary_is_found(scratch: Scratch, case: dict[str, Any]) -> None:
    scratch.edit(scratch.dictionary / case["file"], case["old"], case["new"])
    assert tuple(case["found"]) in summarize(scratch.diff_dictionary())


def test_a_dictionary_of_another_edition_is_reported(scratch: Scratch) -> None:
    edition = "<!-- Pier dictionary v2.1 -->"
    scratch.insert(scratch.dictionary / "FIX50SP2.xml", edition, before="<!-- Written by")
    assert summarize(scratch.diff_dictionary()) == {("different", "source", "dictionary 2.0", "edition 2.1")}


def test_a_message_without_tables_for_one_sender_is_reported(scratch: Scratch) -> None:
    page = scratch.pages / "pier-tours/sessions.md"
    scratch.edit(page, "### Required Fields\n", "### Required Fields, Ship \u2192 Exchange\n")
    scratch.edit(page, "### Optional Fields\n", "### Ship \u2192 Exchange\n")
    assert summarize(scratch.diff_pages()) == {("gone", "message", "Logon", "no fields from the venue")}


def test_values_that_are_no_longer_listed_are_reported(scratch: Scratch) -> None:
    scratch.cut(scratch.pages / "pier/bookings.md", "### Answers (9007)", "### Reasons (9008)")
    assert summarize(scratch.diff_pages()) == {("gone", "code", "Answer", "no values")}


def test_a_flag_with_a_missing_or_new_value_is_reported(scratch: Scratch) -> None:
    page = scratch.pages / "pier/sessions.md"
    table = "\n## QuietReports\n\n| Value | Meaning |\n| ----- | ------- |\n| Y | Quiet |\n"
    scratch.append(page, table)
    assert summarize(scratch.diff_pages()) == {("different", "code", "QuietReports=Y", "the only value")}
    scratch.append(page, "| M | Middling |\n| N | Loud |\n")
    assert summarize(scratch.diff_pages()) == {("new", "code", "QuietReports=M", "present")}


def test_a_table_about_a_message_on_another_page_is_compared(scratch: Scratch) -> None:
    rows = "| Tag | Name |\n| --- | ---- |\n| 9030 | QuietReports |\n| 9003 | Length |\n"
    scratch.append(scratch.pages / "pier/tides.md", f"\n## Logon for tides\n\n{rows}")
    assert summarize(scratch.diff_pages()) == {("new", "member", "Logon.Length", "present")}


def test_the_values_of_msgtype_are_compared_with_the_messages(scratch: Scratch) -> None:
    path = scratch.dictionary / "FIXT11.xml"
    names = ("HEARTBEAT", "TEST_REQUEST", "RESEND_REQUEST", "REJECT", "SEQUENCE_RESET", "LOGOUT")
    values = {str(number): name for number, name in enumerate(names)}
    values |= {
        "A": "LOGON",
        "B1": "BOOKING_REQUEST",
        "B2": "BOOKING_REPORT",
        "T1": "TIDE_REQUEST",
        "T2": "TIDE_REPORT",
    }

    def listed(values: dict[str, str]) -> str:
        rows = "".join(f'<value enum="{value}" description="{name}"/>\n' for value, name in values.items())
        return f'<field number="35" name="MsgType" type="STRING">\n{rows}</field>'

    scratch.edit(path, '<field number="35" name="MsgType" type="STRING" />', listed(values))
    assert scratch.diff_dictionary() == []
    changed = {**values, "T2": "TIDES_REPORT", "T9": "TIDE_ALARM"}
    del changed["B1"]
    scratch.edit(path, listed(values), listed(changed))
    assert summarize(scratch.diff_dictionary()) == {
        ("different", "message", "TideReport", "name TIDES_REPORT"),
        ("different", "message", "BookingRequest", "no value of MsgType"),
        ("new", "message", "T9", "listed"),
    }


def test_components_that_no_message_uses_are_compared(scratch: Scratch) -> None:
    spare = """<components>
      <component name='Lots'>
       <group name='NoLots' required='Y'>
        <field name='LotName' required='Y'/>
        <field name='LotWeight' required='N'/>
        <field name='Deck' required='N'/>
        <group name='NoSeals' required='N'>
         <field name='SealNumber' required='Y'/>
        </group>
       </group>
      </component>
      <component name='Crew'>
       <group name='NoCrew' required='N'><field name='Deck' required='N'/></group>
      </component>
     </components>"""
    path = scratch.dictionary / "FIX50SP2.xml"
    scratch.edit(path, "<components />", spare)
    counter = '  <field number="9050" name="NoCrew" type="NUMINGROUP" />\n'
    scratch.insert(path, counter, before='  <field number="9010"')
    assert summarize(scratch.diff_dictionary()) == {
        ("different", "member", "component Lots.NoLots", "required"),
        ("different", "member", "component Lots.LotWeight", "optional"),
        ("new", "member", "component Lots.Deck", "present"),
        ("new", "member", "component Crew", "present"),
        ("new", "member", "component Crew.NoCrew", "present"),
    }


RENAMED = "| 9005 | DeckNo      |"
INTENDED = '{source: bookings, field: Deck, in_source: name DeckNo, why: "The old name is kept."}'


def test_an_intended_difference_is_not_reported_until_it_is_outdated(scratch: Scratch) -> None:
    page = scratch.pages / "pier/bookings.md"
    scratch.edit(page, "| 9005 | Deck        |", RENAMED)
    scratch.set_differences(INTENDED)
    assert scratch.diff_pages() == []
    scratch.edit(page, RENAMED, "| 9005 | Deck        |")
    (finding,) = scratch.diff_pages()
    assert (finding.kind, finding.address, finding.in_source) == ("stale", "Deck", "name DeckNo")
    assert str(finding.edits[0].location) == f"{scratch.spec.as_posix()}/differences.yaml:2"
    # Without the page the difference cannot be checked.
    assert scratch.diff(scratch.pages / "pier/tides.md") == []


def test_an_intended_difference_applies_to_all_pages_of_its_product(scratch: Scratch) -> None:
    tours = scratch.pages / "pier-tours/bookings.md"
    scratch.edit(tours, "| Deck        | 9005 |", "| DeckNo      | 9005 |")
    scratch.set_differences(INTENDED)
    assert {finding.kind for finding in scratch.diff_pages()} == {"different", "stale"}
    scratch.set_differences(INTENDED.replace("source: bookings", "source: tours sessions"))
    assert scratch.diff_pages() == []


def test_an_intended_difference_in_one_list_does_not_hide_another(scratch: Scratch) -> None:
    scratch.set_differences(
        '{source: tides, code: RefusalReason=2, in_source: absent, why: "The short list."}'
    )
    reasons = "\n## Reasons (9008)\n\n* No berth (1)\n* Other (99)\n"
    scratch.append(scratch.pages / "pier/tides.md", reasons)
    assert scratch.diff_pages() == []
    scratch.edit(scratch.pages / "pier/bookings.md", "| 2    | Too long | The ship is.    |\n", "")
    assert summarize(scratch.diff_pages()) == {("gone", "code", "RefusalReason=2", "absent")}


@pytest.mark.parametrize(
    ("entry", "mistake"),
    [
        (
            "{source: rumours, field: Deck, in_source: x, why: y}",
            "`rumours` is not a page or dictionary in the manifest's `sources`",
        ),
        (
            "{source: bookings, in_source: x, why: y}",
            "a difference names no element; name exactly one of member,",
        ),
        (
            "{source: bookings, field: a, code: b, in_source: x, why: y}",
            "a difference names field and code",
        ),
        (
            "{source: bookings, thing: Deck, in_source: x, why: y}",
            "`differences[1]` has an unknown key `thing`",
        ),
    ],
)
def test_mistakes_in_intended_differences_are_reported(scratch: Scratch, entry: str, mistake: str) -> None:
    scratch.set_differences(entry)
    with pytest.raises(SpecError) as caught:
        scratch.diff_pages()
    assert mistake in str(caught.value)
    assert "differences.yaml:2" in str(caught.value)


def test_findings_of_a_group_are_reported_together(scratch: Scratch) -> None:
    page = scratch.pages / "pier-tours/bookings.md"
    for line in page.read_text(encoding="utf-8").splitlines(keepends=True):
        if "| 9005 |" in line or "| 9003 |" in line or "| 9004 |" in line:
            scratch.edit(page, line, "")
    report = text(scratch.diff_pages(), 0, GivenSources((), frozenset()))
    assert report.count("or keep") == 1
    assert (
        "or keep   - {source: tours bookings, member: [BookingRequest.BookingKind, BookingRequest.Length, "
        'BookingRequest.Deck], in_source: absent, why: "…"}'
    ) in report
