"""What a part of a scenario file may look like.

A shape reads nodes, tells mistakes by line, and says the same as JSON Schema, which editors understand.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.venue.scenario.duration import DURATION, DURATION_WISH, seconds_of
from kalshi_fix_adapters.venue.scenario.mistakes import Mistakes
from kalshi_fix_adapters.venue.scenario.nodes import Map, Node, Scalar, Seq

WRONG: Final = object()
"""What `read` returns where a mistake was told."""
MAX_ENTRIES = 2000
"""Entries of one mapping or list."""


class Name(str):
    """A name of the file that is looked up in another place, with its line."""

    __slots__ = ("line",)
    line: int

    @classmethod
    def at(cls, text: str, line: int) -> Name:
        """Return a name that stands in a line."""
        name = cls(text)
        name.line = line
        return name


class Section(dict[str, Any]):
    """What stood in a mapping, by key, with lines. Keys that were left out are there with their defaults."""

    line: int = 0
    lines: Mapping[str, int]
    wrong: frozenset[str] = frozenset()
    """Keys whose values were left out, for what is wrong with them."""
    sound: bool = True
    """Whether nothing in it was wrong."""

    @classmethod
    def of(cls, node: Map, defaults: Mapping[str, Any]) -> Section:
        """Return what a mapping has before any of its values is read."""
        section = cls(defaults)
        section.line = node.line
        section.lines = {name: where.line for name, where in node.keys.items()}
        return section

    def at(self, key: str) -> int:
        """Return the line of a key, or of the mapping where it was left out."""
        return self.lines.get(key, self.line)


@attrs.frozen
class Shape(ABC):
    """What a value may be."""

    @abstractmethod
    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return the value of a node, or tell what is wrong and return `WRONG`."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""

    @abstractmethod
    def wanted(self) -> str:
        """Say what to write, for advice."""

    def refuse(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Tell that a node is not what is wanted."""
        mistakes.at(node.line, f"{where} is {_shown(node)}", f"write {self.wanted()}")
        return WRONG


def _shown(node: Node) -> str:
    if isinstance(node, Map):
        return "a mapping"
    if isinstance(node, Seq):
        return "a list"
    return "empty" if node.value is None else f"`{node.text}`"


@attrs.frozen
class Text(Shape):
    """A word that matches a pattern."""

    wish: str
    pattern: str = r"[^\x00-\x1f\x7f]{1,200}"

    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return a `Name`. Whole numbers are text as written."""
        if not isinstance(node, Scalar) or isinstance(node.value, bool | None):
            return self.refuse(node, where, mistakes)
        if re.fullmatch(self.pattern, node.text):
            return Name.at(node.text, node.line)
        return self.refuse(node, where, mistakes)

    def schema(self) -> dict[str, Any]:
        """Return a string with a pattern."""
        return {"type": ["string", "integer"], "pattern": f"^(?:{self.pattern})$"}

    def wanted(self) -> str:
        """Say what to write."""
        return self.wish


@attrs.frozen
class Choice(Shape):
    """One of some words."""

    words: tuple[str, ...]

    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return the word."""
        if isinstance(node, Scalar) and node.text in self.words:
            return node.text
        if isinstance(node, Scalar) and node.value is not None:
            mistakes.at(node.line, f"{where} is {_shown(node)}", did_you_mean(node.text, self.words))
            return WRONG
        return self.refuse(node, where, mistakes)

    def schema(self) -> dict[str, Any]:
        """Return an enum."""
        return {"enum": list(self.words)}

    def wanted(self) -> str:
        """Say what to write."""
        return "one of " + ", ".join(f"`{each}`" for each in self.words)


@attrs.frozen
class Flag(Shape):
    """True or false."""

    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return a bool."""
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        return self.refuse(node, where, mistakes)

    def schema(self) -> dict[str, Any]:
        """Return a boolean."""
        return {"type": "boolean"}

    def wanted(self) -> str:
        """Say what to write."""
        return "true or false"


@attrs.frozen
class Whole(Shape):
    """A whole number within bounds."""

    least: int
    most: int

    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return an int."""
        if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool):
            return self.refuse(node, where, mistakes)
        if self.least <= node.value <= self.most:
            return node.value
        return self.refuse(node, where, mistakes)

    def schema(self) -> dict[str, Any]:
        """Return an integer with its bounds."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def wanted(self) -> str:
        """Say what to write."""
        return f"a whole number from {self.least} to {self.most}"


_DECIMAL = r"-?[0-9]{1,15}(?:\.[0-9]{1,8})?"


@attrs.frozen
class Amount(Shape):
    """A decimal number, exactly as written: dollars, contracts, a rate."""

    wish: str
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(10**15)
    above: bool = False
    """Whether it must be more than `least`, not just no less."""

    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return a Decimal."""
        if (
            isinstance(node, Scalar)
            and not isinstance(node.value, bool)
            and re.fullmatch(_DECIMAL, node.text)
        ):
            value = Decimal(node.text)
            if self.least <= value <= self.most and not (self.above and value == self.least):
                return value
        return self.refuse(node, where, mistakes)

    def schema(self) -> dict[str, Any]:
        """Return a number, which may also stand in quotes."""
        low = "exclusiveMinimum" if self.above else "minimum"
        bounds = {low: _plain(self.least), "maximum": _plain(self.most)}
        return {"anyOf": [{"type": "number", **bounds}, {"type": "string", "pattern": f"^{_DECIMAL}$"}]}

    def wanted(self) -> str:
        """Say what to write."""
        relation = "more than" if self.above else "at least"
        return f"{self.wish}: a decimal number of {relation} {self.least} and at most {self.most}"


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


