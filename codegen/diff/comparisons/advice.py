"""What to write into the spec for something new: lines of YAML, and after which line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codegen import model
from codegen.diff.comparisons.block import Block
from codegen.diff.documents import columns
from codegen.diff.facts import CodesSaid, FlowsSaid, MemberSaid, MessageSaid, TextSaid
from codegen.diff.findings import Edit, Evidence, yaml_words
from codegen.diff.spec_index import PlacedMember, SpecIndex
from codegen.naming import code_name
from kalshi_fix_adapters.documents.mistakes import Location

_LETTERS = (None, "CHAR", "STRING", "CODED")
"""What a page may say of a field whose values are Y and N."""
# The end of a name says which of the decimal types it is; AMT where none of these fits.
_DECIMALS = {"Px": "PRICE", "Price": "PRICE", "Qty": "QTY", "Size": "QTY", "Quantity": "QTY"}


def member(block: Block, said: MemberSaid) -> list[Edit]:
    """What to write for a field that a block of the spec does not have: the field, if new, and the member."""
    evidence, spec, members = block.evidence, block.spec, block.members
    before = _before(said, members, block.rows)
    edits = _field(evidence, said, before) if said.tag not in spec.fields else []
    name = spec.fields[said.tag].name if said.tag in spec.fields else said.name
    group = _group(said, members)
    anchor = _anchor(said, group, before, spec)
    among = (
        f"the members of group {group.name}"
        if group is not None
        else f"the members of {spec.block_name(said.block)}"
    )
    # Behind a group a page does not say where the group ends.
    if not said.path and said.inside is None and before is not None and before.holders:
        inner = before.holders[-1].group
        among += f" (or of group {inner.name}: the page does not say)" if inner is not None else ""
    presence, settings = _presence(said)
    plain = f"{{{', '.join(settings)}}}" if settings else presence
    message = block.message
    # The product by which a source is about is put in later, once it is known whether all of them say
    # so.
    if message is not None and len({place.product for place in spec.places(message)}) > 1:
        extra = [f"presence: {presence}"] if not settings and presence != "optional" else settings
        scoped = ", ".join(["only: {products: PRODUCTS}", *extra])
        return [
            *edits,
            Edit(anchor, f"among {among} `{name}: {plain}`", f"among {among} `{name}: {{{scoped}}}`"),
        ]
    return [*edits, Edit(anchor, f"among {among} `{name}: {plain}`")]


def of_header(block: Block, said: MemberSaid, name: str, messages: Sequence[str]) -> list[Edit]:
    """What to write for a field that the header has in some messages."""
    spec = block.spec
    edits = _field(block.evidence, said, None) if said.tag not in spec.fields else []
    member = f"{name}: {{only_when: {{messages: {yaml_words(messages)}}}, source: SOURCES}}"
    origin = block.evidence.origin_of(said.location)
    where = spec.dialect.header[-1].location
    if not where.file.startswith(f"{spec.folder.as_posix()}/"):  # The header is another folder's so far.
        return [*edits, Edit(spec.file("header.yaml"), f"in it\nmembers:\n  {member}", sources=(origin,))]
    return [*edits, Edit(where, f"after it, among the members of the header `{member}`", sources=(origin,))]


def message(evidence: Evidence, msg_type: str, name: str) -> list[Edit]:
    """What to write for a message that the spec does not have."""
    spec = evidence.spec
    sections = [said for said in evidence.facts(MessageSaid) if said.msg_type == msg_type]
    origin = evidence.origin_of(sections[0].location) if sections else ""
    family = spec.family_of(origin)
    file = (
        spec.file(f"messages/{family}.yaml") if family else Location(f"{spec.folder.as_posix()}/messages", 1)
    )
    rows = [said for said in evidence.facts(MemberSaid) if said.block == msg_type]
    flows = next((said for said in evidence.facts(FlowsSaid) if said.msg_type == msg_type), None)
    lines = [f"{name}:", f"  msg_type: {msg_type}", '  doc: "…"']
    if flows is not None:
        for sender in ("client", "venue"):
            sessions = sorted({session for session, who in flows.flows if who == sender and session})
            if sessions:
                lines.append(f"  flows: {{sender: {sender}, sessions: [{', '.join(sessions)}]}}")
    lines.append("  members:")
    unknown: list[Edit] = []
    for said in rows:
        if said.path or said.inside is not None:
            continue
        field = spec.fields.get(said.tag)
        lines.append(f"    {field.name if field else said.name}: {_presence(said)[0]}")
    for said in {each.tag: each for each in rows if each.tag not in spec.fields}.values():
        unknown += _field(evidence, said, None)
    return [*unknown, Edit(file, "after it\n" + "\n".join(lines))]


def text(evidence: Evidence, said: TextSaid, meaning: tuple[str, str] | None) -> Edit:
    """What to write for a value of Text, behind those of its message; `meaning` is a field and a code."""
    spec = evidence.spec
    means = f"means: {{{meaning[0]}: {meaning[1]}}}, " if meaning else ""
    line = f'{said.text}: {{{means}source: SOURCES, doc: "…"}}'
    origin = (evidence.origin_of(said.location),)
    own = [each.location for each in spec.dialect.texts if each.message.msg_type == said.message]
    if own:
        return Edit(max(own, key=lambda each: each.line), f"after it `{line}`", sources=origin)
    file = spec.file("texts.yaml")
    return Edit(file, f"after it\n{spec.block_name(said.message)}:\n  {line}", sources=origin)


def _field(evidence: Evidence, said: MemberSaid, before: PlacedMember | None) -> list[Edit]:
    """What to write for a tag that is new, and for its values where the source lists them."""
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
    """The line of a codeset about a code, by what a source calls it."""
    return f'{code_name(label) if label else "…"}: {{value: {value}, doc: "…"}}'


def datatype(said: MemberSaid, spec: SpecIndex) -> str:
    """The spec's datatype for a type as a source writes it; guesses by the name where the source is vague."""
    known = {each.name for each in spec.dialect.datatypes}
    written = said.type.upper()
    # A dictionary has the names of QuickFIX's types, a page words.
    if said.path is not None:
        by_quickfix = {each.quickfix.upper(): each.name for each in spec.dialect.datatypes}
        return by_quickfix.get(written, written or "STRING")
    kind = columns.kind(said.type) if said.type else None
    # A default of Y or N, or `Y/N` in the text, says more than the word for the type.
    if (kind is None and said.default in ("Y", "N")) or (kind in _LETTERS and said.yes_no):
        return "BOOLEAN"
    # `NoLegs` is a counter even where its text does not say so.
    if kind == "INT" and (said.counts or re.match(r"No[A-Z]", said.name)):
        return "NUMINGROUP"
    if kind == "DECIMAL":
        guess = next((name for end, name in _DECIMALS.items() if said.name.endswith(end)), "AMT")
        return guess if guess in known else "FLOAT"
    return {"CODED": "CHAR", None: "STRING"}.get(kind, kind or "")


