"""The copy of the spec in which every limit has a different value (`make limits`)."""

from __future__ import annotations

import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from codegen.model import Dialect
from codegen.read.resolve import load_dialect

ROOT = Path(__file__).resolve().parent.parent
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "other_limits.py"))
UNCHANGED_VALUES = {"", "None", "0", "-1"}
"""Values that are not limits, or that are the lowest possible rate or count."""


def limits(dialect: Dialect) -> Iterator[tuple[str, str]]:
    """Yield a name and the value of every limit of a dialect."""
    for limit in dialect.limits:
        yield from ((f"{limit.name} {key}", value) for key, value in limit.values)
    for session in dialect.session_types:
        numbers = {name for name, value in attrs.asdict(session, recurse=False).items() if type(value) is int}
        yield from ((f"{session.name} {name}", str(getattr(session, name))) for name in numbers - {"port"})
    for field in dialect.fields:
        for item in (field, *field.limits):
            # Prices and quantities have steps, and the payout of a contract bounds its price.
            if not getattr(item, "step", None):
                yield from ((f"{field.name} {name}", str(getattr(item, name))) for name in TOOL["BOUNDS"])
    for member in dialect.header:
        for item in member.limits:
            yield from (
                (f"header {member.field.name} {name}", str(getattr(item, name))) for name in TOOL["BOUNDS"]
            )


def test_every_limit_has_a_different_value_and_the_spec_is_valid(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "spec", tmp_path / "spec")
    changed = TOOL["change_limits"](tmp_path / TOOL["SPEC"])
    before = list(limits(load_dialect(ROOT / TOOL["SPEC"])))
    after = list(limits(load_dialect(tmp_path / TOOL["SPEC"])))
    same = {
        name
        for (name, old), (_, new) in zip(before, after, strict=True)
        if old == new and old not in UNCHANGED_VALUES
    }
    assert same == set()
    assert changed >= 60
