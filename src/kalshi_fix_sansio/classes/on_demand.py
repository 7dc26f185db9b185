"""Imports that are deferred until first use.

A program typically uses two or three families of messages. Creating the classes of all families would take
longer than the rest of the package's import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def import_object(name: str) -> Any:
    """Return the object with a dotted name, importing its module if necessary."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def exports(namespace: dict[str, Any], names: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a module that exports names from other modules, imported on first access.

    Args:
        namespace: the module's `globals()`, in which accessed names are cached.
        names: the exported names, by module name.
    """
    modules = {name: module for module, exported in names.items() for name in exported}

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        value = namespace[name] = import_object(f"{modules[name]}.{name}")
        return value

    return find
