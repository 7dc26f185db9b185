"""Cost of a regular expression, derived from its parsed structure."""

from __future__ import annotations

import re._constants as ops  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from typing import Any


def backtracking_repetitions(pattern: str) -> list[str]:
    """Return every repetition that can backtrack, and every operator that is unknown to this function.

    Repetitions of single characters must be possessive, have a fixed count or match at most once. Without
    backtracking, an expression whose items begin with different literals reads each character a bounded
    number of times per starting position.
    """
    found: list[str] = []
    _walk(parser.parse(pattern), found)
    return found


def _walk(node: Any, found: list[str]) -> None:
    for operator, argument in node:
        if operator is ops.MAX_REPEAT:
            minimum, maximum, inner = argument
            # Runs, which begin with a literal SOH, are exempt: when they backtrack, each entry given back
            # fails at its first tag (see `DecoderWriter._run`).
            if maximum > 1 and minimum != maximum and inner[0] != (ops.LITERAL, 1):
                found.append(f"{minimum} to {maximum} of {inner}")
            _walk(inner, found)
        elif operator is ops.POSSESSIVE_REPEAT:
            _walk(argument[2], found)
        elif operator is ops.SUBPATTERN:
            _walk(argument[-1], found)
        elif operator is ops.BRANCH:
            for branch in argument[1]:
                _walk(branch, found)
        elif operator not in (ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY):
            found.append(str(operator))


def literal_prefix(pattern: str) -> str:
    """Return the literal prefix of an expression; a search can only match where this prefix occurs."""
    text = ""
    for operator, argument in parser.parse(pattern):
        if operator is not ops.LITERAL:
            break
        text += chr(argument)
    return text
