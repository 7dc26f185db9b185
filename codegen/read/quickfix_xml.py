"""Parser of valid QuickFIX data dictionaries."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from codegen.errors import Mistakes
from codegen.read import bounded_xml
from codegen.read.bounded_xml import MAX_XML_SIZE, Document, Element
from codegen.read.nodes import read_bounded
from kalshi_fix_adapters.documents.mistakes import Location

MAX_TAG_DIGITS = 9
"""Maximum number of digits of a tag."""
_MEMBERS = frozenset({"field", "group", "component"})
# `v1.03` in a comment above <fix>.
_EDITION = re.compile(r"\bv?(\d+\.\d+(?:\.\d+)*)\b", re.IGNORECASE)
_REQUIRED_ATTRIBUTES = {
    **dict.fromkeys(_MEMBERS, ("name",)),
    "message": ("name", "msgtype"),
    "value": ("enum",),
}
"""Required attributes by kind of element."""


@attrs.frozen
class DataDictionary:
    """The parsed content of one file."""

    path: Path
    root: Element
    edition: str = ""
    """Version in the comment above the root element, such as 1.03; empty if there is none."""

    @property
    def version(self) -> str:
        """Version, such as FIX.4.4 or FIXT.1.1."""
        return f"{self.root.get('type') or 'FIX'}.{self.root.get('major')}.{self.root.get('minor')}"

    @property
    def messages(self) -> list[Element]:
        """Every message."""
        return self.root.descendants("messages", "message")

    @property
    def components(self) -> dict[str, Element]:
        """Every component by name."""
        return {each.name: each for each in self.root.descendants("components", "component")}

    @property
    def fields(self) -> dict[str, Element]:
        """Every field by name."""
        return {each.name: each for each in self.root.descendants("fields", "field")}

    def block(self, kind: str) -> list[Element]:
        """Return the members of the header or the trailer."""
        return [member for element in self.root.descendants(kind) for member in members(element)]


def members(element: Element) -> list[Element]:
    """Return the fields, groups and components in a message, a component or a group."""
    return [child for child in element.children if child.kind in _MEMBERS]


def is_required(member: Element) -> bool:
    """Return whether a member is required."""
    return member.get("required").upper() == "Y"


def values(field: Element) -> list[Element]:
    """Return the values of a field; some dictionaries wrap them in a <values> element."""
    return [*field.descendants("value"), *field.descendants("values", "value")]


def edition(document: Document) -> tuple[int, str]:
    """Return the line and the version of the comment above the dictionary, or 0 and an empty string if there
    is none.
    """
    first = document.root.location.line if document.root is not None else 0
    matches = ((line, _EDITION.search(text)) for line, text in document.comments if line < first)
    return next(((line, match[1]) for line, match in matches if match), (0, ""))


def read(path: Path) -> DataDictionary:
    """Read a QuickFIX data dictionary.

    Raises:
        SpecError: the file cannot be read, is not XML, or is not a data dictionary.
    """
    file, mistakes = path.as_posix(), Mistakes()
    try:
        document = bounded_xml.parse(read_bounded(path, MAX_XML_SIZE), file)
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        mistakes.fail(Location(file, 1), what, "give the path of a QuickFIX data dictionary")
    if document.root is None:
        line, why = document.problem or (1, "is empty")
        mistakes.fail(Location(file, line), why, "correct the file")
    dictionary = DataDictionary(path, document.root, edition(document)[1])
    if dictionary.root.kind != "fix":
        what = f"the outermost element is <{dictionary.root.kind}>, so this is not a QuickFIX data dictionary"
        mistakes.fail(dictionary.root.location, what, "give a file that begins with <fix ...>")
    # The whole file is checked first, so that later code can rely on these attributes.
    pending = [dictionary.root]
    while pending:
        element = pending.pop()
        pending += element.children
        for attribute in _REQUIRED_ATTRIBUTES.get(element.kind, ()):
            if attribute not in element.attributes:
                mistakes.fail(element.location, f"<{element.kind}> has no {attribute}", "add the attribute")
    for field in dictionary.root.descendants("fields", "field"):
        number = field.get("number")
        if not (number.isascii() and number.isdigit() and len(number) <= MAX_TAG_DIGITS):
            number_text = number if len(number) <= 20 else f"{number[:20]}..."
            what = f"the tag `{number_text}` is not a number of at most {MAX_TAG_DIGITS} digits"
            mistakes.fail(field.location, what, "write the tag in digits")
    return dictionary
