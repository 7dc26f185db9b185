"""What a revision changes for users: deprecated elements warn, and a break with the last release is named."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from codegen.cli import main
from codegen.emit import api
from codegen.read.resolve import load_dialect
from tests.codegen.harbour_spec import HARBOUR, SpecCopy, imported


@pytest.fixture
def deprecated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The dialect with a deprecated field, a deprecated group and a deprecated message, generated."""
    spec = SpecCopy(tmp_path)
    note = 'deprecated: {2024-01: "Nobody asks."}'
    spec.replace("messages/berths.yaml", "Draught:   {since: 2020-03}", f"Draught: {{{note}}}")
    spec.replace("messages/berths.yaml", "Cargo:     optional", f"Cargo: {{{note}}}")
    spec.replace("messages/berths.yaml", "    msg_type: U2\n", f"    msg_type: U2\n    {note}\n")
    return imported(spec.spec, tmp_path / "made", monkeypatch)


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
    from datetime import UTC, datetime

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


def test_reading_what_is_deprecated_does_not_warn(deprecated: ModuleType) -> None:
    from kalshi_fix_sansio.codec import Codec

    codec = Codec(deprecated.DIALECT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = codec.encode(deprecated.BerthOffer(ship_id="x", answer="1"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):  # the careful way, and the shape that it leaves behind
            message: Any = codec.decode(frame)
            assert message.ship_id == "x"


# The API of two versions


@pytest.fixture(scope="module")
def harbour() -> api.Api:
    return api.describe(load_dialect(HARBOUR))


Change = Callable[[api.Api], object]
BREAKING: dict[str, Change] = {
    "class BerthRequest is gone": lambda new: new["classes"].pop("BerthRequest"),
    "BerthRequest.draught is gone": lambda new: new["classes"]["BerthRequest"].pop("draught"),
    "BerthRequest.draught has become BerthRequest.depth": lambda new: new["classes"]["BerthRequest"].update(
        depth=new["classes"]["BerthRequest"].pop("draught")
    ),
    "BerthRequest.beam is new and required": lambda new: new["classes"]["BerthRequest"].update(
        beam={"type": "Decimal", "tag": 1, "required": True}
    ),
    "BerthRequest.flag is now optional, so it may be None": lambda new: new["classes"]["BerthRequest"][
        "flag"
    ].update(required=False),
    "BerthRequest.draught is now required": lambda new: new["classes"]["BerthRequest"]["draught"].update(
        required=True
    ),
    "BerthRequest.draught is str, and was Decimal": lambda new: new["classes"]["BerthRequest"][
        "draught"
    ].update(type="str"),
    "BerthKind.QUAY is gone": lambda new: new["enums"]["BerthKind"].pop("QUAY"),
    "BerthKind.QUAY is '9', and was '1'": lambda new: new["enums"]["BerthKind"].update(QUAY="9"),
    "enum BerthKind is gone": lambda new: new["enums"].pop("BerthKind"),
    "BerthRequest is MsgType U9, and was U1": lambda new: new["msg_types"].update(BerthRequest="U9"),
    "session type DESK is gone": lambda new: new["sessions"].remove("DESK"),
}
COMPATIBLE: dict[str, Change] = {
    "class Tug is new": lambda new: new["classes"].update(Tug={}),
    "BerthRequest.beam is new": lambda new: new["classes"]["BerthRequest"].update(
        beam={"type": "Decimal", "tag": 1, "required": False}
    ),
    "BerthRequest.draught is tag 7, and was 5003": lambda new: new["classes"]["BerthRequest"][
        "draught"
    ].update(tag=7),
    "BerthKind.BUOY is new": lambda new: new["enums"]["BerthKind"].update(BUOY="3"),
    "enum Tide is new": lambda new: new["enums"].update(Tide={}),
    "session type RADIO is new": lambda new: new["sessions"].append("RADIO"),
}


@pytest.mark.parametrize(
    ("words", "change", "breaking"),
    [(words, change, True) for words, change in BREAKING.items()]
    + [(words, change, False) for words, change in COMPATIBLE.items()],
)
def test_each_difference_is_named(harbour: api.Api, words: str, change: Change, breaking: bool) -> None:
    new = copy.deepcopy(harbour)
    change(new)
    assert api.compare(harbour, new) == [api.Difference(words, breaking)]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_compares_with_the_last_release(tmp_path: Path) -> None:
    released = tmp_path / "released.json"
    released.touch()
    assert run("--spec", HARBOUR, "api", "--against", released, "--release").exit_code == 0
    same = run("--spec", HARBOUR, "api", "--against", released)
    assert (same.exit_code, same.output) == (0, "")
    spec = SpecCopy(tmp_path)
    spec.replace("messages/berths.yaml", "      Draught:   {since: 2020-03}\n", "")
    spec.replace("codesets.yaml", "      Anchor:", '      Buoy: {value: 3, doc: "At a buoy."}\n      Anchor:')
    changed = run("--spec", spec.spec, "api", "--against", released)
    assert changed.exit_code == 1
    assert changed.output.splitlines() == [
        "BREAKING: BerthRequest.draught is gone",
        "compatible: BerthKind.BUOY is new",
    ]


def test_the_last_release_of_this_repository_can_be_compared_with() -> None:
    result = run("api")
    assert result.exit_code == any(line.startswith("BREAKING") for line in result.output.splitlines())
