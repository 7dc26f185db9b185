"""Parse XML files safely: a file that is nested too deeply or contains DTD declarations is rejected."""

from __future__ import annotations

from xml.parsers import expat

import attrs

from kalshi_fix_adapters.documents.mistakes import Location

MAX_XML_SIZE = 32 * 1024 * 1024
"""Maximum size of an XML file in bytes."""
MAX_XML_DEPTH = 64
"""Maximum depth of nested elements."""


@attrs.frozen
class Element:
    """An element with its location."""

    kind: str
    """Name of the tag, such as `field` or `message`."""
    attributes: dict[str, str]
    location: Location
    children: list[Element] = attrs.field(factory=list)

    @property
    def name(self) -> str:
        """Value of the `name` attribute; empty if it is missing."""
        return self.get("name")

    def get(self, attribute: str) -> str:
        """Return the value of an attribute; empty if it is missing."""
        return self.attributes.get(attribute, "")

    def descendants(self, *kinds: str) -> list[Element]:
        """Return the children of the first kind, their children of the next kind, and so on."""
        elements = [self]
        for kind in kinds:
            elements = [child for element in elements for child in element.children if child.kind == kind]
        return elements


@attrs.frozen
class Document:
    """A parsed file."""

    root: Element | None
    comments: tuple[tuple[int, str], ...]
    """Comments with their lines."""
    problem: tuple[int, str] | None
    """Line and reason if the file was rejected; `root` is None in this case only."""


class _RejectedError(Exception):
    """Raised if the file is nested too deeply or contains DTD declarations."""


def parse(data: bytes, file: str) -> Document:
    """Parse a whole file.

    The file is rejected, with the reason in `problem`, if it is not XML, if its elements are nested more than
    `MAX_XML_DEPTH` levels deep, or if it contains DTD declarations: these can define entities that expand a
    few lines to gigabytes.
    """
    # expat rather than ElementTree: it reports the line of each element, and can reject a declaration before
    # expanding it.
    parser = expat.ParserCreate()
    top = Element("", {}, Location(file, 1))
    stack = [top]
    comments: list[tuple[int, str]] = []

    def start(kind: str, attributes: dict[str, str]) -> None:
        if len(stack) > MAX_XML_DEPTH:
            raise _RejectedError(f"has elements that are nested more than {MAX_XML_DEPTH} levels deep")
        element = Element(kind, attributes, Location(file, parser.CurrentLineNumber))
        stack[-1].children.append(element)
        stack.append(element)

    def end(_kind: str) -> None:
        stack.pop()

    # Entities and default attributes can only be declared in the DTD. Expat reads no external DTD.
    def doctype(_name: str, _system: str | None, _public: str | None, has_internal: bool) -> None:
        if has_internal:
            raise _RejectedError("contains DTD declarations")

    def comment(text: str) -> None:
        comments.append((parser.CurrentLineNumber, text.strip()))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    parser.CommentHandler = comment
    try:
        parser.Parse(data, True)
    except _RejectedError as error:
        return Document(None, tuple(comments), (parser.CurrentLineNumber, str(error)))
    except expat.ExpatError as error:
        reason = f"is not XML: {expat.ErrorString(error.code)}"
        return Document(None, tuple(comments), (error.lineno, reason))
    return Document(top.children[0], tuple(comments), None)
