"""Compare the fields of each message, of the header and of the trailer.

A row about a field that the spec has in the block is compared attribute by attribute; `groups` compares the
positions of the rows. A member without a row is missing, and a row without a member is new. Components
of a dictionary that no message uses are compared last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from codegen import model
from codegen.diff.comparisons import advice, groups
from codegen.diff.comparisons.blocks import REQUIREMENTS, Block, first_word, sender_phrase
from codegen.diff.facts import MemberFact, MessageFact
from codegen.diff.findings import Evidence, Finding, group_by
from codegen.diff.spec_index import PlacedMember
from codegen.presence import SENDERS, Place
from kalshi_fix_adapters.documents.mistakes import Location

COMPONENT = "component "
"""Prefix of `MemberFact.block` for members of a component, before its name."""


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Yield all differences in the fields of the blocks for which the evidence has tables."""
    rows = evidence.facts_by(MemberFact, lambda each: each.block)
    yield from _new_header_members(evidence)
    for key, block_rows in rows.items():
        if key.startswith(COMPONENT):
            yield from _component(evidence, block_rows)
        elif key in evidence.spec.messages or key in ("header", "trailer"):
            yield from _block(Block(evidence, key, block_rows))
    # A page may name a message without listing its fields; in a dictionary, such a message has no fields.
    if evidence.is_pages:
        yield from _messages_without_tables(evidence, set(rows))
        return
    for key in sorted({fact.msg_type for fact in evidence.facts(MessageFact)} - rows.keys()):
        if key in evidence.spec.messages:
            yield from _block(Block(evidence, key, ()))


def _block(block: Block) -> Iterator[Finding]:
    for fact in block.rows:
        placed, in_header = block.member_of(fact), block.header_member(fact)
        if placed is not None:
            allowed = placed.allowed_places(
                place for place in block.places if fact.sender in (None, place.sender)
            )
            yield from _Row(block, fact, placed, allowed).findings()
        elif in_header is not None:
            yield from _header_member(block, fact, in_header)
        # A row marked as a header field is reported once for all messages, by `_new_header_members`.
        elif not (fact.in_header and block.message is not None):
            yield _new_member(block, fact)
    yield from groups.compare(block)
    yield from _absent_members(block)


