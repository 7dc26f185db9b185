"""Split a Markdown or MDX page into blocks with line numbers.

markdown-it-py parses the blocks of CommonMark and GitHub's tables. The rules for MDX are defined here: it has
components such as `<Tab title="Demo">` and imports, and indentation does not make a code block. Text is kept
as written; `inline` removes its markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.tree import SyntaxTreeNode


@attrs.frozen
class _Part:
    """A part of a page."""

    line: int
    """Its first line."""


@attrs.frozen
class Heading(_Part):
    """A heading of level 1 to 6."""

    level: int
    text: str


@attrs.frozen
class Paragraph(_Part):
    """Running text."""

    text: str


@attrs.frozen
class Item(_Part):
    """First paragraph of a list item; `depth` is 0 in the outermost list."""

    depth: int
    text: str


@attrs.frozen
class Row(_Part):
    """One row of a table."""

    cells: tuple[str, ...]


@attrs.frozen
class Table:
    """A pipe table or an HTML table."""

    header: Row
    rows: tuple[Row, ...]

    @property
    def line(self) -> int:
        """Line of the header."""
        return self.header.line


@attrs.frozen
class Code(_Part):
    """A fenced block."""

    info: str
    lines: tuple[str, ...]


@attrs.frozen
class Component(_Part):
    """Start of a component, or a whole component without content."""

    name: str
    attributes: Mapping[str, str]
    empty: bool


@attrs.frozen
class End(_Part):
    """End of a component."""

    name: str


@attrs.frozen
class UnparsableMarkup(_Part):
    """Markup that cannot be parsed."""

    problem: str


Block = Heading | Paragraph | Item | Table | Code | Component | End | UnparsableMarkup

# Pages are untrusted. The bounds limit time and memory to the needs of real pages.
MAX_PAGE_SIZE = 1024 * 1024
"""Maximum size of a page in bytes."""
MAX_LINE = 16 * 1024
"""Maximum length of a line in characters."""
MAX_CELLS = 50_000
"""Maximum number of cells in all tables of a page, including cells missing from its rows."""
MAX_HEADING_ID = 200
"""Maximum length of a heading's id in characters, braces included."""
MAX_TAG_LINES = 50
"""Maximum number of lines of a tag."""
MAX_NESTING = 40
"""Maximum depth of lists and quotes; a list and its item count as one each."""
_HEADING_ID = re.compile(r"\{#[\w-]+\}\Z")
# Strings may contain any characters, even braces: `rss={{title: "GET /orders/{id}"}}`. Possessive
# quantifiers prevent backtracking, so the time stays linear.
_STRING = r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'"
_OBJECT = rf"\{{(?:{_STRING}|[^{{}}\"'])*+\}}"
_EXPRESSION = rf"\{{(?:{_STRING}|{_OBJECT}|[^{{}}\"'])*+\}}"
# Groups: the slash of an end tag, the name, the attributes, the slash of a self-closing tag. Component names
# are capitalized, HTML's are not.
_TAG = re.compile(rf"<(/?)([A-Z][\w.]*)((?:\"[^\"]*\"|'[^']*'|{_EXPRESSION}|/(?!>)|[^<>\"'{{}}/])*+)(/?)>")
# Groups: the name, then the value in double quotes, in single quotes or in braces. An attribute without a
# value is a switch, such as `required`.
_ATTRIBUTE = re.compile(rf"(\w+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|({_EXPRESSION})))?")
# `import X from "…"` and `export const x = …` at the top of an MDX page have no visible text.
_IMPORT_OR_EXPORT = re.compile(r"(?:import|export)\s.*(?:from\s|[=;{])")
# Rows and cells of an HTML table, whose end tags may be missing; the length of tags is bounded to keep the
# time linear.
_HTML_ROW = re.compile(r"<tr\b[^>]{0,500}>(.*?)(?=<tr\b|</tr|</table|\Z)", re.IGNORECASE | re.DOTALL)
_HTML_CELL = re.compile(r"<t[hd]\b[^>]{0,500}>(.*?)(?=</?t[hd]\b|\Z)", re.IGNORECASE | re.DOTALL)
_HTML_SPAN = re.compile(r"\b(?:col|row)span\b|<table\b(?=.*<table\b)", re.IGNORECASE | re.DOTALL)
# `\|` is part of a cell, `|` its end.
_PIPE = re.compile(r"(?<!\\)\|")