def _presence(said: MemberSaid) -> tuple[str, list[str]]:
    """The short form, and the settings of the long one where there are any."""
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
    """The field of the spec that stands last before a row, in the same file."""
    by_tag = {placed.field.tag: placed for placed in members}
    found = None
    for row in rows:
        if (
            row.location.file == said.location.file
            and row.location.line < said.location.line
            and row.tag in by_tag
        ):
            found = by_tag[row.tag]
    return found


def _group(said: MemberSaid, members: Sequence[PlacedMember]) -> model.Group | None:
    counter = said.path[-1] if said.path else said.inside
    return next((placed.member.group for placed in members if placed.field.tag == counter), None)


def _anchor(
    said: MemberSaid, group: model.Group | None, before: PlacedMember | None, spec: SpecIndex
) -> Location:
    """The member to write it behind: the one before, if in the same group or body, else the last."""
    if group is not None:
        # `before` may stand in a group around this one, or in none.
        inside = before is not None and before.member in group.members
        return before.member.location if inside and before is not None else group.members[-1].location
    if before is not None:
        return before.holders[0].location if before.holders else before.member.location
    block = {"header": spec.dialect.header, "trailer": spec.dialect.trailer}.get(said.block)
    found = spec.messages.get(said.block)
    return block[-1].location if block else found.location if found is not None else spec.source.location
