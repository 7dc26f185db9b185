"""Takes a Markdown or MDX page apart into blocks that know their lines.

markdown-it-py finds the blocks of CommonMark and the tables of GitHub's Markdown. What MDX adds to them has
rules here: components such as `<Tab title="Demo">`, imports, and that nothing is code for being indented.
Text is left as written; `inline` strips it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.tree import SyntaxTreeNode


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
    """The first paragraph of an item of a list; `depth` is 0 in the outermost list."""

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

# Pages come from outside. Each bound keeps time and memory in proportion to what a page may sensibly hold.
MAX_PAGE_SIZE = 1024 * 1024
"""Bytes of a page."""
MAX_LINE = 16 * 1024
"""Characters of a line."""
MAX_CELLS = 50_000
"""Cells in all tables of a page, those counted that its rows leave out."""
MAX_HEADING_ID = 200
"""Characters of the id of a heading, braces included."""
MAX_TAG_LINES = 50
"""Lines that one tag may run over."""
MAX_NESTING = 40
"""Levels of lists and quotes; a list and its item are one each."""
_HEADING_ID = re.compile(r"\{#[\w-]+\}\Z")
# Strings hold what they like, also braces: `rss={{title: "GET /orders/{id}"}}`. Possessive, so that no text
# can be taken apart in two ways, and time stays linear.
_STRING = r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'"
_OBJECT = rf"\{{(?:{_STRING}|[^{{}}\"'])*+\}}"
_EXPRESSION = rf"\{{(?:{_STRING}|{_OBJECT}|[^{{}}\"'])*+\}}"
# Groups: the slash of an end tag, the name, the attributes, the slash of a tag without content. A component
# has a capital, HTML has none.
_TAG = re.compile(rf"<(/?)([A-Z][\w.]*)((?:\"[^\"]*\"|'[^']*'|{_EXPRESSION}|/(?!>)|[^<>\"'{{}}/])*+)(/?)>")
# Groups: the name, then the value in double quotes, in single quotes or in braces. One without a value is a
# switch, such as `required`.
_ATTRIBUTE = re.compile(rf"(\w+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|({_EXPRESSION})))?")
# `import X from "…"` and `export const x = …` stand above the text of a page in MDX and say nothing.
_INCLUDE = re.compile(r"(?:import|export)\s.*(?:from\s|[=;{])")
# `\|` is a character of a cell, `|` alone its end.
_PIPE = re.compile(r"(?<!\\)\|")


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
    # Before anything is parsed: no page has more cells than pipes.
    if text.count("|") > MAX_CELLS:
        return [Puzzle(1, f"more than {MAX_CELLS} cells of tables")]
    lines = text.splitlines()
    found: list[Block] = []
    # What is left out leaves an empty line, so that the others keep their numbers.
    for at in range(front_matter(text)[1]):
        lines[at] = ""
    for at, line in enumerate(lines):
        if len(line) > MAX_LINE:
            found.append(Puzzle(at + 1, f"a line of more than {MAX_LINE} characters"))
            lines[at] = ""
    parser = _parser()
    state = StateBlock("\n".join(lines), parser, {"cells": 0}, [])
    parser.block.tokenize(state, 0, state.lineMax)
    found += _blocks(SyntaxTreeNode(state.tokens), lines)
    deep = (token for token in state.tokens if token.nesting > 0 and token.level == MAX_NESTING - 1)
    if token := next(deep, None):
        # The parser drops all that stands behind it on the page.
        what = f"lists and quotes are nested more than {MAX_NESTING} levels deep; the rest of the page"
        found.append(Puzzle((token.map or [0])[0] + 1, what))
    return sorted(found, key=lambda block: block.line)


def _parser() -> MarkdownIt:
    # From nothing upwards, rather than CommonMark's set: it has no rule then for code by indent, nor
    # for HTML.
    parser = MarkdownIt("zero", {"maxNesting": MAX_NESTING})
    parser.enable(["fence", "blockquote", "hr", "list", "heading", "lheading"])
    rules = parser.block.ruler
    # `alt` names the blocks that a rule may break off. Text above a table is a paragraph of its own.
    rules.before("fence", "table in bounds", _table, {"alt": ["paragraph"]})
    for rule in (_component, _html_table):
        rules.before("fence", rule.__name__, rule, {"alt": ["paragraph", "blockquote", "list"]})
    rules.at("paragraph", _paragraph)
    return parser


# These rules are added to markdown-it-py's, or replace them. A rule is asked whether its block begins in line
# `start`; unless it is to be silent, it adds the block then, and moves `state.line` behind it.


def _paragraph(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Text up to the next block, which CommonMark would not look for in a line that is indented by four."""
    del end, silent
    rules = state.md.block.ruler.getRules("paragraph")
    around, state.parentType = state.parentType, "paragraph"
    at = start + 1
    while at < state.lineMax and not state.isEmpty(at):
        # A negative indent marks a line that carries on the paragraph of a quote without its mark.
        if state.sCount[at] >= 0 and any(rule(state, at, state.lineMax, True) for rule in rules):
            break
        at += 1
    state.parentType = around
    return _add(state, "paragraph", "\n".join(_line(state, each) for each in range(start, at)), start, at)


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A table, as long as there are not too many cells: the parser adds those that a row leaves out."""
    before = len(state.tokens)
    found = state.env["cells"] < MAX_CELLS and table(state, start, end, silent)
    state.env["cells"] += sum(token.type == "inline" for token in state.tokens[before:])
    return found


def _component(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A line of tags and what stands between them; the first may run over several lines."""
    text = _line(state, start)
    # In the line that opens an item of a list, with its mark in front, a tag is text of the item.
    is_first_in_item = state.src[state.bMarks[start] : state.bMarks[start] + state.tShift[start]].strip()
    if is_first_in_item or not re.match(r"</?[A-Z]", text):
        return False
    at = start + 1
    while not silent and not _TAG.match(text):
        if at - start > MAX_TAG_LINES or at >= end or state.isEmpty(at):
            return _add(state, "puzzle", f"the component {text.split(maxsplit=1)[0]} has no end", start, at)
        text += f" {_line(state, at)}"
        at += 1
    return silent or _add(state, "component", text, start, at)


