"""Compares the fields of each message, of the header and of the trailer."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.diff import absence, advice, components, statements
from codegen.diff.block import REQUIREMENTS, Block, side
from codegen.diff.facts import MemberSaid, MessageSaid
from codegen.diff.findings import Evidence, Finding


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Every difference in the fields of the blocks that the evidence lays out."""
    rows = absence.rows_of(evidence)
    for key, said in rows.items():
        if key.startswith(components.PREFIX):
            yield from components.compare(evidence, said)
        elif key in evidence.spec.messages or key in ("header", "trailer"):
            yield from _block(Block(evidence, key, said))
    if evidence.is_pages:
        yield from absence.without_tables(evidence, set(rows))
        return
    for key in {said.msg_type for said in evidence.said(MessageSaid)} - rows.keys():
        if key in evidence.spec.messages:
            yield from _block(Block(evidence, key, ()))


def _block(block: Block) -> Iterator[Finding]:
    for said in block.said:
        entry = block.entry(said)
        if entry is None:
            yield _new(block, said)
        else:
            yield from statements.compare(block, said, entry)
    yield from absence.compare(block)


def _new(block: Block, said: MemberSaid) -> Finding:
    """A field that the spec does not have in this block."""
    names = block.spec.vocabulary.fields
    known = said.tag in block.spec.fields
    details = ", ".join(part for part in (said.type, REQUIREMENTS.get(said.required, "")) if part)
    where = ""
    if said.path or said.inside is not None:
        counters = said.path or (said.inside or 0,)
        where = " in " + "/".join(names.get(tag, str(tag)) for tag in counters)
    name = names.get(said.tag, said.name)
    about = f"{'' if known else 'new field '}{said.tag} {name}"
    return block.evidence.new(
        "member",
        f"{block.name}.{name}",
        f"{block.name}: has {about}{f' ({details})' if details else ''}{where}{side(said)}",
        [said.place],
        *advice.member(block, said),
        said="present" + (" as required" if said.required == "Y" else "") + side(said),
    )
