"""Reads a YAML file into nodes that remember their lines, within bounds.

Scalars follow YAML 1.2: `yes`, `no`, `on`, dates and decimals stay text as written; only `true`, `false`,
`null` and whole numbers mean something else. So 0.10 is exactly a tenth, and NO is not false. A key that
stands twice is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from kalshi_fix_adapters.venue.scenario.mistakes import Mistake, Mistakes, ScenarioError
from kalshi_fix_sansio.errors import ConfigurationError

try:
    import yaml
except ModuleNotFoundError:
    raise ConfigurationError(
        "scenario files need PyYAML; install it with pip install 'kalshi-fix-sansio[scenario]'"
    ) from None

MAX_FILE_SIZE = 512 * 1024
"""Bytes of a file."""
MAX_DEPTH = 32
"""How deep mappings and lists may be nested."""
MAX_VALUES = 20_000
"""Values in a file."""
MAX_ALIASED = 2_000
"""Values that aliases stand for, in a file."""
MAX_DIGITS = 18
"""Digits of a whole number."""

_TAG = "tag:yaml.org,2002:"


@attrs.frozen
class Scalar:
    """Text, a whole number, a boolean or nothing."""

    value: str | int | bool | None
    text: str
    """As written."""
    line: int


@attrs.frozen
class Seq:
    """A list."""

    items: tuple[Node, ...]
    line: int


@attrs.frozen
class Map:
    """A mapping, in the order of the file."""

    entries: Mapping[str, Node]
    lines: Mapping[str, int]
    """Where each key stands."""
    line: int


Node = Scalar | Seq | Map


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
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        raise yaml.composer.ComposerError(None, None, why, mark)


# PyYAML reads YAML 1.1, where NO is false, 1:30 is 90 and 0.10 a float.
_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))


def read_file(path: Path) -> Node:
    """Read a file.

    Raises:
        ScenarioError: it cannot be read, is too large, is not YAML, or repeats a key.
    """
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        raise _error(file, 1, f"cannot be read ({error.strerror})", "name a file that you may read") from None
    return read_bytes(data, file)


def read_bytes(data: bytes, file: str) -> Node:
    """Read what stands in a file.

    Raises:
        ScenarioError: it is too large, is not YAML, or repeats a key.
    """
    if len(data) > MAX_FILE_SIZE:
        raise _error(file, 1, f"has more than {MAX_FILE_SIZE} bytes", "leave out what is not needed")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _error(file, line, "is not UTF-8", "save the file as UTF-8") from None
    try:
        root = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"is not valid YAML: {error.problem or error.context}"
        advice = "correct the syntax (quote text that holds `: `, ` #` or begins with a special character)"
        raise _error(file, mark.line + 1 if mark else 1, what, advice) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        what = f"holds the character U+{ord(text[error.position]):04X}, which YAML does not allow"
        raise _error(file, line, what, "remove it, and save the file as UTF-8") from None
    if root is None:
        raise _error(file, 1, "is empty", "describe the venue, as examples/scenario.yaml does")
    mistakes = Mistakes(file)
    node = _Converter(mistakes).convert(root, ())
    mistakes.raise_any()
    return node


def _error(file: str, line: int, what: str, advice: str) -> ScenarioError:
    return ScenarioError(file, [Mistake(line, what, advice)])


@attrs.define
class _Converter:
    """Makes nodes of PyYAML's, aliases written out."""

    mistakes: Mistakes
    _room: int = attrs.field(init=False, factory=lambda: MAX_ALIASED)
    """Values that aliases may still stand for."""
    _converted: set[int] = attrs.field(init=False, factory=set)
    """The id of each node that was converted: one that comes again is an alias, or stands in one."""

    def convert(self, node: yaml.Node, outer: tuple[yaml.Node, ...]) -> Node:
        """Return a node; `outer` are those around it."""
        line, mistakes = node.start_mark.line + 1, self.mistakes
        if any(node is each for each in outer):
            mistakes.add(line, "an anchor contains itself", "write the value out")
            return Scalar(None, "", line)
        # Ten lines of aliases to aliases can stand for billions of values; PyYAML gives each the same node.
        self._room -= id(node) in self._converted
        self._converted.add(id(node))
        if self._room < 0 or len(outer) >= MAX_DEPTH:
            bound = f"{MAX_ALIASED} values" if self._room < 0 else f"{MAX_DEPTH} levels"
            mistakes.add(line, f"aliases stand for more than {bound}", "write out what is meant")
            mistakes.raise_any()
        inner = (*outer, node)
        if isinstance(node, yaml.SequenceNode):
            return Seq(tuple(self.convert(item, inner) for item in node.value), line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, line, inner)
        return self._scalar(node, line)

    def _scalar(self, node: yaml.Node, line: int) -> Scalar:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "str":
                return Scalar(text, text, line)
            case "bool":
                return Scalar(text == "true", text, line)
            case "null":
                return Scalar(None, text, line)
            case "int" if len(text.removeprefix("-")) <= MAX_DIGITS:
                return Scalar(int(text), text, line)
            case "int":
                what = f"a number has more than {MAX_DIGITS} digits"
                self.mistakes.add(line, what, "correct it, or put it in quotes if it is text")
            case _:
                self.mistakes.add(
                    line, f"the tag {node.tag} has no meaning here", "write the value without a tag"
                )
        return Scalar(None, text, line)

    def _mapping(self, node: yaml.MappingNode, line: int, inner: tuple[yaml.Node, ...]) -> Map:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        for key_node, value in node.value:
            where = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.mistakes.add(where, "a key is not a plain word", "use a name as the key")
                continue
            key = key_node.value
            if key in entries:
                what = f"`{key}` stands twice (first in line {lines[key]})"
                self.mistakes.add(where, what, "keep one of the two")
                continue
            entries[key] = self.convert(value, inner)
            lines[key] = where
        return Map(entries, lines, line)
