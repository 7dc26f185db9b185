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
    Member,
    OneOf,
    Presence,
    Sender,
)
from kalshi_fix_sansio.limits import LimitCheck, limit_check
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
    """The wire values that satisfy it, as in `layout.Condition`."""


@attrs.frozen(eq=False)
class Test:
    """One condition, ready to be asked."""

    terms: tuple[Term, ...]
    words: str
    """The condition, for people."""

    def holds(self, block: Any) -> bool:
        """Say whether the block is as the condition wants it."""
        for term in self.terms:
            value = getattr(block, term.attribute)
            present = not _is_absent(value)
            if present != (term.values is not None):
                return False
            if term.values and term.formatter is not None and term.formatter(value) not in term.values:
                return False
        return True


@attrs.frozen(eq=False)
class Conditional:
    """A member that is required or forbidden when any of these holds."""

    member: Member
    required_when: tuple[Test, ...]
    forbidden_when: tuple[Test, ...]


@attrs.frozen(eq=False)
class Limited:
    """A field whose value has limits beyond its lexical form."""

    field: FieldLayout
    formatter: Callable[[Any], str]
    limit: LimitCheck


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
                _check_limit(problems, limited, value, where)
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


def _check_limit(problems: list[Problem], limited: Limited, value: Any, where: str) -> None:
    field = limited.field
    try:
        wire = limited.formatter(value)
    except EncodeError as error:
        text = f"{field.label}{where}: {error}"
        problems.append(Problem(Reason.INCORRECT_DATA_FORMAT, text, field.tag))
        return
    expected = limited.limit(value, wire)
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


def plan_of(layout: BlockLayout, product: str, session: str, sender: Sender) -> Plan:
    """Work out what a block must satisfy in this place."""
    by_name = {member.name: member for member in layout.members}
    required: list[tuple[str, FieldMember]] = []
    forbidden: list[tuple[str, Member]] = []
    limited: list[tuple[str, Limited]] = []
    conditional: list[tuple[str, Conditional]] = []
    groups: list[tuple[str, Group]] = []
    for member in layout.members:
        attribute = member.attribute
        presence = _presence(member, product, session, sender)
        if presence is Presence.FORBIDDEN:
            forbidden.append((attribute, member))
            continue
        if member.required_when or member.forbidden_when:
            required_when = tuple(_test(condition, by_name) for condition in member.required_when)
            forbidden_when = tuple(_test(condition, by_name) for condition in member.forbidden_when)
            conditional.append((attribute, Conditional(member, required_when, forbidden_when)))
        must = presence is Presence.REQUIRED
        if isinstance(member, GroupMember):
            entry = plan_of(member.entry, product, session, sender)
            groups.append((attribute, Group(member, must, entry)))
            continue
        if must:
            required.append((attribute, member))
        field = member.field
        limit = limit_check(field)
        if limit is not None:
            limited.append((attribute, Limited(field, FORMATTERS[field.kind], limit)))
    choices = [
        Choice(tuple(by_name[n] for n in rule.names), tuple(by_name[n].attribute for n in rule.names), rule)
        for rule in layout.one_of
        if rule.scope.matches(product, session, sender)
    ]
    return Plan(
        tuple(required), tuple(forbidden), tuple(limited), tuple(conditional), tuple(groups), tuple(choices)
    )


def _presence(member: Member, product: str, session: str, sender: Sender) -> Presence:
    presence = member.presence
    for rule in member.rules:
        if rule.scope.matches(product, session, sender):
            presence = rule.presence
    return presence


def _test(condition: Condition, by_name: dict[str, Member]) -> Test:
    terms = []
    words = []
    for name, values in condition.terms:
        member = by_name[name]
        formatter = FORMATTERS[member.field.kind] if isinstance(member, FieldMember) else None
        terms.append(Term(member.attribute, member, formatter, values))
        if values is None:
            words.append(f"{_label(member)} is absent")
        else:
            words.append(f"{_label(member)} is {' or '.join(values) if values else 'present'}")
    return Test(tuple(terms), " and ".join(words))
