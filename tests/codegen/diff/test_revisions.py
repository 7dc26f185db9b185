"""Revisions as a venue makes them: each is found in both kinds of source, and mended by YAML alone."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from codegen.emit.render import render
from codegen.export import dictionary
from codegen.read.resolve import load_dialect
from tests.codegen.diff.pier_dialect import SPEC, Scratch, Told, line_of, told, where

Edit = tuple[str, str, str]
"""A file, the passage that changes, and what takes its place."""

BOOKINGS, TIDES, SESSIONS = "pier/bookings.md", "pier/tides.md", "pier/sessions.md"
TOURS = "pier-tours/bookings.md"
SESSION_LAYER, APPLICATION = "FIXT11.xml", "FIX50SP2.xml"


def change(file: str, old: str, new: str) -> Edit:
    """One passage for another."""
    return file, old, new


def before(file: str, passage: str, added: str) -> Edit:
    """Something in front of a passage."""
    return file, passage, added + passage


def after(file: str, passage: str, added: str) -> Edit:
    """Something behind a passage."""
    return file, passage, passage + added


def field(line: str) -> Edit:
    """A field of the spec."""
    return before("fields.yaml", "  BookingID: ", f"  {line}\n")


def declared(tag: int, name: str, type_: str, behind: int, file: str = APPLICATION) -> Edit:
    """A field of a dictionary."""
    added = f'  <field number="{tag}" name="{name}" type="{type_}" />\n'
    return before(file, f'  <field number="{behind}"', added)


@attrs.frozen
class Revision:
    """One change of the venue's."""

    name: str
    pages: tuple[Edit, ...]
    line: tuple[str, str]
    """A page and the passage in whose line the finding is that comes first by address."""
    found: frozenset[Told]
    spec: tuple[Edit, ...]
    generated: tuple[tuple[str, str], ...]
    """Files of the generated package, each with a passage that it has once the spec is mended."""
    xml: tuple[Edit, ...] = ()
    """Empty where a dictionary does not speak of such things."""
    dictionary: tuple[str, str] | None = None
    """A file and a passage that it has once the spec is mended."""


