"""Mistakes in a scenario file: where they are, what is wrong, what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from kalshi_fix_sansio.errors import ConfigurationError

MAX_MISTAKES = 50
"""Mistakes that one run reports; a file made to be wrong could have any number."""
_LONG_TEXT = 500
"""Characters of a mistake's texts that are shown."""


def _shortened(text: str) -> str:
    # Nothing of a file may drive a terminal.
    shown = "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text[: _LONG_TEXT + 1])
    return shown if len(text) <= _LONG_TEXT else f"{shown[:_LONG_TEXT]}... ({len(text)} characters)"


@attrs.frozen
class Mistake:
    """One thing to mend."""

    line: int
    what: str = attrs.field(converter=_shortened)
    """What is wrong, naming the element."""
    advice: str = attrs.field(converter=_shortened)
    """What to do about it."""


class ScenarioError(ConfigurationError):
    """A scenario file that cannot be used; `mistakes` are all that were found in one run."""

    def __init__(self, file: str, mistakes: Iterable[Mistake]) -> None:
        self.file = file
        self.mistakes: tuple[Mistake, ...] = tuple(mistakes)
        super().__init__(
            "\n".join(f"{file}:{each.line}: {each.what}; {each.advice}" for each in self.mistakes)
        )


@attrs.define
class Mistakes:
    """Collects mistakes of one file, so that one run reports all that can be found independently."""

    file: str
    found: list[Mistake] = attrs.field(factory=list)

    def add(self, line: int, what: str, advice: str) -> None:
        """Note a mistake, once.

        Raises:
            ScenarioError: there are `MAX_MISTAKES` already.
        """
        mistake = Mistake(line, what, advice)
        if mistake in self.found:
            return
        if len(self.found) >= MAX_MISTAKES:
            self.found.append(Mistake(line, "there are more mistakes", "mend those above first"))
            self.raise_any()
        self.found.append(mistake)

    def raise_any(self) -> None:
        """Raise `ScenarioError` with everything collected so far, if there is anything."""
        if self.found:
            raise ScenarioError(self.file, sorted(self.found, key=lambda each: each.line))
