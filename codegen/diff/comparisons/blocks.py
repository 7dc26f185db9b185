"""One message, the header or the trailer, as the spec has it and as a source lays it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from codegen import model
from codegen.diff.facts import Fact, MemberSaid, MessageSaid, folded
from codegen.diff.findings import Evidence, Finding
from codegen.diff.spec_index import PlacedMember, SpecIndex
from codegen.presence import Place

REQUIREMENTS = {"Y": "required", "N": "optional", "C": "conditional", "O": "optional"}
"""The flags of sources in words; O is what a heading over optional fields says."""


@attrs.frozen
class Block:
    """What is known about one block, for the comparisons of its fields."""

    evidence: Evidence
    key: str
    """A MsgType, `header` or `trailer`."""
    rows: Sequence[MemberSaid]
    """The rows about it."""

    @property
    def spec(self) -> SpecIndex:
        """The spec."""
        return self.evidence.spec

    @property
    def name(self) -> str:
        """The message's name, or header or trailer."""
        return self.spec.block_name(self.key)

    @property
    def message(self) -> model.Message | None:
        """The message, if it is one."""
        return self.spec.messages.get(self.key)

    @property
    def members(self) -> tuple[PlacedMember, ...]:
        """Every field that the spec has in it."""
        return self.spec.members(self.key)

    @property
    def places(self) -> list[Place]:
        """Where it may flow, on the products spoken of."""
        return self.spec.places(self.message, self.evidence.product)

    def member_of(self, said: MemberSaid) -> PlacedMember | None:
        """The member of the spec that a row is about.

        That is the one with its tag, today's or an older one; where no field of the spec has this tag and
        name, the one with its name, whose tag then differs.
        """
        for placed in self.members:
            if said.tag in placed.tags:
                return placed
        # This tag is that very field in the spec, only not in this block: it is a new member, not a
        # wrong tag.
        if folded(self.spec.vocabulary.fields.get(said.tag, "")) == folded(said.name):
            return None
        return next((each for each in self.members if folded(each.field.name) == folded(said.name)), None)

    def header_member(self, said: MemberSaid) -> PlacedMember | None:
        """The field of the header that a row in the table of a message is about."""
        if self.key in ("header", "trailer"):
            return None
        return next((each for each in self.spec.members("header") if each.field.tag == said.tag), None)

    def seen(self, rows: Iterable[MemberSaid]) -> set[int]:
        """The tags, as the spec has them, of the members that rows are about."""
        return {placed.field.tag for row in rows if (placed := self.member_of(row)) is not None}

    def condition(self, when: tuple[str, str]) -> tuple[str, str] | None:
        """A heading's condition as the spec's field and the value on the wire; None where no field fits."""
        word, value = when
        # Headings shorten names: `Action` is SecurityListRequestAction if no other member ends so.
        named = [each.field for each in self.members if each.field.name.endswith(word)]
        if len(named) != 1:
            return None
        code = named[0].code(value)
        return named[0].name, value if code is None else code.value

    def heading(self) -> list[MessageSaid]:
        """The heading that the block is laid out below, for what is not there."""
        # One is enough, and none where nothing has a heading.
        return [each for each in self.evidence.facts(MessageSaid) if each.msg_type == self.key][:1]

    def report(
        self, name: str, placed: PlacedMember, facts: Fact | Sequence[Fact], /, **values: Any
    ) -> Finding:
        """A finding about a member of the spec, see `Evidence.report`."""
        values = {"block": self.name, "field": placed.field, "expected_in": placed.member.source, **values}
        return self.evidence.report(name, facts, placed.member.location, **values)


def side(said: MemberSaid) -> str:
    """From whom, where a row is about one side alone; to be put behind a word."""
    return f" from the {said.sender}" if said.sender else ""