def front_matter(text: str) -> tuple[dict[str, str], int]:
    """Return the front matter's settings and its number of lines."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return {}, 0
    for number, line in enumerate(lines[1:], 2):
        if line.strip() == "---":
            pairs = (each.partition(":") for each in lines[1 : number - 1])
            return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}, number
    return {}, 0


def blocks(text: str) -> list[Block]:
    """Split a page into blocks, without its front matter."""
    # This check needs no parsing: a page cannot have more cells than pipes.
    if text.count("|") > MAX_CELLS:
        return [UnparsableMarkup(1, f"more than {MAX_CELLS} table cells")]
    lines = text.splitlines()
    found: list[Block] = []
    # Removed lines are blanked to keep the line numbers.
    for index in range(front_matter(text)[1]):
        lines[index] = ""
    for index, line in enumerate(lines):
        if len(line) > MAX_LINE:
            found.append(UnparsableMarkup(index + 1, f"a line of more than {MAX_LINE} characters"))
            lines[index] = ""
    parser = _parser()
    state = StateBlock("\n".join(lines), parser, {"cells": 0}, [])
    parser.block.tokenize(state, 0, state.lineMax)
    found += _blocks(SyntaxTreeNode(state.tokens), lines)
    too_deep = (token for token in state.tokens if token.nesting > 0 and token.level == MAX_NESTING - 1)
    if token := next(too_deep, None):
        # The parser drops the rest of the page at this depth.
        why = f"lists and quotes are nested more than {MAX_NESTING} levels deep"
        found.append(UnparsableMarkup((token.map or [0])[0] + 1, f"the rest of the page, because {why}"))
    return sorted(found, key=lambda block: block.line)


def _parser() -> MarkdownIt:
    # The empty preset instead of CommonMark's, which has rules for indented code and HTML.
    parser = MarkdownIt("zero", {"maxNesting": MAX_NESTING})
    parser.enable(["fence", "blockquote", "hr", "list", "heading", "lheading"])
    rules = parser.block.ruler
    # `alt` lists the blocks that a rule may interrupt. Text above a table is a separate paragraph.
    rules.before("fence", "bounded_table", _table, {"alt": ["paragraph"]})
    for rule in (_component, _html_table):
        rules.before("fence", rule.__name__, rule, {"alt": ["paragraph", "blockquote", "list"]})
    rules.at("paragraph", _paragraph)
    return parser


# These rules are added to markdown-it-py's, or replace them. A rule returns whether its block begins in line
# `start`. If so, and `silent` is not set, it adds the block and moves `state.line` past it.


def _paragraph(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse text up to the next block. Unlike in CommonMark, that block may be indented by four spaces."""
    del end, silent
    rules = state.md.block.ruler.getRules("paragraph")
    previous, state.parentType = state.parentType, "paragraph"
    index = start + 1
    while index < state.lineMax and not state.isEmpty(index):
        # A negative indent marks a line that continues a quoted paragraph without the quote mark.
        if state.sCount[index] >= 0 and any(rule(state, index, state.lineMax, True) for rule in rules):
            break
        index += 1
    state.parentType = previous
    return _add(
        state, "paragraph", "\n".join(_line(state, each) for each in range(start, index)), start, index
    )


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a table unless the limit on cells is reached. Cells that the parser adds to short rows are
    counted too.
    """
    first_token = len(state.tokens)
    is_table = state.env["cells"] < MAX_CELLS and table(state, start, end, silent)
    state.env["cells"] += sum(token.type == "inline" for token in state.tokens[first_token:])
    return is_table


def _component(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a line of tags and the text between them; the first tag may span several lines."""
    text = _line(state, start)
    # On the first line of a list item, after its bullet, a tag is text of the item.
    item_prefix = state.src[state.bMarks[start] : state.bMarks[start] + state.tShift[start]].strip()
    if item_prefix or not re.match(r"</?[A-Z]", text):
        return False
    index = start + 1
    while not silent and not _TAG.match(text):
        if index - start > MAX_TAG_LINES or index >= end or state.isEmpty(index):
            problem = f"the component {text.split(maxsplit=1)[0]} has no end"
            return _add(state, "unparsable", problem, start, index)
        text += f" {_line(state, index)}"
        index += 1
    return silent or _add(state, "component", text, start, index)


def _html_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    is_table = _line(state, start).lower().startswith("<table")
    if silent or not is_table:
        return is_table
    last = next((index for index in range(start, end) if "</table" in _line(state, index).lower()), end - 1)
    content = "\n".join(_line(state, index) for index in range(start, last + 1))
    return _add(state, "html_table", content, start, last + 1)


def _line(state: StateBlock, index: int) -> str:
    """Return a line without its list or quote prefix."""
    return state.src[state.bMarks[index] + state.tShift[index] : state.eMarks[index]].rstrip()


def _add(state: StateBlock, kind: str, content: str, start: int, end: int) -> bool:
    token = state.push(kind, "", 0)
    token.content = content
    token.map = [start, end]
    state.line = end
    return True


