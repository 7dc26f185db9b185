"""Elements that hand-written code does not mention are reported until the code names them or `known` lists
them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml

from codegen import downstream
from codegen.errors import SpecError
from codegen.read.resolve import load_dialect
from tests.codegen.command import run
from tests.codegen.harbour_spec import SpecCopy

SOURCE = '''
"""BerthOffer and NO_ROOM are mentioned only in prose here."""
# BerthKind.ANCHOR, draught, length: names in a comment do not count
from harbour import BerthRequest, BerthKind, BerthOfferText

def desk(message, *, arrival):
    match message:
        case BerthRequest(ship_id=ship, flag="H", first_day=None, berth_kind=BerthKind.QUAY):
            return message.high_water, ship
    return dict(dangerous=1)
'''


@attrs.define
class Project:
    """A copy of the harbour's spec with code next to it."""

    spec: SpecCopy
    root: Path

    def report(self, **settings: Any) -> downstream.Report:
        text = yaml.safe_dump({"areas": {"desk": {"in": "code"}}} | settings)
        (self.spec.spec / "downstream.yaml").write_text(text, encoding="utf-8")
        return downstream.compare(load_dialect(self.spec.spec), self.spec.spec, self.root)

    def unhandled(self, **settings: Any) -> set[str]:
        return {f"{item.kind} {item.element}" for item in self.report(**settings).unhandled}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "desk.py").write_text(SOURCE, encoding="utf-8")
    return Project(SpecCopy(tmp_path / "copy"), tmp_path)


SESSION = {"area": "desk", "families": "session", "why": "The session answers."}
KINDS = {"desk": {"in": "code", "kinds": ["messages", "members", "codes", "texts"]}}


def test_each_unmentioned_element_is_listed_once(project: Project) -> None:
    assert project.unhandled(areas=KINDS, known=[SESSION]) == {
        *("messages BerthOffer", "members BerthRequest.Length", "members BerthRequest.Draught"),
        *("members BerthRequest.NoCargo", "members BerthRequest.Manifest"),
        *("members Cargo.CargoName", "members Cargo.CargoCode", "members Cargo.Weight"),
        *("members Cargo.NoSeals", "members Seals.SealNumber"),
        *("codes BerthKind.Anchor", "codes Flag.Home", "codes Flag.Foreign"),
    }


def test_a_new_element_is_reported_with_its_line(project: Project) -> None:
    before = project.unhandled(areas=KINDS, known=[SESSION])
    spec = project.spec
    spec.insert("codesets.yaml", '      Buoy: {value: 3, doc: "At a buoy."}\n', before="      Anchor:")
    spec.insert("messages/berths.yaml", "      Seen: optional\n", before="      Draught:")
    spec.append("fields.yaml", '  Seen: {tag: 5900, type: BOOLEAN, doc: "Seen."}\n')
    assert project.unhandled(areas=KINDS, known=[SESSION]) - before == {
        "codes BerthKind.Buoy",
        "members BerthRequest.Seen",
    }
    report = project.report(areas=KINDS, known=[SESSION])
    line = next(str(item) for item in report.unhandled if item.element == "BerthKind.Buoy")
    lines = (spec.spec / "codesets.yaml").read_text().splitlines()
    number = next(k for k, text in enumerate(lines, 1) if "Buoy" in text)
    assert line == f"desk: BerthKind.Buoy (codes), at {spec.spec.as_posix()}/codesets.yaml:{number}"


def test_mentioning_a_text_by_its_constant_or_its_words_covers_its_code_too(
    project: Project,
) -> None:
    (project.spec.spec / "texts.yaml").write_text(
        'source: rules\ntexts:\n  BerthOffer:\n    FULL: {means: {Answer: Refused}, doc: "Full."}\n',
        encoding="utf-8",
    )
    code = project.root / "code" / "desk.py"
    code.write_text("BerthOffer(answer=x)")
    assert {"texts BerthOffer.FULL", "codes Answer.Refused"} <= project.unhandled(
        areas=KINDS, known=[SESSION]
    )
    for named in ("BerthOfferText.FULL", "print('FULL')"):
        code.write_text(f"BerthOffer(answer=x)\n{named}\n")
        unhandled = project.unhandled(areas=KINDS, known=[SESSION])
        assert not {"texts BerthOffer.FULL", "codes Answer.Refused"} & unhandled
        assert "codes Answer.Granted" in unhandled


