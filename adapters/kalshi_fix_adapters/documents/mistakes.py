"""Mistakes in hand-written documents, with position, problem and remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import attrs

MAX_TEXT = 1000
"""Maximum length of a text in a mistake, in characters; longer texts are truncated."""


@attrs.frozen(order=True)
class Location:
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def _to_display_text(text: str) -> str:
    # Text from a file must not control the terminal.
    escaped = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:MAX_TEXT])
    return escaped if len(text) <= MAX_TEXT else f"{escaped}... ({len(text)} characters)"


@attrs.frozen
class Mistake:
    """One mistake in a document."""

    location: Location
    problem: str = attrs.field(converter=_to_display_text)
    """The problem, with the name of the element."""
    advice: str = attrs.field(converter=_to_display_text)
    """The remedy."""

    @property
    def line(self) -> int:
        """The line number."""
        return self.location.line

    def __str__(self) -> str:
        return f"{self.location}: {self.problem}; {self.advice}"


@attrs.define
class Mistakes:
    """Collects mistakes, so that one run reports all independent mistakes."""

    max_mistakes: int
    """Maximum number of reported mistakes. A malicious file could contain any number."""
    error: Callable[[Sequence[Mistake]], Exception]
    """Creates the exception that reports the mistakes."""
    found: list[Mistake] = attrs.field(factory=list)
    _seen: set[Mistake] = attrs.field(factory=set)

    def add(self, location: Location, problem: str, advice: str) -> None:
        """Record a mistake that has not been recorded yet. If `max_mistakes` others have been recorded
        already, raise the exception created by `error`.
        """
        mistake = Mistake(location, problem, advice)
        if mistake in self._seen:
            return
        self._seen.add(mistake)
        if len(self.found) >= self.max_mistakes:
            self.found.append(Mistake(location, "there are more mistakes", "correct the ones above first"))
            self.raise_any()
        self.found.append(mistake)

    def fail(self, location: Location, problem: str, advice: str) -> NoReturn:
        """Raise the exception with the earlier mistakes and this one, after which parsing cannot continue."""
        self.add(location, problem, advice)
        raise self._error()

    def raise_any(self) -> None:
        """Raise the exception with all mistakes collected so far, if there are any."""
        if self.found:
            raise self._error()

    def _error(self) -> Exception:
        return self.error(sorted(self.found, key=lambda mistake: mistake.location))
