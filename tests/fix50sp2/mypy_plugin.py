"""Lets mypy find the second dialect in a fresh clone; how mypy judges stays as it is."""

from __future__ import annotations

import sys
from pathlib import Path

from mypy.plugin import Plugin

ROOT = str(Path(__file__).resolve().parents[2])


def plugin(version: str) -> type[Plugin]:
    """Write what is missing before mypy looks for modules; it calls this once, at the start of a run."""
    sys.path.append(ROOT)
    try:
        import tests.fix50sp2  # noqa: F401 - importing it is what brings the dialect up to date
    finally:
        sys.path.pop()
    return Plugin