REVISIONS = [
    Revision(
        name="a new tag in a message",
        pages=(before(BOOKINGS, "| 9010 | NoLots ", "| 9040 | Draught | Decimal | N | In metres. |\n"),),
        line=(BOOKINGS, "9040"),
        xml=(
            after(
                APPLICATION,
                '   <field name="Deck" required="N" />\n',
                '   <field name="Draught" required="N" />\n',
            ),
            declared(9040, "Draught", "QTY", 9005),
        ),
        found=frozenset({("new", "member", "BookingRequest.Draught", "present")}),
        spec=(
            field('Draught: {tag: 9040, type: QTY, unit: metres, doc: "How deep the ship lies."}'),
            after(
                "messages/bookings.yaml",
                "      Deck:        optional\n",
                "      Draught:     {only: {products: freight}}\n",
            ),
        ),
        generated=(("messages/bookings.py", "    draught: Decimal | None"), ("layouts/fields.py", "9040")),
        dictionary=(APPLICATION, '<field number="9040" name="Draught" type="QTY" />'),
    ),
    Revision(
        name="a new tag in a group",
        pages=(
            before(
                TIDES, "| 9022 | TideLevel ", "| 9041 | TideTime | UTC Time | Y | Repeating group field. |\n"
            ),
        ),
        line=(TIDES, "9041"),
        xml=(
            after(
                APPLICATION,
                '    <field name="TideLevel" required="Y" />\n',
                '    <field name="TideTime" required="Y" />\n',
            ),
            declared(9041, "TideTime", "UTCTIMEONLY", 9022),
        ),
        found=frozenset({("new", "member", "TideReport.TideTime", "present as required")}),
        spec=(
            field('TideTime: {tag: 9041, type: UTCTIMEONLY, doc: "When."}'),
            before(
                "components.yaml",
                "      TideLevel: required\n",
                "      TideTime:  {presence: required, source: tides}\n",
            ),
        ),
        generated=(("groups.py", "    tide_time: time"),),
        dictionary=(APPLICATION, '    <field name="TideTime" required="Y" />'),
    ),
    Revision(
        name="a new tag in a nested group",
        pages=(
            after(BOOKINGS, "| As on the seal.   |\n", "| 9042 | SealMaker | String | N | Who made it. |\n"),
        ),
        line=(BOOKINGS, "9042"),
        xml=(
            after(
                APPLICATION,
                '     <field name="SealNumber" required="Y" />\n',
                '     <field name="SealMaker" required="N" />\n',
            ),
            declared(9042, "SealMaker", "STRING", 9014),
        ),
        found=frozenset({("new", "member", "BookingRequest.SealMaker", "present")}),
        spec=(
            field('SealMaker: {tag: 9042, type: STRING, doc: "Who made the seal."}'),
            after("components.yaml", "      SealNumber: required\n", "      SealMaker:  optional\n"),
        ),
        generated=(("groups.py", "    seal_maker: str | None"),),
        dictionary=(APPLICATION, '     <field name="SealMaker" required="N" />'),
    ),
    Revision(
        name="a new message",
        pages=(
            before(
                TIDES,
                "## Tide Report (35=T2)",
                "## Tide Warning (35=T3)\n\n"
                "| Tag  | Name      | Type    | Required | Description       |\n"
                "| ---- | --------- | ------- | -------- | ----------------- |\n"
                "| 9022 | TideLevel | Decimal | Y        | Metres.           |\n"
                "| 9043 | Urgent    | Boolean | N        | Whether to hurry. |\n\n",
            ),
            before(
                "pier/messages.md",
                "| T2      | TideReport ",
                "| T3 | TideWarning | PierTD | Server -> Client |\n",
            ),
        ),
        line=(TIDES, "(35=T3)"),
        xml=(
            before(
                APPLICATION,
                '  <message name="TideReport"',
                '  <message name="TideWarning" msgtype="T3" msgcat="app">\n'
                '   <field name="TideLevel" required="Y" />\n'
                '   <field name="Urgent" required="N" />\n'
                "  </message>\n",
            ),
            declared(9043, "Urgent", "BOOLEAN", 9022),
        ),
        found=frozenset({("new", "message", "TideWarning", "present")}),
        spec=(
            field('Urgent: {tag: 9043, type: BOOLEAN, doc: "Whether to hurry."}'),
            before(
                "messages/tides.yaml",
                "  TideReport:\n",
                "  TideWarning:\n"
                "    msg_type: T3\n"
                '    doc: "Warns."\n'
                "    flows: {sender: venue, sessions: PierTD, products: freight}\n"
                "    members:\n"
                "      TideLevel: required\n"
                "      Urgent:    optional\n\n",
            ),
        ),
        generated=(("messages/tides.py", "class TideWarning("), ("__init__.py", "TideWarning")),
        dictionary=(APPLICATION, '<message name="TideWarning" msgtype="T3" msgcat="app">'),
    ),
    Revision(
        name="a new code value",
        pages=(after(BOOKINGS, "* **Over\\<O>**: It was.", "\n* **Waiting\\<W>**: Not yet."),),
        line=(BOOKINGS, "Waiting"),
        xml=(
            after(
                APPLICATION,
                '   <value enum="O" description="OVER" />\n',
                '   <value enum="W" description="WAITING" />\n',
            ),
        ),
        found=frozenset({("new", "code", "Answer=W", "present")}),
        spec=(
            before(
                "codesets.yaml",
                "      Over:    {value: O,",
                '      Waiting: {value: W, source: bookings, doc: "It will be."}\n',
            ),
        ),
        generated=(("codesets.py", 'WAITING = "W"'),),
        dictionary=(APPLICATION, '<value enum="W" description="WAITING" />'),
    ),
    Revision(
        name="a tag that got another name",
        pages=(
            change(BOOKINGS, "| 9005 | Deck        |", "| 9005 | DeckNumber  |"),
            change(TOURS, "| Deck        | 9005 |", "| DeckNumber  | 9005 |"),
        ),
        line=(BOOKINGS, "DeckNumber"),
        xml=(
            change(
                APPLICATION, '<field name="Deck" required="N" />', '<field name="DeckNumber" required="N" />'
            ),
            change(APPLICATION, 'name="Deck" type="INT"', 'name="DeckNumber" type="INT"'),
        ),
        found=frozenset({("different", "field", "Deck", "name DeckNumber")}),
        spec=(
            change("fields.yaml", "  Deck:         {tag", "  DeckNumber:   {tag"),
            change("messages/bookings.yaml", "      Deck:        optional", "      DeckNumber:  optional"),
        ),
        generated=(("messages/bookings.py", "    deck_number: int | None"),),
        dictionary=(APPLICATION, '<field name="DeckNumber" required="N" />'),
    ),
    Revision(
        name="a field that moved to another tag",
        pages=(
            change(BOOKINGS, "| 9005 | Deck        |", "| 9044 | Deck        |"),
            change(TOURS, "| Deck        | 9005 |", "| Deck        | 9044 |"),
        ),
        line=(BOOKINGS, "9044"),
        xml=(change(APPLICATION, '<field number="9005" name="Deck"', '<field number="9044" name="Deck"'),),
        found=frozenset({("different", "field", "Deck", "tag 9044")}),
        spec=(
            change(
                "fields.yaml",
                "  Deck:         {tag: 9005, type: INT, minimum: 0, maximum: 9,",
                '  OldDeck: {tag: 9005, type: INT, deprecated: {1.1.0: "Moved to 9044."}, doc: "As Deck."}\n'
                '  Deck: {tag: 9044, type: INT, minimum: 0, maximum: 9, changed: {1.1.0: "From 9005."},',
            ),
            change(
                "messages/bookings.yaml",
                "      Deck:        optional",
                "      Deck:        {legacy: OldDeck}",
            ),
        ),
        generated=(("messages/bookings.py", "9044="), ("layouts/bookings.py", "legacy_tags=(9005,)")),
        dictionary=(APPLICATION, '<field number="9044" name="Deck" type="INT" />'),
    ),
    Revision(
        name="a requirement that changed",
        pages=(
            change(BOOKINGS, "| Length      | Decimal      | Y ", "| Length      | Decimal      | N "),
            change(TOURS, "| Yes      | Length ", "| No       | Length "),
        ),
        line=(BOOKINGS, "| 9003 |"),
        xml=(
            change(
                APPLICATION, '<field name="Length" required="Y" />', '<field name="Length" required="N" />'
            ),
        ),
        found=frozenset({("different", "member", "BookingRequest.Length", "optional")}),
        spec=(change("messages/bookings.yaml", "Length:      required", "Length:      optional"),),
        generated=(("messages/bookings.py", "    length: Decimal | None"),),
        dictionary=(APPLICATION, '<field name="Length" required="N" />'),
    ),
    Revision(
        name="a host that moved",
        pages=(change(SESSIONS, "`tides.fix.trial.", "`tides2.fix.trial."),),
        line=(SESSIONS, "tides2"),
        found=frozenset(
            {("different", "host", "trial freight tides", "host tides2.fix.trial.pier.example.org")}
        ),
        spec=(change("sessions.yaml", "tides: tides.fix.trial.", "tides: tides2.fix.trial."),),
        generated=(("sessions.py", "tides2.fix.trial.pier.example.org"),),
    ),
    Revision(
        name="a new flag of the Logon",
        pages=tuple(
            before(page, "| 9031 | HoldHours ", "| 9045 | TellAll | Tells what other ships do | N |\n")
            for page in (SESSIONS, "pier-tours/sessions.md")
        ),
        line=(SESSIONS, "9045"),
        xml=(
            after(
                SESSION_LAYER,
                '   <field name="QuietReports" required="N" />\n',
                '   <field name="TellAll" required="N" />\n',
            ),
            declared(9045, "TellAll", "BOOLEAN", 9030, SESSION_LAYER),
        ),
        found=frozenset({("new", "member", "Logon.TellAll", "present")}),
        spec=(
            field('TellAll: {tag: 9045, type: BOOLEAN, source: sessions, doc: "Y tells of other ships."}'),
            before("messages/session.yaml", "      HoldHours: ", "      TellAll:          {default: N}\n"),
        ),
        generated=(("messages/session.py", "    tell_all: bool | None"),),
        dictionary=(SESSION_LAYER, '<field name="TellAll" required="N" />'),
    ),
    Revision(
        name="a new session type",
        pages=(
            before(SESSIONS, "  </Tab>\n\n  <Tab", "    | Bills | 7003 | PierBL | Sends bills |\n"),
            before(SESSIONS, "  </Tab>\n</Tabs>", "    | Bills | 7003 | PierBL | Sends bills |\n"),
            change("pier/messages.md", "| BookingReport  | PierBK   |", "| BookingReport | PierBK, PierBL |"),
        ),
        line=("pier/messages.md", "PierBL"),
        found=frozenset(
            {
                ("new", "session", "PierBL", "present"),
                ("different", "message", "BookingReport", "flows from the venue on PierBK, PierBL"),
            }
        ),
        spec=(
            before(
                "sessions.yaml",
                "  PierTD:\n",
                '  PierBL: {purpose: "Bills.", port: 7003, host: bookings, products: freight, resend: true,\n'
                "    reset_required: false}\n\n",
            ),
            change(
                "messages/bookings.yaml",
                "{sender: venue, sessions: PierBK}",
                "{sender: venue, sessions: [PierBK, PierBL]}",
            ),
        ),
        generated=(("sessions.py", "PierBL"), ("sessions.py", "7003")),
    ),
]


