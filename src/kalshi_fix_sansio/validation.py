"""Whether a message is what its layout allows on one product and session type, from one side.

The session asks before anything is sent, so that a message which the other side would refuse raises in the
caller's face; a strict receiving side asks the same of what came in. The rules are the dialect's: where a
message may be sent at all, what is required, optional or forbidden there, conditions between fields, bounds
of groups, limits of values.

What a layout says is worked out once for each product, session type and side, then kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import attrs

from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.layout import (
    BlockLayout,
    Condition,
    FieldLayout,
    FieldMember,
    GroupMember,
    Member,
    MessageLayout,
    OneOf,
    Presence,
    Sender,
)
from kalshi_fix_sansio.limits import LimitCheck, limit_check
from kalshi_fix_sansio.problems import Problem, Reason
from kalshi_fix_sansio.scalars import FORMATTERS

_MAX_PLANS: Final = 1024
"""How many worked-out layouts are kept: far more than a dialect has, for all its sessions."""


def validate(
    message: Any, layout: MessageLayout, *, product: str, session: str, sender: Sender
) -> tuple[Problem, ...]:
    """Return everything that is wrong with a message to be sent by this side; empty if it may go.

    Args:
        message: an instance of the layout's class.
        layout: the message's layout.
        product: which of the dialect's products is spoken.
        session: the session type's name, such as KalshiNR.
        sender: which side sends the message.
    """
    allowed, plan = _lookup(layout, _plan_message, product, session, sender)
    problems = plan.problems(message, "")
    if not allowed:
        where = f"{session} ({product})" if product else session
        text = f"{layout.name} ({layout.msg_type}) may not be sent by the {sender.value} on {where}"
        problems.insert(0, Problem(Reason.INVALID_MSG_TYPE, text, 35, layout.msg_type))
    return tuple(problems)


def validate_block(
    block: Any, layout: BlockLayout, *, product: str, session: str, sender: Sender
) -> tuple[Problem, ...]:
    """Return everything that is wrong with one block: a body, a header, a trailer or a group entry."""
    return tuple(_lookup(layout, _plan, product, session, sender).problems(block, ""))


@attrs.frozen(eq=False)
class _Test:
    """One condition, ready to be asked: attribute, formatter (None for a group), accepted wire values."""

    terms: tuple[tuple[str, Callable[[Any], str] | None, tuple[str, ...] | None], ...]
    words: str

    def holds(self, block: Any) -> bool:
        for attribute, formatter, values in self.terms:
            value = getattr(block, attribute)
            present = not _is_absent(value)
            if present != (values is not None):
                return False
            if values and formatter is not None and formatter(value) not in values:
                return False
        return True


@attrs.frozen(eq=False)
class _Conditional:
    member: Member
    required_when: tuple[_Test, ...]
    forbidden_when: tuple[_Test, ...]


@attrs.frozen(eq=False)
class _Limited:
    field: FieldLayout
    formatter: Callable[[Any], str]
    limit: LimitCheck


@attrs.frozen(eq=False)
class _Group:
    member: GroupMember
    required: bool
    entry: _Plan


@attrs.frozen(eq=False)
class _Choice:
    members: tuple[Member, ...]
    attributes: tuple[str, ...]
    rule: OneOf

    @property
    def words(self) -> str:
        return ", ".join(_label(member) for member in self.members)


@attrs.frozen(eq=False)
class _Plan:
    """What has to be asked of a block, and nothing else."""

    required: tuple[tuple[str, FieldMember], ...]
    """With the attribute in front, as in all that follow: looking that up costs more than the check."""
    forbidden: tuple[tuple[str, Member], ...]
    limited: tuple[tuple[str, _Limited], ...]
    conditional: tuple[tuple[str, _Conditional], ...]
    groups: tuple[tuple[str, _Group], ...]
    choices: tuple[_Choice, ...]

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


_kept: Final[dict[tuple[int, str, str, bool], tuple[object, Any]]] = {}
_L = TypeVar("_L", BlockLayout, MessageLayout)
_P = TypeVar("_P")


def _lookup(
    layout: _L, plan: Callable[[_L, str, str, Sender], _P], product: str, session: str, sender: Sender
) -> _P:
    """Return the plan of a layout, worked out when first needed."""
    key = (id(layout), product, session, sender is Sender.CLIENT)
    kept = _kept.get(key)
    if kept is None:
        if len(_kept) >= _MAX_PLANS:
            _kept.clear()
        # The layout is kept beside its plan, so that no other layout can come to have its id.
        kept = _kept[key] = (layout, plan(layout, product, session, sender))
    found: _P = kept[1]
    return found


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, list) and not value)


def _label(member: Member) -> str:
    return f"{member.name} ({member.tag})"


def _missing(member: Member, text: str) -> Problem:
    return Problem(Reason.REQUIRED_TAG_MISSING, f"{_label(member)} {text}", member.tag)


def _unwanted(member: Member, text: str) -> Problem:
    return Problem(Reason.TAG_NOT_DEFINED_FOR_MESSAGE, f"{_label(member)} {text}", member.tag)


def _check_limit(problems: list[Problem], limited: _Limited, value: Any, where: str) -> None:
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
    problems: list[Problem], conditional: _Conditional, block: Any, value: object, where: str
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


def _check_choice(problems: list[Problem], choice: _Choice, block: Any, where: str) -> None:
    present = [at for at, name in enumerate(choice.attributes) if not _is_absent(getattr(block, name))]
    if not present and not choice.rule.optional:
        text = f"one of {choice.words} is required{where}"
        problems.append(Problem(Reason.REQUIRED_TAG_MISSING, text, choice.members[0].tag))
    elif len(present) > 1 and not choice.rule.at_least:
        text = f"only one of {choice.words} may be sent{where}"
        tag = choice.members[present[1]].tag
        problems.append(Problem(Reason.TAG_NOT_DEFINED_FOR_MESSAGE, text, tag))


def _check_group(problems: list[Problem], group: _Group, entries: Any, where: str) -> None:
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


def _plan_message(layout: MessageLayout, product: str, session: str, sender: Sender) -> tuple[bool, _Plan]:
    return layout.allowed(product, session, sender), _plan(layout.body, product, session, sender)


def _plan(layout: BlockLayout, product: str, session: str, sender: Sender) -> _Plan:
    by_name = {member.name: member for member in layout.members}
    required: list[tuple[str, FieldMember]] = []
    forbidden: list[tuple[str, Member]] = []
    limited: list[tuple[str, _Limited]] = []
    conditional: list[tuple[str, _Conditional]] = []
    groups: list[tuple[str, _Group]] = []
    for member in layout.members:
        attribute = member.attribute
        presence = _presence(member, product, session, sender)
        if presence is Presence.FORBIDDEN:
            forbidden.append((attribute, member))
            continue
        if member.required_when or member.forbidden_when:
            required_when = tuple(_test(condition, by_name) for condition in member.required_when)
            forbidden_when = tuple(_test(condition, by_name) for condition in member.forbidden_when)
            conditional.append((attribute, _Conditional(member, required_when, forbidden_when)))
        must = presence is Presence.REQUIRED
        if isinstance(member, GroupMember):
            entry = _plan(member.entry, product, session, sender)
            groups.append((attribute, _Group(member, must, entry)))
            continue
        if must:
            required.append((attribute, member))
        field = member.field
        limit = limit_check(field)
        if limit is not None:
            limited.append((attribute, _Limited(field, FORMATTERS[field.kind], limit)))
    choices = [
        _Choice(tuple(by_name[n] for n in rule.names), tuple(by_name[n].attribute for n in rule.names), rule)
        for rule in layout.one_of
        if rule.scope.matches(product, session, sender)
    ]
    return _Plan(
        tuple(required), tuple(forbidden), tuple(limited), tuple(conditional), tuple(groups), tuple(choices)
    )


def _presence(member: Member, product: str, session: str, sender: Sender) -> Presence:
    presence = member.presence
    for rule in member.rules:
        if rule.scope.matches(product, session, sender):
            presence = rule.presence
    return presence


def _test(condition: Condition, by_name: dict[str, Member]) -> _Test:
    terms = []
    words = []
    for name, values in condition.terms:
        member = by_name[name]
        formatter = FORMATTERS[member.field.kind] if isinstance(member, FieldMember) else None
        terms.append((member.attribute, formatter, values))
        if values is None:
            words.append(f"{_label(member)} is absent")
        else:
            words.append(f"{_label(member)} is {' or '.join(values) if values else 'present'}")
    return _Test(tuple(terms), " and ".join(words))