def _blocks(parent: SyntaxTreeNode, lines: Sequence[str], depth: int = -1) -> Iterator[Block]:
    """Yield the blocks inside a list, an item, or the page."""
    for node in parent.children:
        first, last = node.map or (0, 0)
        line = first + 1
        match node.type:
            case "bullet_list" | "ordered_list":
                yield from _blocks(node, lines, depth + 1)
            case "list_item":
                yield from _blocks(node, lines, depth)
            case "blockquote":
                texts = (each.content for each in node.walk() if each.token and each.content)
                yield Paragraph(line, _joined(texts))
            case "heading":
                yield Heading(line, int(node.tag[1:]), _heading_text(node.children[0].content))
            # The first paragraph of an item is its text; later ones are ordinary paragraphs.
            case "paragraph" if parent.type == "list_item" and node is parent.children[0]:
                yield Item((parent.map or [first])[0] + 1, depth, _joined([node.content]))
            case "paragraph":
                yield from _text(line, node.content.split("\n"))
            case "table":
                yield from _rows([row for part in node.children for row in part.children], lines)
            case "html_table":
                yield _html_rows(line, node.content)
            case "component":
                yield from _tags(line, node.content)
            # The parser silently ends a code block without a closing fence at the end of the page.
            case "fence" if last > line and lines[last - 1].strip().startswith(node.markup):
                yield Code(line, node.info.strip(), tuple(lines[line : last - 1]))
            case "fence" | "unparsable":
                yield UnparsableMarkup(
                    line, node.content if node.type == "unparsable" else "a code block has no end"
                )


def _joined(texts: Iterable[str]) -> str:
    """Join all lines into one, without trailing backslashes."""
    return " ".join(line.removesuffix("\\") for text in texts for line in text.split("\n"))


def _text(first: int, lines: Sequence[str]) -> Iterator[Block]:
    """Yield UnparsableMarkup for each table row, and a paragraph without the imports and exports above it."""
    text_lines: list[str] = []
    for line, text in enumerate(lines, first):
        if text.startswith("|"):
            yield UnparsableMarkup(line, "a table row without a proper header")
        elif text_lines or not _IMPORT_OR_EXPORT.match(text):
            text_lines.append(text)
    if text_lines:
        yield Paragraph(first + lines.index(text_lines[0]), _joined(text_lines))


def _rows(nodes: Sequence[SyntaxTreeNode], lines: Sequence[str]) -> Iterator[Block]:
    rows: list[Row] = []
    for node in nodes:
        index = node.map[0] if node.map else 0
        cells = tuple(cell.children[0].content for cell in node.children)
        width = 1 + len(_PIPE.findall(lines[index].strip("| ")))
        if rows and width > len(cells):  # The parser has dropped the surplus cells.
            yield UnparsableMarkup(index + 1, f"a row has {width} cells, the table {len(cells)}")
        else:
            rows.append(Row(index + 1, cells))
    yield Table(rows[0], tuple(rows[1:]))


def _html_rows(line: int, text: str) -> Block:
    """Parse an HTML table. A table with cells that span several rows or columns is unparsable."""
    rows: list[Row] = []
    number, index = line, 0
    for row in _HTML_ROW.finditer(text):
        number += text.count("\n", index, row.start())
        index = row.start()
        rows.append(Row(number, tuple(" ".join(cell.split()) for cell in _HTML_CELL.findall(row[1]))))
    if sum(len(row.cells) for row in rows) > MAX_CELLS:
        return UnparsableMarkup(line, f"more than {MAX_CELLS} table cells")
    if not rows or not rows[0].cells or _HTML_SPAN.search(text):
        problem = "an HTML table without rows, or with cells that span several rows or columns"
        return UnparsableMarkup(line, problem)
    if any(len(row.cells) != len(rows[0].cells) for row in rows):
        return UnparsableMarkup(line, "an HTML table with rows of different lengths")
    return Table(rows[0], tuple(rows[1:]))


def _tags(line: int, text: str) -> Iterator[Block]:
    index = 0
    for tag in _TAG.finditer(text):
        if text_between := text[index : tag.start()].strip():
            yield Paragraph(line, text_between)
        index = tag.end()
        if tag[1]:
            yield End(line, tag[2])
        else:
            matches = _ATTRIBUTE.finditer(tag[3])
            attributes = {each[1]: each[2] or each[3] or (each[4] or "")[1:-1] for each in matches}
            yield Component(line, tag[2], attributes, bool(tag[4]))
    if text_between := text[index:].strip():
        yield Paragraph(line, text_between)


def _heading_text(text: str) -> str:
    """Return the text of a heading without its closing `#` characters and its id."""
    text = " ".join(text.split("\n")).strip()
    heading_id = _HEADING_ID.search(text[-MAX_HEADING_ID:])
    if heading_id is not None:
        text = text[: len(text) - len(heading_id[0])].rstrip()
    return text.rstrip("#").rstrip()
