"""Compares the fields of each message, of the header and of the trailer."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.diff.comparisons import absence, advice, components, layout, statements
from codegen.diff.comparisons.block import REQUIREMENTS, Block, side
from codegen.diff.facts import MemberSaid, MessageSaid
from codegen.diff.findings import Evidence, Finding
from codegen.diff.spec_index import PlacedMember


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Every difference in the fields of the blocks that the evidence lays out."""
    rows = absence.rows_of(evidence)
    yield from _new_in_header(evidence)
    for key, said in rows.items():
        if key.startswith(components.PREFIX):
            yield from components.compare(evidence, said)
        elif key in evidence.spec.messages or key in ("header", "trailer"):
            yield from _block(Block(evidence, key, said))
    # Pages may name a message without a table of its fields. In a dictionary such a message has no
    # fields.
    if evidence.is_pages:
        yield from absence.without_tables(evidence, set(rows))
        return
    for key in {said.msg_type for said in evidence.facts(MessageSaid)} - rows.keys():
        if key in evidence.spec.messages:
            yield from _block(Block(evidence, key, ()))


def _block(block: Block) -> Iterator[Finding]:
    for said in block.rows:
        placed, in_header = block.member_of(said), block.header_member(said)
        if placed is not None:
            yield from statements.compare(block, said, placed)
        elif in_header is not None:
            yield from _in_header(block, said, in_header)
        # A row that says it is of the header is told once for all messages, by `_new_in_header`.
        elif not (said.of_header and block.message is not None):
            yield _new(block, said)
    yield from layout.compare(block)
    yield from absence.compare(block)


def _in_header(block: Block, said: MemberSaid, placed: PlacedMember) -> Iterator[Finding]:
    """A field of the header that a table of a message lists, which has to be allowed in that message."""
    # Without `only_when` it is allowed in every message.
    conditions, message = placed.member.only_when, block.message
    if message is None or not conditions:
        return
    senders = {place.sender for place in block.places}
    for condition in conditions:
        named = {msg_type for _, msg_type in condition.scope.messages}
        if message.msg_type in named or (not named and condition.scope.sender in (None, *senders)):
            return
    write = f"`only_when`: add {message.name} to `messages`"
    yield block.differs(said, placed, "present", "is in the header there, where the spec forbids it", write)


def _new_in_header(evidence: Evidence) -> Iterator[Finding]:
    """New fields of the header, which tables of messages list and describe as such."""
    spec = evidence.spec
    known = {placed.field.tag for placed in spec.members("header")}
    found: dict[int, list[MemberSaid]] = {}
    for said in evidence.facts(MemberSaid):
        if said.of_header and said.tag not in known and said.block in spec.messages:
            found.setdefault(said.tag, []).append(said)
    for tag, rows in found.items():
        name = spec.fields[tag].name if tag in spec.fields else rows[0].name
        messages = list(dict.fromkeys(spec.messages[row.block].name for row in rows))
        yield evidence.new(
            "member",
            f"header.{name}",
            f"header: {', '.join(messages)} {'has' if len(messages) == 1 else 'have'} {tag} {name} in it",
            [row.location for row in rows],
            *advice.of_header(Block(evidence, "header", rows), rows[0], name, messages),
        )


def _new(block: Block, said: MemberSaid) -> Finding:
    """A field that the spec does not have in this block."""
    names = block.spec.vocabulary.fields
    known = said.tag in block.spec.fields
    details = ", ".join(part for part in (said.type, REQUIREMENTS.get(said.required, "")) if part)
    where = ""
    if said.path or said.inside is not None:
        # A dictionary gives the whole path, a page the nearest counter.
        counters = said.path or (said.inside or 0,)
        where = " in " + "/".join(map(block.spec.field_name, counters))
    name = names.get(said.tag, said.name)
    about = f"{'' if known else 'new field '}{said.tag} {name}"
    return block.evidence.new(
        "member",
        f"{block.name}.{name}",
        f"{block.name}: has {about}{f' ({details})' if details else ''}{where}{side(said)}",
        [said.location],
        *advice.member(block, said),
        says="present" + (" as required" if said.required == "Y" else "") + side(said),
    )
