"""Reads one YAML file into nodes that remember where they stand.

Scalars follow YAML 1.2: `yes`, `no`, `on`, `Y`, `N`, dates and versions stay strings; only `true`,
`false`, `null` and whole numbers mean something else. A duplicate key is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import yaml
from yaml.composer import ComposerError

from codegen.errors import Mistake, Mistakes, SpecError
from codegen.model import Location

MAX_FILE_SIZE = 8 * 1024 * 1024
"""Bytes of a YAML file."""
MAX_DEPTH = 64
"""How deep mappings and lists may be nested."""
MAX_VALUES = 500_000
"""Values in a file."""
MAX_ALIASED = 10_000
"""Values that aliases stand for, in a file."""
MAX_DIGITS = 18
"""Digits of a whole number."""


@attrs.frozen
class Scalar:
    """A string, whole number, boolean or null."""

    value: str | int | bool | None
    text: str
    """As written, so that a wire value such as 007 is not changed by being a number."""
    location: Location


@attrs.frozen
class Seq:
    """A list."""

    items: tuple[Node, ...]
    location: Location


@attrs.frozen
class Map:
    """A mapping, in the order of the file."""

    entries: Mapping[str, Node]
    keys: Mapping[str, Location]
    """Where each key stands."""
    location: Location

    def get(self, key: str) -> Node | None:
        """The value of a key, or None."""
        return self.entries.get(key)

    def mapping(self, key: str) -> Map:
        """The mapping under a key; an empty one where there is none."""
        value = self.entries.get(key)
        return value if isinstance(value, Map) else Map({}, {}, self.location)

    def at(self, key: str) -> Location:
        """Where the key stands, or the mapping if it has no such key."""
        return self.keys.get(key, self.location)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __contains__(self, key: str) -> bool:
        return key in self.entries


Node = Scalar | Seq | Map


def plain(node: Node) -> Any:
    """The node as ordinary Python values, for schema validation."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Seq):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.entries.items()}


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the scalar rules of YAML 1.2, less floats, octal and hexadecimal; bounded."""

    _depth = 0
    _values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, unless it is one too many or stands too deep."""
        self._values += 1
        if self._depth >= MAX_DEPTH:
            self._refuse(f"it is nested more than {MAX_DEPTH} levels deep")
        if self._values > MAX_VALUES:
            self._refuse(f"it has more than {MAX_VALUES} values")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refuse(self, why: str) -> None:
        raise ComposerError(None, None, why, self.peek_event().start_mark)  # type: ignore[no-untyped-call]


# PyYAML reads YAML 1.1, where NO is false, 1:30 is 90 and 2024-09-01 a date: codes would be lost.
_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789")
)

_TAG = "tag:yaml.org,2002:"


def read_yaml(path: Path) -> Node:
    """Read one file.

    Raises:
        SpecError: the file cannot be read, is too large, is not YAML, or repeats a key.
    """
    file = path.as_posix()
    try:
        data = read_bounded(path, MAX_FILE_SIZE)
        text = data.decode("utf-8")
    except OSError as error:
        raise SpecError(
            [Mistake(Location(file, 1), f"cannot be read ({error.strerror})", "add the file")]
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SpecError([Mistake(Location(file, line), "is not UTF-8", "save the file as UTF-8")]) from None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = f"is not valid YAML: {error.problem or error.context}"
        advice = "correct the syntax (quote text that holds `: `, ` #` or starts with a special character)"
        raise SpecError([Mistake(Location(file, line), what, advice)]) from None
    except yaml.YAMLError as error:
        what = f"is not valid YAML: {str(error).splitlines()[0]}"
        raise SpecError([Mistake(Location(file, 1), what, "remove the character")]) from None
    if root is None:
        raise SpecError([Mistake(Location(file, 1), "is empty", "fill it, or remove it")])
    mistakes = Mistakes()
    node = _Converter(file, mistakes).convert(root, ())
    mistakes.raise_any()
    return node


def read_bounded(path: Path, most: int) -> bytes:
    """Read a whole file.

    Raises:
        OSError: it cannot be read.
        SpecError: it has more bytes than `most`.
    """
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        what = f"has more than {most} bytes"
        raise SpecError(
            [Mistake(Location(path.as_posix(), 1), what, "split it, or leave out what is not needed")]
        )
    return data


@attrs.define
class _Converter:
    """Makes nodes of PyYAML's, aliases written out."""

    file: str
    mistakes: Mistakes
    _room: int = attrs.field(init=False, factory=lambda: MAX_ALIASED)
    """Values that aliases may still stand for."""
    _converted: set[int] = attrs.field(init=False, factory=set)
    """The id of each node that was converted: one that comes again is an alias, or stands in one."""

    def convert(self, node: yaml.Node, outer: tuple[yaml.Node, ...]) -> Node:
        """Return a node; `outer` are those around it."""
        location, mistakes = Location(self.file, node.start_mark.line + 1), self.mistakes
        if any(node is each for each in outer):
            mistakes.add(location, "an anchor contains itself", "write the value out")
            return Scalar(None, "", location)
        # Ten lines of aliases to aliases can stand for billions of values; PyYAML gives each the same node.
        self._room -= id(node) in self._converted
        self._converted.add(id(node))
        if self._room < 0 or len(outer) >= MAX_DEPTH:
            bound = f"{MAX_ALIASED} values" if self._room < 0 else f"{MAX_DEPTH} levels"
            mistakes.add(location, f"aliases stand for more than {bound}", "write out what is meant")
            mistakes.raise_any()
        inner = (*outer, node)
        if isinstance(node, yaml.SequenceNode):
            return Seq(tuple(self.convert(item, inner) for item in node.value), location)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location, inner)
        known = {f"{_TAG}{name}" for name in ("str", "int", "bool", "null")}
        if node.tag not in known:
            what = f"the tag {node.tag} has no meaning here"
            mistakes.add(location, what, "write the value without a tag")
        if node.tag == f"{_TAG}int" and len(node.value.removeprefix("-")) > MAX_DIGITS:
            what = f"a number has more than {MAX_DIGITS} digits"
            mistakes.add(location, what, "correct it, or put it in quotes if it is text")
            return Scalar(None, "", location)
        return Scalar(_value(node), node.value, location)

    def _mapping(self, node: yaml.MappingNode, location: Location, inner: tuple[yaml.Node, ...]) -> Map:
        mistakes = self.mistakes
        entries: dict[str, Node] = {}
        keys: dict[str, Location] = {}
        for key_node, value in node.value:
            where = Location(self.file, key_node.start_mark.line + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                mistakes.add(where, "a key is not a plain word", "use a name as the key")
                continue
            key = key_node.value
            if key in entries:
                first = keys[key].line
                mistakes.add(where, f"`{key}` stands twice (first in line {first})", "keep one of the two")
                continue
            entries[key] = self.convert(value, inner)
            keys[key] = where
        return Map(entries, keys, location)


def _value(node: yaml.Node) -> str | int | bool | None:
    text = str(node.value)
    match node.tag.removeprefix(_TAG):
        case "int":
            return int(text)
        case "bool":
            return text == "true"
        case "null":
            return None
        case _:
            return text
