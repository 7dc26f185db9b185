"""Extract facts from a QuickFIX data dictionary, even if it is invalid.

`codegen.read.quickfix_xml` rejects invalid dictionaries; this module uses all valid parts, each with its
line, and reports everything else as unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from codegen.diff.facts import (
    CodeFact,
    CodesFact,
    DictionaryFact,
    Fact,
    FieldFact,
    MemberFact,
    MessageFact,
    UnreadableFact,
)
from codegen.read import bounded_xml, quickfix_xml
from codegen.read.bounded_xml import Element
from kalshi_fix_adapters.documents.mistakes import Location

_SECTIONS = ("header", "trailer", "messages", "components", "fields")
_FLAGS = ("Y", "N", "C")
_TAG = re.compile(r"[1-9][0-9]{0,8}")
NOT_A_DICTIONARY = "does not begin with <fix>"
"""Description of XML that is not a QuickFIX dictionary."""
MAX_MEMBERS = 500_000
"""Maximum number of members of all blocks; members of a component count each time it is used."""
MAX_NESTING = 32
"""Maximum depth of nested components."""


def read(data: bytes, file: str) -> list[Fact]:
    """Return all facts of a dictionary."""
    document = bounded_xml.parse(data, file)
    if document.root is None or document.root.kind != "fix":
        line, why = document.problem or (1, NOT_A_DICTIONARY)
        return [UnreadableFact(Location(file, line), f"not a QuickFIX dictionary: it {why}")]
    reader = _Reader(document.root)
    line, version = quickfix_xml.edition(document)
    editions = [DictionaryFact(Location(file, line), version)] if version else []
    # The fields are read before the blocks, whose members refer to them by name.
    return [*editions, *reader.fields(), *reader.blocks()]


class _Reader:
    """Parser of one dictionary; it looks up the tags of members in the list of fields."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._tags: dict[str, int] = {}
        self._types: dict[str, str] = {}
        self._components = {
            each.name: each for part in root.descendants("components") for each in part.children
        }
        self._used: set[str] = set()
        self._remaining = MAX_MEMBERS

    def fields(self) -> Iterator[Fact]:
        """Yield the fields with their values."""
        for section in self._root.children:
            if section.kind not in _SECTIONS:
                yield UnreadableFact(section.location, f"<{section.kind}> is not part of a dictionary")
        names: dict[int, str] = {}
        for field in (each for part in self._root.descendants("fields") for each in part.children):
            number, name = field.get("number"), field.name
            if field.kind != "field" or not _TAG.fullmatch(number) or not name:
                yield UnreadableFact(field.location, "a field without a number or a name")
                continue
            tag = int(number)
            if tag in names or name in self._tags:
                what = f"{tag} {name} is declared twice, or its tag or name is taken"
                yield UnreadableFact(field.location, what)
                continue
            names[tag] = name
            self._tags[name] = tag
            self._types[name] = field.get("type")
            yield FieldFact(field.location, tag, name, field.get("type"))
            # Some dictionaries wrap the values in a <values> element.
            children = [
                child.descendants("value") if child.kind == "values" else [child] for child in field.children
            ]
            codes: list[CodeFact] = []
            for value in (value for values in children for value in values):
                if value.kind == "value" and value.get("enum"):
                    codes.append(CodeFact(value.location, value.get("enum"), value.get("description")))
                else:
                    yield UnreadableFact(value.location, "a value without an enum attribute")
            if codes:
                yield CodesFact(field.location, tag, tuple(codes), complete=True)

    def blocks(self) -> Iterator[Fact]:
        """Yield the header, the trailer, the messages, and the components that none of them uses."""
        for part in (*self._root.descendants("header"), *self._root.descendants("trailer")):
            yield from self._members(part, part.kind)
        for message in (each for part in self._root.descendants("messages") for each in part.children):
            msg_type, name, category = message.get("msgtype"), message.name, message.get("msgcat")
            if message.kind != "message" or not msg_type or not name:
                yield UnreadableFact(message.location, "a message without a msgtype or a name")
                continue
            yield MessageFact(message.location, msg_type, name, category == "admin" if category else None)
            yield from self._members(message, msg_type)
        # Used components have been yielded with their messages.
        for name, component in self._components.items():
            if name not in self._used:
                yield from self._members(component, f"component {name}")

    def _members(
        self,
        parent: Element,
        block: str,
        path: tuple[int, ...] = (),
        enclosing: tuple[str, ...] = (),
        *,
        optional: bool = False,
    ) -> Iterator[Fact]:
        """Yield the members of an element and of its groups and components.

        `path` contains the tags of the enclosing groups, and `enclosing` the names of the enclosing
        components. With `optional`, the element is a component that is optional in its message.
        """
        for child in parent.children:
            # Counted, because nested components could contain any number of members: if each one contained
            # the next one twice, the members would double at every level.
            self._remaining -= 1
            if self._remaining < 0:
                if self._remaining == -1:  # reported once
                    yield UnreadableFact(child.location, f"the blocks have more than {MAX_MEMBERS} members")
                return
            location, name, flag = child.location, child.name, child.get("required")
            tag, component = self._tags.get(name), self._components.get(name)
            # A member required by an optional component is optional in the message.
            required = "N" if optional and flag == "Y" else flag
            if flag not in _FLAGS or child.kind not in ("field", "group", "component"):
                yield UnreadableFact(location, f"<{child.kind}> {name} with required='{flag}'")
            elif child.kind == "component" and len(enclosing) >= MAX_NESTING:
                yield UnreadableFact(location, f"component {name} is nested too deeply")
            elif child.kind == "component" and (component is None or name in enclosing):
                yield UnreadableFact(location, f"component {name} is not defined, or contains itself")
            elif child.kind == "component" and component is not None:
                self._used.add(name)
                inner = (*enclosing, name)
                yield from self._members(component, block, path, inner, optional=required != "Y")
            elif tag is None:
                yield UnreadableFact(location, f"{name} is not declared among the fields")
            else:
                is_counter, declared_type = child.kind == "group", self._types[name]
                yield MemberFact(
                    location, block, tag, name, declared_type, required, path=path, is_counter=is_counter
                )
                if is_counter:
                    yield from self._members(child, block, (*path, tag), enclosing)
                elif child.children:
                    yield UnreadableFact(location, f"field {name} has members, but is not a group")
