"""The fast way to see that a message is sound: for each plan one function, made from its rules.

It looks at each attribute that a rule names, in straight lines, and only ever says that nothing is wrong. Of
whatever is not plain (a value of another class than its converter makes, a text beyond ASCII or with SOH or
NUL in it, a condition that may hold) it leaves the judgement to the plan, as it does for anything that is
wrong. A message that it lets pass is one of which the plan would name no problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

import attrs

from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.layout import FieldMember, GroupMember, Kind, Member
from kalshi_fix_sansio.problems import Problem
from kalshi_fix_sansio.scalars import MAX_INT_DIGITS
from kalshi_fix_sansio.validation.plans import Choice, Conditional, Group, Limited, Plan, Term, Test

Check = Callable[[Any], tuple[Problem, ...]]
"""Takes a message; returns everything that is wrong with it."""

_TEXTS: Final = frozenset((Kind.STRING, Kind.CHAR))
_INTEGERS: Final = frozenset((Kind.INT, Kind.LENGTH, Kind.SEQNUM, Kind.NUMINGROUP))
_FAIL: Final = "return careful(m)"
MAX_SOUND: Final = 2048
"""How many decimals of one field are remembered to be sound; then all are forgotten."""


def sound_check(plan: Plan, name: str) -> Check:
    """Make the function for one plan; costs about a millisecond."""
    writer = _Writer()
    # What is no value at all, such as a signaling NaN, may raise where it is looked up.
    lines = ["try:", *_inner(writer.block(plan, "m") or ["pass"]), f"except TypeError: {_FAIL}", "return ()"]
    source = "def check(m):\n" + "".join(f"    {line}\n" for line in lines)
    writer.names["careful"] = lambda message: tuple(plan.problems(message, ""))
    exec(compile(source, f"<check {name}>", "exec"), writer.names)  # noqa: S102 - from the layout alone
    check: Check = writer.names["check"]
    return check


@attrs.define(eq=False)
class _Writer:
    """Writes the source; `names` is what it refers to."""

    names: dict[str, Any] = attrs.field(factory=lambda: {"Decimal": Decimal})

    def block(self, plan: Plan, at: str) -> list[str]:
        """Return the lines that look at the block which the variable `at` holds."""
        guards = [f"{at}.{attribute} is None" for attribute, _ in plan.required]
        guards += [_may_be_present(member, f"{at}.{attribute}") for attribute, member in plan.forbidden]
        lines = _fail_if(guards)
        for attribute, limited in plan.limited:
            lines += self._limit(limited, f"{at}.{attribute}", at)
        for attribute, conditional in plan.conditional:
            lines += self._condition(conditional, f"{at}.{attribute}", at)
        for choice in plan.choices:
            lines += _choice(choice, at)
        for attribute, group in plan.groups:
            lines += self._group(group, f"{at}.{attribute}", f"{at}{group.member.tag}")
        return lines

    def _name(self, thing: object) -> str:
        name = f"x{len(self.names)}"
        self.names[name] = thing
        return name

    def _limit(self, limited: Limited, value: str, at: str) -> list[str]:
        field = limited.field
        ranged = field.minimum is not None or field.maximum is not None
        formed = field.pattern is not None or field.max_length is not None
        coded = field.codes is not None
        if limited.choices:
            guards = [f"not {self._name(_fits_in(limited))}(v, {at})"]
        elif coded and not ranged and not formed and not limited.rules:
            # Of a set that is checked at all, members are sound; other values are, if at all, several codes.
            guards = [f"v.__class__ is not {self._name(field.codes)}"]
        elif field.kind is Kind.DECIMAL and not formed and not coded:
            sound = self._name(_Sound(limited))
            guards = ["v.__class__ is not Decimal", f"v not in {sound} and not {sound}.judge(v)"]
        elif not coded and field.kind in _TEXTS and not ranged and not limited.rules:
            guards = ["v.__class__ is not str", "not v", "not v.isascii()", r"'\x01' in v", r"'\0' in v"]
            guards += ["len(v) != 1"] if field.kind is Kind.CHAR else []
            guards += [f"len(v) > {field.max_length}"] if field.max_length is not None else []
            if field.pattern is not None:
                guards.append(f"{self._name(re.compile(field.pattern).fullmatch)}(v) is None")
        elif not coded and field.kind in _INTEGERS and not formed and not limited.rules:
            end = 10**MAX_INT_DIGITS
            least = 1 - end if field.kind is Kind.INT else 0
            least = least if field.minimum is None else max(least, field.minimum)
            most = end - 1 if field.maximum is None else min(end - 1, field.maximum)
            guards = ["v.__class__ is not int", f"not {least} <= v <= {most}"]
        else:
            guards = [f"not {self._name(_fits(limited))}(v)"]
        return [f"v = {value}", "if v is not None:", *_inner(_fail_if(guards))]

    def _condition(self, conditional: Conditional, value: str, at: str) -> list[str]:
        """A field that is there and might count as absent is left alone; groups are looked at anyway."""
        required = [self._may_hold(test, at) for test in conditional.required_when]
        forbidden = [self._may_hold(test, at) for test in conditional.forbidden_when]
        if conditional.only_when:
            forbidden.append("True")
        absent = "v is None"
        if isinstance(conditional.member, GroupMember):
            absent = "v is None or (v.__class__ is list and not v)"
        else:
            forbidden.insert(0, "isinstance(v, list)")
        return [
            f"v = {value}",
            f"if {absent}:",
            *_inner(_fail_if(required) or ["pass"]),
            "else:",
            *_inner(_fail_if(forbidden) or ["pass"]),
        ]

    def _may_hold(self, test: Test, at: str) -> str:
        may_be = [self._may_be(term, f"{at}.{term.attribute}") for term in test.terms]
        return f"({' and '.join(may_be) or 'True'})"

    def _may_be(self, term: Term, value: str) -> str:
        if term.values is None:
            return _may_be_absent(term.member, value)
        if "" in term.values:
            return "True"
        present = _may_be_present(term.member, value)
        plain = _plain_values(term)
        if plain is None:
            return present
        cls, values = plain
        return (
            f"{present} and ({value}.__class__ is not {self._name(cls)} or {value} in {self._name(values)})"
        )

    def _group(self, group: Group, value: str, entry: str) -> list[str]:
        member = group.member
        guards = [f"len({entry}s) < {member.minimum}"] if member.minimum > 1 else []
        guards += [f"len({entry}s) > {member.maximum}"] if member.maximum is not None else []
        check_class = _fail_if([f"{entry}.__class__ is not {self._name(member.entry.cls)}"])
        each = [f"for {entry} in {entry}s:", *_inner([*check_class, *self.block(group.entry, entry)])]
        missing = [_FAIL] if group.required and member.minimum else ["pass"]
        return [
            f"{entry}s = {value}",
            f"if {entry}s.__class__ is list and {entry}s:",
            *_inner([*_fail_if(guards), *each]),
            f"elif {entry}s is None or {entry}s.__class__ is list:",
            *_inner(missing),
            "else:",
            *_inner([_FAIL]),
        ]


def _choice(choice: Choice, at: str) -> list[str]:
    lines = ["n = 0"]
    for attribute, member in zip(choice.attributes, choice.members, strict=True):
        odd = [] if isinstance(member, GroupMember) else ["isinstance(v, list)"]
        lines += [
            f"v = {at}.{attribute}",
            f"if {_may_be_present(member, 'v')}:",
            *_inner([*_fail_if(odd), "n += 1"]),
        ]
    guards = ["not n"] if not choice.rule.optional else []
    guards += ["n > 1"] if not choice.rule.at_least else []
    return [*lines, *_fail_if(guards)]


def _may_be_present(member: Member, value: str) -> str:
    if isinstance(member, GroupMember):
        return f"({value} is not None and ({value}.__class__ is not list or {value}))"
    return f"{value} is not None"


def _may_be_absent(member: Member, value: str) -> str:
    if isinstance(member, GroupMember):
        return f"({value}.__class__ is not list or not {value})"
    return f"({value} is None or isinstance({value}, list))"


def _plain_values(term: Term) -> tuple[type, frozenset[Any]] | None:
    """Return the class of a member's plain values, and those that satisfy the term; None if it has none."""
    member, formatter = term.member, term.formatter
    if not term.values or not isinstance(member, FieldMember) or formatter is None:
        return None
    field = member.field
    if field.codes is not None:
        cls, values = field.codes, list(field.codes)
    elif field.kind is Kind.BOOLEAN:
        cls, values = bool, [True, False]
    else:
        return None
    return cls, frozenset(value for value in values if formatter(value) in term.values)


