"""Suggestions for an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MAX_LISTED = 24
"""Maximum number of names in a list."""
_MAX_NAMES = 5000
"""Maximum number of names that are compared with an unknown name."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the most similar known name; None if no name is similar, or there are too many names."""
    known = tuple(known)
    if len(known) > _MAX_NAMES:
        return None
    by_lowercase = {each.lower(): each for each in sorted(set(known))}
    similar = difflib.get_close_matches(name.lower(), by_lowercase, n=1, cutoff=0.6)
    return by_lowercase[similar[0]] if similar else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint: the name that was probably meant, or the valid names, the most similar first."""
    valid = sorted(set(known))
    similar = nearest(name, valid)
    if similar is not None:
        return f"did you mean `{similar}`?"
    if not valid:
        return "leave it out"
    matcher = difflib.SequenceMatcher(b=name.lower())

    def dissimilarity(candidate: str) -> float:
        matcher.set_seq1(candidate.lower())
        return -matcher.quick_ratio()

    valid.sort(key=dissimilarity)
    listed = ", ".join(f"`{each}`" for each in valid[:_MAX_LISTED])
    more = len(valid) - _MAX_LISTED
    return f"use one of {listed}" + (f", and {more} more" if more > 0 else "")
