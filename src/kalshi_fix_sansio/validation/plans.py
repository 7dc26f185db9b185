"""What a layout demands in one place, worked out, and asked rule by rule: this names every problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.layout import (
    BlockLayout,
    Condition,
    FieldLayout,
    FieldMember,
    GroupMember,
    Limit,
    Member,
    OneOf,
    Place,
    Presence,
)
from kalshi_fix_sansio.limits import LimitCheck, limit_check, where_words
from kalshi_fix_sansio.problems import Problem, Reason
from kalshi_fix_sansio.scalars import FORMATTERS


@attrs.frozen(eq=False)
class Term:
    """Part of a condition: what one member must be like for it to hold."""

    attribute: str
    member: Member
    formatter: Callable[[Any], str] | None
    """None for a group."""
    values: tuple[str, ...] | None
    """The wire values that satisfy it, as in `layout.Terms`."""

    def holds(self, value: Any) -> bool:
        """Say whether the value of the member satisfies it."""
        if _is_absent(value):
            return self.values is None or "" in self.values
        if not self.values or self.formatter is None:
            return self.values is not None
        return self.formatter(value) in self.values


@attrs.frozen(eq=False)
class Test:
    """One condition, ready to be asked."""

    terms: tuple[Term, ...]
    words: str
    """The condition, for people."""

    def holds(self, block: Any) -> bool:
        """Say whether the block is as the condition wants it."""
        return all(term.holds(getattr(block, term.attribute)) for term in self.terms)


@attrs.frozen(eq=False)
class Conditional:
    """A member that is required or forbidden when any of these holds, or unless any of them does."""

    member: Member
    required_when: tuple[Test, ...]
    forbidden_when: tuple[Test, ...]
    only_when: tuple[Test, ...] = ()


@attrs.frozen(eq=False)
class Limited:
    """A field whose value has limits beyond its lexical form."""

    field: FieldLayout
    formatter: Callable[[Any], str]
    limit: LimitCheck | None
    """What holds whatever stands beside it; None if nothing does."""
    rules: tuple[Limit, ...] = ()
    """What `limit` has of the place."""
    choices: tuple[tuple[Test, LimitCheck | None], ...] = ()
    """What holds in place of `limit` when the test does; of several the last."""

    def check_in(self, block: Any) -> LimitCheck | None:
        """Return what holds for the field as the block is."""
        for test, check in reversed(self.choices):
            if test.holds(block):
                return check
        return self.limit


@attrs.frozen(eq=False)
class Group:
    """A group that may stand here, with what its entries must satisfy."""

    member: GroupMember
    required: bool
    entry: Plan


@attrs.frozen(eq=False)
class Choice:
    """Members of which one is to be there."""

    members: tuple[Member, ...]
    attributes: tuple[str, ...]
    rule: OneOf

    @property
    def words(self) -> str:
        """The members, for people."""
        return ", ".join(_label(member) for member in self.members)


@attrs.frozen(eq=False)
class Plan:
    """What has to be asked of a block, and nothing else."""

    required: tuple[tuple[str, FieldMember], ...]
    """With the attribute in front, as in all that follow: looking that up costs more than the check."""
    forbidden: tuple[tuple[str, Member], ...]
    limited: tuple[tuple[str, Limited], ...]
    conditional: tuple[tuple[str, Conditional], ...]
    groups: tuple[tuple[str, Group], ...]
    choices: tuple[Choice, ...]

    def problems(self, block: Any, where: str) -> list[Problem]:
        """Return what is wrong, layout rules first; `where` says which entry it is, for people."""
        problems = [
            _missing(member, f"is required{where}")
            for attribute, member in self.required
            if getattr(block, attribute) is None
        ]
        problems += [
            _unwanted(member, f"must not be sent here{where}")
            for attribute, member in self.forbidden
            if not _is_absent(getattr(block, attribute))
        ]
        for attribute, limited in self.limited:
            value = getattr(block, attribute)
            if value is not None:
                _check_limit(problems, limited, limited.check_in(block), value, where)
        for attribute, conditional in self.conditional:
            _check_conditions(problems, conditional, block, getattr(block, attribute), where)
        for choice in self.choices:
            _check_choice(problems, choice, block, where)
        for attribute, group in self.groups:
            _check_group(problems, group, getattr(block, attribute), where)
        return problems


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, list) and not value)


def _label(member: Member) -> str:
    return f"{member.name} ({member.tag})"


def _missing(member: Member, text: str) -> Problem:
    return Problem(Reason.REQUIRED_TAG_MISSING, f"{_label(member)} {text}", member.tag)


def _unwanted(member: Member, text: str) -> Problem:
    return Problem(Reason.TAG_NOT_DEFINED_FOR_MESSAGE, f"{_label(member)} {text}", member.tag)


def _check_limit(
    problems: list[Problem], limited: Limited, limit: LimitCheck | None, value: Any, where: str
) -> None:
    field = limited.field
    try:
        wire = limited.formatter(value)
    except EncodeError as error:
        text = f"{field.label}{where}: {error}"
        problems.append(Problem(Reason.INCORRECT_DATA_FORMAT, text, field.tag))
        return
    expected = None if limit is None else limit(value, wire)
    if expected is not None:
        shown = None if field.secret else wire
        found = "has an unfit value" if shown is None else f"is {shown!r}"
        text = f"{field.label}{where} {found}: expected {expected}"
        problems.append(Problem(Reason.VALUE_INCORRECT, text, field.tag, shown))


def _check_conditions(
    problems: list[Problem], conditional: Conditional, block: Any, value: object, where: str
) -> None:
    member = conditional.member
    absent = _is_absent(value)
    for test in conditional.required_when if absent else conditional.forbidden_when:
        if test.holds(block):
            if absent:
                problems.append(_missing(member, f"is required{where} when {test.words}"))
            else:
                problems.append(_unwanted(member, f"must not be sent{where} when {test.words}"))
            return
    if not absent and conditional.only_when and not any(test.holds(block) for test in conditional.only_when):
        words = ", or when ".join(test.words for test in conditional.only_when)
        problems.append(_unwanted(member, f"may be sent{where} only when {words}"))


def _check_choice(problems: list[Problem], choice: Choice, block: Any, where: str) -> None:
    present = [at for at, name in enumerate(choice.attributes) if not _is_absent(getattr(block, name))]
    if not present and not choice.rule.optional:
        text = f"one of {choice.words} is required{where}"
        problems.append(Problem(Reason.REQUIRED_TAG_MISSING, text, choice.members[0].tag))
    elif len(present) > 1 and not choice.rule.at_least:
        text = f"only one of {choice.words} may be sent{where}"
        tag = choice.members[present[1]].tag
        problems.append(Problem(Reason.TAG_NOT_DEFINED_FOR_MESSAGE, text, tag))


def _check_group(problems: list[Problem], group: Group, entries: Any, where: str) -> None:
    member = group.member
    if not entries:
        if group.required and member.minimum:
            problems.append(_missing(member, f"is required{where}"))
        return
    if len(entries) < member.minimum or (member.maximum is not None and len(entries) > member.maximum):
        bounds = (
            f"{member.minimum} or more" if member.maximum is None else f"{member.minimum} to {member.maximum}"
        )
        text = f"{_label(member)}{where} has {len(entries)} entries: expected {bounds}"
        problems.append(Problem(Reason.VALUE_INCORRECT, text, member.tag, str(len(entries))))
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, member.entry.cls):
            problems.extend(group.entry.problems(entry, f" in entry {number} of {_label(member)}{where}"))
        else:
            expected = member.entry.cls.__name__
            text = f"entry {number} of {_label(member)}{where} is no {expected}, but {type(entry).__name__}"
            problems.append(Problem(Reason.INCORRECT_DATA_FORMAT, text, member.tag))


# --- working out a layout ----------------------------------------------------------------------------


def plan_of(layout: BlockLayout, place: Place) -> Plan:
    """Work out what a block must satisfy in this place."""
    by_name = {member.name: member for member in layout.members}
    required: list[tuple[str, FieldMember]] = []
    forbidden: list[tuple[str, Member]] = []
    limited: list[tuple[str, Limited]] = []
    conditional: list[tuple[str, Conditional]] = []
    groups: list[tuple[str, Group]] = []
    for member in layout.members:
        attribute = member.attribute
        presence = _presence(member, place)
        rules = _conditional(member, place, by_name)
        if rules is None or presence is Presence.FORBIDDEN:
            forbidden.append((attribute, member))
            continue
        if rules.required_when or rules.forbidden_when or rules.only_when:
            conditional.append((attribute, rules))
        must = presence is Presence.REQUIRED
        if isinstance(member, GroupMember):
            entry = plan_of(member.entry, place)
            groups.append((attribute, Group(member, must, entry)))
            continue
        if must:
            required.append((attribute, member))
        limits = _limited(member, place, by_name)
        if limits is not None:
            limited.append((attribute, limits))
    choices = [
        Choice(tuple(by_name[n] for n in rule.names), tuple(by_name[n].attribute for n in rule.names), rule)
        for rule in layout.one_of
        if rule.scope.covers(place)
    ]
    return Plan(
        tuple(required), tuple(forbidden), tuple(limited), tuple(conditional), tuple(groups), tuple(choices)
    )


def _limited(member: FieldMember, place: Place, by_name: dict[str, Member]) -> Limited | None:
    """Work out a field's limits. Where one may apply and nobody knows, none of those before it does."""
    field = member.field
    rules: tuple[Limit, ...] = ()
    choices: list[tuple[Test, LimitCheck | None]] = []
    for limit in (*field.limits, *member.limits):
        applies = limit.when.scope.covers(place)
        if applies is False:
            continue
        if limit.when.terms and applies:
            check = limit_check(field, limit, known_codes=place.known_codes)
            choices.append((_test(limit.when, by_name), check))
        else:
            rules, choices = ((limit,) if applies else ()), []
    check = limit_check(field, *rules, known_codes=place.known_codes)
    if check is None and not choices:
        return None
    return Limited(field, FORMATTERS[field.kind], check, rules, tuple(choices))


