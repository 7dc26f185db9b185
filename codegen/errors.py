"""Mistakes in a spec folder, and the exception that reports them."""

from __future__ import annotations

from collections.abc import Iterable

from kalshi_fix_adapters.documents import mistakes
from kalshi_fix_adapters.documents.mistakes import Mistake

MAX_MISTAKES = 200
"""Maximum number of mistakes that one run reports."""


class SpecError(Exception):
    """Raised for an invalid spec folder; `mistakes` lists all mistakes found in one run."""

    def __init__(self, mistakes_found: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes_found)
        super().__init__("\n".join(map(str, self.mistakes)))


class Mistakes(mistakes.Mistakes):
    """Collector of mistakes; raises `SpecError`."""

    def __init__(self) -> None:
        super().__init__(MAX_MISTAKES, SpecError)
