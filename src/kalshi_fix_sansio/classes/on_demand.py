"""Imports that are deferred until first use.

A program typically uses two or three families of messages, and creating the classes of all families takes
longer than the rest of the import of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def imported(name: str) -> Any:
    """Return the object with a dotted name, importing its module if necessary."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def exports(namespace: dict[str, Any], names: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a module that exports names of other modules, imported on first access.

    Args:
        namespace: the module's `globals()`, in which accessed names are cached.
        names: the exported names by the names of their modules.
    """
    places = {name: module for module, several in names.items() for name in several}

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        value = namespace[name] = imported(f"{places[name]}.{name}")
        return value

    return find
