"""Which engines are installed. What is missing is left out of the table."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

_NEEDS = {
    "quickfix_engine": "quickfix",
    "kalshi_sdk": "kalshi.fix",
    "fixcore_engine": "fixcore",
    "simplefix_engine": "simplefix",
    "msgspec_engine": "msgspec",
}


def engine(name: str) -> ModuleType | None:
    """Return the module of an engine, None if what it needs is not installed."""
    needed = _NEEDS[name]
    if find_spec(needed.partition(".")[0]) is None:
        return None
    return import_module(f"benchmarks.engines.{name}")


def missing() -> list[str]:
    """Name the packages that are not installed."""
    return [needed for needed in _NEEDS.values() if find_spec(needed.partition(".")[0]) is None]
