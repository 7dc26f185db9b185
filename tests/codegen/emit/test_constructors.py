"""Class methods that construct a message for a purpose, generated from data in the spec."""

from __future__ import annotations

import inspect
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.codegen.harbour_spec import SpecCopy, generate_and_import

CONSTRUCTORS = """    constructors:
      at_quay: {sets: {BerthKind: Quay, Flag: Home}, takes: ShipID, without: [Manifest, HighWater],
        doc: "Ask for a place at the quay."}
      at_anchor: {sets: {BerthKind: Anchor}, takes: Pilots, requires: Draught, doc: "A place outside."}
      with_tug: {takes: Tugs, requires: TugName, doc: "Ask for a tug as well."}
    one_of:
      - at_least_one: [FirstDay, HighWater]
"""
GROUPS = """
  Pilots:
    doc: "Pilots."
    counter: NoPilots
    entry: Pilot
    delimiter: PilotName
    members: {PilotName: required}
  Tugs:
    doc: "A tug."
    counter: NoTugs
    entry: Tug
    delimiter: TugName
    maximum: 1
    members: {TugName: optional, TugPower: {only: {sender: client}}, TugSeen: {only: {sender: venue}}}
"""
FIELDS = """
  NoPilots:  {tag: 5900, type: NUMINGROUP}
  PilotName: {tag: 5901, type: STRING, doc: "Name of the pilot."}
  NoTugs:    {tag: 5902, type: NUMINGROUP}
  TugName:   {tag: 5903, type: STRING, doc: "Name of the tug."}
  TugPower:  {tag: 5904, type: INT, doc: "Its power."}
  TugSeen:   {tag: 5905, type: BOOLEAN, doc: "Whether it was seen."}
"""


ARRIVAL = datetime(2026, 1, 1, tzinfo=UTC)
AT_ANCHOR_FIELDS: dict[str, Any] = {
    "ship_id": "DE1",
    "length": 9,
    "flag": "F",
    "arrival": ARRIVAL,
    "draught": 2,
}


@pytest.fixture
def harbour(copy: SpecCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    old = "    one_of:\n      - at_least_one: [FirstDay, HighWater]\n"
    copy.edit("messages/berths.yaml", old, CONSTRUCTORS)
    more = "      Pilots:    optional\n      Tugs:      optional\n"
    copy.insert("messages/berths.yaml", more, after="      Manifest:  optional\n")
    copy.append("components.yaml", GROUPS)
    copy.append("fields.yaml", FIELDS)
    return generate_and_import(copy.spec, tmp_path / "made", monkeypatch)


def parameters(method: Any) -> dict[str, Any]:
    return dict(inspect.signature(method).parameters)


def test_preset_fields_determine_the_arguments(harbour: ModuleType) -> None:
    found = parameters(harbour.BerthRequest.at_quay)
    # BerthKind and Flag are preset, Manifest and HighWater are omitted, and FirstDay is required at the quay.
    assert list(found) == [
        *("ship_id", "length", "draught", "arrival", "first_day", "dangerous", "cargo", "pilots", "tugs")
    ]
    required = {name for name, each in found.items() if each.default is inspect.Parameter.empty}
    assert required == {"ship_id", "length", "arrival", "first_day"}
    assert found["ship_id"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {each.kind for name, each in found.items() if name != "ship_id"} == {
        inspect.Parameter.KEYWORD_ONLY
    }


def test_the_message_equals_one_created_with_its_class(harbour: ModuleType) -> None:
    fields: dict[str, Any] = {
        "length": "90",
        "arrival": ARRIVAL,
        "first_day": date(2026, 1, 2),
    }
    made = harbour.BerthRequest.at_quay("DE123", **fields)
    assert made == harbour.BerthRequest(ship_id="DE123", berth_kind="1", flag="H", **fields)
    with pytest.raises(ValueError, match=r"BerthRequest.length, Length .* cannot be 'long'"):
        harbour.BerthRequest.at_quay("DE123", **{**fields, "length": "long"})
    with pytest.raises(TypeError, match="unexpected keyword argument 'flag'"):
        harbour.BerthRequest.at_quay("DE123", flag="F", **fields)


def test_one_or_more_values_become_entries_and_an_empty_list_is_an_error(harbour: ModuleType) -> None:
    fields = AT_ANCHOR_FIELDS
    make = harbour.BerthRequest.at_anchor
    names = [f"p{number}" for number in range(1000)]
    assert [entry.pilot_name for entry in make(*names, **fields).pilots] == names
    assert [entry.pilot_name for entry in make("Ann", **fields).pilots] == ["Ann"]
    # An empty list might have another meaning to the venue, such as all entries.
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'pilot_name'"):
        make(*[], **fields)
    with pytest.raises(TypeError, match=r"Pilot.pilot_name, PilotName \(5901\), cannot be of class list"):
        make(["Ann", "Bob"], **fields)
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'draught'"):
        make("Ann", **{name: value for name, value in fields.items() if name != "draught"})


def test_the_fields_of_a_single_entry_are_arguments_like_the_others(harbour: ModuleType) -> None:
    found = parameters(harbour.BerthRequest.with_tug)
    assert list(found)[-2:] == ["tug_name", "tug_power"]  # fields that only the venue sends are not arguments
    assert found["tug_name"].default is inspect.Parameter.empty
    assert found["tug_power"].default is None
    assert "tugs" not in found


def test_a_constructor_of_a_subclass_returns_the_subclass(harbour: ModuleType) -> None:
    class Mine(harbour.BerthRequest):  # type: ignore[misc, name-defined]
        __slots__ = ()

    assert type(Mine.at_anchor("Ann", **AT_ANCHOR_FIELDS)) is Mine
