"""Limits on the values of a field, beyond their lexical form: code values, pattern, range, step, length.

Limits that always apply are checked before sending, and by strict decoding, but not by lenient decoding.
Limits that depend on the context (product, session type, other fields) are checked by `validation`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from kalshi_fix_sansio.dialect.layout import Condition, FieldLayout, Limit, Member

LimitCheck = Callable[[Any, str], str | None]
"""A function that checks a value and its wire text, and returns a description of the expected value, or None
if the value is valid.
"""

_REMAINDER: Final = Context(
    prec=60, Emin=MIN_EMIN, Emax=MAX_EMAX, clamp=0, flags=[], traps=[InvalidOperation]
).remainder
"""The remainder of a division. It is exact for every decimal that has a FIX representation, and does not
depend on the caller's decimal context.
"""
MULTIPLE_CODE_TYPES: Final = frozenset(("MULTIPLECHARVALUE", "MULTIPLESTRINGVALUE"))
"""Datatypes whose values are several codes separated by spaces."""
NO_SIBLINGS: Final[Mapping[str, Member]] = MappingProxyType({})
_Check = tuple[Callable[[Any, str], bool], str]
"""A pair: a function that returns whether a value or its wire text is invalid, and a description of the
expected value.
"""


def limit_check(
    field: FieldLayout,
    *limits: Limit,
    allow_unknown_codes: bool = True,
    siblings: Mapping[str, Member] = NO_SIBLINGS,
) -> LimitCheck | None:
    """Return a check of the field's own limits and of `limits`; None if there is nothing to check.

    Without `allow_unknown_codes`, an undefined code value is an error even in fields to which the venue may
    add values. `siblings` contains the members of the field's block by name, for the description of a limit.
    """
    checks = _common_checks(field)
    if field.codes is not None and not (allow_unknown_codes and field.open_codes):
        checks.insert(0, _code_check(field))
    checks += [_single_limit_check(field, limit, siblings) for limit in limits]
    if not checks:
        return None

    def check(value: Any, wire: str) -> str | None:
        for is_invalid, expected in checks:
            if is_invalid(value, wire):
                return expected
        return None

    return check


def _common_checks(limits: FieldLayout | Limit) -> list[_Check]:
    """Return the checks of the limits that a field and a `Limit` have in common."""
    checks: list[_Check] = []
    if limits.pattern is not None:
        pattern = re.compile(limits.pattern)
        checks.append(
            (lambda _, wire: pattern.fullmatch(wire) is None, f"a value matching `{limits.pattern}`")
        )
    if limits.minimum is not None:
        minimum = limits.minimum
        checks.append((lambda value, _: value < minimum, f"{minimum} or more"))
    if limits.maximum is not None:
        maximum = limits.maximum
        checks.append((lambda value, _: value > maximum, f"{maximum} or less"))
    if limits.max_length is not None:
        length = limits.max_length
        checks.append((lambda _, wire: len(wire) > length, f"at most {length} characters"))
    return checks


def _code_check(field: FieldLayout) -> _Check:
    values = frozenset(member.value for member in field.codes)
    expected = f"one of {', '.join(f'{member.value} ({member.name})' for member in field.codes)}"
    if field.open_codes:
        expected += "; allow_unknown_codes permits others"
    if field.fix_type in MULTIPLE_CODE_TYPES:
        return (lambda _, wire: not values.issuperset(wire.split(" "))), expected
    return (lambda value, _: value not in values), expected


def _single_limit_check(field: FieldLayout, limit: Limit, siblings: Mapping[str, Member]) -> _Check:
    predicates = [is_invalid for is_invalid, _ in _common_checks(limit)]
    step, values, is_multiple = limit.step, frozenset(limit.values), field.fix_type in MULTIPLE_CODE_TYPES
    if step is not None:
        predicates.append(lambda value, _: _REMAINDER(Decimal(value), Decimal(step)) != 0)
    if values:
        predicates.append(lambda _, wire: not values.issuperset(wire.split(" ") if is_multiple else (wire,)))
    expected = limit_text(limit, field, siblings)
    return (lambda value, wire: any(is_invalid(value, wire) for is_invalid in predicates)), expected


def limit_text(
    limit: Limit, field: FieldLayout | None = None, siblings: Mapping[str, Member] = NO_SIBLINGS
) -> str:
    """Return a description of a limit and of its condition."""
    range_words = []
    if limit.minimum is not None and limit.maximum is not None:
        range_words.append(f"{limit.minimum} to {limit.maximum}")
    elif limit.minimum is not None:
        range_words.append(f"{limit.minimum} or more")
    elif limit.maximum is not None:
        range_words.append(f"{limit.maximum} or less")
    if limit.unit is not None:
        range_words.append(limit.unit)
    if limit.step is not None:
        range_words.append(f"in steps of {limit.step}")
    words = [" ".join(range_words)] if range_words else []
    if limit.max_length is not None:
        words.append(f"at most {limit.max_length} characters")
    if limit.pattern is not None:
        words.append(f"{'matching' if words else 'a value matching'} `{limit.pattern}`")
    if limit.values:
        codes = () if field is None or field.codes is None else field.codes
        names = {str(code.value): f"{code.value} ({code.name})" for code in codes}
        code_texts = [names.get(value, value) for value in limit.values]
        words.append(" or ".join(code_texts))
    return " ".join(filter(None, (", ".join(words), condition_text(limit.when, siblings))))


def condition_text(when: Condition, siblings: Mapping[str, Member] = NO_SIBLINGS) -> str:
    """Return a description of a condition, such as `on margin when UseDollars is Y in the Logon and Side (54)
    is 1`.
    """
    scope = when.scope
    words = [f"on {' and '.join(names)}" for names in (scope.products, scope.sessions) if names]
    terms = [f"{name} is {_value_text(values)} in the Logon" for name, values in scope.logon]
    terms += [
        f"{_member_text(siblings.get(name), name)} is {_value_text(values)}" for name, values in when.terms
    ]
    return " ".join([*words, f"when {' and '.join(terms)}"] if terms else words)


def _member_text(member: Member | None, name: str) -> str:
    return name if member is None else f"{name} ({member.tag})"


def _value_text(values: tuple[str, ...] | None) -> str:
    if values is None:
        return "absent"
    return " or ".join(value or "absent" for value in values) if values else "present"
