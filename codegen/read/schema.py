"""Validate the structure of each file against spec.schema.json, with error messages in YAML's terms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from codegen.errors import Mistakes
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.documents.nodes import Map, Node, Seq, plain

SCHEMA = Path(__file__).with_name("spec.schema.json")
"""One definition for each kind of file."""

_TYPE_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


@cache
def _schema() -> Any:
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


@cache
def _validator(kind: str) -> Any:
    draft = jsonschema.Draft202012Validator
    # jsonschema's own `uniqueItems` takes quadratic time for a list of mappings, so it is replaced.
    cls: Any = jsonschema.validators.extend(draft, {"uniqueItems": _unique_items})  # type: ignore[no-untyped-call]
    return cls({**_schema(), "$ref": f"#/$defs/{kind}"}, format_checker=cls.FORMAT_CHECKER)


def _unique_items(_validator: Any, unique: bool, instance: Any, _schema: Any) -> Iterator[Any]:
    """Yield the same error as jsonschema, which compares all pairs of items that cannot be sorted."""
    if unique and isinstance(instance, list):
        distinct = {json.dumps(item, sort_keys=True) for item in instance}
        if len(distinct) < len(instance):
            yield jsonschema.ValidationError("has non-unique elements")


def validate(node: Node, kind: str, mistakes: Mistakes) -> Map | None:
    """Validate one file's content; return it if it is valid.

    `kind` is a definition of the schema: manifest, datatypes, fields, codesets, components, block, messages
    or sessions.
    """
    valid = True
    # Report every error with its file and line. The messages of jsonschema use the terms of JSON, so they are
    # reworded in the terms of YAML.
    for error in _validator(kind).iter_errors(plain(node)):
        valid = False
        for location, what, advice in _explain(error, node):
            mistakes.add(location, what, advice)
    # All files are mappings according to the schema.
    return node if valid and isinstance(node, Map) else None


def _explain(error: Any, root: Node) -> Iterator[tuple[Location, str, str]]:
    path = list(error.absolute_path)
    node, where = _find(root, path)
    label = _label(path)
    expected, shown = _description(error.schema), _value_text(error.instance)
    match error.validator:
        # One error for all unknown keys of a mapping becomes one mistake per key.
        case "additionalProperties":
            known = error.schema["properties"]
            for key in error.instance:
                if key not in known:
                    at = node.at(key) if isinstance(node, Map) else where
                    yield at, f"{label} has an unknown key `{key}`", did_you_mean(key, known)
        case "required":
            # jsonschema names the key only in its message.
            missing = next(key for key in error.validator_value if f"'{key}'" in error.message)
            described = _description(error.schema["properties"][missing])
            yield where, f"{label} has no `{missing}`", f"add `{missing}`: {described}"
        case "enum":
            allowed = [str(each) for each in error.validator_value]
            yield where, f"{label} is {shown}", did_you_mean(str(error.instance), allowed)
        case "type":
            expected_types = error.validator_value
            names = [expected_types] if isinstance(expected_types, str) else expected_types
            wording = " or ".join(_TYPE_NAMES.get(name, name) for name in names)
            yield where, f"{label} is {shown}, not {wording}", f"write {expected or wording}"
        case "minProperties" | "minItems" | "minLength":
            yield where, f"{label} is empty", f"write {expected or 'at least one'}, or remove it"
        case "uniqueItems":
            yield where, f"{label} lists an item twice", "remove the repetition"
        case _:
            yield where, f"{label} is {shown}", f"write {expected or error.message}"


def _description(part: Any) -> str:
    """Return the description of a part of the schema, or of the definition that it refers to."""
    # `#/$defs/name`, step by step; a part without $ref has its own description.
    target = _schema()
    for step in part.get("$ref", "").removeprefix("#/").split("/"):
        target = target[step] if step else {}
    return str(part.get("description") or target.get("description", ""))


def _find(root: Node, path: list[str | int]) -> tuple[Node, Location]:
    node: Node = root
    where = root.location
    for step in path:
        if isinstance(node, Map):
            where = node.at(str(step))
            node = node.entries[str(step)]
        elif isinstance(node, Seq) and isinstance(step, int):
            node = node.items[step]
            where = node.location
    return node, where


def _label(path: list[str | int]) -> str:
    words = [str(step) if isinstance(step, str) else f"[{step + 1}]" for step in path]
    return f"`{'.'.join(words).replace('.[', '[')}`" if words else "the file"


def _value_text(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
