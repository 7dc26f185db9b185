"""Suggestions for an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LISTED = 24
"""Maximum number of names in a list."""
_MANY_NAMES = 5000
"""Maximum number of names that are compared with an unknown name."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the most similar known name; None if no name is similar, or there are too many names."""
    known = tuple(known)
    if len(known) > _MANY_NAMES:
        return None
    by_small_letters = {each.lower(): each for each in sorted(set(known))}
    near = difflib.get_close_matches(name.lower(), by_small_letters, n=1, cutoff=0.6)
    return by_small_letters[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint: the name that was probably meant, or the valid names, the most similar first."""
    choice = sorted(set(known))
    near = nearest(name, choice)
    if near is not None:
        return f"did you mean `{near}`?"
    if not choice:
        return "leave it out: nothing is allowed here"
    by_letters = difflib.SequenceMatcher(b=name.lower())

    def unlikeness(candidate: str) -> float:
        by_letters.set_seq1(candidate.lower())
        return -by_letters.quick_ratio()

    choice.sort(key=unlikeness)
    listed = ", ".join(f"`{each}`" for each in choice[:_LISTED])
    more = len(choice) - _LISTED
    return f"use one of {listed}" + (f", and {more} more" if more > 0 else "")
