"""Reads the facts of one documentation page.

A heading that names a message (`35=D`) makes every table with a column of tags below it a table of that
message's fields, sub-headings included; a heading that names a field (`(39)`) makes lists and tables below it
lists of its values. Titles of components and paragraphs in bold count as headings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from codegen.diff import codelists, endpoints, headings, markdown, tables
from codegen.diff.facts import (
    CodesSaid,
    Fact,
    HostSaid,
    MentionSaid,
    MessageSaid,
    Place,
    TextSaid,
    Unread,
    VersionSaid,
    Vocabulary,
)
from codegen.diff.headings import MSG_TYPE, Says
from codegen.diff.inline import is_bold, plain

_BOLD = 7
"""The level of a paragraph in bold."""
_WITH_CONTENT_ELSEWHERE = re.compile(r"Snippet|Include|Partial|.*(?:Table|Fields|Content|Snippet)")
_TEXT_VALUE = re.compile(r"\A([A-Z][A-Z0-9_]{2,})\b(.*)\Z", re.DOTALL)
_MAPS_TO = re.compile(r"maps? to (\w+) [\"“]?([A-Za-z][\w ]*?)[\"”.]", re.IGNORECASE)
_TAG_MENTION = re.compile(
    r"\btags? [`\"]?(\d{1,6})\b|\b([A-Z]\w+)`?\s?[(<](\d{4,6})[)>]|\((\d{4,6})\)", re.IGNORECASE
)


def read(text: str, file: str, vocabulary: Vocabulary) -> list[Fact]:
    """Every fact of a page, in the order of the page."""
    reader = _PageReader(file, vocabulary)
    for block in markdown.blocks(text):
        reader.take(block)
    return [*reader.end(), *reader.mentions()]


@attrs.define
class _PageReader:
    """Where the reader is on the page, and what it has found."""

    file: str
    vocabulary: Vocabulary
    facts: list[Fact] = attrs.field(factory=list)
    _stack: list[tuple[int, Says]] = attrs.field(factory=list)
    """The headings above, outermost first, with their levels."""
    _components: list[tuple[str, list[tuple[int, Says]]]] = attrs.field(factory=list)
    """The components around, each with the headings above its start."""
    _texts: list[tuple[int, str]] = attrs.field(factory=list)
    """Running text by line, for what it mentions."""
    _list: list[markdown.Item] = attrs.field(factory=list)

    def take(self, block: markdown.Block) -> None:
        if not isinstance(block, markdown.Item):
            self._end_list()
        match block:
            case markdown.Heading(line, level, text):
                self._heading(line, level, text)
            case markdown.Paragraph(line, text):
                self._paragraph(line, text)
            case markdown.Item():
                self._item(block)
            case markdown.Table():
                self._table(block)
            case markdown.Component(line, name, attributes, empty):
                self._component(line, name, attributes.get("title") or attributes.get("label", ""), empty)
                self._update(line, name, attributes.get("label", ""), attributes.get("description", ""))
            case markdown.End(_, name):
                while self._components:
                    opened, self._stack = self._components.pop()
                    if opened == name:
                        break
            case markdown.Puzzle(line, what):
                self.facts.append(Unread(self._at(line), what))
            case markdown.Code(line, _, lines):
                self._texts += [(line + 1 + number, text) for number, text in enumerate(lines)]

    def end(self) -> list[Fact]:
        """The facts found, once the page is over."""
        self._end_list()
        return self.facts

    def mentions(self) -> Iterator[Fact]:
        """Message types, tags, session types and hosts that running text names, each where it comes first."""
        seen: set[tuple[str, str]] = set()
        for line, text in self._texts:
            for fact in self._mentioned(plain(text), self._at(line)):
                key = ("host", fact.host) if isinstance(fact, HostSaid) else (fact.kind, fact.value)
                if key not in seen:
                    seen.add(key)
                    yield fact

    def _mentioned(self, text: str, place: Place) -> Iterator[MentionSaid | HostSaid]:
        for msg_type in MSG_TYPE.findall(text):
            yield MentionSaid(place, "message", msg_type)
        for match in _TAG_MENTION.finditer(text):
            yield MentionSaid(place, "field", match[1] or match[3] or match[4], match[2] or "")
        for name in endpoints.session_names(text, self.vocabulary):
            yield MentionSaid(place, "session", name)
        yield from endpoints.hosts_of_text(text, place)

    def _at(self, line: int) -> Place:
        return Place(self.file, line)

    def _heading(self, line: int, level: int, text: str) -> None:
        self._texts.append((line, text))
        self._stack = [each for each in self._stack if each[0] < level]
        says = headings.read(text, self.vocabulary)
        self._stack.append((level, says))
        if says.version or (says.date and self._in_changelog()):
            self.facts.append(VersionSaid(self._at(line), says.version, says.date))
        if len(says.messages) == 1:
            self.facts.append(MessageSaid(self._at(line), says.messages[0], says.title))

    def _in_changelog(self) -> bool:
        return any(re.search(r"change ?log|release notes", says.text.lower()) for _, says in self._stack)

    def _component(self, line: int, name: str, title: str, empty: bool) -> None:
        if empty:
            if _WITH_CONTENT_ELSEWHERE.fullmatch(name):
                what = f"<{name}/> stands for something in another file"
                self.facts.append(Unread(self._at(line), what))
            return
        self._components.append((name, list(self._stack)))
        if title:
            self._heading(line, _BOLD, title)
            self._stack[-1] = (0, self._stack[-1][1])

    def _update(self, line: int, name: str, label: str, description: str) -> None:
        """An entry of a changelog made of `<Update label="1.0.32" description="2026-09-01">`."""
        if name != "Update":
            return
        says = headings.read(label, self.vocabulary)
        if not says.version:
            date = says.date or headings.date_in(description)
            self.facts.append(VersionSaid(self._at(line), "", date))

    def _paragraph(self, line: int, text: str) -> None:
        self._texts.append((line, text))
        found = list(endpoints.hosts_with_roles(plain(text), self._at(line), self._environment()))
        if found:
            self.facts += found
        elif is_bold(text):
            self._heading(line, _BOLD, text)

    def _item(self, item: markdown.Item) -> None:
        self._texts.append((item.line, item.text))
        self.facts += endpoints.hosts_with_roles(plain(item.text), self._at(item.line), self._environment())
        if item.depth == 0:
            self._list.append(item)

    def _end_list(self) -> None:
        """Read a list as codes or texts, where the heading above it says so."""
        items, self._list = self._list, []
        says = self._stack[-1][1] if self._stack else Says()
        if not items or says.tag is None:
            return
        if says.tag == tables.TEXT:
            for item in items:
                self.facts.append(self._text(item))
            return
        found = []
        for item in items:
            code = codelists.of_item(item.text, self._at(item.line))
            if code is None:
                what = f"an item under the heading on values of {says.tag} has no value"
                self.facts.append(Unread(self._at(item.line), what))
            else:
                found.append(code)
        if found:
            self.facts.append(CodesSaid(found[0].place, says.tag, tuple(found), whole=True))

    def _text(self, item: markdown.Item) -> Fact:
        match = _TEXT_VALUE.match(plain(item.text))
        message = self._message()
        if match is None or message is None:
            what = "an item under the heading on values of Text names no value, or no message has it"
            return Unread(self._at(item.line), what)
        mapped = _MAPS_TO.search(f"{match[2]}.")
        field, code = (mapped[1], mapped[2]) if mapped else ("", "")
        return TextSaid(self._at(item.line), message, match[1], field, code)

    def _table(self, table: markdown.Table) -> None:
        for row in table.rows:
            self._texts += [(row.line, cell) for cell in row.cells]
        self.facts += tables.read(table, self._context())

    def _context(self) -> tables.Context:
        """What the headings above say about a table here, the nearest first."""
        above = [says for _, says in reversed(self._stack)]
        nearest = above[0] if above else Says()
        within: list[Says] = []
        for says in above:
            within.append(says)
            if says.messages or says.named or says.block:
                break
        owner = within[-1] if within else Says()
        return tables.Context(
            file=self.file,
            vocabulary=self.vocabulary,
            messages=owner.messages or ((owner.named,) if owner.named else ()),
            block=owner.block,
            about=next((says.about for says in above if says.about), None),
            tag=nearest.tag,
            group=next((says.group for says in within if says.group), None),
            when=next((says.when for says in within if says.when), None),
            sender=next((says.sender for says in within if says.sender), None),
            required=nearest.required,
            environment=self._environment(),
        )

    def _message(self) -> str | None:
        context = self._context()
        return context.messages[0] if len(context.messages) == 1 else None

    def _environment(self) -> str:
        return next((says.environment for _, says in reversed(self._stack) if says.environment), "")
