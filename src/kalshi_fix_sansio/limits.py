"""What a field's value must satisfy beyond its lexical form: code values, pattern, range, length.

These hold for what is sent and for what strict decoding accepts; lenient decoding does not ask.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kalshi_fix_sansio.layout import FieldLayout

LimitCheck = Callable[[Any, str], str | None]
"""Takes a value and its wire form; returns what was expected instead, for people, or None if all is well."""


def limit_check(field: FieldLayout) -> LimitCheck | None:
    """Return the check of this field's limits, or None if it has none."""
    checks = tuple(_checks(field))
    if not checks:
        return None

    def check(value: Any, wire: str) -> str | None:
        for broken, expected in checks:
            if broken(value, wire):
                return expected
        return None

    return check


def _checks(field: FieldLayout) -> list[tuple[Callable[[Any, str], bool], str]]:
    checks: list[tuple[Callable[[Any, str], bool], str]] = []
    if field.codes is not None and not field.open_codes:
        values = frozenset(member.value for member in field.codes)
        listed = ", ".join(f"{member.value} ({member.name})" for member in field.codes)
        checks.append((lambda value, _: value not in values, f"one of {listed}"))
    if field.pattern is not None:
        form = re.compile(field.pattern)
        checks.append((lambda _, wire: form.fullmatch(wire) is None, f"the form {field.pattern}"))
    if field.minimum is not None:
        least = field.minimum
        checks.append((lambda value, _: value < least, f"{least} or more"))
    if field.maximum is not None:
        most = field.maximum
        checks.append((lambda value, _: value > most, f"{most} or less"))
    if field.max_length is not None:
        length = field.max_length
        checks.append((lambda _, wire: len(wire) > length, f"at most {length} characters"))
    return checks
