"""YAML to add to the spec for new elements, and the line to add it after."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codegen import model
from codegen.diff.comparisons.blocks import Block, first_word
from codegen.diff.documents import columns
from codegen.diff.facts import CodesFact, FlowsFact, MemberFact, MessageFact, TextFact
from codegen.diff.findings import Edit, Evidence, yaml_words
from codegen.diff.spec_index import PlacedMember, SpecIndex
from codegen.naming import code_name
from codegen.presence import SENDERS
from kalshi_fix_adapters.documents.mistakes import Location

_YES_NO_KINDS = (None, "CHAR", "STRING", "CODED")
"""Kinds that sources state for fields whose values are Y and N; None is the kind of an unknown type name."""
# Decimal type by suffix of the field's name; AMT if none matches.
_DECIMALS = {"Px": "PRICE", "Price": "PRICE", "Qty": "QTY", "Size": "QTY", "Quantity": "QTY"}


def member(block: Block, fact: MemberFact) -> list[Edit]:
    """Return the edits for a field missing from a block of the spec: the field, if new, and the member."""
    spec, members = block.spec, block.members
    preceding = _member_before(fact, members, block.rows)
    edits = _field(block.evidence, fact, preceding) if fact.tag not in spec.fields else []
    name = spec.vocabulary.fields.get(fact.tag, fact.name)
    counter = fact.path[-1] if fact.path else fact.enclosing_group
    group = next((placed.member.group for placed in members if placed.field.tag == counter), None)
    target = f"to the members of {f'group {group.name}' if group is not None else block.name}"
    # Pages do not mark the end of a group, so a field after its last known member may belong to it.
    inner = (
        preceding.enclosing_groups[-1].group if preceding is not None and preceding.enclosing_groups else None
    )
    if not fact.path and fact.enclosing_group is None and inner is not None:
        target += f" (or of group {inner.name}: the page does not state which)"
    presence, settings = _presence(fact)
    plain = f"{{{', '.join(settings)}}}" if settings else presence
    scoped = ""
    # PRODUCTS is replaced later, when it is known whether the sources of all products contain the field.
    if block.message is not None and len({place.product for place in spec.places(block.message)}) > 1:
        extra = [f"presence: {presence}"] if not settings and presence != "optional" else settings
        scoped = f"add `{name}: {{{', '.join(['only: {products: PRODUCTS}', *extra])}}}` {target}"
    return [*edits, Edit(_anchor(block, group, preceding), f"add `{name}: {plain}` {target}", scoped)]


def header_member(evidence: Evidence, fact: MemberFact, name: str, messages: Sequence[str]) -> list[Edit]:
    """Return the edits for a field that only some messages have in their header."""
    spec, sources = evidence.spec, (evidence.origin_of(fact.location),)
    edits = _field(evidence, fact, None) if fact.tag not in spec.fields else []
    member = f"{name}: {{only_when: {{messages: {yaml_words(messages)}}}, source: SOURCES}}"
    where, text = spec.dialect.header[-1].location, f"add `{member}` after this member of the header"
    # An inherited header is in another spec folder, so the field is added to the header.yaml of this one.
    if not where.file.startswith(f"{spec.folder.as_posix()}/"):
        where, text = spec.end_of_file("header.yaml"), f"add to this file:\nmembers:\n  {member}"
    return [*edits, Edit(where, text, sources=sources)]


def message(evidence: Evidence, msg_type: str, name: str) -> list[Edit]:
    """Return the edits for a message that the spec does not have."""
    spec = evidence.spec
    sections = [fact for fact in evidence.facts(MessageFact) if fact.msg_type == msg_type]
    # The file in `messages` that contains most of the messages with this source.
    origin = evidence.origin_of(sections[0].location) if sections else ""
    families = [each.family for each in spec.dialect.messages if origin in each.source.split(", ")]
    file = spec.end_of_file(f"messages/{max(families, key=families.count)}.yaml" if families else "messages")
    rows = [fact for fact in evidence.facts(MemberFact) if fact.block == msg_type]
    flows = next((fact.flows for fact in evidence.facts(FlowsFact) if fact.msg_type == msg_type), frozenset())
    lines = [f"{name}:", f"  msg_type: {msg_type}", '  doc: "…"']
    for sender in SENDERS:
        sessions = sorted({session for session, who in flows if who == sender and session})
        lines += [f"  flows: {{sender: {sender}, sessions: [{', '.join(sessions)}]}}"] if sessions else []
    lines.append("  members:")
    outer = [fact for fact in rows if not fact.path and fact.enclosing_group is None]
    names = spec.vocabulary.fields
    lines += [f"    {names.get(fact.tag, fact.name)}: {_presence(fact)[0]}" for fact in outer]
    new = {each.tag: each for each in rows if each.tag not in spec.fields}.values()
    edits = [edit for fact in new for edit in _field(evidence, fact, None)]
    return [*edits, Edit(file, "add after this line:\n" + "\n".join(lines))]


def text(evidence: Evidence, fact: TextFact, meaning: tuple[str, str] | None) -> Edit:
    """Return the edit that adds a value of Text to its message's values; `meaning` is a field and a code."""
    spec, sources = evidence.spec, (evidence.origin_of(fact.location),)
    means = f"means: {{{': '.join(meaning)}}}, " if meaning else ""
    line = f'{fact.text}: {{{means}source: SOURCES, doc: "…"}}'
    entries = [each.location for each in spec.dialect.texts if each.message.msg_type == fact.message]
    if entries:
        return Edit(
            max(entries, key=lambda each: each.line), f"add `{line}` after this entry", sources=sources
        )
    lines = f"add after this line:\n{spec.block_name(fact.message)}:\n  {line}"
    return Edit(spec.end_of_file("texts.yaml"), lines, sources=sources)


