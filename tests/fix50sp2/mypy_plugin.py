"""Lets mypy find the dialects of which only the spec is kept; how mypy judges stays as it is."""

from __future__ import annotations

import sys
from pathlib import Path

from mypy.plugin import Plugin

ROOT = Path(__file__).resolve().parents[2]


def plugin(version: str) -> type[Plugin]:
    """Write what is missing before mypy looks for modules; it calls this once, at the start of a run."""
    before = [*sys.path]
    sys.path += [str(ROOT), str(ROOT / "examples")]
    try:
        # Importing them is what brings their dialects up to date.
        import fixt  # noqa: F401
        import tests.fix50sp2  # noqa: F401
    finally:
        sys.path[:] = before
    return Plugin
