"""Words for what is wrong with a message."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio.dialect.layout import FieldLayout
from kalshi_fix_sansio.dialect.problems import Problem, Reason

MAX_PROBLEMS = 1_000
"""How many problems of a message are told; its bytes have them all."""
MAX_SHOWN = 60
"""How many characters of a value a sentence quotes; `Problem.value` has all of them."""


@attrs.frozen
class Finding:
    """A problem, and where in the message it was found."""

    position: float
    """Token by token; what is missing stands behind the last token of its block."""
    problem: Problem
    strict: bool
    """Whether only strict decoding minds."""


def quoted(value: str) -> str:
    """Return a value as a sentence shows it."""
    return repr(value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "...")


def field_problem(reason: Reason, field: FieldLayout, text: str, value: str | None = None) -> Problem:
    """Return a problem of a named field; a secret value stays secret."""
    return Problem(reason, f"{field.label} {text}", field.tag, None if field.secret else value)


def value_problem(reason: Reason, field: FieldLayout, value: str, explanation: str) -> Problem:
    """Return a problem with a value: what it is, and what is wrong with it."""
    found = "has an unfit value" if field.secret else f"is {quoted(value)}"
    return field_problem(reason, field, f"{found}: {explanation}", value)


def tag_problem(reason: Reason, tag: int, text: str, value: str) -> Problem:
    """Return a problem of a tag without a name."""
    return Problem(reason, f"tag {tag} {text}", tag, value)
