"""Compares the fields of each message, of the header and of the trailer.

A row about a field that the spec has in the block is compared with it, statement by statement; `groups` looks
at where the rows stand. What no row is about is missing, and a row about another field is new. Last come the
components of a dictionary that none of its messages uses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from codegen import model
from codegen.diff.comparisons import advice, groups
from codegen.diff.comparisons.blocks import REQUIREMENTS, Block, side
from codegen.diff.facts import MemberSaid, MessageSaid
from codegen.diff.findings import Evidence, Finding, grouped
from codegen.diff.spec_index import PlacedMember
from codegen.presence import SENDERS, Place
from kalshi_fix_adapters.documents.mistakes import Location

COMPONENT = "component "
"""What stands before a component's name in the block of its members."""


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Every difference in the fields of the blocks that the evidence lays out."""
    rows = evidence.by(MemberSaid, lambda each: each.block)
    yield from _new_in_header(evidence)
    for key, said in rows.items():
        if key.startswith(COMPONENT):
            yield from _component(evidence, said)
        elif key in evidence.spec.messages or key in ("header", "trailer"):
            yield from _block(Block(evidence, key, said))
    # Pages may name a message without a table of its fields. In a dictionary such a message has no
    # fields.
    if evidence.is_pages:
        yield from _without_tables(evidence, set(rows))
        return
    for key in sorted({said.msg_type for said in evidence.facts(MessageSaid)} - rows.keys()):
        if key in evidence.spec.messages:
            yield from _block(Block(evidence, key, ()))


def _block(block: Block) -> Iterator[Finding]:
    for said in block.rows:
        placed, in_header = block.member_of(said), block.header_member(said)
        if placed is not None:
            allowed = placed.allowed(place for place in block.places if said.sender in (None, place.sender))
            yield from _Row(block, said, placed, allowed).findings()
        elif in_header is not None:
            yield from _in_header(block, said, in_header)
        # A row that says it is of the header is told once for all messages, by `_new_in_header`.
        elif not (said.of_header and block.message is not None):
            yield _new(block, said)
    yield from groups.compare(block)
    yield from _absent(block)


@attrs.frozen
class _Row:
    """A row of a table, and the member that it is about."""

    block: Block
    said: MemberSaid
    placed: PlacedMember
    allowed: list[Place]
    """Where the member may stand, of the places that the row is about."""

    def differs(self, name: str, /, **values: Any) -> Finding:
        return self.block.report(f"member {name}", self.placed, self.said, **values)

    def findings(self) -> Iterator[Finding]:
        """Every difference between the row and the member."""
        # Nothing else that the row says can be compared with a member that is not there.
        if not self.allowed:
            products = " and ".join(self.block.evidence.products)
            yield self.differs("forbidden", side=side(self.said), on=f" on {products}" if products else "")
            return
        yield from self.place()
        yield from self.requirement() if self.said.when is None else self.under_condition(self.said.when)
        yield from self.settings()
        yield from self.ties()

    def place(self) -> Iterator[Finding]:
        """Whether it stands in the group that the spec has it in."""
        said, placed, name_of = self.said, self.placed, self.block.spec.field_name
        grouped = placed.member.group is not None
        if said.counts is not None and said.counts != grouped:
            theirs, ours = ("a group", "a plain field") if said.counts else ("a plain field", "a group")
            yield self.differs("group or field", theirs=theirs, ours=ours)
        # At whatever depth: a page says `in NoPartyIDs` of the fields of groups inside it, too.
        elsewhere = said.inside is not None and said.inside not in placed.path
        where = f"in {name_of(said.inside or 0)}"
        # Where a source has a counter as a plain field, which is a difference of its own, its group is not
        # there.
        flat = {each.tag for each in self.block.rows if each.counts is False}
        if said.path is not None:
            elsewhere = said.path != tuple(tag for tag in placed.path if tag not in flat)
            where = f"in {'/'.join(map(name_of, said.path)) or 'the body'}"
        if elsewhere:
            yield self.differs("elsewhere", where=where)

    def requirement(self) -> Iterator[Finding]:
        """Whether it is required in the same places."""
        said, member = self.said, self.placed.member
        # `always`: in its own block or group entry, which is what a dictionary says; `in_message`: the groups
        # around it are required, too.
        always, in_message = map(self._everywhere, (self.placed.required, self.placed.required_in_message))
        is_page = self.block.evidence.is_pages
        conditional = any(place.within(each.scope) for each in member.required_when for place in self.allowed)
        own = ""
        if said.required == "Y" and not always:
            own = "required under a condition" if conditional else "optional"
        # A page that calls a field of an optional group optional may mean the group. A dictionary says it
        # of the entry.
        elif said.required in ("N", "C", "O") and (in_message or (always and not is_page)):
            own = "required"
        # `N` with `required when …` beside it agrees with a condition.
        elif said.required == "N" and conditional and not said.conditional and is_page:
            own = "required under a condition"
        if own:
            presence = "`required`" if said.required == "Y" else "`optional`, perhaps with `required_when`"
            word = REQUIREMENTS[said.required] + side(said)
            yield self.differs("requirement", word=word, own=own, presence=presence)

    def under_condition(self, when: tuple[str, str]) -> Iterator[Finding]:
        """A row of a table whose heading gives a condition, such as `Create (Action=1)`."""
        block, written = self.block, "=".join(when)
        condition, required = block.condition(when), self.said.required
        if condition is None:
            what, where = f"`{written}` in the heading is about no field of {block.name}", self.said.location
            yield block.evidence.report("source unread", self.said, where, address=str(where), what=what)
            return
        name, value = condition
        # Required for this value among others. A condition that asks for any value is none of this heading's.
        conditions = self.placed.member.required_when
        matched = any(value in (dict(each.terms).get(name) or ()) for each in conditions)
        holds = matched or self._everywhere(self.placed.required)
        if (required == "Y" and not holds) or (required == "N" and holds):
            word = "required" if required == "Y" else "optional"
            yield self.differs(f"{word} when", when=written, name=name, value=value)

    def _everywhere(self, holds: Callable[[Place], bool]) -> bool:
        """Whether something holds at every place; of either side, where a page speaks of both at once."""
        senders = {place.sender for place in self.allowed}
        if self.said.sender is None and len(senders) > 1 and self.block.evidence.is_pages:
            return any(
                all(holds(place) for place in self.allowed if place.sender == each) for each in senders
            )
        return all(map(holds, self.allowed))

    def settings(self) -> Iterator[Finding]:
        """The default, the only session types, least and greatest value, and the most characters."""
        said, field = self.said, self.placed.field
        own = self.placed.member.default or ""
        # Pages leave defaults out, so that silence says nothing.
        if said.default and _first_word(said.default) != _first_word(own):
            value = _first_word(said.default).upper()
            yield self.differs("default", default=said.default, own=own or "none", value=value)
        sessions = {place.session for place in self.allowed}
        if said.sessions and set(said.sessions) != sessions:
            listed = ", ".join(sorted(said.sessions))
            yield self.differs("sessions", sessions=listed, own=", ".join(sorted(sessions)))
        low, high = said.limits or (None, None)
        differ = (low is not None and low != field.minimum) or (high is not None and high != field.maximum)
        # Where the spec has no range, one in a text is most often of something else, such as a length.
        if differ and (field.minimum, field.maximum) != (None, None):
            span = f"from {low} to {high}" if low is not None else f"at most {high}"
            yield self.differs("range", span=span, low=field.minimum if low is None else low, high=high)
        if said.longest is not None and said.longest != field.max_length:
            yield self.differs("length", most=said.longest, own=field.max_length or "any number")

    def ties(self) -> Iterator[Finding]:
        """Fields that the text requires or forbids with this one, where no condition of the spec has both."""
        # What the tie is, words say in too many ways: any condition that has both fields settles it.
        for tag in map(self.block.spec.vocabulary.tag_of, self.said.ties):
            other = next((each for each in self.block.members if each.field.tag == tag), None)
            if other is not None and not self._is_tied(other):
                yield self.differs("tied", other=other.field.name)

    def _is_tied(self, other: PlacedMember) -> bool:
        """Whether a condition or rule has both fields, or their group has neither without the other."""
        pair = {self.placed.field.name, other.field.name}
        for member in (self.placed.member, other.member):
            for condition in (*member.required_when, *member.forbidden_when, *member.only_when):
                if pair - {member.field.name} & dict(condition.terms).keys():
                    return True
        group = self.placed.holders[-1].group if self.placed.holders else None
        owner = group or self.block.message
        if group is not None and self.placed.path == other.path:
            # Both have to be in every entry.
            always = {field.name for field in group.delimiters}
            always |= {
                member.field.name
                for member in group.members
                if "required" in (member.presence, *(rule.presence for rule in member.rules))
            }
            if pair <= always:
                return True
        return owner is not None and any(pair <= set(rule.names) for rule in owner.one_of)


def _first_word(default: str) -> str:
    """What two ways to write a default must share: N, in `N (Y on KalshiPT)` and `N; Y on KalshiPT`."""
    return re.split(r"[ ;,(]", default)[0].lower()


# New fields


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
    yield block.report("member in the header", placed, said)


def _new_in_header(evidence: Evidence) -> Iterator[Finding]:
    """New fields of the header, which tables of messages list and describe as such."""
    spec = evidence.spec
    known = {placed.field.tag for placed in spec.members("header")}
    new = (said for said in evidence.facts(MemberSaid) if said.of_header and said.tag not in known)
    for tag, rows in grouped((said for said in new if said.block in spec.messages), lambda e: e.tag).items():
        name = spec.vocabulary.fields.get(tag, rows[0].name)
        names = list(dict.fromkeys(spec.messages[row.block].name for row in rows))
        messages = f"{', '.join(names)} {'has' if len(names) == 1 else 'have'}"
        edits = advice.of_header(evidence, rows[0], name, names)
        values = {"block": "header", "name": name, "tag": tag, "messages": messages}
        yield evidence.report("new member header", rows, edits[-1].location, edits=edits, **values)


def _new(block: Block, said: MemberSaid) -> Finding:
    """A field that the spec does not have in this block."""
    names = block.spec.vocabulary.fields
    details = ", ".join(part for part in (said.type, REQUIREMENTS.get(said.required, "")) if part)
    where = ""
    if said.path or said.inside is not None:
        # A dictionary gives the whole path, a page the nearest counter.
        where = " in " + "/".join(map(block.spec.field_name, said.path or (said.inside or 0,)))
    edits = advice.member(block, said)
    return block.evidence.report(
        "new member row",
        said,
        edits[-1].location,
        edits=edits,
        block=block.name,
        name=names.get(said.tag, said.name),
        tag=said.tag if said.tag in names else f"new field {said.tag}",
        details=f" ({details})" if details else "",
        where=where,
        side=side(said),
        word="present as required" if said.required == "Y" else "present",
    )


# Fields without a row


def _absent(block: Block) -> Iterator[Finding]:
    """Fields that are missing, for each side that has tables of its own, and conditions that no table covers.

    Pages are expected to name a field only where the spec has it from them, a dictionary names all fields.
    """
    # None stands for tables that are about both sides. A block without rows counts as laid out for
    # both.
    speaking = {said.sender for said in block.rows} or {None}
    sides: list[str | None] = [None]
    if speaking != {None}:
        sides = [sender for sender in SENDERS if any(place.sender == sender for place in block.places)]
    for sender in sides:
        if speaking & {sender, None}:
            yield from _missing(block, sender)
        else:
            # This side may send the message too, and has no table of its fields.
            at, values = _location(block), {"block": block.name, "sender": sender}
            yield block.evidence.report("fields of a message one side", block.rows[:1], at, **values)
    yield from _conditions(block)


def _location(block: Block) -> Location:
    """Where the spec has a message, or the first field of the header or trailer."""
    if block.message is not None:
        return block.spec.message_location(block.message)
    return block.members[0].member.location


def _missing(block: Block, sender: str | None) -> Iterator[Finding]:
    """What no row names; a group that is missing whole is told once."""
    seen = block.seen(said for said in block.rows if sender is None or said.sender in (None, sender))
    if block.message is None:
        # Pages lay out in the table of a message what the header has for that message alone.
        seen |= {said.tag for said in block.evidence.facts(MemberSaid)}
    by = f" from the {sender}" if sender else ""
    places = [place for place in block.places if sender in (None, place.sender)]
    told: set[int] = set()
    for placed in block.members:
        field = placed.field
        # Pages do not list the length of a data field; a dictionary does.
        passed_over = placed.implied and block.evidence.is_pages
        over = placed.member.pedigree.is_over or field.pedigree.is_over
        # What is gone from the venue need not be there, nor what stands in a group that is told
        # already.
        if field.tag in seen or passed_over or over or told & set(placed.path):
            continue
        if not placed.allowed(places) or not block.evidence.expects(placed.member.source):
            continue
        inner = {each.field.tag for each in block.members if field.tag in each.path}
        whole = placed.member.group is not None and not inner & seen
        told |= {field.tag} if whole else set()
        values = {"the": "the group " if whole else "", "by": by, "group": f"{block.key} absent {sender}"}
        yield block.report("missing member absent", placed, block.heading(), **values)


def _conditions(block: Block) -> Iterator[Finding]:
    """Fields that the spec requires under a condition, where tables are laid out by it without them."""
    stated = {(said.tag, block.condition(said.when)) for said in block.rows if said.when is not None}
    # The fields by whose value the tables of this block are divided. Conditions on others have no
    # table.
    by = {condition[0] for _, condition in stated if condition is not None}
    for placed in block.members:
        if not block.evidence.expects(placed.member.source):
            continue
        terms = (term for condition in placed.member.required_when for term in condition.terms)
        for term, value in ((term, value) for term, values in terms for value in values or ()):
            if term in by and (placed.field.tag, (term, value)) not in stated:
                values = {"term": term, "value": value}
                yield block.report("missing member condition", placed, block.heading(), **values)


def _without_tables(evidence: Evidence, laid_out: set[str]) -> Iterator[Finding]:
    """Messages that have a heading and no table of fields, though the spec has fields from these pages."""
    listed = {said.tag for said in evidence.facts(MemberSaid)}
    headings = evidence.by(MessageSaid, lambda each: each.msg_type)
    # Header and trailer have no heading of their own on many pages.
    for key in (*(key for key in headings if key in evidence.spec.messages), "header", "trailer"):
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
        first = expected[0].member
        yield evidence.report(
            "fields of a message no table",
            headings.get(key, ()),
            first.location if block.message is None else _location(block),
            expected_in=first.source,
            block=block.name,
            count=len(expected),
        )


# Components that no message uses


def _component(evidence: Evidence, said: Sequence[MemberSaid]) -> Iterator[Finding]:
    """Which fields the groups of a component have, at what depth, and which of them are required.

    A component changes nothing until a message uses it; but a venue that revises one means it.
    """
    name = said[0].block.removeprefix(COMPONENT)
    known = {group.name: group for group in evidence.spec.dialect.groups}
    if name not in known.keys() | evidence.spec.source.sections["components"].keys():
        yield _of_component(evidence, "unknown", said[0], "")
    # The tag of a group's counter, which the model keeps where the group is used.
    used = (placed for key in evidence.spec.messages for placed in evidence.spec.members(key))
    counters = {each.member.group.name: each.field.tag for each in used if each.member.group is not None}
    # The fields outside of groups are compared nowhere: the spec has no members of a component apart
    # from messages.
    for counter in (each for each in said if each.path == () and each.counts):
        fitting = [group for key, group in known.items() if counters.get(key) == counter.tag]
        # By name, else any group with that counter: QuickFIX has names of its own for components.
        same = [group for group in fitting if group.name == name] or fitting
        if not same:
            yield _of_component(evidence, "unknown group", counter, counter.name)
            continue
        # Whether a group must be there is each message's to say.
        if counter.required == "Y":
            yield _of_component(evidence, "requires", counter, counter.name)
        yield from _entries(evidence, counter, same[0], said, (counter.tag,))


def _entries(
    evidence: Evidence,
    counter: MemberSaid,
    group: model.Group,
    said: Sequence[MemberSaid],
    path: tuple[int, ...],
) -> Iterator[Finding]:
    rows = {each.tag: each for each in said if each.path == path}
    members = {member.field.tag: member for member in group.members}
    for tag, row in rows.items():
        member = members.get(tag)
        if member is None:
            yield _of_component(evidence, "new field", row, row.name, tag=tag, group_name=group.name)
            continue
        if (row.required == "Y") != (member.presence == "required"):
            word = "required" if row.required == "Y" else "optional"
            yield _of_component(evidence, "requirement", row, row.name, word=word, group_name=group.name)
        if member.group is not None:
            yield from _entries(evidence, row, member.group, said, (*path, tag))
    for tag, member in members.items():
        if tag not in rows:
            yield _of_component(evidence, "no field", counter, member.field.name, group_name=group.name)


def _of_component(evidence: Evidence, what: str, said: MemberSaid, name: str, **values: Any) -> Finding:
    address = f"{said.block}.{name}" if name else said.block
    values = {"block": said.block, "address": address, "name": name, **values}
    return evidence.report(f"component {what}", said, evidence.spec.file("components.yaml"), **values)
