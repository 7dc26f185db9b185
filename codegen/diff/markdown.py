"""Takes a Markdown or MDX page apart into blocks that know their lines.

Only what the venue's pages use, and may come to use: headings, pipe tables, lists, fenced code, block quotes
and components such as `<Tab title="Demo">`. Text is left as written; `inline` strips it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import attrs


@attrs.frozen
class Heading:
    """A heading of level 1 to 6."""

    line: int
    level: int
    text: str


@attrs.frozen
class Paragraph:
    """Running text."""

    line: int
    text: str


@attrs.frozen
class Item:
    """One item of a list, without those nested in it; `depth` is 0 in the outermost list."""

    line: int
    depth: int
    text: str


@attrs.frozen
class Row:
    """One row of a table."""

    line: int
    cells: tuple[str, ...]


@attrs.frozen
class Table:
    """A pipe table."""

    header: Row
    rows: tuple[Row, ...]

    @property
    def line(self) -> int:
        """Where the header stands."""
        return self.header.line


@attrs.frozen
class Code:
    """A fenced block."""

    line: int
    info: str
    lines: tuple[str, ...]


@attrs.frozen
class Component:
    """The start of a component, or all of one that has no content."""

    line: int
    name: str
    attributes: Mapping[str, str]
    empty: bool


@attrs.frozen
class End:
    """The end of a component."""

    line: int
    name: str


@attrs.frozen
class Puzzle:
    """Something that cannot be taken apart."""

    line: int
    what: str


Block = Heading | Paragraph | Item | Table | Code | Component | End | Puzzle

MAX_PAGE_SIZE = 4 * 1024 * 1024
"""Bytes of a page."""
MAX_LINE = 16 * 1024
"""Characters of a line."""
MAX_HEADING_ID = 200
"""Characters of the id of a heading, braces included."""
MAX_TAG_LINES = 50
"""Lines that one tag may run over."""
_HEADING = re.compile(r"(#{1,6})\s+(\S.*)?\Z")
_HEADING_ID = re.compile(r"\{#[\w-]+\}\Z")
_FENCE = re.compile(r"(`{3,}|~{3,})\s*(.*)\Z")
_ITEM = re.compile(r"(\s*)(?:[*+-]|\d+[.)])\s+(.*)\Z")
_SEPARATOR = re.compile(r":?-+:?")
"""A cell of the line below the head of a table."""
_TAG = re.compile(r"<(/?)([A-Z][\w.]*)((?:[^<>\"'{}]|\"[^\"]*\"|'[^']*'|\{[^{}]*\})*?)(/?)>")
_ATTRIBUTE = re.compile(r"(\w+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|\{([^}]*)\}))?")
_RULE = re.compile(r"(?:\*\s*){3,}\Z|(?:-\s*){3,}\Z|(?:_\s*){3,}\Z")
_INCLUDE = re.compile(r"(?:import|export)\s.*(?:from\s|[=;{])")


def front_matter(text: str) -> tuple[dict[str, str], int]:
    """Return the settings above the page, and how many lines they take."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return {}, 0
    for number, line in enumerate(lines[1:], 2):
        if line.strip() == "---":
            pairs = (each.partition(":") for each in lines[1 : number - 1])
            return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}, number
    return {}, 0


def blocks(text: str) -> list[Block]:
    """Take a page apart, front matter left out."""
    return list(_Parser(text).parse())


def split_row(line: str) -> tuple[str, ...]:
    """Split a table row at the pipes that are not escaped."""
    line = line.strip()
    line = line.removeprefix("|")
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    return tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line))


