"""Spec folders: the files read, inheritance, and stray files."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen import model
from codegen.read.resolve import load_dialect
from kalshi_fix_adapters.documents.mistakes import Location
from tests.codegen.spec_folder import FILES, edited, field, line_of, member, message, mistakes_of, write

LONG = "n" * 300
"""A name that is too long for a file system."""
CHILD = {
    "manifest": """\
name: child
title: Child
extends: ../base
appl_ver_id: 10
families: [session, more]
sources: {notice: a notice}
versions: {2.0.0: 2026-09}
""",
    "fields": """\
source: notice
fields:
  Extra: {tag: 6000, type: STRING, doc: "More."}
extend:
  ClOrdID: {max_length: 20, source: notice, changed: {2.0.0: "Longer."}}
""",
    "codesets": """\
source: notice
extend:
  Side: {codes: {Short: {value: 5, doc: "Sells short."}}}
""",
    "header": """\
source: notice
members:
  Extra: optional
""",
    "messages_session": """\
source: notice
extend:
  NewOrder:
    flows: {sender: client}
    members:
      Side:   {default: 1}
      Urgent: optional
""",
    "messages_more": """\
source: notice
messages:
  Ping:
    msg_type: P
    doc: "Asks."
    members: {ClOrdID: optional}
""",
}
_PARENT_ONLY = ("datatypes", "components", "trailer", "sessions", "messages_orders")


def child(tmp_path: Path, **changes: str) -> Path:
    write(tmp_path / "base")
    absent = dict.fromkeys(_PARENT_ONLY)
    return write(tmp_path / "child", **{**absent, **CHILD, **changes})


@pytest.fixture
def extended(tmp_path: Path) -> model.Dialect:
    return load_dialect(child(tmp_path))


def test_a_dialect_has_inherited_and_own_elements(extended: model.Dialect) -> None:
    assert (extended.name, extended.begin_string, extended.appl_ver_id) == ("child", "FIXT.1.1", "10")
    assert [product.name for product in extended.products] == ["spot", "futures"]
    assert [(message.name, message.family) for message in extended.messages] == [
        ("Heartbeat", "session"),
        ("NewOrder", "orders"),
        ("OrderReport", "orders"),
        ("Ping", "more"),
    ]


def test_extending_a_field_changes_the_given_keys_and_keeps_the_others(extended: model.Dialect) -> None:
    found = field(extended, "ClOrdID")
    assert (found.tag, found.max_length, found.pattern, found.source) == (11, 20, "[a-z]+", "notice")
    assert found.pedigree.changes == (model.Change("updated", "2.0.0", "2026-09", "Longer."),)


def test_extending_a_codeset_adds_codes(extended: model.Dialect) -> None:
    codeset = next(item for item in extended.codesets if item.name == "Side")
    assert [(code.constant, code.value) for code in codeset.codes] == [
        ("BUY", "1"),
        ("SELL", "2"),
        ("SHORT", "5"),
    ]
    assert not codeset.open


def test_extending_a_message_replaces_members_in_place_and_adds_the_others(tmp_path: Path) -> None:
    fields = CHILD["fields"].replace(
        "extend:", '  Extra2: {tag: 6001, type: STRING, doc: "Yet more."}\nextend:'
    )
    session = CHILD["messages_session"] + "      Extra2: required\n"
    order = message(load_dialect(child(tmp_path, fields=fields, messages_session=session)), "NewOrder")
    assert order.doc == "An order."
    assert order.flows == (model.Scope(sender="client"),)
    assert [(m.field.name, m.presence, m.source) for m in order.members] == [
        ("ClOrdID", "required", "manual"),
        ("Side", "optional", "notice"),
        ("Price", "optional", "manual"),
        ("StopPx", "optional", "manual"),
        ("Level", "optional", "manual"),
        ("Urgent", "optional", "notice"),
        ("NoLegs", "optional", "manual"),
        ("Note", "optional", "manual"),
        ("Extra2", "required", "notice"),
    ]


def test_a_header_that_extends_another_adds_to_it(extended: model.Dialect) -> None:
    assert [(item.field.name, item.source) for item in extended.header] == [
        ("BeginString", "manual"),
        ("BodyLength", "manual"),
        ("MsgType", "manual"),
        ("Extra", "notice"),
    ]


def test_a_header_can_replace_that_of_the_base(tmp_path: Path) -> None:
    members = "{BeginString: required, BodyLength: required, MsgType: optional}"
    header = f"source: notice\nreplace: true\nmembers: {members}\n"
    found = load_dialect(child(tmp_path, header=header)).header
    assert [(item.field.name, item.presence, item.source) for item in found] == [
        ("BeginString", "required", "notice"),
        ("BodyLength", "required", "notice"),
        ("MsgType", "optional", "notice"),
    ]


def test_locations_contain_the_defining_folder(extended: model.Dialect, tmp_path: Path) -> None:
    level, urgent = (member(extended, name) for name in ("Level", "Urgent"))
    assert level.location.file == f"{tmp_path.as_posix()}/base/messages/orders.yaml"
    assert urgent.location == Location(f"{tmp_path.as_posix()}/child/messages/session.yaml", 7)


def test_extending_a_missing_element_suggests_existing_ones(tmp_path: Path) -> None:
    text = CHILD["fields"].replace("  ClOrdID: {max", "  ClOrderID: {max")
    (mistake,) = mistakes_of(child(tmp_path, fields=text))
    assert mistake.location.line == line_of(text, "ClOrderID")
    assert mistake.problem == "`extend` names `ClOrderID`, which is not among the fields of the base"
    assert mistake.advice == "did you mean `ClOrdID`?"


def test_redefining_an_element_of_the_base_suggests_extend(tmp_path: Path) -> None:
    text = CHILD["fields"].replace("  Extra:", '  Side: {tag: 54, type: CHAR, doc: "Again."}\n  Extra:')
    (mistake,) = mistakes_of(child(tmp_path, fields=text))
    assert mistake.location.line == 3
    first = f"{tmp_path.as_posix()}/base/fields.yaml:{line_of(FILES['fields.yaml'], '  Side:')}"
    assert mistake.problem == f"`Side` is defined twice (first at {first})"
    assert mistake.advice == "rename one of the two, or put the differences under `extend`"


def test_a_group_must_not_have_the_name_of_a_field(tmp_path: Path) -> None:
    text = FILES["components.yaml"].replace("  Legs:\n", "  Price:\n")
    (mistake,) = mistakes_of(write(tmp_path, components=text))
    assert mistake.location.line == line_of(text, "  Price:\n    doc")
    assert "`Price` is defined twice" in mistake.problem


@pytest.mark.parametrize(
    ("extends", "problem", "advice"),
    [
        ("../nowhere", "`extends` names ../nowhere, where there is no manifest.yaml", "relative to this one"),
        (LONG, f"`extends` names {LONG}, where there is no manifest.yaml", "relative to this one"),
        (".", "the folder extends itself", "remove `extends`"),
    ],
)
def test_the_error_for_a_wrong_base_names_the_base(
    tmp_path: Path, extends: str, problem: str, advice: str
) -> None:
    text = CHILD["manifest"].replace("../base", extends)
    (mistake,) = mistakes_of(child(tmp_path, manifest=text))
    assert (mistake.location.line, mistake.problem) == (3, problem)
    assert advice in mistake.advice


def test_a_folder_without_a_manifest_is_not_a_dialect(tmp_path: Path) -> None:
    (mistake,) = mistakes_of(tmp_path)
    assert mistake.location == Location(f"{tmp_path.as_posix()}/manifest.yaml", 1)
    assert mistake.problem.startswith("cannot be read")
    assert mistake.advice == "add the file"


@pytest.mark.parametrize(
    ("families", "problem", "advice"),
    [
        ("[session, orders, trades]", "family `trades` has no messages/trades.yaml", "add the file"),
        ("[session, order]", "family `order` has no messages/order.yaml", "did you mean `orders`?"),
    ],
)
def test_a_family_needs_its_file(tmp_path: Path, families: str, problem: str, advice: str) -> None:
    found = mistakes_of(write(tmp_path, manifest=edited("manifest", "[session, orders]", families)))
    (mistake,) = [item for item in found if "manifest" in item.location.file]
    assert (mistake.location.line, mistake.problem, mistake.advice) == (5, problem, advice)


def test_the_name_of_a_family_must_be_a_valid_module_name(tmp_path: Path) -> None:
    text = edited("manifest", "[session, orders]", "[session, orders, class]")
    (mistake,) = mistakes_of(write(tmp_path, manifest=text, messages_class="messages: {}\n"))
    assert mistake.problem == "family `class` cannot name a Python module"
    assert mistake.advice == "use lower case letters, digits and _"


@pytest.mark.parametrize(
    ("name", "file", "advice"),
    [
        ("messages_trades", "messages/trades.yaml", "add `trades` to `families`"),
        ("feilds", "feilds.yaml", "rename it (changelog.yaml, codesets.yaml,"),
    ],
)
def test_an_unused_file_is_a_mistake(tmp_path: Path, name: str, file: str, advice: str) -> None:
    (mistake,) = mistakes_of(write(tmp_path, **{name: "messages: {}\n"}))
    assert mistake.location == Location(f"{tmp_path.as_posix()}/{file}", 1)
    assert mistake.problem == "is an unknown file"
    assert mistake.advice.startswith(advice)


@pytest.mark.parametrize("name", ["header", "trailer"])
def test_a_dialect_needs_a_header_and_a_trailer(tmp_path: Path, name: str) -> None:
    changes: dict[str, str | None] = {name: None}
    (mistake,) = mistakes_of(write(tmp_path, **changes))
    assert mistake.location == Location(f"{tmp_path.as_posix()}/manifest.yaml", 1)
    assert mistake.problem == f"the dialect has no {name}"
    assert mistake.advice == f"add {name}.yaml, or extend a dialect that has it"


@pytest.mark.parametrize("key", ["begin_string: FIXT.1.1", "appl_ver_id: 9"])
def test_a_dialect_must_declare_its_versions(tmp_path: Path, key: str) -> None:
    (mistake,) = mistakes_of(write(tmp_path, manifest=edited("manifest", f"{key}\n", "")))
    name = key.partition(":")[0]
    assert (mistake.problem, mistake.advice) == (f"the manifest has no `{name}`", f"add `{name}`")


def test_products_sessions_and_flows_can_be_left_out(tmp_path: Path) -> None:
    manifest = "name: bare\ntitle: Bare\nbegin_string: FIX.4.4\nappl_ver_id: 6\n"
    manifest += "families: [session]\nsources: {manual: the manual}\n"
    names = dict.fromkeys(("components", "sessions", "messages_orders", "codesets"))
    unusable = ("codes:", "since:")
    lines = FILES["fields.yaml"].splitlines()
    fields = "\n".join(line for line in lines if not any(word in line for word in unusable))
    dialect = load_dialect(write(tmp_path, **{**names, "manifest": manifest, "fields": fields}))
    assert (dialect.products, dialect.session_types, dialect.endpoints) == ((), (), ())
    assert [message.flows for message in dialect.messages] == [()]