@attrs.frozen
class _Row:
    """A table row and the member that it describes."""

    block: Block
    fact: MemberFact
    placed: PlacedMember
    allowed: list[Place]
    """Places where the member is allowed, among those that the row covers."""

    def difference(self, name: str, /, **values: Any) -> Finding:
        return self.block.report(f"member {name}", self.placed, self.fact, **values)

    def findings(self) -> Iterator[Finding]:
        """Yield all differences between the row and the member."""
        # The remaining columns cannot be compared with a member that is not allowed.
        if not self.allowed:
            products = " and ".join(self.block.evidence.products)
            on_products = f" on {products}" if products else ""
            yield self.difference("forbidden", side=sender_phrase(self.fact.sender), on=on_products)
            return
        yield from self.compare_group()
        if self.fact.when is None:
            yield from self.compare_requirement()
        else:
            yield from self.compare_conditional_requirement(self.fact.when)
        yield from self.compare_settings()
        yield from self.compare_ties()

    def compare_group(self) -> Iterator[Finding]:
        """Compare the group that the field is in."""
        fact, placed, name_of = self.fact, self.placed, self.block.spec.field_name
        is_group = placed.member.group is not None
        if fact.is_counter is not None and fact.is_counter != is_group:
            theirs, ours = ("a group", "a plain field") if fact.is_counter else ("a plain field", "a group")
            yield self.difference("group or field", theirs=theirs, ours=ours)
        # The group may enclose the field at any depth: a page writes `in NoPartyIDs` for fields of nested
        # groups too.
        is_elsewhere = fact.enclosing_group is not None and fact.enclosing_group not in placed.path
        where = f"in {name_of(fact.enclosing_group or 0)}"
        # If a source lists a counter as a plain field, its paths omit that group. A separate finding reports
        # the counter.
        if fact.path is not None:
            is_elsewhere = fact.path != tuple(tag for tag in placed.path if tag not in self.block.plain_tags)
            where = f"in {'/'.join(map(name_of, fact.path)) or 'the body'}"
        if is_elsewhere:
            yield self.difference("elsewhere", where=where)

    def compare_requirement(self) -> Iterator[Finding]:
        """Compare where the field is required."""
        fact, member = self.fact, self.placed.member
        # `always`: required in its own block or group entry, as in a dictionary. `in_message`: the enclosing
        # groups are required too.
        always, in_message = map(
            self._at_every_place, (self.placed.is_required, self.placed.is_required_in_message)
        )
        is_page = self.block.evidence.is_pages
        conditional = any(place.within(each.scope) for each in member.required_when for place in self.allowed)
        spec_word = ""
        if fact.required == "Y" and not always:
            spec_word = "required under a condition" if conditional else "optional"
        # On a page, `optional` may describe the optional group that contains the field; in a dictionary, it
        # describes the field in an entry of the group.
        elif fact.required in ("N", "C", "O") and (in_message or (always and not is_page)):
            spec_word = "required"
        # `N` together with `required when …` is consistent with a condition.
        elif fact.required == "N" and conditional and not fact.conditional and is_page:
            spec_word = "required under a condition"
        if spec_word:
            presence = "`required`" if fact.required == "Y" else "`optional`, perhaps with `required_when`"
            word = REQUIREMENTS[fact.required] + sender_phrase(fact.sender)
            yield self.difference("requirement", word=word, in_spec=spec_word, presence=presence)

    def compare_conditional_requirement(self, when: tuple[str, str]) -> Iterator[Finding]:
        """Compare a row of a table whose heading has a condition, such as `Create (Action=1)`."""
        block, condition_text = self.block, "=".join(when)
        condition, required = block.condition(when), self.fact.required
        if condition is None:
            where = self.fact.location
            what = f"the condition `{condition_text}` in the heading names no field of {block.name}"
            yield block.evidence.report("source unread", self.fact, where, address=str(where), what=what)
            return
        name, value = condition
        # Required for this value, possibly among others. A condition that accepts any value does not match.
        conditions = self.placed.member.required_when
        matched = any(value in (dict(each.terms).get(name) or ()) for each in conditions)
        is_required = matched or self._at_every_place(self.placed.is_required)
        if (required == "Y" and not is_required) or (required == "N" and is_required):
            word = "required" if required == "Y" else "optional"
            yield self.difference(f"{word} when", when=condition_text, name=name, value=value)

    def _at_every_place(self, predicate: Callable[[Place], bool]) -> bool:
        """Return whether a predicate is true at every place. If a page covers both senders in one row, all
        places of one sender are enough.
        """
        by_sender = group_by(self.allowed, lambda place: place.sender)
        if self.fact.sender is None and len(by_sender) > 1 and self.block.evidence.is_pages:
            return any(all(map(predicate, places)) for places in by_sender.values())
        return all(map(predicate, self.allowed))

    def compare_settings(self) -> Iterator[Finding]:
        """Compare the default, session types, minimum and maximum, and maximum length."""
        fact, field = self.fact, self.placed.field
        spec_default = self.placed.member.default or ""
        # Pages omit defaults, so a missing one is not a difference.
        value = first_word(fact.default).upper()
        if fact.default and value != first_word(spec_default).upper():
            yield self.difference(
                "default", default=fact.default, in_spec=spec_default or "none", value=value
            )
        sessions = {place.session for place in self.allowed}
        if fact.sessions and set(fact.sessions) != sessions:
            listed = ", ".join(sorted(fact.sessions))
            yield self.difference("sessions", sessions=listed, in_spec=", ".join(sorted(sessions)))
        low, high = fact.limits or (None, None)
        is_different = (low is not None and low != field.minimum) or (
            high is not None and high != field.maximum
        )
        # If the spec has no range, a range in the text usually describes something else, such as a length.
        if is_different and (field.minimum, field.maximum) != (None, None):
            span = f"from {low} to {high}" if low is not None else f"at most {high}"
            yield self.difference("range", span=span, low=field.minimum if low is None else low, high=high)
        if fact.max_length is not None and fact.max_length != field.max_length:
            yield self.difference("length", maximum=fact.max_length, in_spec=field.max_length or "any number")

    def compare_ties(self) -> Iterator[Finding]:
        """Report fields that the text requires or forbids together with this one, if no condition in the spec
        refers to both.
        """
        # The wording varies too much to parse the kind of tie: any condition on both fields is accepted.
        for tag in map(self.block.spec.vocabulary.tag_of, self.fact.tied_fields):
            other = next((each for each in self.block.members if each.field.tag == tag), None)
            if other is not None and not self._is_tied(other):
                yield self.difference("tied", other=other.field.name)

    def _is_tied(self, other: PlacedMember) -> bool:
        """Return whether a condition or rule refers to both fields, or their group always contains both."""
        pair = {self.placed.field.name, other.field.name}
        for member in (self.placed.member, other.member):
            for condition in (*member.required_when, *member.forbidden_when, *member.only_when):
                if pair - {member.field.name} & dict(condition.terms).keys():
                    return True
        group = self.placed.enclosing_groups[-1].group if self.placed.enclosing_groups else None
        owner = group or self.block.message
        if group is not None and self.placed.path == other.path:
            # Both must be in every entry.
            always = {field.name for field in group.delimiters}
            for member in group.members:
                if "required" in (member.presence, *(rule.presence for rule in member.rules)):
                    always.add(member.field.name)
            if pair <= always:
                return True
        return owner is not None and any(pair <= set(rule.names) for rule in owner.one_of)


