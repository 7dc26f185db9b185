"""The measured engines: modules with the same functions. Engines that are not installed are skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

_PACKAGES = {
    "quickfix_engine": "quickfix",
    "kalshi_sdk": "kalshi.fix",
    "fixcore_engine": "fixcore",
    "simplefix_engine": "simplefix",
    "msgspec_engine": "msgspec",
}


def installed(names: Iterable[str] = tuple(_PACKAGES)) -> Iterator[ModuleType]:
    """Yield the modules of the engines whose packages are installed."""
    absent = missing()
    for name in names:
        if _PACKAGES[name] not in absent:
            yield import_module(f"{__name__}.{name}")


def missing() -> list[str]:
    """Return the names of the packages that are not installed."""
    return [package for package in _PACKAGES.values() if find_spec(package.partition(".")[0]) is None]