@attrs.frozen
class Duration(Shape):
    """A span of time such as `90s`, `15m`, `2h`, `1d`."""

    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return seconds."""
        seconds = seconds_of(node.text) if isinstance(node, Scalar) else None
        return self.refuse(node, where, mistakes) if seconds is None else seconds

    def schema(self) -> dict[str, Any]:
        """Return a string with a pattern."""
        return {"type": "string", "pattern": f"^{DURATION}$"}

    def wanted(self) -> str:
        """Say what to write."""
        return DURATION_WISH


@attrs.frozen
class Items(Shape):
    """A list of one shape."""

    of: Shape
    unique: bool = False

    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return a tuple; what is wrong is left out of it."""
        if not isinstance(node, Seq) or len(node.items) > MAX_ENTRIES:
            return self.refuse(node, where, mistakes)
        found: list[Any] = []
        for number, item in enumerate(node.items, 1):
            value = self.of.read(item, f"{where}[{number}]", mistakes)
            if value is WRONG:
                continue
            if self.unique and value in found:
                mistakes.at(item.line, f"{where} lists {_shown(item)} twice", "keep one of the two")
                continue
            found.append(value)
        return tuple(found)

    def schema(self) -> dict[str, Any]:
        """Return an array."""
        more: dict[str, Any] = {"uniqueItems": True} if self.unique else {}
        return {"type": "array", "items": self.of.schema(), "maxItems": MAX_ENTRIES, **more}

    def wanted(self) -> str:
        """Say what to write."""
        return f"a list of up to {MAX_ENTRIES}"


@attrs.frozen
class Entries(Shape):
    """A mapping from names of the user's to one shape."""

    key: Text | Whole
    of: Shape

    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return a Section; what is wrong is left out of it."""
        if not isinstance(node, Map) or len(node.entries) > MAX_ENTRIES:
            return self.refuse(node, where, mistakes)
        found = Section.of(node, {})
        wrong: set[str] = set()
        before = len(mistakes.found)
        for name, value in node.entries.items():
            # Keys of YAML mappings are text here, also where they look like numbers.
            numeral = isinstance(self.key, Whole) and re.fullmatch(r"[0-9]{1,9}", name)
            scalar = Scalar(int(name) if numeral else name, name, node.keys[name])
            key = self.key.read(scalar, f"the key `{name}` of {where}", mistakes)
            read = self.of.read(value, f"{where}.{name}", mistakes)
            if key is WRONG or read is WRONG:
                wrong.add(name)
            else:
                found[key] = read
        found.wrong = frozenset(wrong)
        found.sound = len(mistakes.found) == before
        return found

    def schema(self) -> dict[str, Any]:
        """Return an object with a pattern for its keys."""
        names = self.key.schema()
        names = {"pattern": "^[0-9]+$"} if isinstance(self.key, Whole) else names
        names.pop("type", None)
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": self.of.schema(),
            "maxProperties": MAX_ENTRIES,
        }

    def wanted(self) -> str:
        """Say what to write."""
        return f"a mapping with up to {MAX_ENTRIES} entries, each named by {self.key.wanted()}"


@attrs.frozen
class Field:
    """One key of a record."""

    shape: Shape
    doc: str
    default: Any = None
    required: bool = False


@attrs.frozen
class Record(Shape):
    """A mapping with known keys."""

    fields: Mapping[str, Field]
    doc: str = ""
    """What it is, where no `Field` says so: as an item of a list, an entry, or the file."""

    def read(self, node: Node, where: str, mistakes: Mistakes) -> Any:
        """Return a Section with a value for each key; WRONG if one that is required is missing."""
        # A key without a value, such as `flow:`, means that all is as by default.
        if isinstance(node, Scalar) and node.value is None:
            node = Map({}, {}, node.location)
        if not isinstance(node, Map):
            return self.refuse(node, where, mistakes)
        found = Section.of(node, {name: field.default for name, field in self.fields.items()})
        whole = True
        wrong: set[str] = set()
        before = len(mistakes.found)
        for name, value in node.entries.items():
            field = self.fields.get(name)
            if field is None:
                what = f"{where} has an unknown key `{name}`"
                mistakes.at(node.keys[name].line, what, did_you_mean(name, self.fields))
                continue
            read = field.shape.read(value, f"{where}.{name}" if where != _FILE else name, mistakes)
            if read is not WRONG:
                found[name] = read
                continue
            wrong.add(name)
            whole = whole and not field.required
        for name, field in self.fields.items():
            if field.required and name not in node.entries:
                mistakes.at(node.line, f"{where} has no `{name}`", f"add it: {field.doc}")
                whole = False
        found.wrong = frozenset(wrong)
        found.sound = len(mistakes.found) == before
        return found if whole else WRONG

    def schema(self) -> dict[str, Any]:
        """Return an object with its properties."""
        required = [name for name, field in self.fields.items() if field.required]
        return {
            "type": "object" if required else ["object", "null"],
            "description": self.doc,
            "properties": {
                name: {**field.shape.schema(), "description": field.doc}
                for name, field in self.fields.items()
            },
            "additionalProperties": False,
            **({"required": required} if required else {}),
        }

    def wanted(self) -> str:
        """Say what to write."""
        return "a mapping with some of " + ", ".join(f"`{name}`" for name in self.fields)


_FILE = "the file"


def read_root(shape: Record, node: Node, mistakes: Mistakes) -> Section:
    """Read a whole file.

    Raises:
        ScenarioError: it is not as the shape says.
    """
    found = shape.read(node, _FILE, mistakes)
    if not isinstance(found, Section):
        mistakes.raise_any()
        raise AssertionError("what is wrong has been told")
    return found
