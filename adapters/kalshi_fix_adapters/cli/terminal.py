"""What the command prints: styled in a terminal, plain text in a pipe or with NO_COLOR."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.box import ASCII, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

Span = tuple[str, str]
"""A style (empty for none) and a piece of a line."""
Line = tuple[Span, ...]

PLAIN_WIDTH = 1000
"""Columns that are too many for any table, where there is no terminal that has a width."""

CUT_OFF = ">"
"""Stands at the end of a line that was cut."""


def plain(text: str) -> Line:
    """Return a line without style."""
    return (("", text),)


def printable(text: str) -> str:
    """Return text from outside so that it cannot steer a terminal: control characters are escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class Screen:
    """A text stream that may be a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        terminal = self._terminal = self._stream.isatty()
        self._console = Console(
            file=self._stream, width=None if terminal else PLAIN_WIDTH, highlight=False, markup=False
        )
        self._styled = terminal and not self._console.no_color

    def lines(self, lines: Sequence[Line], *, cut: bool = False) -> None:
        """Print lines as they are, however long; with `cut`, on a terminal, only what it has room for."""
        if cut and self._terminal:
            lines = [_cut(line, self._console.width) for line in lines]
        if self._styled:
            text = Text("\n").join(Text.assemble(*((part, style) for style, part in line)) for line in lines)
            self._console.print(text, soft_wrap=True)
        else:
            self._stream.write("".join("".join(part for _, part in line) + "\n" for line in lines))

    def text(self, lines: Sequence[str]) -> None:
        """Print lines without style, as they are."""
        self._stream.write("\n".join((*lines, "")))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; columns whose values are numbers are aligned to the right."""
        self.lines([(("bold", title),)])
        if self._styled and self._console.encoding.startswith("utf"):
            table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        else:
            table = Table(box=ASCII, padding=(0, 1, 0, 0) if self._styled else (0, 1))
        for index, column in enumerate(columns):
            numeric = all(_is_number(row[index]) for row in rows)
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(printable(value) for value in row))
        self._console.print(table)

    def flush(self) -> None:
        """Hand over what was printed."""
        self._stream.flush()


def _cut(line: Line, width: int) -> Line:
    if sum(len(part) for _, part in line) <= width:
        return line
    shown: list[Span] = []
    room = width - 1
    for style, part in line:
        shown.append((style, part[:room]))
        room -= len(shown[-1][1])
    return (*shown, ("dim", CUT_OFF))


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).isdigit()
