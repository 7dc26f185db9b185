"""Takes XML files apart within bounds: no entities or defaults of a file's own, no deep nesting."""

from __future__ import annotations

from collections.abc import Callable
from xml.parsers import expat

MAX_XML_SIZE = 32 * 1024 * 1024
"""Bytes of an XML file."""
MAX_XML_DEPTH = 64
"""How deep elements may be nested."""


class XmlError(Exception):
    """What is not XML, or exceeds a bound."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        """From 1 on."""
        self.why = why


def parse(
    data: bytes,
    start: Callable[[str, dict[str, str], int], None],
    end: Callable[[], None],
    comment: Callable[[str, int], None] | None = None,
) -> None:
    """Take XML apart.

    Args:
        data: a whole file.
        start: takes the name of an element that begins, its attributes, and its line.
        end: called where the element that began last ends.
        comment: takes the text of a comment, and its line.

    Raises:
        XmlError: it is not XML, its elements are nested more than `MAX_XML_DEPTH` deep, or it declares
            entities or default attributes: some that stand for each other can make gigabytes of a few lines.
    """
    parser = expat.ParserCreate()
    depth = 0

    def take_start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_XML_DEPTH:
            why = f"has elements that are nested more than {MAX_XML_DEPTH} deep"
            raise XmlError(parser.CurrentLineNumber, why)
        start(name, attributes, parser.CurrentLineNumber)

    def take_end(_name: str) -> None:
        nonlocal depth
        depth -= 1
        end()

    def take_doctype(_name: str, _system: str | None, _public: str | None, has_internal: bool) -> None:
        if has_internal:
            raise XmlError(parser.CurrentLineNumber, "declares entities or elements of its own")

    def take_comment(text: str) -> None:
        if comment is not None:
            comment(text, parser.CurrentLineNumber)

    parser.StartElementHandler = take_start
    parser.EndElementHandler = take_end
    parser.StartDoctypeDeclHandler = take_doctype
    parser.CommentHandler = take_comment
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise XmlError(error.lineno, f"is not XML: {expat.ErrorString(error.code)}") from None