def _html_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    found = _line(state, start).lower().startswith("<table")
    if silent or not found:
        return found
    last = next((at for at in range(start, end) if "</table" in _line(state, at).lower()), end - 1)
    return _add(state, "puzzle", "a table in HTML", start, last + 1)


def _line(state: StateBlock, at: int) -> str:
    """A line without what puts it into a list or a quote."""
    return state.src[state.bMarks[at] + state.tShift[at] : state.eMarks[at]].rstrip()


def _add(state: StateBlock, kind: str, content: str, start: int, end: int) -> bool:
    token = state.push(kind, "", 0)
    token.content = content
    token.map = [start, end]
    state.line = end
    return True


def _blocks(parent: SyntaxTreeNode, lines: Sequence[str], depth: int = -1) -> Iterator[Block]:
    """What the parser has found inside of a list, an item, or the page."""
    for node in parent.children:
        first, last = node.map or (0, 0)
        line = first + 1
        match node.type:
            case "bullet_list" | "ordered_list":
                yield from _blocks(node, lines, depth + 1)
            case "list_item":
                yield from _blocks(node, lines, depth)
            case "blockquote":
                yield Paragraph(
                    line, _joined(each.content for each in node.walk() if each.token and each.content)
                )
            case "heading":
                yield Heading(line, int(node.tag[1:]), _heading_text(node.children[0].content))
            # Its own paragraph makes an item; what follows in the same item is text like any
            # other.
            case "paragraph" if parent.type == "list_item" and node is parent.children[0]:
                yield Item((parent.map or [first])[0] + 1, depth, _joined([node.content]))
            case "paragraph":
                yield from _text(line, node.content.split("\n"))
            case "table":
                yield from _rows([row for part in node.children for row in part.children], lines)
            case "component":
                yield from _tags(line, node.content)
            # The parser ends a block of code without a closing fence at the end of the page,
            # and says nothing.
            case "fence" if last > line and lines[last - 1].strip().startswith(node.markup):
                yield Code(line, node.info.strip(), tuple(lines[line : last - 1]))
            case "fence" | "puzzle":
                yield Puzzle(line, node.content if node.type == "puzzle" else "a code block has no end")


def _joined(texts: Iterable[str]) -> str:
    """All lines in one, without the backslash that ends a line."""
    return " ".join(line.removesuffix("\\") for text in texts for line in text.split("\n"))


def _text(first: int, lines: Sequence[str]) -> Iterator[Block]:
    """A paragraph, but for imports above it and lines that were to be rows of a table."""
    kept: list[str] = []
    for line, text in enumerate(lines, first):
        if text.startswith("|"):
            yield Puzzle(line, "a row of a table without a proper head")
        elif kept or not _INCLUDE.match(text):
            kept.append(text)
    if kept:
        yield Paragraph(first + lines.index(kept[0]), _joined(kept))


def _rows(nodes: Sequence[SyntaxTreeNode], lines: Sequence[str]) -> Iterator[Block]:
    rows: list[Row] = []
    for node in nodes:
        at = node.map[0] if node.map else 0
        cells = tuple(cell.children[0].content for cell in node.children)
        width = 1 + len(_PIPE.findall(lines[at].strip("| ")))
        if rows and width > len(cells):  # The parser has dropped the last ones.
            yield Puzzle(at + 1, f"a row has {width} cells, the table {len(cells)}")
        else:
            rows.append(Row(at + 1, cells))
    yield Table(rows[0], tuple(rows[1:]))


def _tags(line: int, text: str) -> Iterator[Block]:
    at = 0
    for tag in _TAG.finditer(text):
        if between := text[at : tag.start()].strip():
            yield Paragraph(line, between)
        at = tag.end()
        if tag[1]:
            yield End(line, tag[2])
        else:
            found = {
                each[1]: each[2] or each[3] or (each[4] or "")[1:-1] for each in _ATTRIBUTE.finditer(tag[3])
            }
            yield Component(line, tag[2], found, bool(tag[4]))
    if between := text[at:].strip():
        yield Paragraph(line, between)


def _heading_text(text: str) -> str:
    """The text of a heading without its closing # and its id."""
    text = " ".join(text.split("\n")).strip()
    found = _HEADING_ID.search(text[-MAX_HEADING_ID:])
    if found is not None:
        text = text[: len(text) - len(found[0])].rstrip()
    return text.rstrip("#").rstrip()
