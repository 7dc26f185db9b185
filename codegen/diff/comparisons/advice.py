"""YAML to add to the spec for new elements, and the line to add it after."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codegen import model
from codegen.diff.comparisons.blocks import Block
from codegen.diff.documents import columns
from codegen.diff.facts import CodesSaid, FlowsSaid, MemberSaid, MessageSaid, TextSaid
from codegen.diff.findings import Edit, Evidence, yaml_words
from codegen.diff.spec_index import PlacedMember, SpecIndex
from codegen.naming import code_name
from codegen.presence import SENDERS
from kalshi_fix_adapters.documents.mistakes import Location

_LETTERS = (None, "CHAR", "STRING", "CODED")
"""Types that pages give for a field whose values are Y and N."""
# Decimal type by the end of the field's name; AMT if none matches.
_DECIMALS = {"Px": "PRICE", "Price": "PRICE", "Qty": "QTY", "Size": "QTY", "Quantity": "QTY"}


def member(block: Block, said: MemberSaid) -> list[Edit]:
    """Return the edits for a field missing from a block of the spec: the field, if new, and the member."""
    spec, members = block.spec, block.members
    before = _before(said, members, block.rows)
    edits = _field(block.evidence, said, before) if said.tag not in spec.fields else []
    name = spec.vocabulary.fields.get(said.tag, said.name)
    counter = said.path[-1] if said.path else said.inside
    group = next((placed.member.group for placed in members if placed.field.tag == counter), None)
    among = f"among the members of {f'group {group.name}' if group is not None else block.name}"
    # A page does not mark the end of a group, so the field after one may belong to it.
    inner = before.holders[-1].group if before is not None and before.holders else None
    if not said.path and said.inside is None and inner is not None:
        among += f" (or of group {inner.name}: the page does not say)"
    presence, settings = _presence(said)
    plain = f"{{{', '.join(settings)}}}" if settings else presence
    scoped = ""
    # PRODUCTS is replaced later, when it is known whether the sources of all products contain it.
    if block.message is not None and len({place.product for place in spec.places(block.message)}) > 1:
        extra = [f"presence: {presence}"] if not settings and presence != "optional" else settings
        scoped = f"{among} `{name}: {{{', '.join(['only: {products: PRODUCTS}', *extra])}}}`"
    return [*edits, Edit(_anchor(block, group, before), f"{among} `{name}: {plain}`", scoped)]


def of_header(evidence: Evidence, said: MemberSaid, name: str, messages: Sequence[str]) -> list[Edit]:
    """Return the edits for a field that only some messages have in their header."""
    spec, sources = evidence.spec, (evidence.origin_of(said.location),)
    edits = _field(evidence, said, None) if said.tag not in spec.fields else []
    member = f"{name}: {{only_when: {{messages: {yaml_words(messages)}}}, source: SOURCES}}"
    where, text = spec.dialect.header[-1].location, f"after it, among the members of the header `{member}`"
    # The header is inherited from another spec folder.
    if not where.file.startswith(f"{spec.folder.as_posix()}/"):
        where, text = spec.file("header.yaml"), f"in it\nmembers:\n  {member}"
    return [*edits, Edit(where, text, sources=sources)]


def message(evidence: Evidence, msg_type: str, name: str) -> list[Edit]:
    """Return the edits for a message that the spec does not have."""
    spec = evidence.spec
    sections = [said for said in evidence.facts(MessageSaid) if said.msg_type == msg_type]
    family = spec.family_of(evidence.origin_of(sections[0].location) if sections else "")
    file = spec.file(f"messages/{family}.yaml" if family else "messages")
    rows = [said for said in evidence.facts(MemberSaid) if said.block == msg_type]
    flows = next((said.flows for said in evidence.facts(FlowsSaid) if said.msg_type == msg_type), frozenset())
    lines = [f"{name}:", f"  msg_type: {msg_type}", '  doc: "…"']
    for sender in SENDERS:
        sessions = sorted({session for session, who in flows if who == sender and session})
        lines += [f"  flows: {{sender: {sender}, sessions: [{', '.join(sessions)}]}}"] if sessions else []
    lines.append("  members:")
    outer = [said for said in rows if not said.path and said.inside is None]
    names = spec.vocabulary.fields
    lines += [f"    {names.get(said.tag, said.name)}: {_presence(said)[0]}" for said in outer]
    new = {each.tag: each for each in rows if each.tag not in spec.fields}.values()
    edits = [edit for said in new for edit in _field(evidence, said, None)]
    return [*edits, Edit(file, "after it\n" + "\n".join(lines))]


def text(evidence: Evidence, said: TextSaid, meaning: tuple[str, str] | None) -> Edit:
    """Return the edit for a value of Text, after those of its message; `meaning` is a field and a code."""
    spec, sources = evidence.spec, (evidence.origin_of(said.location),)
    means = f"means: {{{': '.join(meaning)}}}, " if meaning else ""
    line = f'{said.text}: {{{means}source: SOURCES, doc: "…"}}'
    own = [each.location for each in spec.dialect.texts if each.message.msg_type == said.message]
    if own:
        return Edit(max(own, key=lambda each: each.line), f"after it `{line}`", sources=sources)
    lines = f"after it\n{spec.block_name(said.message)}:\n  {line}"
    return Edit(spec.file("texts.yaml"), lines, sources=sources)


def _field(evidence: Evidence, said: MemberSaid, before: PlacedMember | None) -> list[Edit]:
    """Return the edits for a new tag, including its values if the source lists them."""
    spec = evidence.spec
    file = spec.file("fields.yaml")
    near = spec.field_location(before.field.name) if before is not None else file
    kind = datatype(said, spec)
    codes = {
        code.value: code
        for each in evidence.facts(CodesSaid)
        if each.tag == said.tag and kind != "BOOLEAN"
        for code in each.codes
    }
    settings = [f"tag: {said.tag}", f"type: {kind}"]
    settings += [f"codes: {said.name}"] if codes else []
    settings += ["source: SOURCES", 'doc: "…"']
    line = f"after it `{said.name}: {{{', '.join(settings)}}}`"
    origin = evidence.origin_of(said.location)
    edits = [Edit(near if near.file == file.file else file, line, sources=(origin,))]
    if codes:
        listed = [code_line(value, code.label) for value, code in codes.items()]
        lines = [f"{said.name}:", '  doc: "…"', "  codes:", *(f"    {each}" for each in listed)]
        edits.append(Edit(spec.file("codesets.yaml"), "after it\n" + "\n".join(lines)))
    return edits


def code_line(value: str, label: str) -> str:
    """Return the codeset line of a code, named after the source's label."""
    return f'{code_name(label) if label else "…"}: {{value: {value}, doc: "…"}}'