def _field(evidence: Evidence, fact: MemberFact, preceding: PlacedMember | None) -> list[Edit]:
    """Return the edits for a new tag, including its values if the source lists them."""
    spec = evidence.spec
    file = spec.end_of_file("fields.yaml")
    near = spec.location("fields", preceding.field.name) if preceding is not None else file
    kind = datatype(fact, spec)
    codes = {
        code.value: code
        for each in evidence.facts(CodesFact)
        if each.tag == fact.tag and kind != "BOOLEAN"
        for code in each.codes
    }
    settings = [f"tag: {fact.tag}", f"type: {kind}"]
    settings += [f"codes: {fact.name}"] if codes else []
    settings += ["source: SOURCES", 'doc: "…"']
    line = f"add `{fact.name}: {{{', '.join(settings)}}}` after this entry"
    origin = evidence.origin_of(fact.location)
    edits = [Edit(near if near.file == file.file else file, line, sources=(origin,))]
    if codes:
        code_lines = [code_line(value, code.label) for value, code in codes.items()]
        lines = [f"{fact.name}:", '  doc: "…"', "  codes:", *(f"    {each}" for each in code_lines)]
        edits.append(Edit(spec.end_of_file("codesets.yaml"), "add after this line:\n" + "\n".join(lines)))
    return edits


def code_line(value: str, label: str) -> str:
    """Return the codeset line of a code, named after the source's label."""
    return f'{code_name(label) if label else "…"}: {{value: {value}, doc: "…"}}'


def datatype(fact: MemberFact, spec: SpecIndex) -> str:
    """Return the spec's datatype for a type in a source.

    If the source's type is ambiguous, the datatype is guessed from the field's name.
    """
    datatypes = {each.name for each in spec.dialect.datatypes}
    type_name = fact.type.upper()
    # Dictionaries use the type names of QuickFIX; pages describe types in their own words.
    if fact.path is not None:
        by_quickfix = {each.quickfix.upper(): each.name for each in spec.dialect.datatypes}
        return by_quickfix.get(type_name, type_name or "STRING")
    kind = columns.kind(fact.type) if fact.type else None
    # A default of Y or N, or `Y/N` in the text, is more specific than the name of the type.
    if (kind is None and fact.default in ("Y", "N")) or (kind in _YES_NO_KINDS and fact.yes_no):
        return "BOOLEAN"
    # `NoLegs` is a counter even if its text does not mention it.
    if kind == "INT" and (fact.is_counter or re.match(r"No[A-Z]", fact.name)):
        return "NUMINGROUP"
    if kind == "DECIMAL":
        guess = next((name for end, name in _DECIMALS.items() if fact.name.endswith(end)), "AMT")
        return guess if guess in datatypes else "FLOAT"
    return {"CODED": "CHAR", None: "STRING"}.get(kind, kind or "")


def _presence(fact: MemberFact) -> tuple[str, list[str]]:
    """Return the presence, and the settings if the member needs more than its presence."""
    presence = "required" if fact.required == "Y" else "optional"
    settings = []
    if fact.sender:
        settings.append(f"only: {{sender: {fact.sender}}}")
    if fact.sessions:
        settings.append(f"only: {{sessions: [{', '.join(fact.sessions)}]}}")
    if fact.default:
        settings.append(f"default: {first_word(fact.default)}")
    if settings and presence == "required":
        settings.insert(0, "presence: required")
    return presence, settings


def _member_before(
    fact: MemberFact, members: Sequence[PlacedMember], rows: Sequence[MemberFact]
) -> PlacedMember | None:
    """Return the last member that is described above `fact` in the same file, or None."""
    by_tag = {placed.field.tag: placed for placed in members}
    above = [row for row in rows if row.location.file == fact.location.file and row.tag in by_tag]
    return next((by_tag[row.tag] for row in reversed(above) if row.location < fact.location), None)


def _anchor(block: Block, group: model.Group | None, preceding: PlacedMember | None) -> Location:
    """Return the location to insert after: the preceding member if it is in the same group or body, else the
    last member.
    """
    if group is not None:
        # `preceding` may be in an enclosing group, or in none.
        inside = preceding is not None and preceding.member in group.members
        return preceding.member.location if inside and preceding is not None else group.members[-1].location
    if preceding is not None:
        return (*preceding.enclosing_groups, preceding.member)[0].location
    if block.message is not None:
        return block.message.location
    return [each.member for each in block.members if not each.enclosing_groups][-1].location
