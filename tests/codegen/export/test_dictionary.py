"""The exported dictionaries meet the requirements of QuickFIX's loader and validation.

`make interop` loads the same files into QuickFIX itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import attrs
import pytest

from codegen.export import dictionary
from codegen.model import Dialect, Member

PRODUCTS = ("prediction", "margin")


@pytest.fixture(scope="module")
def parsed(kalshi: Dialect) -> dict[tuple[str, str], ET.Element]:
    return {
        (product, name): ET.fromstring(text)
        for product in PRODUCTS
        for name, text in dictionary.render(kalshi, product).items()
    }


def message(root: ET.Element, name: str) -> ET.Element:
    found = root.find(f"messages/message[@name='{name}']")
    assert found is not None, name
    return found


def required(parent: ET.Element, name: str) -> str | None:
    """Return the required attribute of a member, or None if there is no such member."""
    found = next((child for child in parent if child.get("name") == name), None)
    return None if found is None else found.get("required")


def names(parent: ET.Element) -> list[str]:
    return [child.attrib["name"] for child in parent]


def changed(dialect: Dialect, change: Callable[[Member], Member]) -> Dialect:
    """Return a dialect in which each member of its messages is changed."""
    messages = (
        attrs.evolve(message, members=tuple(map(change, message.members))) for message in dialect.messages
    )
    return attrs.evolve(dialect, messages=tuple(messages))


def test_both_files_have_the_names_and_versions_that_quickfix_uses(
    parsed: dict[tuple[str, str], ET.Element],
) -> None:
    for product in PRODUCTS:
        session, application = parsed[product, "FIXT11.xml"], parsed[product, "FIX50SP2.xml"]
        assert (session.get("type"), session.get("major"), session.get("minor")) == ("FIXT", "1", "1")
        assert (application.get("type"), application.get("major")) == ("FIX", "5")
        assert application.get("servicepack") == "2"


def test_every_member_is_declared_once(parsed: dict[tuple[str, str], ET.Element]) -> None:
    for root in parsed.values():
        declared = root.findall("fields/field")
        assert max(Counter(field.get("name") for field in declared).values()) == 1
        assert max(Counter(field.get("number") for field in declared).values()) == 1
        assert all(field.get("type") for field in declared)
        known = {field.get("name") for field in declared}
        used = {item.get("name") for tag in ("field", "group") for item in root.findall(f"messages//{tag}")}
        used |= {item.get("name") for part in ("header", "trailer") for item in root.findall(f"{part}/field")}
        assert used == known


def test_no_block_names_a_member_twice_and_every_group_has_members(
    parsed: dict[tuple[str, str], ET.Element],
) -> None:
    for root in parsed.values():
        for block in [*root.findall("messages/message"), *root.findall("messages//group")]:
            assert max(Counter(names(block)).values(), default=1) == 1, block.attrib
        assert all(len(group) for group in root.findall("messages//group"))


def test_each_message_is_in_one_file_of_each_of_its_products(
    kalshi: Dialect, parsed: dict[tuple[str, str], ET.Element]
) -> None:
    for product in PRODUCTS:
        expected = {
            message.msg_type
            for message in kalshi.messages
            if not message.flows
            or any(not flow.products or product in flow.products for flow in message.flows)
        }
        found = [
            item.attrib["msgtype"]
            for name in ("FIXT11.xml", "FIX50SP2.xml")
            for item in parsed[product, name].findall("messages/message")
        ]
        assert sorted(found) == sorted(expected)
    assert parsed["margin", "FIX50SP2.xml"].find("messages/message[@msgtype='S']") is None
    assert parsed["prediction", "FIX50SP2.xml"].find("messages/message[@msgtype='S']") is not None


def test_the_presence_of_a_member_depends_on_the_product(parsed: dict[tuple[str, str], ET.Element]) -> None:
    prediction, margin = parsed["prediction", "FIX50SP2.xml"], parsed["margin", "FIX50SP2.xml"]
    assert required(message(prediction, "NewOrderSingle"), "ExDestination") == "N"
    assert required(message(margin, "NewOrderSingle"), "ExDestination") is None
    assert required(message(prediction, "ExecutionReport"), "TransactTime") == "N"
    assert required(message(margin, "ExecutionReport"), "TransactTime") == "Y"


def test_two_bodies_of_one_type_are_merged_and_a_field_is_required_if_both_require_it(
    parsed: dict[tuple[str, str], ET.Element],
) -> None:
    quote = message(parsed["prediction", "FIX50SP2.xml"], "Quote")
    assert required(quote, "QuoteID") == "Y"
    assert required(quote, "OrderQty") == "N"  # only the venue sends this field
    assert required(quote, "ExecInst") == "N"  # only the maker sends this field
    request = message(parsed["prediction", "FIX50SP2.xml"], "QuoteRequest")
    [entry] = request.findall("group[@name='NoRelatedSym']")
    assert required(entry, "Symbol") == "N"  # combos omit it


def test_a_constant_is_required(parsed: dict[tuple[str, str], ET.Element]) -> None:
    assert required(message(parsed["margin", "FIXT11.xml"], "Logon"), "EncryptMethod") == "Y"


def test_the_delimiter_of_a_group_is_its_first_member(kalshi: Dialect) -> None:
    def with_reversed_group(member: Member) -> Member:
        if member.group is None:
            return member
        return attrs.evolve(member, group=attrs.evolve(member.group, members=member.group.members[::-1]))

    root = ET.fromstring(
        dictionary.render(changed(kalshi, with_reversed_group), "prediction")["FIX50SP2.xml"]
    )
    [group] = message(root, "MarketDataIncrementalRefresh").findall("group")
    assert names(group)[0] == "MDUpdateAction"
    assert names(group)[-1] == "Symbol"


def test_the_length_precedes_its_data(parsed: dict[tuple[str, str], ET.Element]) -> None:
    logon = names(message(parsed["prediction", "FIXT11.xml"], "Logon"))
    assert logon.index("RawDataLength") == logon.index("RawData") - 1
    trailer = parsed["prediction", "FIXT11.xml"].find("trailer")
    assert trailer is not None
    assert names(trailer) == ["SignatureLength", "Signature", "CheckSum"]


def test_an_open_codeset_restricts_nothing_and_a_closed_one_lists_its_values(kalshi: Dialect) -> None:
    text = dictionary.render(kalshi, "prediction")["FIX50SP2.xml"]
    [side] = ET.fromstring(text).findall("fields/field[@name='Side']")
    assert len(side) == 0
    assert "<!-- known values, others may occur: 1 BUY, 2 SELL -->" in text

    def with_closed_codeset(member: Member) -> Member:
        if member.field.codeset is None:
            return member
        codeset = attrs.evolve(member.field.codeset, open=False)
        return attrs.evolve(member, field=attrs.evolve(member.field, codeset=codeset))

    root = ET.fromstring(
        dictionary.render(changed(kalshi, with_closed_codeset), "prediction")["FIX50SP2.xml"]
    )
    [side] = root.findall("fields/field[@name='Side']")
    assert [value.attrib for value in side] == [
        {"enum": "1", "description": "BUY"},
        {"enum": "2", "description": "SELL"},
    ]


def test_an_old_tag_that_was_not_reused_is_allowed_next_to_the_new_one(
    parsed: dict[tuple[str, str], ET.Element],
) -> None:
    confirm = message(parsed["prediction", "FIX50SP2.xml"], "QuoteConfirmStatus")
    assert required(confirm, "QuoteStatus") == "N"
    logon = message(parsed["prediction", "FIXT11.xml"], "Logon")
    assert required(logon, "ResendEventCount") is None


def test_files_are_written_and_an_unknown_product_is_named(kalshi: Dialect, tmp_path: Path) -> None:
    paths = dictionary.write(kalshi, "margin", tmp_path / "new")
    assert [path.name for path in paths] == ["FIXT11.xml", "FIX50SP2.xml"]
    assert paths[1].read_text(encoding="utf-8") == dictionary.render(kalshi, "margin")["FIX50SP2.xml"]
    with pytest.raises(ValueError, match="no product 'spot'; it has prediction, margin"):
        dictionary.render(kalshi, "spot")