@pytest.fixture(scope="module")
def package() -> dict[str, str]:
    """What is generated from the dialect as it is."""
    return render(load_dialect(SPEC), "pier_dialect")


@pytest.mark.parametrize("revision", REVISIONS, ids=lambda revision: revision.name)
def test_a_revision_is_found_in_the_pages_and_mended_by_yaml(scratch: Scratch, revision: Revision) -> None:
    scratch.revise(scratch.pages, revision.pages)
    found = scratch.diff_pages()
    assert told(found) == revision.found
    first = min(found, key=lambda finding: finding.address)
    page, passage = revision.line
    assert where(first)[0] == f"{Path(page).name}:{line_of(scratch.pages / page, passage)}"
    assert all(edit.location.file.startswith(SPEC.as_posix()) for each in found for edit in each.edits)
    scratch.revise(scratch.spec, revision.spec)
    assert scratch.diff_pages() == []


@pytest.mark.parametrize(
    "revision", [each for each in REVISIONS if each.xml], ids=lambda revision: revision.name
)
def test_a_revision_is_found_in_the_dictionary_and_mended_by_yaml(
    scratch: Scratch, revision: Revision
) -> None:
    scratch.revise(scratch.dictionary, revision.xml)
    found = scratch.diff_dictionary()
    assert told(found) == revision.found
    assert all(finding.locations for finding in found)
    scratch.revise(scratch.spec, revision.spec)
    assert scratch.diff_dictionary() == []


@pytest.mark.parametrize("revision", REVISIONS, ids=lambda revision: revision.name)
def test_what_is_generated_follows(scratch: Scratch, package: dict[str, str], revision: Revision) -> None:
    scratch.revise(scratch.spec, revision.spec)
    dialect = load_dialect(scratch.spec)
    revised = render(dialect, "pier_dialect")
    for name, passage in revision.generated:
        assert passage in revised[name]
        assert passage not in package[name]
    if revision.dictionary is not None:
        name, passage = revision.dictionary
        assert passage in dictionary.render(dialect, "freight")[name]
