"""Read a scenario file. Every mistake is reported with file, line, problem and remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import attrs
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kalshi_fix_adapters.documents.mistakes import Location, Mistake, Mistakes
from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.documents.nodes import Bounds, Map, Node, Scalar, Seq, parse
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.scenario.build import build_scenario, inconsistent_values
from kalshi_fix_venue.scenario.scenario import Scenario
from kalshi_fix_venue.scenario.schema import ScenarioFile, json_schema

MAX_MISTAKES: Final = 50
"""Maximum number of mistakes reported by one run."""
MAX_FILE_SIZE: Final = 512 * 1024
"""Maximum size of a file in bytes."""
_TYPE_REMEDIES: Final = {
    "model_type": "write a mapping",
    "model_attributes_type": "write a mapping",
    "dict_type": "write a mapping",
    "list_type": "write a list",
    "tuple_type": "write a list",
    "bool_type": "write true or false",
    "int_type": "write a whole number",
    "string_type": "write text",
}
"""Remedies for pydantic errors whose texts use Python terms."""
BOUNDS: Final = Bounds(depth=32, values=20_000, aliased=2_000)


class ScenarioError(ConfigurationError):
    """A scenario file that cannot be used; `mistakes` contains all mistakes found in one run."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes: tuple[Mistake, ...] = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        ScenarioError: the file cannot be read, or its content cannot be used.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise ScenarioError([Mistake(Location(str(path), 1), problem, "specify a readable file")]) from None
    return parse_scenario(data, str(path))


def parse_scenario(data: bytes, name: str = "scenario.yaml") -> Scenario:
    """Read the content of a scenario file; `name` is the file's name in the reported mistakes.

    Raises:
        ScenarioError: the content cannot be used.
    """
    root = read_nodes(data, name)
    mistakes = Mistakes(MAX_MISTAKES, ScenarioError)
    # Checked in three steps: the form of each value, then references to other parts of the file, then the
    # venue's own checks. The last step reports only one mistake.
    try:
        scenario_file = ScenarioFile.model_validate(_to_builtins(root))
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            _report(mistakes, root, each)
        mistakes.raise_any()
        raise
    for path, advice in inconsistent_values(scenario_file):
        position = _Position.find(root, path)
        mistakes.add(position.node.location, position.problem(), advice)
    mistakes.raise_any()
    scenario = build_scenario(scenario_file)
    try:
        # This runs all checks of the venue itself; the keys are created later.
        attrs.evolve(scenario, keys=()).config({})
    except ConfigurationError as error:
        mistakes.fail(root.location, str(error), "correct it")
    return scenario


def read_nodes(data: bytes, name: str) -> Node:
    """Read the YAML of a scenario file, within `MAX_FILE_SIZE` and `BOUNDS`.

    Raises:
        ScenarioError: it exceeds a bound, is not YAML, or repeats a key.
    """
    mistakes = Mistakes(MAX_MISTAKES, ScenarioError)
    if len(data) > MAX_FILE_SIZE:
        problem = f"has more than {MAX_FILE_SIZE} bytes"
        mistakes.fail(Location(name, 1), problem, "remove unnecessary parts")
    return parse(data, name, BOUNDS, mistakes, if_empty="describe the venue, as examples/scenario.yaml does")


def _to_builtins(node: Node) -> Any:
    """Convert a node to built-in types. A key without a value, such as `flow:`, gets an empty mapping."""
    if isinstance(node, Scalar):
        return {} if node.value is None else node.value
    if isinstance(node, Seq):
        return [_to_builtins(item) for item in node.items]
    return {key: _to_builtins(value) for key, value in node.entries.items()}


