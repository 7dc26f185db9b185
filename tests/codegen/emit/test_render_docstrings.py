"""Docstrings as source text, and the sentences in them."""

from __future__ import annotations

import ast
from typing import Any

import attrs
import pytest

from codegen import prose
from codegen.emit.docstrings import docstring
from codegen.emit.modules import modules
from codegen.model import Change, Condition, Limit, Pedigree, Scope
from codegen.read.resolve import load_dialect
from tests.codegen.harbour_spec import HARBOUR, SpecCopy


@pytest.mark.parametrize(
    "paragraphs",
    [
        ["Short."],
        ["Short.", "Shorter."],
        ["word " * 60 + "end.", "Another one."],
        ['Ends in "quotes"'],
        ['Holds """ and \\d and \\'],
        ["An unbroken " + "x" * 150],
    ],
)
@pytest.mark.parametrize("indent", [0, 4])
def test_a_docstring_contains_the_given_text(paragraphs: list[str], indent: int) -> None:
    source = docstring(paragraphs, indent)
    value = ast.literal_eval(source)
    assert value.split() == " ".join(paragraphs).split()
    lines = (" " * indent + source).splitlines()
    assert all(len(line) <= 110 or "x" * 150 in line for line in lines)
    assert all(line.startswith(" " * indent) for line in lines if line)


def test_a_docstring_of_several_lines_keeps_its_paragraphs_apart() -> None:
    source = docstring(["a " * 50 + "a", "b " * 50 + "b"], 4)
    assert source == f'"""{"a " * 50}a\n\n    {"b " * 50}b\n    """'


def test_the_attributes_of_a_class_are_a_section() -> None:
    source = docstring(["Short."], 4, [("first", "a " * 60 + "a"), ("second", 'Ends in "quotes"')])
    value = ast.literal_eval(source)
    head, section = value.split("\n\n")
    assert head == "Short."
    first, *_, last = section.splitlines()[1:-1]
    assert section.startswith("    Attributes:\n")
    assert first.startswith("        first: a a ")
    assert last == '        second: Ends in "quotes"'
    assert all(len(line) <= 110 for line in value.splitlines())


def test_scopes_are_described() -> None:
    assert prose.scope_text(Scope()) == ""
    assert prose.scope_text(Scope(("margin",))) == "on margin"
    assert prose.scope_text(Scope((), ("A", "B", "C"), "client")) == "from the client on A, B and C"
    assert prose.scope_text(Scope(("margin",), ("A",), "venue")) == "from the venue on margin, on A"


def test_the_history_of_an_element_is_described() -> None:
    changes = (
        Change("added", "1.0.2", "2025-01-02"),
        Change("updated", None, "2025-03", "may be negative"),
        Change("deprecated", "1.0.9", None, "Fee took its place."),
    )
    assert prose.pedigree_text(Pedigree(changes)) == (
        "Since 1.0.2 (2025-01-02). Changed in 2025-03: may be negative. "
        "Deprecated since 1.0.9: Fee took its place."
    )


def test_the_scope_of_a_condition_is_described() -> None:
    scope = Scope(
        ("spot",), ("Orders",), "client", (("NewOrder", "D"), ("Cancel", "F")), (("Urgent", ("N", "")),)
    )
    assert prose.condition_text(Condition((("Side", ("1", "")),), scope), {}) == (
        "sent from the client on spot, on Orders in NewOrder and Cancel and Urgent is N or absent in the "
        "Logon and Side is 1 or absent"
    )
    on_logon = Scope(logon=(("Urgent", None), ("Level", ())))
    assert (
        prose.condition_text(Condition((), on_logon), {})
        == "Urgent is absent in the Logon and Level is present in the Logon"
    )


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (Limit(minimum="1", maximum="99", step="1", unit="cents"), "From 1 to 99 cents in steps of 1."),
        (Limit(Condition(scope=Scope(("spot",))), minimum="0"), "At least 0 on spot."),
        (Limit(Condition((("Side", ("1",)),)), maximum="5"), "At most 5 when Side is 1."),
        (Limit(max_length=16, pattern="[ -~]+"), "At most 16 characters matching `[ -~]+`."),
    ],
)
def test_limits_are_described(limit: Limit, text: str) -> None:
    unlimited: dict[str, Any] = dict.fromkeys(("minimum", "maximum", "max_length", "pattern"))
    plain = attrs.evolve(load_dialect(HARBOUR).fields[0], **unlimited)
    assert prose.limits_text(attrs.evolve(plain, limits=(limit,))) == text
    assert prose.limits_text(plain, (limit,)) == text
    own = attrs.evolve(limit, unit="own")
    assert prose.limits_text(attrs.evolve(plain, limits=(limit,)), (own,)) == prose.limits_text(plain, (own,))