def _fits(limited: Limited) -> Callable[[Any], bool]:
    """Return a function that asks for the limits of a value, whatever it is."""
    fits = _fits_in(limited)
    return lambda value: fits(value, None)


def _fits_in(limited: Limited) -> Callable[[Any, Any], bool]:
    """Return a function that asks for the limits of a value as the block is, whatever it is."""

    def fits(value: Any, block: Any) -> bool:
        try:
            check, wire = limited.check_in(block), limited.formatter(value)
        except EncodeError:
            return False
        return check is None or check(value, wire) is None

    return fits


class _Sound(set[Decimal]):
    """Values of one field that were judged sound, for prices and quantities come again and again.

    A hit takes a fifth of judging range and step. An equal one that has too many digits to be written passes
    for sound; the encoder refuses it.
    """

    __slots__ = ("_fits",)

    def __init__(self, limited: Limited) -> None:
        super().__init__()
        self._fits = _fits(limited)

    def judge(self, value: Any) -> bool:
        """Say whether a value that is not among them is sound."""
        if not self._fits(value):
            return False
        if len(self) >= MAX_SOUND:
            self.clear()
        self.add(value)
        return True


def _fail_if(guards: list[str]) -> list[str]:
    return [f"if {' or '.join(guards)}: {_FAIL}"] if guards else []


def _inner(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]