class _Parser:
    """Walks the lines of one page."""

    def __init__(self, text: str) -> None:
        skipped = front_matter(text)[1]
        self._lines = text.splitlines()
        self._at = skipped
        self._paragraph: list[str] = []
        self._paragraph_line = 0
        self._indents: list[int] = []
        self._item: tuple[int, int, list[str]] | None = None

    def parse(self) -> Iterator[Block]:
        while self._at < len(self._lines):
            yield from self._next()
        yield from self._flush()

    def _next(self) -> Iterator[Block]:
        number, line = self._at + 1, self._lines[self._at].expandtabs(4)
        stripped = line.strip()
        if not stripped:
            yield from self._flush()
            self._at += 1
        elif len(line) > MAX_LINE:
            yield from self._flush()
            self._at += 1
            yield Puzzle(number, f"a line of more than {MAX_LINE} characters")
        elif fence := _FENCE.match(stripped):
            yield from self._flush(end_list=False)
            yield self._code(fence[1], fence[2])
        elif heading := _HEADING.match(stripped):
            yield from self._flush()
            self._at += 1
            yield Heading(number, len(heading[1]), _heading_text(heading[2] or ""))
        elif self._paragraph and (level := _underline(stripped)):
            yield Heading(self._paragraph_line, level, " ".join(self._paragraph))
            self._paragraph = []
            self._at += 1
        elif self._is_table():
            yield from self._flush()
            yield from self._table()
        elif re.match(r"</?[A-Z]", stripped):
            yield from self._flush(end_list=False)
            yield from self._component(stripped)
        elif stripped.lower().startswith("<table"):
            yield from self._flush()
            yield from self._html_table(number)
        elif _INCLUDE.match(line) and not self._paragraph:
            self._at += 1
        elif _RULE.match(stripped):
            yield from self._flush()
            self._at += 1
        elif item := _ITEM.match(line):
            yield from self._flush(end_list=False)
            self._at += 1
            self._item = (number, self._depth(len(item[1])), [item[2]])
        elif stripped.startswith("|"):
            yield from self._flush()
            self._at += 1
            yield Puzzle(number, "a row of a table without a proper head")
        else:
            self._text(number, line)
            self._at += 1

    def _text(self, number: int, line: str) -> None:
        """A line of a paragraph, or one that carries on the item above it."""
        stripped = line.strip()
        if stripped.startswith(">"):
            stripped = stripped.lstrip("> ").lstrip("# ")
        stripped = stripped.removesuffix("\\")
        if self._item is not None:
            self._item[2].append(stripped)
            return
        if not self._paragraph:
            self._paragraph_line = number
            if len(line) - len(line.lstrip()) <= min(self._indents, default=0):
                self._indents = []
        self._paragraph.append(stripped)

    def _flush(self, *, end_list: bool = True) -> Iterator[Block]:
        if self._item is not None:
            number, depth, texts = self._item
            yield Item(number, depth, " ".join(texts))
            self._item = None
        if self._paragraph:
            yield Paragraph(self._paragraph_line, " ".join(self._paragraph))
            self._paragraph = []
            if end_list:
                self._indents = []

    def _depth(self, indent: int) -> int:
        """How deep a list item stands, by the indents of those above it."""
        while self._indents and self._indents[-1] > indent:
            self._indents.pop()
        if not self._indents or self._indents[-1] < indent:
            self._indents.append(indent)
        return len(self._indents) - 1

    def _code(self, fence: str, info: str) -> Block:
        start = self._at
        end = re.compile(rf"{re.escape(fence[0])}{{{len(fence)},}}\s*\Z")
        self._at += 1
        while self._at < len(self._lines) and not end.match(self._lines[self._at].strip()):
            self._at += 1
        if self._at == len(self._lines):
            return Puzzle(start + 1, "a code block has no end")
        content = tuple(self._lines[start + 1 : self._at])
        self._at += 1
        return Code(start + 1, info, content)

    def _is_table(self) -> bool:
        if "|" not in self._lines[self._at] or self._at + 1 >= len(self._lines):
            return False
        below = split_row(self._lines[self._at + 1])
        if not all(_SEPARATOR.fullmatch(cell) for cell in below):
            return False
        return len(below) == len(split_row(self._lines[self._at]))

    def _table(self) -> Iterator[Block]:
        header = Row(self._at + 1, split_row(self._lines[self._at]))
        self._at += 2
        rows: list[Row] = []
        while self._at < len(self._lines) and "|" in self._lines[self._at] and self._lines[self._at].strip():
            row = Row(self._at + 1, split_row(self._lines[self._at]))
            self._at += 1
            if len(row.cells) > len(header.cells):
                yield Puzzle(row.line, f"a row has {len(row.cells)} cells, the table {len(header.cells)}")
                continue
            rows.append(Row(row.line, row.cells + ("",) * (len(header.cells) - len(row.cells))))
        yield Table(header, tuple(rows))

    def _html_table(self, number: int) -> Iterator[Block]:
        while self._at < len(self._lines) and "</table" not in self._lines[self._at].lower():
            self._at += 1
        self._at += 1
        yield Puzzle(number, "a table in HTML")

    def _component(self, text: str) -> Iterator[Block]:
        """The tags of a line, and what stands between them; a tag may run over several lines."""
        number = self._at + 1
        while not _TAG.match(text):
            self._at += 1
            is_over = self._at - number >= MAX_TAG_LINES or self._at >= len(self._lines)
            if is_over or not self._lines[self._at].strip() or len(self._lines[self._at]) > MAX_LINE:
                yield Puzzle(number, f"the component {text.split(maxsplit=1)[0]} has no end")
                return
            text += " " + self._lines[self._at].strip()
        self._at += 1
        at = 0
        for tag in _TAG.finditer(text):
            if between := text[at : tag.start()].strip():
                yield Paragraph(number, between)
            at = tag.end()
            if tag[1]:
                yield End(number, tag[2])
            else:
                found = {each[1]: each[2] or each[3] or each[4] or "" for each in _ATTRIBUTE.finditer(tag[3])}
                yield Component(number, tag[2], found, bool(tag[4]))
        if between := text[at:].strip():
            yield Paragraph(number, between)


def _heading_text(text: str) -> str:
    """The text of a heading without its closing # and its id."""
    text = text.strip()
    found = _HEADING_ID.search(text[-MAX_HEADING_ID:])
    if found is not None:
        text = text[: len(text) - len(found[0])].rstrip()
    return text.rstrip("#").rstrip()


def _underline(line: str) -> int:
    """The level of the heading that a line of = or - makes of the paragraph above; 0 for any other line."""
    if re.fullmatch(r"=+", line):
        return 1
    return 2 if re.fullmatch(r"-{3,}", line) else 0
