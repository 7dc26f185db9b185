"""Parse the facts of one documentation page.

Below a heading that names a message (`35=D`), and below its sub-headings, every table with a column of tags
lists the fields of that message. Below a heading that names a field (`(39)`), lists and tables contain its
values. Titles of components and paragraphs in bold count as headings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

import attrs

from codegen.diff.documents import endpoints, examples, headings, lists, markdown, tables
from codegen.diff.documents.headings import NAMED_MSG_TYPE, ParsedHeading
from codegen.diff.documents.inline import is_bold, plain
from codegen.diff.facts import (
    Fact,
    HostFact,
    MentionFact,
    MessageFact,
    UnreadableFact,
    VersionFact,
    Vocabulary,
)
from kalshi_fix_adapters.documents.mistakes import Location

_BOLD = 7
"""Heading level of a paragraph in bold. It is deeper than that of any heading, so any heading ends it."""
# A component filled from another file, whose content is not on the page: `<ErrorTable/>`.
_INCLUDE_COMPONENT = re.compile(r"Snippet|Include|Partial|.*(?:Table|Fields|Content|Snippet)")
# `tag 21099`; `QueueQty (21099)`; `(21099)` alone. Shorter numbers in brackets are just as often counts.
_TAG_MENTION = re.compile(
    r"\btags? [`\"]?([1-9]\d{0,5})\b|\b([A-Z]\w+)`?\s?[(<]([1-9]\d{3,5})[)>]|\(([1-9]\d{3,5})\)",
    re.IGNORECASE,
)


def read(text: str, file: str, vocabulary: Vocabulary) -> list[Fact]:
    """Return all facts of a page in page order."""
    reader = _PageReader(file, vocabulary)
    # The end of the page ends a list, as any other block does.
    for block in (*markdown.blocks(text), markdown.End(0, "")):
        reader.read(block)
    return [*reader.facts, *reader.mentions()]


@attrs.define
class _PageReader:
    """Parser state: the position on the page, and the facts found so far."""

    file: str
    vocabulary: Vocabulary
    facts: list[Fact] = attrs.field(factory=list)
    _stack: list[tuple[int, ParsedHeading]] = attrs.field(factory=list)
    """Enclosing headings, outermost first, with their levels."""
    _components: list[tuple[str, list[tuple[int, ParsedHeading]]]] = attrs.field(factory=list)
    """Enclosing components, each with the headings above its start."""
    _texts: list[tuple[int, str]] = attrs.field(factory=list)
    """Running text by line, searched for mentions."""
    _list: list[markdown.Item] = attrs.field(factory=list)
    _announced_tag: int | None = None
    """Tag of the field whose values the paragraph directly above announces."""

    def read(self, block: markdown.Block) -> None:
        if not isinstance(block, markdown.Item):
            self._end_list()
        # A paragraph announces only a list or table that follows it directly.
        if not isinstance(block, markdown.Item | markdown.Table):
            self._announced_tag = None
        match block:
            case markdown.Heading(line, level, text):
                self._heading(line, level, text)
            case markdown.Paragraph(line, text):
                self._paragraph(line, text)
            case markdown.Item():
                self._item(block)
            case markdown.Table():
                self._table(block)
            case markdown.Component():
                self._component(block)
            case markdown.End(_, name):
                # An end tag in the wrong order also closes the components inside.
                while self._components:
                    opened, self._stack = self._components.pop()
                    if opened == name:
                        break
            case markdown.UnparsableMarkup(line, what):
                self.facts.append(UnreadableFact(self._location(line), what))
            # The fence is the first line; the content begins on the next one.
            case markdown.Code(line, _, lines):
                self._texts += [(line + 1 + number, text) for number, text in enumerate(lines)]
                self.facts += examples.parse(self._location(line), lines)

    def mentions(self) -> Iterator[Fact]:
        """Yield the first mention of each message type, tag, session type and host in running text."""
        seen: set[tuple[str, str]] = set()
        for line, text in self._texts:
            for fact in self._mentions_in(plain(text), self._location(line)):
                # One mention is enough: findings refer to the first line.
                key = ("host", fact.host) if isinstance(fact, HostFact) else (fact.kind, fact.value)
                if key not in seen:
                    seen.add(key)
                    yield fact

    def _mentions_in(self, text: str, location: Location) -> Iterator[MentionFact | HostFact]:
        for msg_type in NAMED_MSG_TYPE.findall(text):
            yield MentionFact(location, "message", msg_type)
        for match in _TAG_MENTION.finditer(text):
            yield MentionFact(location, "field", match[1] or match[3] or match[4], match[2] or "")
        for name in endpoints.session_names(text, self.vocabulary):
            yield MentionFact(location, "session", name)
        yield from endpoints.hosts_of_text(text, location)

    def _location(self, line: int) -> Location:
        return Location(self.file, line)

    def _heading(self, line: int, level: int, text: str) -> None:
        self._texts.append((line, text))
        self._stack = [each for each in self._stack if each[0] < level]
        heading = headings.read(text, self.vocabulary)
        self._stack.append((level, heading))
        # Headings contain dates for many reasons; only in a changelog is a date an entry.
        if heading.version or (heading.date and self._in_changelog()):
            self.facts.append(VersionFact(self._location(line), heading.version, heading.date))
        # A heading with two MsgTypes applies to neither message; a table below it is reported as unreadable.
        if len(heading.messages) == 1:
            self.facts.append(MessageFact(self._location(line), heading.messages[0], heading.title))

    def _in_changelog(self) -> bool:
        """Return whether this position is in a changelog, where a heading with only a date is an entry."""
        titles = [PurePath(self.file).stem, *(heading.text for _, heading in self._stack)]
        return any(re.search(r"change[ -]?log|release[ -]notes", text.lower()) for text in titles)

    def _component(self, block: markdown.Component) -> None:
        line, attributes = block.line, block.attributes
        # Pages of other APIs describe a field as `<ParamField body="ClOrdID (11)" type="String" required>`.
        if block.name.endswith("Field"):
            self.facts.append(
                UnreadableFact(self._location(line), f"<{block.name}> describes a field outside of a table")
            )
        if block.empty:
            if _INCLUDE_COMPONENT.fullmatch(block.name):
                what = f"<{block.name}/> is filled from another file"
                self.facts.append(UnreadableFact(self._location(line), what))
            return
        # Headings inside a component apply until its end; then those above it apply again.
        self._components.append((block.name, list(self._stack)))
        title = attributes.get("title", "")
        form = self.vocabulary.entry
        if block.name == form.component:
            self._changelog_entry(line, attributes.get(form.date, ""), attributes.get(form.description, ""))
        elif title:
            self._heading(line, _BOLD, title)
            heading = self._stack[-1][1]
            if block.name == "Tab" and not heading.environment:
                heading = attrs.evolve(heading, tab=title.lower())
            # Level 0: headings inside the component do not end it.
            self._stack[-1] = (0, heading)

    def _changelog_entry(self, line: int, label: str, description: str) -> None:
        """Parse an entry of a changelog, such as `<Update label="1.0.32" description="2026-09-01">`."""
        parsed = [headings.read(text, self.vocabulary) for text in (label, description)]
        version, date = (_first_value(name, parsed) or "" for name in ("version", "date"))
        self.facts.append(VersionFact(self._location(line), version, date))

    def _paragraph(self, line: int, text: str) -> None:
        self._texts.append((line, text))
        # Hosts are parsed in bold text too: `**Order Entry Host: …**` is not a heading.
        hosts = list(endpoints.hosts_with_roles(plain(text), self._location(line), self._environment()))
        if hosts:
            self.facts += hosts
        elif is_bold(text):
            self._heading(line, _BOLD, text)
        self._announced_tag = lists.announced_field(text, self.vocabulary)

    def _item(self, item: markdown.Item) -> None:
        self._texts.append((item.line, item.text))
        self.facts += endpoints.hosts_with_roles(
            plain(item.text), self._location(item.line), self._environment()
        )
        if item.depth == 0:
            self._list.append(item)

    def _end_list(self) -> None:
        """Parse a list as values of a field, if the heading or paragraph above announces them."""
        items, self._list = self._list, []
        # A list below a heading that names a field contains its values; below a paragraph, it may not.
        nearest = self._stack[-1][1].tag if self._stack else None
        tag = nearest if nearest is not None else self._announced_tag
        if items and tag is not None:
            messages, certain = self._context().messages, nearest is not None
            message = messages[0] if len(messages) == 1 else None
            self.facts += lists.read(items, tag, message, self.file, self.vocabulary, certain=certain)

    def _table(self, table: markdown.Table) -> None:
        for row in table.rows:
            self._texts += [(row.line, cell) for cell in row.cells]
        self.facts += tables.read(table, self._context())

    def _context(self) -> tables.Context:
        """Return the information from the headings above, nearest first, for a table at this position."""
        enclosing = [heading for _, heading in reversed(self._stack)]
        # Headings above the one that names the message are about other messages, so they are left out.
        owner_depths = (
            n for n, each in enumerate(enclosing, 1) if each.messages or each.named_message or each.block
        )
        own_headings = enclosing[: next(owner_depths, None)] or [ParsedHeading()]
        nearest, owner = own_headings[0], own_headings[-1]
        return tables.Context(
            file=self.file,
            vocabulary=self.vocabulary,
            messages=owner.messages or ((owner.named_message,) if owner.named_message else ()),
            block=owner.block,
            mentioned_message=_first_value("mentioned_message", enclosing),
            tag=nearest.tag if nearest.tag is not None else self._announced_tag,
            group=_first_value("group", own_headings),
            when=_first_value("when", own_headings),
            sender=_first_value("sender", own_headings),
            required=nearest.required,
            environment=self._environment(),
        )

    def _environment(self) -> str:
        """Return the environment that a heading names; otherwise the title of the enclosing tab, if any."""
        enclosing = [heading for _, heading in reversed(self._stack)]
        return _first_value("environment", enclosing) or _first_value("tab", enclosing) or ""


def _first_value(name: str, candidates: Iterable[ParsedHeading]) -> Any:
    """Return the first value of an attribute that a heading has, or None."""
    return next(filter(None, (getattr(each, name) for each in candidates)), None)
