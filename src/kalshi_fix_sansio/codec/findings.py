"""Problems with a message, their positions, and their texts."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio.dialect.layout import FieldLayout
from kalshi_fix_sansio.dialect.problems import Problem, Reason

MAX_PROBLEMS = 1_000
"""Maximum number of problems listed for one message."""
MAX_SHOWN = 60
"""Maximum number of characters of a value that the text of a problem quotes. `Problem.value` contains the
whole value.
"""


@attrs.frozen
class Finding:
    """A problem and its position in the message."""

    position: float
    """Index of the token; for a missing field, a position after the last token of its block."""
    problem: Problem
    strict: bool
    """Whether only strict decoding reports the problem."""


def quoted(value: str) -> str:
    """Return a value in quotes, shortened to `MAX_SHOWN` characters."""
    return repr(value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "...")


def field_problem(reason: Reason, field: FieldLayout, text: str, value: str | None = None) -> Problem:
    """Return a problem with a field that the dialect defines. The value of a secret field is left out."""
    return Problem(reason, f"{field.label} {text}", field.tag, None if field.secret else value)


def value_problem(reason: Reason, field: FieldLayout, value: str, explanation: str) -> Problem:
    """Return a problem with the value of a field; the text contains the value and the explanation."""
    description = "has an invalid value" if field.secret else f"is {quoted(value)}"
    return field_problem(reason, field, f"{description}: {explanation}", value)


def tag_problem(reason: Reason, tag: int, text: str, value: str) -> Problem:
    """Return a problem with a tag that the dialect does not define."""
    return Problem(reason, f"tag {tag} {text}", tag, value)
