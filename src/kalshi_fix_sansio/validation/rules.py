"""The requirements for the members of a layout in a `MessageContext`, and the texts for violations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from kalshi_fix_sansio.dialect.layout import (
    Condition,
    FieldLayout,
    FieldMember,
    GroupMember,
    Limit,
    Member,
    MessageContext,
    Presence,
)
from kalshi_fix_sansio.dialect.limits import LimitCheck
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.scalars import FORMATTERS

ProblemFactory = Callable[[str], Problem]
"""A function that returns a problem. Its argument is the text that identifies the group entry (empty outside
groups).
"""

MAX_CACHED_DECIMALS: Final = 2048
"""Maximum number of valid decimals that are cached for a field. When the cache is full, it is emptied."""


# --- requirements in a context -----------------------------------------------------------------------


def presence_of(member: Member, context: MessageContext) -> Presence:
    """Return whether a member is required, optional or forbidden in a context, apart from conditions on other
    members.
    """
    presence = member.presence
    # The last rule that applies is used. A rule that depends on an unknown Logon does not apply.
    for rule in member.rules:
        if rule.scope.covers(context):
            presence = rule.presence
    return presence


@attrs.frozen
class Conditions:
    """The conditions under which a member is required or forbidden.

    The member is required when any of `required_when` holds, and forbidden when any of `forbidden_when`
    holds. If `only_when` contains conditions, the member is allowed only when one of them holds.
    """

    required_when: tuple[Condition, ...]
    forbidden_when: tuple[Condition, ...]
    only_when: tuple[Condition, ...]


def conditions_of(member: Member, context: MessageContext) -> Conditions | None:
    """Return the conditions of a member; None if the member is forbidden regardless of other members.

    A condition that depends on an unknown Logon neither requires nor forbids a member.
    """
    # `covers` returns None for a scope that depends on an unknown Logon; such a condition may hold.
    only = [condition for condition in member.only_when if condition.scope.covers(context) is not False]
    if member.only_when and not only:
        return None
    # If one of these conditions always holds, or may hold (unknown Logon), the others have no effect.
    is_unrestricted = any(
        condition.scope.covers(context) is None or not condition.terms for condition in only
    )
    return Conditions(
        tuple(condition for condition in member.required_when if condition.scope.covers(context)),
        tuple(condition for condition in member.forbidden_when if condition.scope.covers(context)),
        () if is_unrestricted else tuple(only),
    )


def limits_of(member: Member, context: MessageContext) -> tuple[tuple[Limit, ...], tuple[Limit, ...]]:
    """Return the base limit of a member in this context, as an empty or one-element tuple, and its overrides.

    A limit without terms becomes the base limit, and cancels all limits before it. A limit with terms is an
    override: if its terms hold, it replaces the base limit. If the terms of several overrides hold, the last
    of these overrides applies. A limit that depends on an unknown Logon is not applied, but it also cancels
    all limits before it.
    """
    base: tuple[Limit, ...] = ()
    overrides: tuple[Limit, ...] = ()
    field = member.counter if isinstance(member, GroupMember) else member.field
    for limit in (*field.limits, *member.limits):
        applies = limit.when.scope.covers(context)
        if applies is False:
            continue
        if limit.when.terms and applies:
            overrides = (*overrides, limit)
        else:
            base, overrides = ((limit,) if applies else ()), ()
    return base, overrides


# --- texts for violations ----------------------------------------------------------------------------


def label(member: Member) -> str:
    """Return a member's name and tag."""
    return f"{member.name} ({member.tag})"


def missing_problem(member: Member, when: str = "") -> ProblemFactory:
    """Return a function that builds the problem for a missing required member; `when` is the text of a
    condition.
    """
    suffix = when and f" {when}"
    return lambda where: Problem(
        Reason.REQUIRED_TAG_MISSING, f"{label(member)} is required{where}{suffix}", member.tag
    )


def forbidden_problem(member: Member, text: str, suffix: str = "") -> ProblemFactory:
    """Return a function that builds the problem for a forbidden member."""
    return lambda where: Problem(
        Reason.TAG_NOT_DEFINED_FOR_MESSAGE, f"{label(member)} {text}{where}{suffix}", member.tag
    )