# New fields


def _header_member(block: Block, fact: MemberFact, placed: PlacedMember) -> Iterator[Finding]:
    """Report a header field that a message's table lists but the spec does not allow in that message."""
    senders = {None, *(place.sender for place in block.places)}
    scopes = [condition.scope for condition in placed.member.only_when]
    allowed = (
        block.key in dict(scope.messages).values() if scope.messages else scope.sender in senders
        for scope in scopes
    )
    # Without `only_when`, a header field is allowed in every message.
    if scopes and not any(allowed):
        yield block.report("member in the header", placed, fact)


def _new_header_members(evidence: Evidence) -> Iterator[Finding]:
    """Report new fields that tables of messages list as header fields."""
    spec = evidence.spec
    header_tags = {placed.field.tag for placed in spec.members("header")}
    new = (fact for fact in evidence.facts(MemberFact) if fact.in_header and fact.tag not in header_tags)
    for tag, rows in group_by(
        (fact for fact in new if fact.block in spec.messages), lambda row: row.tag
    ).items():
        name = spec.vocabulary.fields.get(tag, rows[0].name)
        names = list(dict.fromkeys(spec.messages[row.block].name for row in rows))
        messages = f"{', '.join(names)} {'has' if len(names) == 1 else 'have'}"
        edits = advice.header_member(evidence, rows[0], name, names)
        values = {"block": "header", "name": name, "tag": tag, "messages": messages}
        yield evidence.report("new member header", rows, edits[-1].location, edits=edits, **values)


