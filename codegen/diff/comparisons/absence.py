"""Finds the fields that the spec has in a block and no row of the source is about."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.diff.comparisons.block import Block
from codegen.diff.facts import MemberSaid, MessageSaid
from codegen.diff.findings import Edit, Evidence, Finding
from codegen.diff.spec_index import PlacedMember
from codegen.presence import SENDERS


def compare(block: Block) -> Iterator[Finding]:
    """Fields that are missing, for each side that has tables of its own, and conditions that no table covers.

    Pages are expected to name a field only where the spec has it from them, a dictionary names all fields.
    """
    # None stands for tables that are about both sides. A block without rows counts as laid out for
    # both.
    speaking = {said.sender for said in block.rows} or {None}
    sides: tuple[str | None, ...] = (None,)
    if speaking != {None}:
        sides = tuple(sender for sender in SENDERS if any(place.sender == sender for place in block.places))
    for sender in sides:
        if sender in speaking or None in speaking:
            yield from _missing(block, sender)
        elif sender is not None:
            yield _silent(block, sender)
    yield from _conditions(block)


def _missing(block: Block, sender: str | None) -> Iterator[Finding]:
    """What no row names; a group that is missing whole is told once."""
    seen = block.seen(said for said in block.rows if sender is None or said.sender in (None, sender))
    if block.message is None:
        # Pages lay out in the table of a message what the header has for that message alone.
        seen |= {said.tag for said in block.evidence.facts(MemberSaid)}
    places = [place for place in block.places if sender in (None, place.sender)]
    told: set[int] = set()
    for placed in block.members:
        tag = placed.field.tag
        # Pages do not list the length of a data field; a dictionary does.
        passed_over = placed.implied and block.evidence.is_pages
        over = placed.member.pedigree.is_over or placed.field.pedigree.is_over
        # What is gone from the venue need not be there, nor what stands in a group that is told
        # already.
        if tag in seen or passed_over or over or told & set(placed.path):
            continue
        if not placed.allowed(places) or not block.evidence.expects(placed.member.source):
            continue
        inner = {each.field.tag for each in block.members if tag in each.path}
        if placed.member.group is not None and not inner & seen:
            told.add(tag)
        yield _absent(block, placed, sender, whole=tag in told)


def _absent(block: Block, placed: PlacedMember, sender: str | None, *, whole: bool) -> Finding:
    field = placed.field
    what = "the group " if whole else ""
    behind = f" from the {sender}" if sender else ""
    write = f"remove `{field.name}` from {block.name}{behind}, or give its real `source`"
    return block.evidence.gone(
        "member",
        f"{block.name}.{field.name}",
        f"{block.name}: {what}{field.name} ({field.tag}) is not among its fields{behind}",
        block.heading(),
        Edit(placed.member.location, write),
        says=f"absent{behind}",
        expected_in=placed.member.source,
        group=f"{block.key} absent {sender}",
    )


def _silent(block: Block, sender: str) -> Finding:
    """One side has tables of its fields and the other, which may send the message too, has none."""
    location = block.spec.message_location(block.message) if block.message is not None else None
    write = f"see whether the {sender} still sends {block.name}; correct its `flows`"
    return block.evidence.gone(
        "message",
        block.name,
        f"{block.name}: there are tables of its fields, but none from the {sender}",
        [block.rows[0].location],
        *([Edit(location, write)] if location is not None else []),
        says=f"no fields from the {sender}",
    )


def _conditions(block: Block) -> Iterator[Finding]:
    """Fields that the spec requires under a condition, where tables are laid out by it without them."""
    stated = {(said.tag, block.condition(said.when)) for said in block.rows if said.when is not None}
    # The fields by whose value the tables of this block are divided. Conditions on others have no
    # table.
    by = {condition[0] for _, condition in stated if condition is not None}
    for placed in block.members:
        for condition in placed.member.required_when:
            for name, values in condition.terms:
                for value in values or ():
                    if name not in by or (placed.field.tag, (name, value)) in stated:
                        continue
                    if block.evidence.expects(placed.member.source):
                        yield _unstated(block, placed, f"{name}={value}")


def _unstated(block: Block, placed: PlacedMember, condition: str) -> Finding:
    field = placed.field
    text = (
        f"{block.name}: {field.name} ({field.tag}) is not listed for {condition}, where the spec requires it"
    )
    return block.evidence.gone(
        "member",
        f"{block.name}.{field.name}",
        text,
        block.heading(),
        Edit(placed.member.location, f"`required_when` of `{field.name}`: take {condition} out"),
        says=f"absent when {condition}",
        expected_in=placed.member.source,
    )


def without_tables(evidence: Evidence, laid_out: set[str]) -> Iterator[Finding]:
    """Messages that have a heading and no table of fields, though the spec has fields from these pages."""
    named = {
        said.msg_type: said for said in evidence.facts(MessageSaid) if said.msg_type in evidence.spec.messages
    }
    listed = {said.tag for said in evidence.facts(MemberSaid)}
    # Header and trailer have no heading of their own on many pages.
    for key in (*named, "header", "trailer"):
        if key in laid_out:
            continue
        block = Block(evidence, key, ())
        expected = [
            placed
            for placed in block.members
            if evidence.expects(placed.member.source)
            and placed.allowed(block.places)
            and not (block.message is None and placed.field.tag in listed)
        ]
        if not expected:
            continue
        location = expected[0].member.location
        if block.message is not None:
            location = evidence.spec.message_location(block.message)
        write = f"see where the fields of {block.name} are laid out now, and give that as their `source`"
        yield evidence.gone(
            "message",
            block.name,
            f"{block.name}: there is no table of its {len(expected)} fields",
            [said.location for said in evidence.facts(MessageSaid) if said.msg_type == key],
            Edit(location, write),
            says="no fields",
            expected_in=expected[0].member.source,
        )


def rows_of(evidence: Evidence) -> dict[str, list[MemberSaid]]:
    """The rows about each block."""
    found: dict[str, list[MemberSaid]] = {}
    for said in evidence.facts(MemberSaid):
        found.setdefault(said.block, []).append(said)
    return found