def _conditional(member: Member, place: Place, by_name: dict[str, Member]) -> Conditional | None:
    """Work out a member's conditions; None if they forbid it whatever stands beside it.

    A condition on what nobody knows requires and forbids nothing.
    """
    required, forbidden, only = (
        [condition for condition in conditions if condition.scope.covers(place) is not False]
        for conditions in (member.required_when, member.forbidden_when, member.only_when)
    )
    if member.only_when and not only:
        return None
    unknown = any(condition.scope.covers(place) is None or not condition.terms for condition in only)
    return Conditional(
        member,
        tuple(_test(condition, by_name) for condition in required if condition.scope.covers(place)),
        tuple(_test(condition, by_name) for condition in forbidden if condition.scope.covers(place)),
        () if unknown else tuple(_test(condition, by_name) for condition in only),
    )


def _presence(member: Member, place: Place) -> Presence:
    presence = member.presence
    for rule in member.rules:
        if rule.scope.covers(place):
            presence = rule.presence
    return presence


def _test(condition: Condition, by_name: dict[str, Member]) -> Test:
    terms = []
    words = list(filter(None, (where_words(condition),)))
    for name, values in condition.terms:
        member = by_name[name]
        formatter = FORMATTERS[member.field.kind] if isinstance(member, FieldMember) else None
        terms.append(Term(member.attribute, member, formatter, values))
        if values is None:
            words.append(f"{_label(member)} is absent")
        else:
            shown = " or ".join(value or "absent" for value in values) if values else "present"
            words.append(f"{_label(member)} is {shown}")
    return Test(tuple(terms), " and ".join(words))
