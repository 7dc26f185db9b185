"""The FIX Orchestra repository: complete, and every reference resolves.

`interop/test_orchestra.py` validates it against the official schema.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from codegen.export import orchestra
from codegen.model import Dialect
from codegen.read.resolve import load_dialect
from tests.codegen.harbour_spec import REPOSITORY
from tests.codegen.spec_folder import FILES, edited, write

N = f"{{{orchestra.FIXR}}}"


@pytest.fixture(scope="module")
def root(kalshi: Dialect) -> ET.Element:
    return ET.fromstring(orchestra.render(kalshi))


def elements(root: ET.Element, *path: str) -> list[ET.Element]:
    return root.findall("/".join(N + name for name in path))


def key(element: ET.Element) -> tuple[str, str]:
    return element.attrib["id"], element.get("scenarioId", "1")


def message(root: ET.Element, name: str, scenario: str = "base") -> ET.Element:
    [found] = [
        item
        for item in elements(root, "messages", "message")
        if (item.get("name"), item.get("scenario", "base")) == (name, scenario)
    ]
    return found


def members(element: ET.Element, kind: str = "fieldRef") -> dict[str, ET.Element]:
    return {item.attrib["name"]: item for item in element.iter(N + kind)}


def rules(element: ET.Element) -> list[tuple[str, str | None]]:
    return [(rule.attrib["presence"], rule.findtext(f"{N}when")) for rule in element.findall(f"{N}rule")]


def text(element: ET.Element) -> str:
    return element.findtext(f"{N}annotation/{N}documentation", "")


def duplicates(keys: Iterable[object]) -> list[object]:
    return [each for each, count in Counter(keys).items() if count > 1]


def test_every_reference_resolves_and_every_id_is_unique(root: ET.Element) -> None:
    defined = {
        "fieldRef": {key(item) for item in elements(root, "fields", "field")},
        "groupRef": {key(item) for item in elements(root, "groups", "group")},
        "componentRef": {key(item) for item in elements(root, "components", "component")},
        "numInGroup": {key(item) for item in elements(root, "fields", "field")},
    }
    for kind, known in defined.items():
        used = {key(item) for item in root.iter(N + kind)}
        assert used <= known, kind
        assert used, kind
    for path in (("fields", "field"), ("groups", "group"), ("messages", "message"), ("codeSets", "codeSet")):
        found = elements(root, *path)
        assert not duplicates(map(key, found)), path
        assert not duplicates((item.attrib["name"], item.get("scenario")) for item in found), path
    types = {item.attrib["name"] for item in elements(root, "datatypes", "datatype")}
    code_sets = {item.attrib["name"] for item in elements(root, "codeSets", "codeSet")}
    for field in elements(root, "fields", "field"):
        assert (field.get("type") in types) != (field.get("codeSet") in code_sets), field.attrib
    scenarios = {(item.attrib["name"], item.attrib["id"]) for item in elements(root, "scenarios", "scenario")}
    for item in root.iter():
        if "scenario" in item.attrib:
            assert (item.attrib["scenario"], item.attrib["scenarioId"]) in scenarios


def test_every_message_is_listed_for_each_of_its_products(kalshi: Dialect, root: ET.Element) -> None:
    found: dict[str, set[str]] = {}
    for item in elements(root, "messages", "message"):
        found.setdefault(item.attrib["msgType"], set()).add(item.get("scenario", "base"))
    assert set(found) == {message.msg_type for message in kalshi.messages}
    assert found["0"] == {"base"}
    assert found["D"] == {"prediction", "margin"}
    assert found["S"] == {"prediction"}  # quotes
    assert all(len(where) == 1 or "base" not in where for where in found.values())


def test_every_field_is_exported_with_its_values(kalshi: Dialect, root: ET.Element) -> None:
    assert {int(item.attrib["id"]) for item in elements(root, "fields", "field")} == {
        field.tag for field in kalshi.fields
    }
    sides = next(
        item for item in elements(root, "codeSets", "codeSet") if item.attrib["name"] == "SideCodeSet"
    )
    assert [(code.attrib["name"], code.attrib["value"]) for code in sides.findall(f"{N}code")] == [
        ("Buy", "1"),
        ("Sell", "2"),
    ]
    assert text(sides).endswith("Other values may occur.")


def test_presences_conditions_and_constants_are_exported(root: ET.Element) -> None:
    order = members(message(root, "NewOrderSingle", "prediction"))
    assert order["ClOrdID"].attrib["presence"] == "required"
    assert rules(order["ExpireTime"]) == [("required", "TimeInForce == ^GoodTillDate")]
    assert "ExDestination" in order
    assert "ExDestination" not in members(message(root, "NewOrderSingle", "margin"))
    logon = members(message(root, "Logon", "margin"))
    assert (logon["EncryptMethod"].get("presence"), logon["EncryptMethod"].get("value")) == ("constant", "0")
    assert list(logon)[list(logon).index("RawData") - 1] == "RawDataLength"
    report = members(message(root, "ExecutionReport", "margin"))
    assert ("required", "ExecType == ^Trade") in rules(report["LastPx"])


def exported(folder: Path, level: str, note: str = "optional") -> ET.Element:
    """Export a small dialect of two products, with an order that has conditions."""
    orders = edited("messages_orders", "Note:    optional", f"Note: {note}")
    old = "required_when: {Side: Buy, Price: present}\n        forbidden_when: {Side: Sell}"
    assert old in orders
    session = FILES["messages/session.yaml"] + (
        '  Logon: {msg_type: A, admin: true, doc: "Begins.", members: {Urgent: optional}}\n'
    )
    folder = write(folder, messages_orders=orders.replace(old, level), messages_session=session)
    return ET.fromstring(orchestra.render(load_dialect(folder)))


@pytest.mark.parametrize(
    ("product", "level", "found", "condition"),
    [
        ("spot", "only_when: {Side: Buy}", [("forbidden", "!((Side == ^Buy))")], ""),
        (
            "spot",
            "only_when: [{Side: Buy}, {products: spot, Price: present}]",
            [("forbidden", "!((Side == ^Buy) || (exists Price))")],
            "",
        ),
        ("futures", "only_when: [{Side: Buy}, {products: spot}]", [("forbidden", "!((Side == ^Buy))")], ""),
        ("spot", "only_when: [{Side: Buy}, {products: spot}]", [], "Allowed only when Side is BUY, or"),
        ("spot", "required_when: {products: spot, Side: Buy}", [("required", "Side == ^Buy")], ""),
        ("futures", "required_when: {products: spot, Side: Buy}", [], ""),
        ("spot", "required_when: {logon: {Urgent: Y}}", [], "Required when Urgent is Y in the Logon."),
        ("futures", "required_when: {products: spot, logon: {Urgent: Y}}", [], ""),
        (
            "spot",
            "forbidden_when: {logon: {Urgent: Y}, Side: Buy}",
            [],
            "when Urgent is Y in the Logon and Side",
        ),
        (
            "spot",
            "limits: {when: {products: spot, Side: Buy}, values: High}",
            [],
            "Only HIGH on spot when Side is BUY.",
        ),
        ("futures", "limits: {when: {products: spot, Side: Buy}, values: High}", [], ""),
    ],
)
def test_a_condition_is_a_rule_if_orchestra_can_express_it_and_documented_otherwise(
    tmp_path: Path, product: str, level: str, found: list[tuple[str, str]], condition: str
) -> None:
    member = members(message(exported(tmp_path, level), "NewOrder", product))["Level"]
    assert rules(member) == found
    assert (
        (condition in text(member))
        if condition
        else ("when" not in text(member) and "Only" not in text(member))
    )


def test_limits_of_a_field_are_documented_with_it(tmp_path: Path) -> None:
    limits = "[{minimum: 0.01, unit: dollars}, {when: {products: futures}, maximum: 5}]"
    fields = edited("fields", "unit: dollars, doc", f"unit: dollars, limits: {limits}, doc")
    root = ET.fromstring(orchestra.render(load_dialect(write(tmp_path, fields=fields))))
    (price,) = (item for item in elements(root, "fields", "field") if item.attrib["name"] == "Price")
    assert text(price).endswith("At least 0.01 dollars. At most 5 on futures.")


def test_differences_by_session_type_or_sender_are_documented(root: ET.Element) -> None:
    quote = message(root, "Quote", "prediction")
    assert members(quote)["OrderQty"].attrib["presence"] == "optional"
    assert "(venue)." in text(members(quote)["OrderQty"])
    assert text(message(root, "NewOrderSingle", "margin")).endswith("On KalshiNR, KalshiRT.")
    assert message(root, "NewOrderSingle", "margin").attrib["flow"] == "ClientToVenue"
    assert "flow" not in message(root, "Heartbeat").attrib


def test_groups_have_their_counter_and_are_exported_once_if_the_products_agree(
    root: ET.Element, kalshi: Dialect
) -> None:
    groups = elements(root, "groups", "group")
    known = {group.name: group for group in kalshi.groups}
    references = [ref for item in elements(root, "messages", "message") for ref in item.iter(N + "groupRef")]
    for reference in references:
        [group] = [item for item in groups if key(item) == key(reference)]
        counter = group.find(f"{N}numInGroup")
        assert counter is not None
        opener = known[group.attrib["name"]].delimiters[0].name
        assert counter.attrib["name"].startswith("No")
        assert next(iter(members(group))) == opener
    assert {reference.attrib["name"] for reference in references} <= known.keys()


def test_added_contains_the_venue_version(root: ET.Element) -> None:
    dated = [item for item in root.iter() if "added" in item.attrib]
    assert dated
    assert all(item.attrib["added"][0].isdigit() for item in dated)


def test_a_dialect_without_products_or_sessions_has_one_scenario() -> None:
    plain = load_dialect(REPOSITORY / "tests" / "fix50sp2" / "spec")
    root = ET.fromstring(orchestra.render(plain))
    assert root.attrib["version"] == "FIX.5.0SP2"
    assert [item.attrib["name"] for item in elements(root, "scenarios", "scenario")] == ["base"]
    assert {item.attrib["msgType"] for item in elements(root, "messages", "message")} == {
        message.msg_type for message in plain.messages
    }