def test_the_only_allowed_values_are_described() -> None:
    fields = {field.name: field for field in load_dialect(HARBOUR).fields}
    kind = fields["BerthKind"]
    condition = Condition((("Flag", ("H",)), ("FirstDay", None)))
    limit = Limit(condition, values=("1", "2", "7"))
    assert prose.limits_text(kind, (limit,), fields) == (
        "Only QUAY, ANCHOR or 7 when Flag is HOME and FirstDay is absent."
    )
    assert prose.limits_text(kind, (limit,)).endswith("when Flag is H and FirstDay is absent.")


def test_limits_of_a_counter_are_numbers_of_entries() -> None:
    fields = load_dialect(HARBOUR).fields
    counter = next(field for field in fields if field.datatype.kind == "NUMINGROUP")
    client = Condition(scope=Scope(sender="client"))
    one, two = (Limit(client, maximum=maximum) for maximum in ("1", "2"))
    assert prose.limits_text(counter, (one,)) == "At most 1 entry from the client."
    assert prose.limits_text(counter, (two,)) == "At most 2 entries from the client."


def test_conditions_are_described() -> None:
    dialect = load_dialect(HARBOUR)
    siblings = {field.name: field for field in dialect.fields}
    conditions = (
        Condition((("BerthKind", ("1", "2", "7")), ("Draught", ()))),
        Condition((("FirstDay", None),)),
    )
    assert prose.conditions_text(conditions, siblings) == (
        "when BerthKind is QUAY, ANCHOR or 7 and Draught is present, or when FirstDay is absent"
    )


@pytest.mark.parametrize(
    ("yaml", "text"),
    [
        ("optional", "Optional."),
        ("required", "Required."),
        ("{default: 1}", "Optional. Absent means QUAY."),
        ("{constant: Quay}", "Always QUAY."),
        ("{required_when: {Flag: Home}}", "Required when Flag is HOME."),
        ("{presence: required, forbidden_when: {Flag: Home}}", "Required. Not allowed when Flag is HOME."),
        ("{forbidden_when: {Flag: Home, BerthKind: Anchor}}", "Must not be ANCHOR when Flag is HOME."),
        ("{forbidden_when: {BerthKind: [Quay, Anchor]}}", "Never QUAY or ANCHOR."),
        ("{required_on: {sender: client}}", "Required from the client. Optional elsewhere."),
        (
            "{presence: required, optional_on: {sender: client}}",
            "Optional from the client. Required elsewhere.",
        ),
        ("{deprecated: {2024-01: Unused.}}", "Optional. Deprecated since 2024-01: Unused."),
    ],
)
def test_presence_is_in_the_docstring(copy: SpecCopy, yaml: str, text: str) -> None:
    copy.edit("messages/berths.yaml", "      BerthKind: {default: 1}\n", f"      BerthKind: {yaml}\n")
    copy.edit("messages/berths.yaml", "FirstDay:  {required_when: {BerthKind: Quay}}", "FirstDay:  optional")
    copy.edit("messages/berths.yaml", "    flows: {sessions: DESK, sender: client}\n", "")
    (view,) = (
        module for module in modules(load_dialect(copy.spec), "x") if module.path == "messages/berths.py"
    )
    request, _ = view.context["classes"][0]
    (doc,) = (attribute.doc for attribute in request.attributes if attribute.name == "berth_kind")
    assert doc == f"BerthKind (5005): Which kind of berth. Known values: `BerthKind`. {text}"
