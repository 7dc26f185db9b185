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

from codegen.errors import Mistake, Mistakes, SpecError
from codegen.model import Location


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
    """PyYAML's parser with the scalar rules of YAML 1.2, less floats, octal and hexadecimal."""


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
        SpecError: the file cannot be read, is not YAML, or repeats a key.
    """
    file = path.as_posix()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(
            [Mistake(Location(file, 1), f"cannot be read ({error.strerror})", "add the file")]
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SpecError([Mistake(Location(file, line), "is not UTF-8", "save the file as UTF-8")]) from None
    try:
        root = yaml.compose(text, Loader=_Loader)
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
    node = _convert(root, file, mistakes, ())
    mistakes.raise_any()
    return node


def _convert(node: yaml.Node, file: str, mistakes: Mistakes, outer: tuple[yaml.Node, ...]) -> Node:
    location = Location(file, node.start_mark.line + 1)
    if any(node is each for each in outer):
        mistakes.add(location, "an anchor contains itself", "write the value out")
        return Scalar(None, "", location)
    inner = (*outer, node)
    if isinstance(node, yaml.SequenceNode):
        return Seq(tuple(_convert(item, file, mistakes, inner) for item in node.value), location)
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Node] = {}
        keys: dict[str, Location] = {}
        for key_node, value in node.value:
            where = Location(file, key_node.start_mark.line + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                mistakes.add(where, "a key is not a plain word", "use a name as the key")
                continue
            key = key_node.value
            if key in entries:
                first = keys[key].line
                mistakes.add(where, f"`{key}` stands twice (first in line {first})", "keep one of the two")
                continue
            entries[key] = _convert(value, file, mistakes, inner)
            keys[key] = where
        return Map(entries, keys, location)
    if not node.tag.startswith(_TAG) or node.tag.removeprefix(_TAG) not in {"str", "int", "bool", "null"}:
        mistakes.add(location, f"the tag {node.tag} has no meaning here", "write the value without a tag")
    return Scalar(_value(node), node.value, location)


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
