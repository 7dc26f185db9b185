"""Reads YAML into nodes with line numbers, with limits on size and depth.

Only `true`, `false`, `null`, `~`, empty values and integers are converted, as in YAML 1.2. Other scalars,
such as `yes`, `no`, `on`, dates, versions and decimals, stay text as written. So 0.10 is exactly a tenth, and
NO is not false. A duplicate key is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import yaml
from yaml.composer import ComposerError
from yaml.reader import ReaderError

from kalshi_fix_adapters.documents.mistakes import Location, Mistakes

MAX_DIGITS = 18
"""Maximum number of digits of an integer."""
_TAG = "tag:yaml.org,2002:"


@attrs.frozen(kw_only=True)
class Bounds:
    """Limits on the size and depth of a file's content."""

    depth: int
    """Maximum depth of mappings and lists."""
    values: int
    """Maximum number of nodes: keys, values, mappings and lists. An alias counts as one node."""
    aliased: int
    """Maximum number of values that aliases may expand to."""


@attrs.frozen
class Scalar:
    """Text, an integer, a boolean or null."""

    value: str | int | bool | None
    text: str
    """The value as written in the file, for callers that need text even if `value` is an integer or a
    boolean.
    """
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
    """The position of each key."""
    location: Location

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        return self.entries.get(key)

    def mapping(self, key: str) -> Map:
        """Return the mapping under a key; an empty mapping if there is none."""
        value = self.entries.get(key)
        return value if isinstance(value, Map) else Map({}, {}, self.location)

    def at(self, key: str) -> Location:
        """Return the position of the key, or of the mapping if it has no such key."""
        return self.keys.get(key, self.location)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __contains__(self, key: str) -> bool:
        return key in self.entries


Node = Scalar | Seq | Map


def plain(node: Node) -> Any:
    """Return a node as ordinary Python values."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Seq):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.entries.items()}


def parse(data: bytes, file: str, bounds: Bounds, mistakes: Mistakes, *, if_empty: str) -> Node:
    """Parse the content of a file. If there are any mistakes, raise the error that lists them. `if_empty` is
    the advice for an empty file.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = Location(file, error.object[: error.start].count(b"\n") + 1)
        mistakes.fail(where, "is not UTF-8", "save the file as UTF-8")
    try:
        root = _Loader(text, bounds).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = f"is not valid YAML: {error.problem or error.context}"
        advice = (
            "correct the syntax (quote text that contains `: ` or ` #`, or starts with a special character)"
        )
        mistakes.fail(Location(file, mark.line + 1 if mark else 1), problem, advice)
    except ReaderError as error:
        where = Location(file, text[: error.position].count("\n") + 1)
        problem = f"contains the character U+{ord(text[error.position]):04X}, which YAML does not allow"
        mistakes.fail(where, problem, "remove it, and save the file as UTF-8")
    if root is None:
        mistakes.fail(Location(file, 1), "is empty", if_empty)
    node = _Converter(file, bounds, mistakes).convert(root, ())
    mistakes.raise_any()
    return node


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with limits, and with the scalar rules of YAML 1.2. However, floats, octal numbers and
    hexadecimal numbers stay text.
    """

    def __init__(self, text: str, bounds: Bounds) -> None:
        super().__init__(text)
        self._bounds = bounds
        self._depth = 0
        self._values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, unless it exceeds the limit on nodes or on depth."""
        self._values += 1
        if self._depth >= self._bounds.depth:
            self._fail(f"it is nested more than {self._bounds.depth} levels deep")
        if self._values > self._bounds.values:
            self._fail(f"it has more than {self._bounds.values} values")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _fail(self, reason: str) -> None:
        raise ComposerError(None, None, reason, self.peek_event().start_mark)  # type: ignore[no-untyped-call]


# By default, PyYAML follows YAML 1.1, where NO is false, 1:30 is 90, 0.10 is a float and 2024-09-01 a date.
_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))


@attrs.define
class _Converter:
    """Converts PyYAML's nodes to the nodes of this module, and expands aliases."""

    file: str
    bounds: Bounds
    mistakes: Mistakes
    _alias_budget: int = attrs.field(init=False)
    """Remaining number of values that aliases may expand to."""
    _converted: set[int] = attrs.field(init=False, factory=set)
    """The ids of the converted nodes. A node that is converted again is an alias, or inside an alias."""

    def __attrs_post_init__(self) -> None:
        self._alias_budget = self.bounds.aliased

    def convert(self, node: yaml.Node, outer: tuple[yaml.Node, ...]) -> Node:
        """Convert a node; `outer` contains the nodes around it. Mistakes are recorded; if there are too many,
        or if aliases expand too far, the exception is raised at once.
        """
        location, mistakes = self._at(node), self.mistakes
        if any(node is each for each in outer):
            mistakes.add(location, "an anchor contains itself", "write the value out")
            return Scalar(None, "", location)
        # Ten lines of nested aliases can expand to billions of values. PyYAML returns the same node for each
        # alias.
        if id(node) in self._converted:
            self._alias_budget -= 1
        self._converted.add(id(node))
        if self._alias_budget < 0 or len(outer) >= self.bounds.depth:
            too_large = self._alias_budget < 0
            bound = f"{self.bounds.aliased} values" if too_large else f"{self.bounds.depth} levels"
            mistakes.fail(location, f"aliases expand to more than {bound}", "write the values out")
        inner = (*outer, node)
        if isinstance(node, yaml.SequenceNode):
            return Seq(tuple(self.convert(item, inner) for item in node.value), location)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location, inner)
        return self._scalar(node, location)

    def _at(self, node: yaml.Node) -> Location:
        return Location(self.file, node.start_mark.line + 1)

    def _scalar(self, node: yaml.Node, location: Location) -> Scalar:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "str":
                return Scalar(text, text, location)
            case "bool":
                return Scalar(text == "true", text, location)
            case "null":
                return Scalar(None, text, location)
            case "int" if len(text.removeprefix("-")) <= MAX_DIGITS:
                return Scalar(int(text), text, location)
            case "int":
                problem = f"a number has more than {MAX_DIGITS} digits"
                self.mistakes.add(location, problem, "correct it, or put it in quotes if it is text")
            case _:
                problem = f"the tag {node.tag} has no meaning here"
                self.mistakes.add(location, problem, "write the value without a tag")
        return Scalar(None, text, location)

    def _mapping(self, node: yaml.MappingNode, location: Location, inner: tuple[yaml.Node, ...]) -> Map:
        entries: dict[str, Node] = {}
        keys: dict[str, Location] = {}
        for key_node, value in node.value:
            where = self._at(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.mistakes.add(where, "a key is not a plain name", "use a name as the key")
                continue
            key = key_node.value
            if key in entries:
                problem = f"`{key}` is a duplicate (first on line {keys[key].line})"
                self.mistakes.add(where, problem, "keep one of the two")
                continue
            entries[key] = self.convert(value, inner)
            keys[key] = where
        return Map(entries, keys, location)
