"""Imports that wait until something is asked for.

A program speaks two or three families of messages, and making the classes of all of them takes longer than
everything else that the package imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def imported(name: str) -> Any:
    """Return what a dotted name stands for; its module is imported if that was not done yet."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def exports(namespace: dict[str, Any], names: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module that gives names of other modules, each of which is imported when
    one of its names is first asked for.

    Args:
        namespace: the module's `globals()`, which keeps what was asked for.
        names: what is to be found where, by the names of the modules.
    """
    places = {name: module for module, several in names.items() for name in several}

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        value = namespace[name] = imported(f"{places[name]}.{name}")
        return value

    return find
