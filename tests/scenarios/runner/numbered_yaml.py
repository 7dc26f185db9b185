"""YAML with line numbers, and without two of its pitfalls: duplicate keys, and values silently converted to
types other than text, numbers and booleans.
"""

from __future__ import annotations

from typing import Any

import yaml


class ScenarioError(Exception):
    """An error in a scenario file."""


class Mapping(dict[str, Any]):
    """A mapping with its line number."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


def read(text: str) -> Any:
    """Return mappings, lists, strings, numbers, True, False and None. Raises ScenarioError."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        return None if node is None else _convert(loader, node)
    except yaml.YAMLError as error:
        raise ScenarioError(f"not YAML: {error}") from None
    finally:
        loader.dispose()


def _convert(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        mapping = Mapping(line)
        for key_node, value_node in node.value:
            key = _convert(loader, key_node)
            if isinstance(key, int) and not isinstance(key, bool):
                key = str(key)  # a tag without a name
            if not isinstance(key, str):
                raise ScenarioError(f"line {line}: {key!r} cannot be a key; quote it if it is a word")
            if key in mapping:
                raise ScenarioError(f"line {key_node.start_mark.line + 1}: {key} appears twice")
            mapping[key] = _convert(loader, value_node)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_convert(loader, item) for item in node.value]
    value = loader.construct_object(node)
    if value is None or isinstance(value, str | int | float):
        return value
    raise ScenarioError(f"line {line}: {node.value} reads as a {type(value).__name__}; quote it")