def test_known_elements_are_omitted_and_entries_without_effect_are_reported(project: Project) -> None:
    known = [
        SESSION,
        {"area": "desk", "messages": "BerthOffer", "why": "It only listens."},
        {"area": "desk", "members": ["BerthRequest.Length", "BerthRequest.ShipID"], "why": "No matter."},
        {"area": "desk", "codes": "Flag.Pirate", "why": "None arrive."},
    ]
    report = project.report(areas=KINDS, known=known)
    assert not {"BerthOffer", "BerthRequest.Length"} & {item.element for item in report.unhandled}
    assert [line.partition(": ")[2] for line in report.obsolete] == [
        "desk handles BerthRequest.ShipID, or the spec no longer contains it; remove the name",
        "desk handles Flag.Pirate, or the spec no longer contains it; remove the name",
    ]


def test_a_known_message_covers_its_elements(project: Project) -> None:
    known = [SESSION, {"area": "desk", "messages": "BerthRequest", "why": "Not yet open."}]
    assert not any("BerthRequest." in item for item in project.unhandled(areas=KINDS, known=known))


def test_prose_is_searched_for_whole_words(project: Project) -> None:
    areas = {"docs": {"in": "pages", "kinds": "sessions"}}
    (project.root / "pages").mkdir()
    page = project.root / "pages" / "a.md"
    page.write_text("Nothing.", encoding="utf-8")
    assert "sessions DESK" in project.unhandled(areas=areas)
    page.write_text("Call at the DESK.", encoding="utf-8")
    assert "sessions DESK" not in project.unhandled(areas=areas)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"areas": {"desk": {"in": "nowhere"}}}, "`nowhere` contains neither Python nor Markdown"),
        # A name that is too long for a file system.
        ({"areas": {"desk": {"in": "n" * 300}}}, "n` contains neither Python nor Markdown"),
        (
            {"known": [{"area": "disk", "codes": "Flag.Home", "why": "x"}]},
            "no area `disk`; did you",
        ),
        ({"known": [{"area": "desk", "codes": "Flag.Home"}]}, "has no `why`"),
        ({"known": [{"area": "desk", "fields": "Flag", "why": "x"}]}, "unknown key `fields`"),
        ({"areas": {}}, "`areas` is empty"),
    ],
)
def test_mistakes_are_reported_with_their_line(project: Project, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(SpecError, match=text):
        project.report(**settings)


def test_a_spec_without_the_file_is_reported(project: Project) -> None:
    result = run("--spec", project.spec.spec, "downstream")
    assert result.exit_code == 1
    assert "downstream.yaml:1: the file does not exist" in result.output


def test_the_commands_last_line_states_the_remaining_work(
    monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    monkeypatch.setattr("codegen.cli.REPOSITORY", project.root)
    project.report(areas=KINDS, known=[SESSION])
    some = run("--spec", project.spec.spec, "downstream")
    assert (some.exit_code, len(some.output.splitlines())) == (1, 14)
    assert some.output.endswith(" Left to check: 13.\n")
    messages = {"desk": {"in": "code", "kinds": "messages"}}
    project.report(areas=messages, known=[SESSION, {"area": "desk", "families": "berths", "why": "Closed."}])
    none = run("--spec", project.spec.spec, "downstream")
    assert (none.exit_code, none.output.endswith(" Left to check: nothing.\n")) == (0, True)


def test_the_code_of_this_repository_handles_the_dialect() -> None:
    result = run("downstream")
    assert (result.exit_code, result.output.endswith(" Left to check: nothing.\n")) == (0, True), (
        result.output
    )
