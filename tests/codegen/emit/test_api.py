"""The effect of a revision on users: deprecated elements warn, and a break with the last release is named."""

from __future__ import annotations

import warnings
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from codegen.emit import api
from codegen.read.resolve import load_dialect
from kalshi_fix_sansio.codec import Codec
from tests.codegen.command import run
from tests.codegen.harbour_spec import HARBOUR, SpecCopy, imported


@pytest.fixture
def deprecated(copy: SpecCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Generate the dialect with a deprecated field, a deprecated group and a deprecated message."""
    note = 'deprecated: {2024-01: "Nobody asks."}'
    copy.edit("messages/berths.yaml", "Draught:   {since: 2020-03}", f"Draught: {{{note}}}")
    copy.edit("messages/berths.yaml", "Cargo:     optional", f"Cargo: {{{note}}}")
    copy.edit("messages/berths.yaml", "    msg_type: U2\n", f"    msg_type: U2\n    {note}\n")
    return imported(copy.spec, tmp_path / "made", monkeypatch)


def request(package: ModuleType, **given: Any) -> Any:
    cls = package.BerthRequest
    required = {
        member.attribute: {"DECIMAL": "1", "INT": 1}.get(member.field.kind.name, "x")
        for member in cls.LAYOUT.members
        if hasattr(member, "field") and member.presence.name == "REQUIRED"
    }
    return cls(**{**required, **given})


def test_setting_what_is_deprecated_warns_where_it_was_set_and_nothing_else_does(
    deprecated: ModuleType,
) -> None:
    given: dict[str, Any] = {"arrival": datetime(2026, 1, 1, tzinfo=UTC)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        request(deprecated, **given)
    with pytest.warns(
        DeprecationWarning, match=r"^Draught \(5003\): Deprecated since 2024-01: Nobody"
    ) as caught:
        request(deprecated, draught="2.5", **given)
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"^NoCargo \(\d+\): Deprecated since"):
        request(deprecated, cargo=[deprecated.CargoLot(cargo_name="a", weight=1)], **given)
    with pytest.warns(DeprecationWarning, match=r"^BerthOffer \(U2\): Deprecated since 2024-01") as caught:
        deprecated.BerthOffer(ship_id="x", answer="1")
    assert caught[0].filename == __file__


def test_setting_what_the_venue_has_no_more_warns_and_it_can_still_be_read(
    copy: SpecCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.edit("messages/berths.yaml", "Draught:   {since: 2020-03}", 'Draught: {until: {2024-01: "Unused."}}')
    made = imported(copy.spec, tmp_path / "made", monkeypatch)
    with pytest.warns(DeprecationWarning, match=r"^Draught \(5003\): Gone since 2024-01: Unused\."):
        message = request(made, draught="2.5", arrival=datetime(2026, 1, 1, tzinfo=UTC))
    codec = Codec(made.DIALECT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found: Any = codec.decode(codec.encode(message))
    assert found.draught == message.draught


def test_reading_what_is_deprecated_does_not_warn(deprecated: ModuleType) -> None:
    codec = Codec(deprecated.DIALECT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = codec.encode(deprecated.BerthOffer(ship_id="x", answer="1"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):  # the diagnosing decoder, and the compiled shape it creates
            message: Any = codec.decode(frame)
            assert message.ship_id == "x"


# The API of two versions


@pytest.fixture(scope="module")
def harbour() -> api.Api:
    return api.describe(load_dialect(HARBOUR))


GONE = object()
BEAM = {"type": "Decimal", "tag": 1, "required": False, "none": True, "rules": "Optional."}
REQUEST = "classes BerthRequest"
BREAKING: list[tuple[str, str, Any]] = [
    ("source: class BerthRequest is gone", REQUEST, GONE),
    ("source: BerthRequest.draught is gone", f"{REQUEST} draught", GONE),
    ("source: BerthRequest.beam is new and required", f"{REQUEST} beam", BEAM | {"required": True}),
    ("source: BerthRequest.draught must be given", f"{REQUEST} draught required", True),
    ("source: BerthRequest.draught is str, and was Decimal", f"{REQUEST} draught type", "str"),
    ("source: BerthKind.QUAY is gone", "enums BerthKind QUAY", GONE),
    ("source: enum BerthKind is gone", "enums BerthKind", GONE),
    ("source: session type DESK is gone", "sessions DESK", GONE),
    ("source: BerthRequest.at_quay() is gone", "constructors BerthRequest", GONE),
    ("typing: BerthRequest.flag may be None", f"{REQUEST} flag none", True),
    (
        "typing: BerthRequest.flag is Flag | str | int, and was Flag | str",
        f"{REQUEST} flag type",
        "Flag | str | int",
    ),
    ("wire: BerthRequest.draught is tag 7, and was 5003", f"{REQUEST} draught tag", 7),
    ("wire: BerthKind.QUAY is '9', and was '1'", "enums BerthKind QUAY", "9"),
    ("wire: BerthRequest is MsgType U9, and was U1", "msg_types BerthRequest", "U9"),
    ("venue: BerthRequest.beam_ is now: No. Before: Optional.", f"{REQUEST} beam_ rules", "No."),
    ("venue: BerthRequest is no longer sent from the client on DESK", "flows BerthRequest", []),
    ("venue: BerthOffer has a new rule: One.", "rules BerthOffer", ["One."]),
    ("venue: session type DESK: resend is 0, and was 1", "sessions DESK resend", 0),
]
COMPATIBLE: list[tuple[str, str, Any]] = [
    ("source: class Tug is new", "classes Tug", {}),
    ("source: BerthRequest.beam is new", f"{REQUEST} beam", BEAM),
    ("source: BerthRequest.flag may be left out", f"{REQUEST} flag required", False),
    ("source: enum Tide is new", "enums Tide", {}),
    ("source: session type RADIO is new", "sessions RADIO", {}),
    ("source: BerthRequest.at_sea() is new", "constructors BerthRequest", ["at_quay", "at_sea"]),
    ("typing: BerthRequest.draught is never None", f"{REQUEST} draught none", False),
    ("typing: BerthKind.BUOY is new", "enums BerthKind BUOY", "3"),
    ("venue: BerthOffer is sent from a tug", "flows BerthOffer", ["from the venue on DESK", "from a tug"]),
    ("venue: BerthRequest no longer has the rule: One.", "rules BerthRequest", []),
]
EACH = [(f"BREAKING {words}", path, value) for words, path, value in BREAKING]
EACH += [(f"compatible {words}", path, value) for words, path, value in COMPATIBLE]


def changed(old: api.Api, *changes: tuple[str, Any]) -> api.Api:
    """Return a copy with the values at these paths replaced or removed."""
    new = deepcopy(old)
    for path, value in changes:
        *steps, last = path.split()
        place: Any = new
        for step in steps:
            place = place[step]
        if value is GONE:
            del place[last]
        else:
            place[last] = value
    return new


@pytest.fixture(scope="module")
def old(harbour: api.Api) -> api.Api:
    return changed(
        harbour,
        ("constructors", {"BerthRequest": ["at_quay"]}),
        ("rules BerthRequest", ["One."]),
        (f"{REQUEST} beam_", BEAM),
        ("sessions DESK resend", 1),
    )


@pytest.mark.parametrize(("words", "path", "value"), EACH)
def test_each_difference_is_named_with_whom_it_concerns(
    old: api.Api, words: str, path: str, value: Any
) -> None:
    new = changed(old, (path, value))
    assert [str(each) for each in api.compare(old, new)] == [words]
    assert api.compare(new, new) == []


def test_a_field_that_has_another_name_is_one_difference(old: api.Api) -> None:
    draught = old["classes"]["BerthRequest"]["draught"]
    new = changed(old, (f"{REQUEST} draught", GONE), (f"{REQUEST} depth", draught))
    said = "BREAKING source: BerthRequest.draught has become BerthRequest.depth"
    assert [str(each) for each in api.compare(old, new)] == [said]


def test_what_breaks_comes_first_and_by_whom_it_concerns(old: api.Api) -> None:
    chosen = [each for each in EACH if each[2] is not GONE and "class" not in each[0]]
    found = [
        str(each) for each in api.compare(old, changed(old, *((path, value) for _, path, value in chosen)))
    ]
    kinds = [line.partition(":")[0] for line in found]
    order = [f"{how} {kind}" for how in ("BREAKING", "compatible") for kind in api.EFFECTS]
    assert list(dict.fromkeys(kinds)) == [each for each in order if each in kinds]
    assert len(set(kinds)) == 7


def test_the_command_compares_with_the_last_release(copy: SpecCopy, tmp_path: Path) -> None:
    released = tmp_path / "released.json"
    released.touch()
    assert run("--spec", HARBOUR, "api", "--against", released, "--release").exit_code == 0
    same = run("--spec", HARBOUR, "api", "--against", released)
    assert (same.exit_code, same.output) == (0, "")
    copy.edit("messages/berths.yaml", "      Draught:   {since: 2020-03}\n", "")
    copy.edit("codesets.yaml", "      Anchor:", '      Buoy: {value: 3, doc: "At a buoy."}\n      Anchor:')
    other = run("--spec", copy.spec, "api", "--against", released)
    assert other.exit_code == 1
    assert other.output.splitlines() == [
        "BREAKING source: BerthRequest.draught is gone",
        "compatible typing: BerthKind.BUOY is new",
        "1 may break source: a program that uses it, or omits it, fails.",
    ]


def test_the_last_release_of_this_repository_can_be_compared_with() -> None:
    result = run("api")
    assert result.exit_code == any(line.startswith("BREAKING") for line in result.output.splitlines())
