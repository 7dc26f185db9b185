"""Compares what one row says of a field with what the spec says of it there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from codegen.diff.comparisons.block import REQUIREMENTS, Block, side
from codegen.diff.facts import MemberSaid
from codegen.diff.findings import UNREAD, Finding
from codegen.diff.spec_index import PlacedMember
from codegen.presence import Place


def compare(block: Block, said: MemberSaid, placed: PlacedMember) -> Iterator[Finding]:
    """Every difference between one row and the member that it is about."""
    mine = [place for place in block.places if said.sender in (None, place.sender)]
    allowed = placed.allowed(mine)
    # Nothing else that the row says can be compared with a member that is not there.
    if not allowed:
        products = " and ".join(block.evidence.products)
        write = f"allow it{side(said)}{f' on {products}' if products else ''}"
        text = f"is there{side(said)}, where the spec forbids it"
        yield block.differs(said, placed, "present" + side(said), text, write)
        return
    yield from _place(block, said, placed)
    yield from _requirement(block, said, placed, allowed)
    own = placed.member.default or ""
    # Pages leave defaults out, so that silence says nothing.
    if said.default and _first_word(said.default) != _first_word(own):
        text = f"has the default {said.default}, in the spec {own or 'none'}"
        write = f"`default: {_first_word(said.default).upper()}`"
        yield block.differs(said, placed, f"default {said.default}", text, write)
    sessions = {place.session for place in allowed}
    if said.sessions and set(said.sessions) != sessions:
        listed = ", ".join(sorted(said.sessions))
        text = f"is for {listed} only, in the spec for {', '.join(sorted(sessions))}"
        yield block.differs(said, placed, f"only on {listed}", text, f"`only: {{sessions: [{listed}]}}`")
    yield from _limits(block, said, placed)
    yield from _ties(block, said, placed)


def _place(block: Block, said: MemberSaid, placed: PlacedMember) -> Iterator[Finding]:
    """Whether it stands in the group that the spec has it in."""
    grouped = placed.member.group is not None
    if said.counts is not None and said.counts != grouped:
        theirs, ours = ("a group", "a plain field") if said.counts else ("a plain field", "a group")
        yield block.differs(
            said, placed, theirs, f"is {theirs} there, {ours} in the spec", f"make it {theirs}"
        )
    # At whatever depth: a page says `in NoPartyIDs` of the fields of groups inside it, too.
    if said.inside is not None and said.inside not in placed.path:
        group = block.spec.field_name(said.inside)
        yield block.differs(
            said, placed, f"in {group}", f"stands in {group}, in the spec elsewhere", "move it there"
        )
    # Where a source has a counter as a plain field, which is a difference of its own, its group is not there.
    flat = {each.tag for each in block.rows if each.counts is False}
    if said.path is not None and said.path != tuple(tag for tag in placed.path if tag not in flat):
        counters = "/".join(map(block.spec.field_name, said.path))
        where = f"in {counters}" if counters else "in the body"
        yield block.differs(said, placed, where, f"stands {where}, in the spec elsewhere", "move it there")


def _requirement(
    block: Block, said: MemberSaid, placed: PlacedMember, allowed: list[Place]
) -> Iterator[Finding]:
    if said.when is not None:
        yield from _under_condition(block, said, said.when, placed, allowed)
        return
    # `always`: in its own block or group entry, which is what a dictionary says; `in_message`: the groups
    # around it are required, too.
    always = _everywhere(block, said, allowed, placed.required)
    in_message = _everywhere(block, said, allowed, placed.required_in_message)
    conditional = any(
        place.within(condition.scope) for condition in placed.member.required_when for place in allowed
    )
    if said.required == "Y" and not always:
        own = "required under a condition" if conditional else "optional"
        yield _requires_else(block, said, placed, own)
    # A page that calls a field of an optional group optional may mean the group. A dictionary says it
    # of the entry.
    elif said.required in ("N", "C", "O") and (in_message or (always and not block.evidence.is_pages)):
        yield _requires_else(block, said, placed, "required")
    # `N` with `required when …` beside it agrees with a condition.
    elif said.required == "N" and conditional and not said.conditional and block.evidence.is_pages:
        yield _requires_else(block, said, placed, "required under a condition")


def _requires_else(block: Block, said: MemberSaid, placed: PlacedMember, own: str) -> Finding:
    word = REQUIREMENTS[said.required]
    write = "`required`" if said.required == "Y" else "`optional`, perhaps with `required_when`"
    return block.differs(said, placed, word + side(said), f"is {word}{side(said)}, in the spec {own}", write)


def _under_condition(
    block: Block, said: MemberSaid, when: tuple[str, str], placed: PlacedMember, allowed: list[Place]
) -> Iterator[Finding]:
    """A row of a table whose heading gives a condition, such as `Create (Action=1)`."""
    condition, written = block.condition(when), "=".join(when)
    if condition is None:
        text = f"could not read: `{written}` in the heading is about no field of {block.name}"
        yield block.evidence.finding(UNREAD, "source", str(said.location), "unread", text, [said.location])
        return
    name, value = condition
    # Required for this value among others. A condition that asks for any value is none of this heading's.
    matched = any(value in (dict(each.terms).get(name) or ()) for each in placed.member.required_when)
    always = _everywhere(block, said, allowed, placed.required)
    term = f"`required_when: {{{name}: …}}`"
    if said.required == "Y" and not (always or matched):
        text = f"is required when {written}, in the spec it is not"
        yield block.differs(said, placed, f"required when {written}", text, f"{term} with {value}")
    elif said.required == "N" and (always or matched):
        text = f"is optional when {written}, in the spec it is required"
        yield block.differs(said, placed, f"optional when {written}", text, f"{term} without {value}")


def _everywhere(block: Block, said: MemberSaid, allowed: list[Place], holds: Callable[[Place], bool]) -> bool:
    """Whether something holds at every place; of either side, where a page speaks of both at once."""
    senders = {place.sender for place in allowed}
    if said.sender is None and len(senders) > 1 and block.evidence.is_pages:
        return any(all(holds(place) for place in allowed if place.sender == sender) for sender in senders)
    return all(holds(place) for place in allowed)


def _limits(block: Block, said: MemberSaid, placed: PlacedMember) -> Iterator[Finding]:
    """Least and greatest value, where the spec has any, and the most characters."""
    field = placed.field
    low, high = said.limits or (None, None)
    differ = (low is not None and low != field.minimum) or (high is not None and high != field.maximum)
    # Where the spec has no range, one in a text is most often of something else, such as a length.
    if differ and (field.minimum, field.maximum) != (None, None):
        span = f"from {low} to {high}" if low is not None else f"at most {high}"
        text = f"is {span}, in the spec from {field.minimum} to {field.maximum}"
        write = f"`minimum: {field.minimum if low is None else low}` and `maximum: {high}` of the field"
        yield block.differs(said, placed, span, text, write)
    if said.longest is not None and said.longest != field.max_length:
        text = f"has at most {said.longest} characters, in the spec {field.max_length or 'any number'}"
        write = f"`max_length: {said.longest}` of the field"
        yield block.differs(said, placed, f"at most {said.longest} characters", text, write)


def _ties(block: Block, said: MemberSaid, placed: PlacedMember) -> Iterator[Finding]:
    """Fields that the text requires or forbids with this one, where no condition of the spec has both."""
    # What the tie is, words say in too many ways: any condition that has both fields settles it.
    for name in said.ties:
        tag = block.spec.vocabulary.tag_of(name)
        other = next((each for each in block.members if each.field.tag == tag), None)
        if other is None or _tied(block, placed, other):
            continue
        field = other.field.name
        text = f"is tied to {field} there, and no condition of the spec has both"
        write = f"`required_when` or `forbidden_when: {{{field}: …}}`"
        yield block.differs(said, placed, f"tied to {field}", text, write)


def _tied(block: Block, one: PlacedMember, other: PlacedMember) -> bool:
    """Whether a condition or rule has both fields, or their group has neither without the other."""
    first, second = one.field.name, other.field.name
    for placed, name in ((one, second), (other, first)):
        conditions = (*placed.member.required_when, *placed.member.forbidden_when, *placed.member.only_when)
        if any(name in dict(condition.terms) for condition in conditions):
            return True
    group = one.holders[-1].group if one.holders else None
    if group is not None and one.path == other.path:
        opening = {field.name for field in group.delimiters}
        wanted = {
            member.field.name
            for member in group.members
            if "required" in (member.presence, *(rule.presence for rule in member.rules))
        }
        # Both have to be in every entry.
        if {first, second} <= wanted | opening:
            return True
    rules = group.one_of if group is not None else block.message.one_of if block.message is not None else ()
    return any({first, second} <= set(rule.names) for rule in rules)


def _first_word(default: str) -> str:
    """What two ways to write a default must share: N, in `N (Y on KalshiPT)` and `N; Y on KalshiPT`."""
    return re.split(r"[ ;,(]", default)[0].lower()
