"""Reads QuickFIX data dictionaries, each element with the line it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from codegen.errors import Mistake, SpecError
from codegen.model import Location
from codegen.read import bounded_xml
from codegen.read.bounded_xml import MAX_XML_SIZE, XmlError
from codegen.read.nodes import read_bounded

MAX_TAG_DIGITS = 9
"""Digits of the number of a field."""


@attrs.frozen
class Item:
    """A member of a block: a field, a group or a component, by name."""

    kind: str
    """`field`, `group` or `component`."""
    name: str
    required: bool
    members: tuple[Item, ...]
    """Of a group."""
    location: Location


@attrs.frozen
class Value:
    """One value of a field."""

    enum: str
    description: str
    location: Location


@attrs.frozen
class FieldDefinition:
    """A tag with its name, type and values."""

    number: int
    name: str
    type: str
    values: tuple[Value, ...]
    location: Location


@attrs.frozen
class MessageDefinition:
    """A message."""

    name: str
    msg_type: str
    admin: bool
    members: tuple[Item, ...]
    location: Location


@attrs.frozen
class DataDictionary:
    """One file."""

    path: Path
    type: str
    """`FIX` or `FIXT`."""
    major: str
    minor: str
    servicepack: str
    header: tuple[Item, ...]
    trailer: tuple[Item, ...]
    messages: tuple[MessageDefinition, ...]
    components: Mapping[str, tuple[Item, ...]]
    fields: Mapping[str, FieldDefinition]
    """By name."""


@attrs.define
class _Element:
    tag: str
    attributes: dict[str, str]
    location: Location
    children: list[_Element] = attrs.field(factory=list)

    def all(self, tag: str) -> Iterator[_Element]:
        return (child for child in self.children if child.tag == tag)

    def below(self, *tags: str) -> Iterator[_Element]:
        found = [self]
        for tag in tags:
            found = [child for element in found for child in element.all(tag)]
        return iter(found)

    def get(self, name: str) -> str:
        if name not in self.attributes:
            raise SpecError([Mistake(self.location, f"<{self.tag}> has no {name}", "add the attribute")])
        return self.attributes[name]


def read(path: Path) -> DataDictionary:
    """Read a QuickFIX data dictionary.

    Raises:
        SpecError: the file cannot be read, is not XML, or not a data dictionary.
    """
    root = _parse(path)
    if root.tag != "fix":
        what = f"the outermost element is <{root.tag}>, so this is no QuickFIX data dictionary"
        raise SpecError([Mistake(root.location, what, "give a file that begins with <fix ...>")])
    return DataDictionary(
        path=path,
        type=root.attributes.get("type", "FIX"),
        major=root.attributes.get("major", ""),
        minor=root.attributes.get("minor", ""),
        servicepack=root.attributes.get("servicepack", "0"),
        header=_items(root.below("header")),
        trailer=_items(root.below("trailer")),
        messages=tuple(
            MessageDefinition(
                element.get("name"),
                element.get("msgtype"),
                element.attributes.get("msgcat") == "admin",
                _items([element]),
                element.location,
            )
            for element in root.below("messages", "message")
        ),
        components={each.get("name"): _items([each]) for each in root.below("components", "component")},
        fields={each.get("name"): _field(each) for each in root.below("fields", "field")},
    )


def _field(element: _Element) -> FieldDefinition:
    number = element.get("number")
    if not (number.isascii() and number.isdigit() and len(number) <= MAX_TAG_DIGITS):
        shown = number if len(number) <= 20 else f"{number[:20]}..."
        what = f"the tag `{shown}` is no number of at most {MAX_TAG_DIGITS} digits"
        raise SpecError([Mistake(element.location, what, "write its digits")])
    # Some dictionaries put the values into a <values> element.
    values = [*element.all("value"), *element.below("values", "value")]
    return FieldDefinition(
        int(number),
        element.get("name"),
        element.attributes.get("type", "STRING").upper(),
        tuple(
            Value(each.get("enum"), each.attributes.get("description", ""), each.location) for each in values
        ),
        element.location,
    )


def _items(blocks: Iterator[_Element] | list[_Element]) -> tuple[Item, ...]:
    return tuple(
        Item(
            child.tag,
            child.get("name"),
            child.attributes.get("required", "N").upper() == "Y",
            _items([child]) if child.tag == "group" else (),
            child.location,
        )
        for block in blocks
        for child in block.children
        if child.tag in {"field", "group", "component"}
    )


def _parse(path: Path) -> _Element:
    file = path.as_posix()
    top = _Element("", {}, Location(file, 1))
    stack = [top]

    def start(tag: str, attributes: dict[str, str], line: int) -> None:
        element = _Element(tag, attributes, Location(file, line))
        stack[-1].children.append(element)
        stack.append(element)

    def end() -> None:
        stack.pop()

    try:
        bounded_xml.parse(read_bounded(path, MAX_XML_SIZE), start, end)
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise SpecError(
            [Mistake(Location(file, 1), what, "give the path of a QuickFIX data dictionary")]
        ) from None
    except XmlError as error:
        raise SpecError([Mistake(Location(file, error.line), error.why, "mend the file")]) from None
    return top.children[0]
