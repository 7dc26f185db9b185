"""Mistakes in a spec folder: where they are, what is wrong, what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import attrs

from codegen.model import Location

MAX_MISTAKES = 200
"""Mistakes that one run reports; a file made to be wrong could have any number."""
_LONG_CHOICE = 16
"""How many names a person still wants to read in one line."""
_LONG_TEXT = 1000
"""Characters of a mistake's texts that are shown."""
_MANY_NAMES = 5000
"""Names among which the nearest is no longer looked for."""


def shortened(text: str) -> str:
    """The text, or its beginning if it is too long to be read."""
    return text if len(text) <= _LONG_TEXT else f"{text[:_LONG_TEXT]}... ({len(text)} characters)"


@attrs.frozen
class Mistake:
    """One thing to mend in the YAML."""

    location: Location
    what: str = attrs.field(converter=shortened)
    """What is wrong, naming the element."""
    advice: str = attrs.field(converter=shortened)
    """What to do about it."""

    def __str__(self) -> str:
        return f"{self.location}: {self.what}; {self.advice}"


class SpecError(Exception):
    """A spec folder that cannot be used; `mistakes` lists everything found in one run."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


@attrs.define
class Mistakes:
    """Collects mistakes, so that one run reports all that can be found independently."""

    found: list[Mistake] = attrs.field(factory=list)
    _seen: set[Mistake] = attrs.field(factory=set)

    def add(self, location: Location, what: str, advice: str) -> None:
        """Note a mistake, once.

        Raises:
            SpecError: there are `MAX_MISTAKES` already.
        """
        mistake = Mistake(location, what, advice)
        if mistake in self._seen:
            return
        self._seen.add(mistake)
        if len(self.found) >= MAX_MISTAKES:
            self.found.append(Mistake(location, "there are more mistakes", "mend those above first"))
            self.raise_any()
        self.found.append(mistake)

    def raise_any(self) -> None:
        """Raise `SpecError` with everything collected so far, if there is anything."""
        if self.found:
            raise SpecError(sorted(self.found, key=lambda each: (each.location.file, each.location.line)))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like this one, or None where none does, or there are too many."""
    known = tuple(known)
    if len(known) > _MANY_NAMES:
        return None
    by_small_letters = {each.lower(): each for each in sorted(set(known))}
    near = difflib.get_close_matches(name.lower(), by_small_letters, n=1, cutoff=0.6)
    return by_small_letters[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Advice for a name that is not among the known ones: the nearest, or the whole choice."""
    choice = sorted(set(known))
    near = nearest(name, choice)
    if near is not None:
        return f"did you mean `{near}`?"
    if len(choice) > _LONG_CHOICE or not choice:
        return "define it first, or correct the name"
    return "use one of " + ", ".join(f"`{each}`" for each in choice)
