"""What the time is comes last, everywhere, so that nobody has to look where it goes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def parameters_behind_now() -> Iterator[str]:
    """Functions that take something after `now` which a caller has to give by its place."""
    for folder in ("src", "adapters"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                places = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
                needed = places[: len(places) - len(node.args.defaults)]
                if "now" in needed[:-1]:
                    yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}({', '.join(places)})"


def test_now_is_the_last_parameter() -> None:
    assert list(parameters_behind_now()) == []
