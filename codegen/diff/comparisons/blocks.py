"""One message, the header or the trailer, with its members in the spec and its rows in a source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import attrs

from codegen import model
from codegen.diff.facts import Fact, MemberFact, MessageFact, folded
from codegen.diff.findings import Evidence, Finding
from codegen.diff.spec_index import PlacedMember, SpecIndex
from codegen.presence import Place

REQUIREMENTS = {"Y": "required", "N": "optional", "C": "conditional", "O": "optional"}
"""Requirement flags of sources in words; O is set by headings such as "Optional fields"."""


@attrs.frozen
class Block:
    """Rows of a source and members of the spec for one block."""

    evidence: Evidence
    key: str
    """A MsgType, `header` or `trailer`."""
    rows: Sequence[MemberFact]
    """Rows of the source about this block."""

    @property
    def spec(self) -> SpecIndex:
        """The spec."""
        return self.evidence.spec

    @property
    def name(self) -> str:
        """Name of the message, or `header` or `trailer`."""
        return self.spec.block_name(self.key)

    @property
    def message(self) -> model.Message | None:
        """The message, None for header and trailer."""
        return self.spec.messages.get(self.key)

    @property
    def members(self) -> tuple[PlacedMember, ...]:
        """All fields of the block in the spec."""
        return self.spec.members(self.key)

    @property
    def places(self) -> list[Place]:
        """Places where the block may be sent, limited to the product of the evidence."""
        return self.spec.places(self.message, self.evidence.product)

    def member_of(self, fact: MemberFact) -> PlacedMember | None:
        """Return the member of the spec that a row describes, or None.

        A row describes the member that has its tag, now or formerly, else the member that has its name. If a
        field outside the block has both the tag and the name, the row describes no member.
        """
        if fact.tag in self._by_tag:
            return self._by_tag[fact.tag]
        # The spec has this field outside the block, so the row is a new member, not one with a wrong tag.
        if folded(self.spec.vocabulary.fields.get(fact.tag, "")) == folded(fact.name):
            return None
        return self._by_name.get(folded(fact.name))

    def header_member(self, fact: MemberFact) -> PlacedMember | None:
        """Return the header field that a row in a message's table describes, or None."""
        if self.key in ("header", "trailer"):
            return None
        return self._header_by_tag.get(fact.tag)

    # Cached, because every row uses them, and FIX has messages with 1,500 fields. Of members with equal keys,
    # the first is used.
    @cached_property
    def _by_tag(self) -> dict[int, PlacedMember]:
        return {tag: each for each in reversed(self.members) for tag in each.tags}

    @cached_property
    def _by_name(self) -> dict[str, PlacedMember]:
        return {folded(each.field.name): each for each in reversed(self.members)}

    @cached_property
    def _header_by_tag(self) -> dict[int, PlacedMember]:
        return {each.field.tag: each for each in reversed(self.spec.members("header"))}

    @cached_property
    def plain_tags(self) -> frozenset[int]:
        """Tags of rows that the source marks as plain fields, not as counters."""
        return frozenset(each.tag for each in self.rows if each.is_counter is False)

    def condition(self, when: tuple[str, str]) -> tuple[str, str] | None:
        """Return a heading's condition as a field of the spec and a wire value; None if no single field
        matches.
        """
        word, value = when
        # Headings shorten names: `Action` is SecurityListRequestAction if no other member's name ends with
        # it.
        fields = [each.field for each in self.members if each.field.name.endswith(word)]
        if len(fields) != 1:
            return None
        code = fields[0].code(value)
        return fields[0].name, value if code is None else code.value

    def heading(self) -> list[MessageFact]:
        """Return the block's heading in a list, to locate absent elements; empty if there is none."""
        # One heading is enough to locate the finding.
        return [each for each in self.evidence.facts(MessageFact) if each.msg_type == self.key][:1]

    def report(
        self, name: str, placed: PlacedMember, facts: Fact | Sequence[Fact], /, **values: Any
    ) -> Finding:
        """Return a finding about a member of the spec; see `Evidence.report`."""
        values = {"block": self.name, "field": placed.field, "expected_in": placed.member.source, **values}
        return self.evidence.report(name, facts, placed.member.location, **values)


def sender_phrase(sender: str | None) -> str:
    """Return " from the client" or " from the venue", or an empty string for both senders."""
    return f" from the {sender}" if sender else ""


def first_word(default: str) -> str:
    """Return the part that two spellings of a default share: N, for `N (Y on KalshiPT)` and `N; Y on
    KalshiPT`.
    """
    return re.split(r"[ ;,(]", default)[0]