def _new_member(block: Block, fact: MemberFact) -> Finding:
    """Return a finding for a field that the spec does not have in this block."""
    names = block.spec.vocabulary.fields
    details = ", ".join(part for part in (fact.type, REQUIREMENTS.get(fact.required, "")) if part)
    where = ""
    if fact.path or fact.enclosing_group is not None:
        # A dictionary states the whole path, a page the nearest counter.
        where = " in " + "/".join(map(block.spec.field_name, fact.path or (fact.enclosing_group or 0,)))
    edits = advice.member(block, fact)
    return block.evidence.report(
        "new member row",
        fact,
        edits[-1].location,
        edits=edits,
        block=block.name,
        name=names.get(fact.tag, fact.name),
        tag=fact.tag if fact.tag in names else f"new field {fact.tag}",
        details=f" ({details})" if details else "",
        where=where,
        side=sender_phrase(fact.sender),
        word="present as required" if fact.required == "Y" else "present",
    )


# Fields without a row


def _absent_members(block: Block) -> Iterator[Finding]:
    """Report fields missing from the tables of each sender, and conditions that no table covers.

    Pages are expected to list the fields that the spec attributes to them; a dictionary must list all fields.
    """
    # None means tables that cover both senders. A block without rows counts as covering both.
    covered = {fact.sender for fact in block.rows} or {None}
    sides: list[str | None] = [None]
    if covered != {None}:
        sides = [sender for sender in SENDERS if any(place.sender == sender for place in block.places)]
    for sender in sides:
        if covered & {sender, None}:
            yield from _missing_members(block, sender)
        else:
            # This sender may send the message too, but has no table of its fields.
            at, values = _location(block), {"block": block.name, "sender": sender}
            yield block.evidence.report("fields of a message one side", block.rows[:1], at, **values)
    yield from _conditions(block)


def _location(block: Block) -> Location:
    """Return the location of a message, or of the first field of the header or trailer."""
    if block.message is not None:
        return block.spec.location("messages", block.message.name)
    return block.members[0].member.location


def _missing_members(block: Block, sender: str | None) -> Iterator[Finding]:
    """Report members without a row; a group that is missing completely is reported once."""
    rows = (fact for fact in block.rows if sender is None or fact.sender in (None, sender))
    tags_with_row = {placed.field.tag for fact in rows if (placed := block.member_of(fact)) is not None}
    if block.message is None:
        # If only one message has a header field, pages list the field in the table of this message.
        tags_with_row |= {fact.tag for fact in block.evidence.facts(MemberFact)}
    places = [place for place in block.places if sender in (None, place.sender)]
    reported: set[int] = set()
    for placed in block.members:
        field = placed.field
        # Pages do not list the length of a data field; a dictionary does.
        is_unlisted = placed.implied and block.evidence.is_pages
        is_removed = placed.member.pedigree.is_removed or field.pedigree.is_removed
        # Removed fields need no row, nor do fields of a group that is already reported.
        if field.tag in tags_with_row or is_unlisted or is_removed or reported & set(placed.path):
            continue
        if not placed.allowed_places(places) or not block.evidence.expects(placed.member.source):
            continue
        inner = {each.field.tag for each in block.members if field.tag in each.path}
        is_whole_group = placed.member.group is not None and not inner & tags_with_row
        reported |= {field.tag} if is_whole_group else set()
        values = {
            "the": "the group " if is_whole_group else "",
            "by": sender_phrase(sender),
            "group": f"{block.key} absent {sender}",
        }
        yield block.report("missing member absent", placed, block.heading(), **values)


def _conditions(block: Block) -> Iterator[Finding]:
    """Report fields that the spec requires under a condition, but the table for that condition omits."""
    stated = {(fact.tag, block.condition(fact.when)) for fact in block.rows if fact.when is not None}
    # Fields for whose values the block has separate tables. Conditions on other fields are skipped.
    tabulated = {condition[0] for _, condition in stated if condition is not None}
    for placed in block.members:
        if not block.evidence.expects(placed.member.source):
            continue
        terms = (term for condition in placed.member.required_when for term in condition.terms)
        for term, value in ((term, value) for term, values in terms for value in values or ()):
            if term in tabulated and (placed.field.tag, (term, value)) not in stated:
                values = {"term": term, "value": value}
                yield block.report("missing member condition", placed, block.heading(), **values)


