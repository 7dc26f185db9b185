"""Check the example messages of pages against the spec's layouts.

Examples omit header fields and have invented lengths and checksums, so these are not checked. Values such as
`<signature>` are not checked either, and missing fields are not reported if `...` marks an omission.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import attrs

from codegen import model
from codegen.diff.comparisons import messages
from codegen.diff.facts import MSG_TYPE, ExampleFact, MemberFact, Pair
from codegen.diff.findings import Evidence, Finding
from codegen.diff.spec_index import PlacedMember
from codegen.presence import Place

SENDER, TARGET = 49, 56
# Placeholders that the reader fills in: `<signature>`, `abc...`.
_PLACEHOLDER = re.compile(r"<.*>|.*(?:\.\.\.|…).*")
# 60 is a leap second.
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?"
# The form of a value by lexical kind; text and data have no fixed form.
_FORMS = {
    "INT": r"-?\d+",
    "LENGTH": r"\d+",
    "SEQNUM": r"\d+",
    "NUMINGROUP": r"\d+",
    "DECIMAL": r"-?\d*\.?\d+",
    "BOOLEAN": r"[YN]",
    "CHAR": r"\S",
    "UTCTIMESTAMP": rf"\d{{8}}-{_TIME}",
    "UTCDATEONLY": r"\d{8}",
    "UTCTIMEONLY": _TIME,
}


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Yield contradictions between the examples of the pages and the spec."""
    table_rows = {(fact.block, fact.tag) for fact in evidence.facts(MemberFact)}
    for example in evidence.facts(ExampleFact):
        msg_type = next((pair.value for pair in example.pairs if pair.tag == MSG_TYPE), "")
        message = evidence.spec.messages.get(msg_type)
        if message is not None:
            yield from _ExampleCheck(evidence, message, example, table_rows).findings()


@attrs.define
class _ExampleCheck:
    """Checks the fields of one example in order."""

    evidence: Evidence
    message: model.Message
    example: ExampleFact
    table_rows: set[tuple[str, int]]
    """Message and tag of every table row; differences reported for a row are not reported again for an
    example.
    """
    _index: int = 0

    @cached_property
    def _places(self) -> list[Place]:
        """The places where the example may have been sent, given its CompIDs."""
        spec = self.evidence.spec
        places = spec.places(self.message, self.evidence.product)
        comp_ids = {pair.tag: pair.value for pair in self.example.pairs if pair.tag in (SENDER, TARGET)}
        # The venue's CompID is the name of a session type: the client sends if it is the target, the venue if
        # it is the sender.
        for tag, sender in ((TARGET, "client"), (SENDER, "venue")):
            if comp_ids.get(tag) in spec.vocabulary.sessions:
                return [each for each in places if each.session == comp_ids[tag] and each.sender == sender]
        return places

    def findings(self) -> Iterator[Finding]:
        """Yield the contradictions between the example and the spec."""
        if not self._places:
            return
        spec = self.evidence.spec
        message_members = spec.members(self.message.msg_type)
        members = [*message_members, *spec.members("header"), *spec.members("trailer")]
        body = {placed.field.tag: placed for placed in members if not placed.path}
        nested = {placed.field.tag: placed for placed in members if placed.path}
        pairs, seen = self.example.pairs, set[int]()
        while self._index < len(pairs):
            pair = pairs[self._index]
            self._index += 1
            placed = body.get(pair.tag)
            if placed is None:
                name_of = spec.field_name
                if inner := nested.get(pair.tag):
                    groups = "/".join(map(name_of, inner.path))
                    yield self._report("outside", pair, inner, groups=groups, tag=pair.tag)
                elif not self._has_table_row(pair.tag):
                    at = spec.location("messages", self.message.name)
                    values = {"block": self.message.name, "name": name_of(pair.tag), "tag": pair.tag}
                    yield self.evidence.report("new member example", pair, at, **values)
                continue
            seen.add(pair.tag)
            yield from self._check_field(pair, placed)
            if placed.member.group is not None:
                yield from self._check_group(pair, placed, members)
        # Only fields of the body are checked, because examples omit most of the header and trailer.
        unseen = (placed for placed in message_members if not placed.path and placed.field.tag not in seen)
        missing = [placed.field for placed in unseen if all(map(placed.is_required, self._places))]
        if missing and not self.example.shortened:
            fields = ", ".join(f"{field.name} ({field.tag})" for field in missing)
            values = {"fields": fields, "names": ", ".join(field.name for field in missing)}
            yield messages.report(self.evidence, "example", pairs[0], self.message, **values)

    def _check_group(
        self, count: Pair, counter: PlacedMember, members: Sequence[PlacedMember]
    ) -> Iterator[Finding]:
        """Check the entries after a counter."""
        group, path = counter.member.group, (*counter.path, counter.field.tag)
        group_members = {placed.field.tag: placed for placed in members if placed.path == path}
        first_tags = [field.tag for field in group.delimiters] if group is not None else []
        pairs, entry_count, seen = self.example.pairs, 0, set[int]()
        # The loop ends at the first field outside the group, where the caller continues.
        while self._index < len(pairs) and (placed := group_members.get(pairs[self._index].tag)) is not None:
            pair = pairs[self._index]
            if pair.tag in seen or not entry_count:  # A repeated field begins the next entry.
                if pair.tag not in first_tags:
                    names = " or ".join(self.evidence.spec.field_name(tag) for tag in first_tags)
                    values = {"counter": counter.field.name, "in_spec": names}
                    yield self._report("opens an entry", pair, placed, **values)
                entry_count, seen = entry_count + 1, set()
            seen.add(pair.tag)
            self._index += 1
            yield from self._check_field(pair, placed)
            if placed.member.group is not None:
                yield from self._check_group(pair, placed, members)
        if count.value.isdigit() and int(count.value) != entry_count and not self.example.shortened:
            yield self._report("count", count, counter, value=count.value, opened=entry_count)

    def _check_field(self, pair: Pair, placed: PlacedMember) -> Iterator[Finding]:
        field = placed.field
        # Fields with a table row are reported by `members`.
        if not placed.allowed_places(self._places) and not self._has_table_row(pair.tag):
            yield self._report("forbidden", pair, placed)
        if _PLACEHOLDER.fullmatch(pair.value):
            return
        form = _FORMS.get(field.datatype.kind)
        # MULTIPLESTRINGVALUE and similar types contain several codes, separated by spaces.
        values = pair.value.split(" ") if field.datatype.name.startswith("MULTIPLE") else [pair.value]
        codes = {code.value for code in field.codes}
        if form is not None and not re.fullmatch(form, pair.value, re.ASCII):
            yield self._report("form", pair, placed, value=pair.value)
        elif codes and not codes.issuperset(values):
            yield self._report("value", pair, placed, value=pair.value)

    def _has_table_row(self, tag: int) -> bool:
        """Return whether a row of a table about the message has this tag."""
        return (self.message.msg_type, tag) in self.table_rows

    def _report(self, what: str, pair: Pair, placed: PlacedMember, **values: Any) -> Finding:
        values = {"block": self.message.name, "field": placed.field, **values}
        return self.evidence.report(f"example {what}", pair, placed.member.location, **values)
