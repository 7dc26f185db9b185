"""Plays histories line by line: the events that a state machine receives, and the state that they lead to.

README.md in this folder defines the format.
"""

from __future__ import annotations

import re
import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml

from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.trading import Account, ExecKey
from tests.trading.order_flow import NOON


def load(name: str) -> Iterator[Any]:
    """Yield the histories of a file as parameters of a test; a history with rows yields one for each row."""
    document = yaml.safe_load((Path(__file__).parent / f"{name}.yaml").read_text("utf-8"))
    for title, given in document.items():
        entry = {"lines": given} if isinstance(given, str) else given
        columns, *rows = [row.split(" | ") for row in entry.get("rows", "").splitlines()] or [[], []]
        for number, row in enumerate(rows, 1):
            cells = dict(zip(map(str.strip, columns), map(str.strip, row), strict=True))
            lines = re.sub(r"<([^<>]+)>", lambda match, cells=cells: cells[match[1]], entry["lines"])
            yield pytest.param(lines, id=f"{title}-{number}" if columns else title)


def steps(lines: str) -> Iterator[list[str]]:
    """Yield the words of each line that is neither empty nor a comment."""
    for line in lines.splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def shown(value: Any) -> str:
    """Return a value as it is written in histories."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value.normalize():f}"
        case datetime():
            return f"{(value - NOON).total_seconds():g}"
        case Enum():
            return value.name
        case Account():
            return value.customer or str(value.subaccount)
        case ExecKey() | str():
            return str(value)
        case Iterable():
            return ",".join(map(shown, value)) or "-"
    return str(value)


class Player(ABC):
    """Plays a history with a state machine. The first word of a line names a method of the player, or an
    event that the machine receives.
    """

    machine: Any

    def __init__(self) -> None:
        self._last: list[Any] = []
        """The updates that the last step caused."""
        self._unexpected: list[Any] = []
        """The discrepancies of these updates, until a line checks them."""

    def play(self, lines: str) -> None:
        """Play all lines.

        Raises:
            AssertionError: a result differs; the message contains the line.
        """
        for words in steps(lines):
            try:
                self.perform(*words)
            except AssertionError as error:
                raise AssertionError(f"{shlex.join(words)}\n{error}") from None
        assert not self._unexpected, list(map(str, self._unexpected))

    def perform(self, first: str, *words: str) -> None:
        method = getattr(self, first.replace("-", "_"), None)
        if method is not None:
            method(*words)
        else:
            self.record(self.feed(self.event(first, *words)))

    @abstractmethod
    def event(self, first: str, *words: str) -> Any:
        """Return the request, message or event that these words describe."""

    @abstractmethod
    def feed(self, event: object) -> list[Any]:
        """Pass an event to the machine; return the updates."""

    def record(self, updates: list[Any]) -> None:
        """Keep the updates of a step; the discrepancies of the previous one must have been checked."""
        assert not self._unexpected, list(map(str, self._unexpected))
        self._last = updates
        self._unexpected = [item for update in updates for item in update.discrepancies]

    # --- expectations -----------------------------------------------------------------------------------

    def fails(self, problem: str, *words: str) -> None:
        """Perform the rest of the line, which must raise an error with this text."""
        with pytest.raises((ValueError, KalshiFixError), match=re.escape(problem)):
            self.perform(*words)

    def discrepancies(self, *expected: str) -> None:
        """Check the discrepancies that the last step caused. Without this check, it must cause none."""
        self.check([item.kind for item in self._unexpected], expected)
        assert all(len(str(item)) < 700 for item in self._unexpected)
        self._unexpected = []

    def no_update(self) -> None:
        """Check that the last step caused no update."""
        self.updates("0")

    def updates(self, count: str) -> None:
        """Check the number of updates that the last step caused."""
        assert len(self._last) == int(count), self._last

    def update(self, *words: str) -> None:
        """Check attributes of the only update that the last step caused."""
        [update] = self._last
        self.compare(update, words)

    def compare(self, found: Any, words: Iterable[str]) -> None:
        """Compare attributes: `name=value` for each; a name may have dots, keys and indexes."""
        for word in words:
            name, _, expected = word.partition("=")
            value = found
            for part in name.split("."):
                if isinstance(value, dict):
                    value = value[part]
                else:
                    value = value[int(part)] if part.isdecimal() else getattr(value, part)
            self.check(value, [expected], name)

    def check(self, found: Any, expected: Iterable[str], name: str = "") -> None:
        assert shown(found) == (",".join(expected) or "-"), f"{name} is {shown(found)}".strip()


def split(words: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Separate the words without `=` from those of the form `name=value`, which are returned as a dict."""
    words = list(words)
    named = dict(word.split("=", 1) for word in words if "=" in word)
    return [word for word in words if "=" not in word], named


def parse_value(value: str) -> Any:
    """Convert the text of a field: `yes` and `no` to bools, `-` to None, and whole numbers to integers."""
    if value.lstrip("-").isdecimal():
        return int(value)
    return {"yes": True, "no": False, "-": None}.get(value, value)
