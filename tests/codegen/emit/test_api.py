"""The effect of a revision on users: deprecated elements warn, and breaking changes since the last release
are named."""

from __future__ import annotations

import warnings
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from codegen.emit import api
from codegen.model import Dialect
from codegen.read.resolve import load_dialect
from kalshi_fix_sansio.codec import Codec
from tests.codegen.command import git, run
from tests.codegen.harbour_spec import HARBOUR, SpecCopy, generate_and_import


@pytest.fixture
def deprecated(copy: SpecCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Generate the dialect with a deprecated field, a deprecated group and a deprecated message."""
    note = 'deprecated: {2024-01: "Unused."}'
    copy.edit("messages/berths.yaml", "Draught:   {since: 2020-03}", f"Draught: {{{note}}}")
    copy.edit("messages/berths.yaml", "Cargo:     optional", f"Cargo: {{{note}}}")
    copy.edit("messages/berths.yaml", "    msg_type: U2\n", f"    msg_type: U2\n    {note}\n")
    return generate_and_import(copy.spec, tmp_path / "made", monkeypatch)


def request(package: ModuleType, **given: Any) -> Any:
    cls = package.BerthRequest
    required = {
        member.attribute: {"DECIMAL": "1", "INT": 1}.get(member.field.kind.name, "x")
        for member in cls.LAYOUT.members
        if hasattr(member, "field") and member.presence.name == "REQUIRED"
    }
    return cls(**{**required, **given})


def test_a_deprecated_element_warns_only_at_the_line_that_uses_it(
    deprecated: ModuleType,
) -> None:
    given: dict[str, Any] = {"arrival": datetime(2026, 1, 1, tzinfo=UTC)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        request(deprecated, **given)
    with pytest.warns(
        DeprecationWarning, match=r"^Draught \(5003\): Deprecated since 2024-01: Unused"
    ) as caught:
        request(deprecated, draught="2.5", **given)
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"^NoCargo \(\d+\): Deprecated since"):
        request(deprecated, cargo=[deprecated.CargoLot(cargo_name="a", weight=1)], **given)
    with pytest.warns(DeprecationWarning, match=r"^BerthOffer \(U2\): Deprecated since 2024-01") as caught:
        deprecated.BerthOffer(ship_id="x", answer="1")
    assert caught[0].filename == __file__


def test_a_removed_field_warns_when_it_is_set_and_can_still_be_read(
    copy: SpecCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.edit("messages/berths.yaml", "Draught:   {since: 2020-03}", 'Draught: {until: {2024-01: "Unused."}}')
    made = generate_and_import(copy.spec, tmp_path / "made", monkeypatch)
    with pytest.warns(DeprecationWarning, match=r"^Draught \(5003\): Removed in 2024-01: Unused\."):
        message = request(made, draught="2.5", arrival=datetime(2026, 1, 1, tzinfo=UTC))
    codec = Codec(made.DIALECT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found: Any = codec.decode(codec.encode(message))
    assert found.draught == message.draught


def test_reading_a_deprecated_field_does_not_warn(deprecated: ModuleType) -> None:
    codec = Codec(deprecated.DIALECT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = codec.encode(deprecated.BerthOffer(ship_id="x", answer="1"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            message: Any = codec.decode(frame)
            assert message.ship_id == "x"
            codec.prepare(frame)  # so the next message is read by a compiled decoder


# --- the API of two versions


@pytest.fixture(scope="module")
def harbour() -> api.Api:
    return api.describe(load_dialect(HARBOUR))


GONE = object()
BEAM = {"type": "Decimal", "tag": 1, "required": False, "none": True, "unit": None, "default": None}
BEAM |= {"rules": "Optional."}
REQUEST = "classes BerthRequest"
BREAKING: list[tuple[str, str, Any]] = [
    ("source: class BerthRequest is gone", REQUEST, GONE),
    ("source: BerthRequest.draught is gone", f"{REQUEST} draught", GONE),
    ("source: BerthRequest.beam is new and required", f"{REQUEST} beam", BEAM | {"required": True}),
    ("source: BerthRequest.draught must be given", f"{REQUEST} draught required", True),
    ("source: BerthRequest.draught is str, was Decimal", f"{REQUEST} draught type", "str"),
    ("source: BerthKind.QUAY is gone", "enums BerthKind QUAY", GONE),
    ("source: enum BerthKind is gone", "enums BerthKind", GONE),
    ("source: session type DESK is gone", "sessions DESK", GONE),
    ("source: BerthRequest.at_quay() is gone", "constructors BerthRequest", GONE),
    ("typing: BerthRequest.flag can be None", f"{REQUEST} flag none", True),
    (
        "typing: BerthRequest.flag is Flag | str | int, was Flag | str",
        f"{REQUEST} flag type",
        "Flag | str | int",
    ),
    ("wire: BerthRequest.draught is tag 7, was 5003", f"{REQUEST} draught tag", 7),
    ("wire: BerthKind.QUAY is '9', was '1'", "enums BerthKind QUAY", "9"),
    ("wire: BerthRequest is MsgType U9, was U1", "msg_types BerthRequest", "U9"),
    ("venue: BerthRequest.beam_ is now: No. Before: Optional.", f"{REQUEST} beam_ rules", "No."),
    ("venue: BerthRequest is no longer sent from the client on DESK", "flows BerthRequest", []),
    ("venue: BerthOffer has a new rule: One.", "rules BerthOffer", ["One."]),
    ("venue: session type DESK: resend is 0, was 1", "sessions DESK resend", 0),
    ("venue: session type DESK: port is 8230, was not set", "sessions DESK port", 8230),
    (
        "venue: session type DESK: comp_ids is DESK, QUAY, was DESK",
        "sessions DESK comp_ids",
        ["DESK", "QUAY"],
    ),
    (
        "venue: session type DESK: requests_per_second is not set, was 9",
        "sessions DESK requests_per_second",
        None,
    ),
    ("venue: host live sea orders is gone", "hosts|live sea orders", GONE),
    (
        "venue: host live sea orders: name is b.example, was a.example",
        "hosts|live sea orders|name",
        "b.example",
    ),
    ("source: limit TIDES is gone", "limits TIDES", GONE),
    ("source: limit TIDES: neap is gone", "limits TIDES neap", GONE),
    (
        "source: limit TIDES: type is Mapping[str, Decimal], was Mapping[str, int]",
        "limits TIDES type",
        "Mapping[str, Decimal]",
    ),
    ("venue: limit TIDES: neap is 4, was 3", "limits TIDES neap", "4"),
    ("venue: limit TIDES: unit is hours, was minutes", "limits TIDES unit", "hours"),
    ("source: refused logon bad_key is gone", "refusals bad_key", GONE),
    ("venue: refused logon bad_key: pattern is keys?, was key", "refusals bad_key pattern", "keys?"),
    ("venue: refused logon bad_key: resolution is time, was action", "refusals bad_key resolution", "time"),
    ("venue: text OfferText.FULL: code is NONE, was FULL", "texts OfferText.FULL code", "NONE"),
    ("venue: BerthRequest.draught: unit is feet, was metres", f"{REQUEST} draught unit", "feet"),
    ("venue: BerthRequest.draught: default is 3, was not set", f"{REQUEST} draught default", "3"),
    ("source: product sea is gone", "products sea", GONE),
    ("venue: product sea: env_prefix is HIGH_SEA, was SEA", "products sea env_prefix", "HIGH_SEA"),
]
COMPATIBLE: list[tuple[str, str, Any]] = [
    ("source: class Tug is new", "classes Tug", {}),
    ("source: BerthRequest.beam is new", f"{REQUEST} beam", BEAM),
    ("source: BerthRequest.flag may be left out", f"{REQUEST} flag required", False),
    ("source: enum Tide is new", "enums Tide", {}),
    ("source: session type RADIO is new", "sessions RADIO", {}),
    ("source: limit SEALS is new", "limits SEALS", {}),
    ("source: limit TIDES: high is new", "limits TIDES high", "9"),
    ("venue: host live sea radio is new", "hosts|live sea radio", {"name": "c.example"}),
    ("source: BerthRequest.at_sea() is new", "constructors BerthRequest", ["at_quay", "at_sea"]),
    ("typing: BerthRequest.draught is never None", f"{REQUEST} draught none", False),
    ("typing: BerthKind.BUOY is new", "enums BerthKind BUOY", "3"),
    (
        "venue: BerthOffer is now sent from a tug",
        "flows BerthOffer",
        ["from the venue on DESK", "from a tug"],
    ),
    ("venue: BerthRequest no longer has the rule: One.", "rules BerthRequest", []),
]
DIFFERENCES = [(f"BREAKING {words}", path, value) for words, path, value in BREAKING]
DIFFERENCES += [(f"compatible {words}", path, value) for words, path, value in COMPATIBLE]


def changed(old: api.Api, *changes: tuple[str, Any]) -> api.Api:
    """Return a copy with the values at these paths replaced or removed.

    The parts of a path are separated by spaces, or by `|` if one of them contains a space.
    """
    new = deepcopy(old)
    for path, value in changes:
        *steps, last = path.split("|" if "|" in path else None)
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
        ("sessions DESK requests_per_second", 9),
        ("products sea", {"env_prefix": "SEA"}),
        ("hosts|live sea orders", {"name": "a.example"}),
        ("limits TIDES", {"neap": "3", "spring": "5", "type": "Mapping[str, int]", "unit": "minutes"}),
        ("refusals bad_key", {"pattern": "key", "resolution": "action"}),
        ("texts OfferText.FULL", {"field": "Answer", "code": "FULL"}),
    )


@pytest.mark.parametrize(("words", "path", "value"), DIFFERENCES)
def test_each_difference_names_the_affected_users(old: api.Api, words: str, path: str, value: Any) -> None:
    new = changed(old, (path, value))
    assert [str(item) for item in api.compare(old, new)] == [words]
    assert api.compare(new, new) == []


@pytest.mark.parametrize(
    ("name", "change", "more"),
    [
        ("draught", {}, []),
        ("ship_id", {}, []),  # required
        ("draught", {"required": True}, ["BREAKING source: BerthRequest.depth must be given"]),
        ("ship_id", {"required": False}, ["compatible source: BerthRequest.depth may be left out"]),
        ("draught", {"unit": "feet"}, ["BREAKING venue: BerthRequest.depth: unit is feet, was metres"]),
    ],
)
def test_a_renamed_field_is_one_difference_in_addition_to_its_other_changes(
    old: api.Api, name: str, change: dict[str, Any], more: list[str]
) -> None:
    attribute = old["classes"]["BerthRequest"][name] | change
    new = changed(old, (f"{REQUEST} {name}", GONE), (f"{REQUEST} depth", attribute))
    renamed = f"BREAKING source: BerthRequest.{name} has become BerthRequest.depth"
    assert [str(item) for item in api.compare(old, new)] == [renamed, *more]


def test_a_change_to_the_logon_is_one_difference(kalshi: Dialect) -> None:
    old = api.describe(kalshi)
    paths = ("classes LogonFields cancel_orders_on_disconnect rules", "classes Logon use_dollars rules")
    changes = [
        (path.replace("LogonFields", item), "No.") for path in paths for item in ("Logon", "LogonFields")
    ]
    found = api.compare(old, changed(old, *changes))
    assert [item.what.partition(" ")[0] for item in found] == [
        "Logon.cancel_orders_on_disconnect",
        "Logon.use_dollars",
    ]


def test_breaking_changes_are_first_and_sorted_by_audience(old: api.Api) -> None:
    chosen = [item for item in DIFFERENCES if item[2] is not GONE and "class" not in item[0]]
    found = [
        str(item) for item in api.compare(old, changed(old, *((path, value) for _, path, value in chosen)))
    ]
    kinds = [line.partition(":")[0] for line in found]
    order = [f"{how} {kind}" for how in ("BREAKING", "compatible") for kind in api.EFFECTS]
    assert list(dict.fromkeys(kinds)) == [item for item in order if item in kinds]
    assert len(set(kinds)) == 7


def test_the_command_compares_with_the_last_release(copy: SpecCopy, tmp_path: Path) -> None:
    released = tmp_path / "released.json"
    released.touch()
    assert run("--spec", HARBOUR, "api", "--against", released, "--release").exit_code == 0
    same = run("--spec", HARBOUR, "api", "--against", released)
    assert (same.exit_code, same.output) == (0, "")
    copy.edit("messages/berths.yaml", "      Draught:   {since: 2020-03}\n", "")
    copy.insert("codesets.yaml", '      Buoy: {value: 3, doc: "At a buoy."}\n', before="      Anchor:")
    other = run("--spec", copy.spec, "api", "--against", released)
    assert other.exit_code == 1
    assert other.output.splitlines() == [
        "BREAKING source: BerthRequest.draught is gone",
        "compatible typing: BerthKind.BUOY is new",
        f"1 breaking difference of kind `source`: {api.EFFECTS['source']}.",
    ]


def test_the_api_of_the_last_release_is_in_the_spec_folder(copy: SpecCopy) -> None:
    missing = run("--spec", copy.spec, "api")
    assert missing.exit_code == 1
    assert f"{copy.spec}/released.json: no released API has been recorded; " in missing.output
    assert run("--spec", copy.spec, "api", "--release").output == f"{copy.spec}/released.json\n"
    assert run("--spec", copy.spec, "api").output == ""
    assert load_dialect(copy.spec).name == "harbour"
    (copy.spec / "released.json").write_text("{}", encoding="utf-8")
    assert "lacks classes, " in run("--spec", copy.spec, "api").output
    (copy.spec / "released.json").write_text("[]", encoding="utf-8")
    assert "does not contain an API" in run("--spec", copy.spec, "api").output


def commit_all(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "A change")


def test_any_spec_can_be_compared_with_any_commit(copy: SpecCopy) -> None:
    outside = run("--spec", copy.spec, "api", "--against", "HEAD")
    assert (outside.exit_code, outside.output) == (1, f"{copy.spec} is not in a git repository\n")
    git(copy.folder, "init", "--quiet")
    for change in ("", "      Draught:   {since: 2020-03}\n"):
        if change:
            copy.edit("messages/berths.yaml", change, "")
        commit_all(copy.folder)
    assert run("--spec", copy.spec, "api", "--against", "HEAD").output == ""
    first = run("--spec", copy.spec, "api", "--against", "HEAD~1")
    assert (first.exit_code, first.output.splitlines()[0]) == (
        1,
        "BREAKING source: BerthRequest.draught is gone",
    )
    unknown = run("--spec", copy.spec, "api", "--against", "--nonsense")
    assert (unknown.exit_code, "is neither a file nor a commit" in unknown.output) == (1, True)
    (copy.spec / "manifest.yaml").rename(copy.spec / "aside.yaml")
    commit_all(copy.folder)
    (copy.spec / "aside.yaml").rename(copy.spec / "manifest.yaml")
    without = run("--spec", copy.spec, "api", "--against", "HEAD")
    assert "HEAD has no tests/codegen/harbour/manifest.yaml" in without.output
    copy.edit("messages/berths.yaml", "msg_type: U1", "message_type: U1")
    commit_all(copy.folder)
    copy.edit("messages/berths.yaml", "message_type: U1", "msg_type: U1")
    other = run("--spec", copy.spec, "api", "--against", "HEAD").output.splitlines()
    assert other[0] == "HEAD: this version of codegen cannot read its spec"
    assert other[1].startswith("HEAD:tests/codegen/harbour/messages/berths.yaml:")


def test_this_repository_can_be_compared_with_its_last_release() -> None:
    result = run("api")
    assert result.exit_code == any(line.startswith("BREAKING") for line in result.output.splitlines())