@attrs.frozen
class _Position:
    """A position in the file, found by the path in a pydantic error."""

    node: Node
    path: str = ""

    @classmethod
    def find(cls, root: Node, path: Iterable[str | int]) -> _Position:
        """Return the innermost position on the path that exists in the file. Other parts of the path, such as
        a missing key or the name of an operation, are skipped."""
        node, shown_path = root, ""
        for part in path:
            if isinstance(node, Map) and str(part) in node.entries:
                node, shown_path = node.entries[str(part)], f"{shown_path}.{part}"
            elif isinstance(node, Seq) and isinstance(part, int):
                node, shown_path = node.items[part], f"{shown_path}[{part + 1}]"
        return cls(node, shown_path.removeprefix(".") or "the file")

    def problem(self, *, type_is_wrong: bool = False) -> str:
        """Return a description of the problem: the wrong value or, for a mapping or a list, that its content
        or its type is wrong."""
        if isinstance(self.node, Scalar):
            return f"{self.path} is " + ("empty" if self.node.value is None else f"`{self.node.text}`")
        if not type_is_wrong:
            return f"{self.path} has an invalid value"
        return f"{self.path} is a {'list' if isinstance(self.node, Seq) else 'mapping'}"

    def location_of(self, key: str | int) -> Location:
        """Return the location of a key of a mapping."""
        return self.node.at(str(key)) if isinstance(self.node, Map) else self.node.location


def _report(mistakes: Mistakes, root: Node, error: ErrorDetails) -> None:
    """Report a pydantic error as a mistake in the file."""
    path, context = error["loc"], error.get("ctx", {})
    last = path[-1] if path else ""
    position, outer = _Position.find(root, path), _Position.find(root, path[:-1])
    match error["type"]:
        case "missing":
            advice = f"add it: {_schema_at(path).get('description', '')}"
            mistakes.add(outer.node.location, f"{outer.path} has no `{last}`", advice)
        case "union_tag_not_found":
            problem = f"{position.path} has no `do`"
            mistakes.add(position.node.location, problem, "add it: `{when: 90s, do: pause}`")
        case "extra_forbidden":
            problem = f"{outer.path} has an unknown key `{last}`"
            advice = did_you_mean(str(last), _schema_at(path[:-1]).get("properties", ()))
            mistakes.add(outer.location_of(last), problem, advice)
        case _ if last == "[key]":
            outer = _Position.find(root, path[:-2])
            problem = f"{outer.path} has the key `{path[-2]}`"
            mistakes.add(outer.location_of(path[-2]), problem, _advice(error, str(path[-2])))
        case _:
            # The error may name a key: one that contradicts other keys of its section, or the discriminator
            # that selects the allowed keys.
            key = context.get("key", context.get("discriminator", "").strip("'"))
            position = _Position.find(root, (*path, key))
            text = position.node.text if isinstance(position.node, Scalar) else ""
            problem = position.problem(type_is_wrong=error["type"] in _TYPE_REMEDIES)
            mistakes.add(position.node.location, problem, _advice(error, text))


def _advice(error: ErrorDetails, text: str) -> str:
    """Return the remedy for an error."""
    context = error.get("ctx", {})
    expected = context.get("expected", context.get("expected_tags"))
    if expected is not None:
        return did_you_mean(text, re.findall("'([^']*)'", str(expected)))
    advice = re.sub("^(Input|String) should", "it should", error["msg"].removeprefix("Value error, "))
    return _TYPE_REMEDIES.get(error["type"], advice[0].lower() + advice[1:])


def _schema_at(path: Iterable[str | int]) -> dict[str, Any]:
    """Return the JSON Schema of a position in the file."""
    schema = json_schema()

    def resolved(subschema: dict[str, Any]) -> dict[str, Any]:
        references = [each for each in subschema.get("anyOf", ()) if "$ref" in each]
        reference: str | None = (references[0] if references else subschema).get("$ref")
        return subschema if reference is None else schema["$defs"][reference.rpartition("/")[2]] | subschema

    current = schema
    for part in path:
        tags = current.get("discriminator", {}).get("mapping", {})
        named = {**current.get("properties", {}), **({part: {"$ref": tags[part]}} if part in tags else {})}
        unnamed = [
            *current.get("patternProperties", {}).values(),
            current.get("additionalProperties"),
            current.get("items"),
        ]
        current = resolved(named.get(part) or next(filter(None, unnamed), current))
    return current
