"""What the structure of a regular expression says about its cost."""

from __future__ import annotations

import re._constants as ops  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from typing import Any


def steps_back(pattern: str) -> list[str]:
    """Return every repetition that can give back what it took, one character or one item at a time.

    Repetitions of single characters must be possessive, or take a fixed number or at most one. Without any
    other, an expression whose items begin with different literals reads each character a bounded number of
    times from each place where it is begun.
    """
    found: list[str] = []
    _walk(parser.parse(pattern), found)
    return found


def _walk(node: Any, found: list[str]) -> None:
    for operator, argument in node:
        if operator is ops.MAX_REPEAT:
            least, most, inner = argument
            # A group that begins with a literal SOH is checked at each field: see `starts`.
            if most > 1 and least != most and inner[0] != (ops.LITERAL, 1):
                found.append(f"{least} to {most} of {inner}")
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


def first_literals(pattern: str) -> str:
    """Return the literal text that an expression begins with: a search begins nowhere else."""
    text = ""
    for operator, argument in parser.parse(pattern):
        if operator is not ops.LITERAL:
            break
        text += chr(argument)
    return text
