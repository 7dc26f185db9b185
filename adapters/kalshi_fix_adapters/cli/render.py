"""Messages as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kalshi_fix_adapters.cli.explain import Explanation
from kalshi_fix_adapters.cli.terminal import Line, printable
from kalshi_fix_adapters.cli.units import Units
from kalshi_fix_sansio import TEXTS
from kalshi_fix_sansio.codec import FieldNode, Inspection, Node
from kalshi_fix_sansio.layout import FieldLayout, Kind

TEXT = "Text"
HIDDEN = "<hidden>"
"""Stands for the value of a secret: a signature, a password."""
INDENT = "  "
_LABEL_WIDTH = 36
_SHOWN_ELSEWHERE = frozenset({8, 9, 10, 35})
_JSON = dict[str, Any]


def heading(explanation: Explanation) -> Line:
    """Return the line that stands above a message."""
    msg_type = explanation.inspection.msg_type
    name = explanation.name or ("unknown message" if msg_type else "message without MsgType")
    kind = f" (35={printable(msg_type)})" if msg_type else ""
    return (("dim", f"line {explanation.line}: "), ("bold", name), ("", kind))


def lines(explanation: Explanation, units: Units) -> Iterator[Line]:
    """Yield a message as indented lines: fields by name, code values decoded, units, then its problems."""
    inspection = explanation.inspection
    yield heading(explanation)
    for part in (inspection.header, inspection.body, inspection.trailer):
        yield from _node_lines(part, inspection, units, INDENT)
    for problem in explanation.problems:
        yield (("bold red", f"{INDENT}! "), ("red", printable(problem)))


def _node_lines(nodes: Iterable[Node], inspection: Inspection, units: Units, indent: str) -> Iterator[Line]:
    for node in nodes:
        if isinstance(node, FieldNode):
            yield (("cyan", _padded(indent + label(node))), ("", value(node, inspection, units)))
            continue
        counted = printable(node.raw.decode("latin-1"))
        yield (("cyan", _padded(f"{indent}{node.layout.counter.label}")), ("", counted))
        for number, entry in enumerate(node.entries, 1):
            yield (("dim", f"{indent}{INDENT}entry {number}"),)
            yield from _node_lines(entry, inspection, units, indent + INDENT * 2)


def _padded(text: str) -> str:
    return f"{text:<{_LABEL_WIDTH}} "


def label(node: FieldNode) -> str:
    """Return a field's name and tag."""
    if node.layout is None:
        return f"tag {node.tag}, unknown"
    return node.layout.label if node.placed else f"{node.layout.label}, misplaced"


def value(node: FieldNode, inspection: Inspection, units: Units) -> str:
    """Return a field's value with what a code means, or with its unit."""
    field = node.layout
    if field is None:
        return printable(node.text)
    if field.secret:
        return HIDDEN
    meaning = code_name(field, node.text) or text_meaning(field, node.text, inspection)
    if meaning is None and field.kind is Kind.STRING and field.tag == 35 and inspection.layout is not None:
        meaning = inspection.layout.name
    unit = units.of(field, inspection)
    return printable(node.text) + (f" ({meaning})" if meaning else f" {unit}" if unit else "")


def code_name(field: FieldLayout, text: str) -> str | None:
    """Return the name of a code value; None for a value that is no known code."""
    if field.codes is None:
        return None
    for member in field.codes:
        if str(member.value) == text:
            return str(member.name)
    return None


def text_meaning(field: FieldLayout, text: str, inspection: Inspection) -> str | None:
    """Return what a known Text says; None for one that is not known, and for other fields."""
    known = TEXTS.get((inspection.msg_type or "", text)) if field.name == TEXT else None
    return None if known is None else known.meaning


def as_json(explanation: Explanation) -> _JSON:
    """Return a message as an object: fields by FIX name, wire values as strings, groups as arrays of
    objects."""
    inspection = explanation.inspection
    return {
        "msg_type": inspection.msg_type,
        "name": explanation.name,
        "fields": _json_fields((*inspection.header, *inspection.body, *inspection.trailer)),
        "problems": list(explanation.problems),
    }


def _json_fields(nodes: Iterable[Node]) -> _JSON:
    fields: _JSON = {}
    for node in nodes:
        if not isinstance(node, FieldNode):
            fields.setdefault(node.layout.name, [_json_fields(entry) for entry in node.entries])
        elif node.layout is None:
            fields.setdefault(str(node.tag), node.text)
        else:
            # A field that stands here twice is told of among the problems.
            fields.setdefault(node.layout.name, HIDDEN if node.layout.secret else node.text)
    return fields
