"""Mistakes in a scenario file."""

from __future__ import annotations

from collections.abc import Iterable

from kalshi_fix_adapters.documents import mistakes
from kalshi_fix_adapters.documents.mistakes import Location, Mistake
from kalshi_fix_sansio.errors import ConfigurationError

MAX_MISTAKES = 50
"""Mistakes that one run tells."""


class ScenarioError(ConfigurationError):
    """A scenario file that cannot be used; `mistakes` are all that were found in one run."""

    def __init__(self, found: Iterable[Mistake]) -> None:
        self.mistakes: tuple[Mistake, ...] = tuple(found)
        super().__init__("\n".join(map(str, self.mistakes)))


class Mistakes(mistakes.Mistakes):
    """Collects mistakes of one file."""

    def __init__(self, file: str) -> None:
        super().__init__(MAX_MISTAKES, ScenarioError)
        self.file = file

    def at(self, line: int, what: str, advice: str) -> None:
        """Note a mistake in a line, once.

        Raises:
            ScenarioError: there are `MAX_MISTAKES` already.
        """
        self.add(Location(self.file, line), what, advice)