def _messages_without_tables(evidence: Evidence, keys_with_rows: set[str]) -> Iterator[Finding]:
    """Report messages with a heading but no table, although the spec has fields from these pages."""
    listed = {fact.tag for fact in evidence.facts(MemberFact)}
    headings = evidence.facts_by(MessageFact, lambda each: each.msg_type)
    # On many pages, the header and the trailer have no heading.
    for key in (*(key for key in headings if key in evidence.spec.messages), "header", "trailer"):
        if key in keys_with_rows:
            continue
        block = Block(evidence, key, ())
        expected = [
            placed
            for placed in block.members
            if evidence.expects(placed.member.source)
            and placed.allowed_places(block.places)
            and not (block.message is None and placed.field.tag in listed)
        ]
        if not expected:
            continue
        first, facts = expected[0].member, headings.get(key, ())
        at = first.location if block.message is None else _location(block)
        values = {"expected_in": first.source, "block": block.name, "count": len(expected)}
        yield evidence.report("fields of a message no table", facts, at, **values)


# Components that no message uses


def _component(evidence: Evidence, facts: Sequence[MemberFact]) -> Iterator[Finding]:
    """Compare the fields of a component's groups: their depth, and whether they are required.

    A component that no message uses has no effect yet, but its changes may announce changes to messages.
    """
    name = facts[0].block.removeprefix(COMPONENT)
    groups_by_name = {group.name: group for group in evidence.spec.dialect.groups}
    if name not in groups_by_name.keys() | evidence.spec.merged_spec.sections["components"].keys():
        yield _component_finding(evidence, "unknown", facts[0], "")
    # Tag of each group's counter, which the model stores only in the members that use the group.
    members = (placed for key in evidence.spec.messages for placed in evidence.spec.members(key))
    counters = {each.member.group.name: each.field.tag for each in members if each.member.group is not None}
    # Fields outside groups are not compared: the spec has them only as members of messages.
    for counter in (each for each in facts if each.path == () and each.is_counter):
        matching = [group for key, group in groups_by_name.items() if counters.get(key) == counter.tag]
        # The group with the component's name is used, else the first one with that counter, because QuickFIX
        # names some components differently.
        candidates = [group for group in matching if group.name == name] or matching
        if not candidates:
            yield _component_finding(evidence, "unknown group", counter, counter.name)
            continue
        # Each message defines whether the group is required, so the component must not.
        if counter.required == "Y":
            yield _component_finding(evidence, "requires", counter, counter.name)
        yield from _entries(evidence, counter, candidates[0], facts, (counter.tag,))


def _entries(
    evidence: Evidence,
    counter: MemberFact,
    group: model.Group,
    facts: Sequence[MemberFact],
    path: tuple[int, ...],
) -> Iterator[Finding]:
    rows = {each.tag: each for each in facts if each.path == path}
    members = {member.field.tag: member for member in group.members}
    for tag, row in rows.items():
        member = members.get(tag)
        if member is None:
            yield _component_finding(evidence, "new field", row, row.name, tag=tag, group_name=group.name)
            continue
        if (row.required == "Y") != (member.presence == "required"):
            word = "required" if row.required == "Y" else "optional"
            yield _component_finding(evidence, "requirement", row, row.name, word=word, group_name=group.name)
        if member.group is not None:
            yield from _entries(evidence, row, member.group, facts, (*path, tag))
    for tag, member in members.items():
        if tag not in rows:
            yield _component_finding(evidence, "no field", counter, member.field.name, group_name=group.name)


def _component_finding(evidence: Evidence, kind: str, fact: MemberFact, name: str, **values: Any) -> Finding:
    address = f"{fact.block}.{name}" if name else fact.block
    values = {"block": fact.block, "address": address, "name": name, **values}
    return evidence.report(f"component {kind}", fact, evidence.spec.end_of_file("components.yaml"), **values)
