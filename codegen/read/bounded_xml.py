"""Takes XML files apart within bounds: no entities or defaults of a file's own, no deep nesting."""

from __future__ import annotations

from xml.parsers import expat

import attrs

from kalshi_fix_adapters.documents.mistakes import Location

MAX_XML_SIZE = 32 * 1024 * 1024
"""Bytes of an XML file."""
MAX_XML_DEPTH = 64
"""How deep elements may be nested."""


@attrs.frozen
class Element:
    """An element, and where it begins."""

    kind: str
    """Such as `field` or `message`."""
    attributes: dict[str, str]
    location: Location
    children: list[Element] = attrs.field(factory=list)

    @property
    def name(self) -> str:
        """The attribute of this name; empty where it is missing."""
        return self.get("name")

    def get(self, attribute: str) -> str:
        """An attribute; empty where it is missing."""
        return self.attributes.get(attribute, "")

    def of(self, *kinds: str) -> list[Element]:
        """The children of a kind, theirs of the next, and so on."""
        found = [self]
        for kind in kinds:
            found = [child for element in found for child in element.children if child.kind == kind]
        return found


@attrs.frozen
class Document:
    """A file taken apart."""

    root: Element | None
    comments: tuple[tuple[int, str], ...]
    """Each with its line."""
    problem: tuple[int, str] | None
    """Where and why it could not be taken apart; there is no root then."""


class _BoundError(Exception):
    """The file exceeds a bound."""


def parse(data: bytes, file: str) -> Document:
    """Take a whole file apart.

    One whose elements are nested more than `MAX_XML_DEPTH` deep is a problem, and so is one that declares
    entities or default attributes: some that stand for each other can make gigabytes of a few lines.
    """
    # expat rather than ElementTree: it knows the line of each element, and lets a declaration be
    # refused before it is expanded.
    parser = expat.ParserCreate()
    top = Element("", {}, Location(file, 1))
    stack = [top]
    comments: list[tuple[int, str]] = []

    def start(kind: str, attributes: dict[str, str]) -> None:
        if len(stack) > MAX_XML_DEPTH:
            raise _BoundError(f"has elements that are nested more than {MAX_XML_DEPTH} deep")
        element = Element(kind, attributes, Location(file, parser.CurrentLineNumber))
        stack[-1].children.append(element)
        stack.append(element)

    def end(_kind: str) -> None:
        stack.pop()

    # Entities can only be declared inside of the document type.
    def doctype(_name: str, _system: str | None, _public: str | None, has_internal: bool) -> None:
        if has_internal:
            raise _BoundError("declares entities or elements of its own")

    def comment(text: str) -> None:
        comments.append((parser.CurrentLineNumber, text.strip()))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    parser.CommentHandler = comment
    try:
        parser.Parse(data, True)
    except _BoundError as error:
        return Document(None, tuple(comments), (parser.CurrentLineNumber, str(error)))
    except expat.ExpatError as error:
        why = f"is not XML: {expat.ErrorString(error.code)}"
        return Document(None, tuple(comments), (error.lineno, why))
    return Document(top.children[0], tuple(comments), None)
