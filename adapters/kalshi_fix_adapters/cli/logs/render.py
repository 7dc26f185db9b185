"""Formats messages as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any, Final

from kalshi_fix_adapters.cli.kit.terminal import HIDDEN, Line, printable
from kalshi_fix_adapters.cli.logs.explain import Explanation
from kalshi_fix_adapters.cli.logs.units import Units
from kalshi_fix_adapters.logs.entries import LogEntry
from kalshi_fix_sansio import TEXTS
from kalshi_fix_sansio.codec import FieldNode, Inspection, Node
from kalshi_fix_sansio.dialect.layout import FieldLayout, Kind

TEXT = "Text"
INDENT = "  "
_LABEL_WIDTH = 36
_JSON = dict[str, Any]
_Formatter = Callable[[Node], str]
FIRST_FIELDS: Final = (
    *("ClOrdID", "OrigClOrdID", "ExecType", "OrdStatus", "Side", "OrderQty", "Price", "Symbol", "LastQty"),
    *("LastPx", "LeavesQty", "CumQty", "Text"),
)
"""The fields that are shown first on a line, because a terminal may not have room for the others."""
_RANKS: Final = {name: rank for rank, name in enumerate(FIRST_FIELDS)}
_SHOWN_HEADER_FIELDS: Final = frozenset({"PossDupFlag", "PossResend"})


def heading(explanation: Explanation, origin: str = "") -> Line:
    """Return the heading of a message; `origin` describes its time and direction."""
    msg_type = explanation.inspection.msg_type
    kind = f" (35={printable(msg_type)})" if msg_type else ""
    suffix = f", {origin}" if origin else ""
    return (
        ("dim", f"line {explanation.line}: "),
        ("bold", name_of(explanation)),
        ("", kind),
        ("dim", suffix),
    )


def name_of(explanation: Explanation) -> str:
    """Return the name of a message, or a description if it has no name."""
    unnamed = "unknown message" if explanation.inspection.msg_type else "message without MsgType"
    return explanation.name or unnamed


def time_text(time: datetime) -> str:
    """Return a date and time in UTC, with microseconds."""
    return time.isoformat(" ", "microseconds")[: len("2026-11-21 12:00:00.123456")]


def origin_text(entry: LogEntry) -> str:
    """Return the time and direction of a message in a log."""
    parts: list[str] = [entry.direction or ""]
    if entry.time is not None:
        parts.append(time_text(entry.time))
    if entry.connection is not None:
        parts.append(f"on connection {entry.connection}")
    return " ".join(filter(None, parts))


def lines(explanation: Explanation, units: Units, origin: str = "") -> Iterator[Line]:
    """Yield a message as indented lines: the fields with names, meanings of codes and units, then the
    problems.
    """
    inspection = explanation.inspection
    yield heading(explanation, origin)
    for part in (inspection.header, inspection.body, inspection.trailer):
        yield from _node_lines(part, inspection, units, INDENT)
    for problem in explanation.problems:
        yield (("bold red", f"{INDENT}! "), ("red", printable(problem)))


def _node_lines(nodes: Iterable[Node], inspection: Inspection, units: Units, indent: str) -> Iterator[Line]:
    for node in nodes:
        if isinstance(node, FieldNode):
            yield (("cyan", _pad(indent + label(node))), ("", value(node, inspection, units)))
            continue
        count = printable(node.raw.decode("latin-1"))
        yield (("cyan", _pad(f"{indent}{node.layout.counter.label}")), ("", count))
        for number, entry in enumerate(node.entries, 1):
            yield (("dim", f"{indent}{INDENT}entry {number}"),)
            yield from _node_lines(entry, inspection, units, indent + INDENT * 2)


def _pad(text: str) -> str:
    return f"{text:<{_LABEL_WIDTH}} "


def label(node: FieldNode) -> str:
    """Return a field's name and tag."""
    if node.layout is None:
        return f"tag {node.tag}, unknown"
    return node.layout.label if node.placed else f"{node.layout.label}, misplaced"


def value(node: FieldNode, inspection: Inspection, units: Units) -> str:
    """Return a field's value with the meaning of a code, or with its unit."""
    field = node.layout
    if field is None:
        return printable(node.text)
    if field.secret:
        return HIDDEN
    meaning = code_name(field, node.text) or text_meaning(field, node.text, inspection)
    if meaning is None and field.kind is Kind.STRING and field.tag == 35 and inspection.layout is not None:
        meaning = inspection.layout.name
    unit = units.unit_of(field, inspection)
    return printable(node.text) + (f" ({meaning})" if meaning else f" {unit}" if unit else "")


def code_name(field: FieldLayout, text: str) -> str | None:
    """Return the name of a code value; None if the value is unknown."""
    return None if field.codes is None else names_of_codes(field.codes).get(text)


@cache
def names_of_codes(codes: Any) -> dict[str, str]:
    """Return the names of the codes in a codeset, by wire value."""
    return {str(member.value): str(member.name) for member in codes}


def brief(inspection: Inspection, show: _Formatter | None = None) -> str:
    """Return PossDupFlag, PossResend and the fields of a message's body on one line, the most important
    fields of the body first; `show` formats values.
    """
    header = [node for node in inspection.header if _name(node) in _SHOWN_HEADER_FIELDS]
    body = sorted(inspection.body, key=lambda node: _RANKS.get(_name(node), len(_RANKS)))
    return " ".join(_brief((*header, *body), show or _short_value))


def _brief(nodes: Iterable[Node], show: _Formatter) -> Iterator[str]:
    for node in nodes:
        yield f"{_name(node)}={show(node)}"
        if not isinstance(node, FieldNode):
            for entry in node.entries:
                yield f"[{' '.join(_brief(entry, show))}]"


def _name(node: Node) -> str:
    return str(node.tag) if node.layout is None else node.layout.name


def _short_value(node: Node) -> str:
    text = node.raw.decode("latin-1")
    field = node.layout
    if isinstance(field, FieldLayout):
        if field.secret:
            return HIDDEN
        text = code_name(field, text) or text
    return printable(text)


def text_meaning(field: FieldLayout, text: str, inspection: Inspection) -> str | None:
    """Return the meaning of a known value of Text; None for an unknown value, and for other fields."""
    known = TEXTS.get((inspection.msg_type or "", text)) if field.name == TEXT else None
    return None if known is None else known.meaning


def json_fields(inspection: Inspection, show: _Formatter | None = None) -> _JSON:
    """Return the fields of a message by FIX name, with wire values as strings, and groups as arrays of
    objects.

    `show` formats values.
    """
    return _json_fields((*inspection.header, *inspection.body, *inspection.trailer), show or _wire_value)


def _json_fields(nodes: Iterable[Node], show: _Formatter) -> _JSON:
    fields: _JSON = {}
    for node in nodes:
        # Only the first of duplicate fields is shown; the duplicate is one of the problems.
        if isinstance(node, FieldNode):
            fields.setdefault(_name(node), show(node))
        else:
            fields.setdefault(_name(node), [_json_fields(entry, show) for entry in node.entries])
    return fields


def _wire_value(node: Node) -> str:
    secret = isinstance(node.layout, FieldLayout) and node.layout.secret
    return HIDDEN if secret else node.raw.decode("latin-1")
