"""A mypy plugin that generates the dialects whose packages are not committed. It does not change type
checking."""

from __future__ import annotations

import sys
from pathlib import Path

from mypy.plugin import Plugin

ROOT = Path(__file__).resolve().parents[2]


def plugin(version: str) -> type[Plugin]:
    """Generate missing dialect packages before mypy looks for modules. mypy calls this once per run."""
    before = [*sys.path]
    sys.path += [str(ROOT), str(ROOT / "examples")]
    try:
        # Importing these packages brings their generated dialects up to date.
        import fixt  # noqa: F401
        import tests.fix50sp2  # noqa: F401
    finally:
        sys.path[:] = before
    return Plugin