def none_present_problem(members: tuple[Member, ...]) -> ProblemFactory:
    """Return a function that builds the problem for a block without any of these members."""
    names = ", ".join(map(label, members))
    return lambda where: Problem(
        Reason.REQUIRED_TAG_MISSING, f"one of {names} is required{where}", members[0].tag
    )


def several_present_problem(members: tuple[Member, ...]) -> Callable[[str, tuple[bool, ...]], Problem]:
    """Return a function that builds the problem for a block with more than one of these members. The second
    argument of this function contains, for each member, whether it is present.
    """
    names = ", ".join(map(label, members))

    def problem(where: str, present: tuple[bool, ...]) -> Problem:
        _, second, *_ = (member for member, is_present in zip(members, present, strict=True) if is_present)
        text = f"only one of {names} may be sent{where}"
        return Problem(Reason.TAG_NOT_DEFINED_FOR_MESSAGE, text, second.tag)

    return problem


def entry_count_problem(member: GroupMember, bounds: str) -> Callable[[str, int], Problem]:
    """Return a function that builds the problem for a group with too few or too many entries."""
    return lambda where, count: Problem(
        Reason.VALUE_INCORRECT,
        f"{label(member)}{where} has {count} {'entry' if count == 1 else 'entries'}: expected {bounds}",
        member.tag,
        str(count),
    )


def entry_text(member: GroupMember) -> Callable[[int, str], str]:
    """Return a function that builds the text that identifies an entry by its number, from 1."""
    return lambda number, where: f" in entry {number} of {label(member)}{where}"


def entry_class_problem(member: GroupMember) -> Callable[[str, int, object], Problem]:
    """Return a function that builds the problem for an object that is not an entry of this group."""
    expected = member.entry.cls.__name__
    return lambda where, number, entry: Problem(
        Reason.INCORRECT_DATA_FORMAT,
        f"entry {number} of {label(member)}{where} must be {expected}, not {type(entry).__name__}",
        member.tag,
    )


@attrs.define(eq=False)
class ValueCheck:
    """Checks whether a value of one field can be encoded and is within its limits."""

    field: FieldLayout
    limit: LimitCheck | None
    valid_decimals: set[Any] = attrs.field(factory=set)
    """Cache of valid decimals, because prices and quantities repeat. A lookup takes 0.2 µs, but the check of
    range and step takes 7 µs. A decimal that is equal to a cached one, but has too many digits, passes too;
    the encoder rejects it.
    """

    def __call__(self, problems: list[Problem], value: Any, where: str) -> None:
        """Add the problems with a value."""
        field = self.field
        # Encode the value first, because a value that cannot be encoded, such as NaN, may raise when it is
        # compared with a limit.
        try:
            wire = FORMATTERS[field.kind](value)
        except EncodeError as error:
            text = f"{field.label}{where}: {error}"
            problems.append(Problem(Reason.INCORRECT_DATA_FORMAT, text, field.tag))
            return
        expected = None if self.limit is None else self.limit(value, wire)
        if expected is not None:
            shown = None if field.secret else wire
            complaint = "has an invalid value" if shown is None else f"is {shown!r}"
            text = f"{field.label}{where} {complaint}: expected {expected}"
            problems.append(Problem(Reason.VALUE_INCORRECT, text, field.tag, shown))

    def check_decimal(self, problems: list[Problem], value: Any, where: str) -> None:
        """Add the problems with a decimal, and cache it if it is valid."""
        problem_count = len(problems)
        self(problems, value, where)
        if len(problems) == problem_count:
            if len(self.valid_decimals) >= MAX_CACHED_DECIMALS:
                self.valid_decimals.clear()
            self.valid_decimals.add(value)


def formatter_of(member: FieldMember) -> Callable[[Any], str]:
    """Return the function that encodes the member's values, to compare them with conditions."""
    return FORMATTERS[member.field.kind]


def allowed_values(values: Iterable[Any], member: FieldMember, terms: tuple[str, ...]) -> frozenset[Any]:
    """Return the values whose wire text is in `terms`, the allowed values of a condition or a limit."""
    return frozenset(value for value in values if formatter_of(member)(value) in terms)