def datatype(said: MemberSaid, spec: SpecIndex) -> str:
    """Return the spec's datatype for a type in a source, guessed from the field's name if the source is
    vague.
    """
    known = {each.name for each in spec.dialect.datatypes}
    written = said.type.upper()
    # Dictionaries use QuickFIX's type names, pages use words.
    if said.path is not None:
        by_quickfix = {each.quickfix.upper(): each.name for each in spec.dialect.datatypes}
        return by_quickfix.get(written, written or "STRING")
    kind = columns.kind(said.type) if said.type else None
    # A default of Y or N, or `Y/N` in the text, is more specific than the type's word.
    if (kind is None and said.default in ("Y", "N")) or (kind in _LETTERS and said.yes_no):
        return "BOOLEAN"
    # `NoLegs` is a counter even if its text does not mention it.
    if kind == "INT" and (said.counts or re.match(r"No[A-Z]", said.name)):
        return "NUMINGROUP"
    if kind == "DECIMAL":
        guess = next((name for end, name in _DECIMALS.items() if said.name.endswith(end)), "AMT")
        return guess if guess in known else "FLOAT"
    return {"CODED": "CHAR", None: "STRING"}.get(kind, kind or "")


def _presence(said: MemberSaid) -> tuple[str, list[str]]:
    """Return the presence, and the settings of the long form, empty if the short form is enough."""
    presence = "required" if said.required == "Y" else "optional"
    settings = []
    if said.sender:
        settings.append(f"only: {{sender: {said.sender}}}")
    if said.sessions:
        settings.append(f"only: {{sessions: [{', '.join(said.sessions)}]}}")
    if said.default:
        settings.append(f"default: {re.split(r'[ ;,(]', said.default)[0]}")
    if settings and presence == "required":
        settings.insert(0, "presence: required")
    return presence, settings


def _before(
    said: MemberSaid, members: Sequence[PlacedMember], rows: Sequence[MemberSaid]
) -> PlacedMember | None:
    """Return the last field of the spec that precedes a row in the same file."""
    by_tag = {placed.field.tag: placed for placed in members}
    above = [row for row in rows if row.location.file == said.location.file and row.tag in by_tag]
    return next((by_tag[row.tag] for row in reversed(above) if row.location < said.location), None)


def _anchor(block: Block, group: model.Group | None, before: PlacedMember | None) -> Location:
    """Return the location to insert after: the preceding member if it is in the same group or body, else the
    last.
    """
    if group is not None:
        # `before` may be in an enclosing group, or in none.
        inside = before is not None and before.member in group.members
        return before.member.location if inside and before is not None else group.members[-1].location
    if before is not None:
        return (*before.holders, before.member)[0].location
    if block.message is not None:
        return block.message.location
    return [each.member for each in block.members if not each.holders][-1].location
