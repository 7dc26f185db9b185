"""Run tests on a copy of the project whose spec has other limits: no figure of the venue is written by hand.

`make limits` runs it. In the copy every rate limit, window and bound of the spec is twice as high and one
more, and `python -m codegen` writes what follows from it. What still passes reads its figures from the spec.
Arguments are those of pytest; without any, the tests of the quick gate run.
"""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SPEC = Path("spec/kalshi")
SESSION_LIMITS = (
    *("max_message_size", "requests_per_second", "symbols_per_request", "subscriptions"),
    *("past_reports_hours", "retention_hours"),
)
"""Keys of a session type that are limits."""
BOUNDS = ("minimum", "maximum", "max_length")
"""Keys of a field, or of its `limits`, that are bounds."""
UNITS = ("dollars", "cents", "dollars or cents")
"""Units of prices: their bounds follow from what a contract pays."""


def changed(text: str) -> str:
    """Return another figure, by a rule that keeps the order of figures, and 0 as it is."""
    return text if int(text) <= 0 else str(2 * int(text) + 1)


def figures(file: Path) -> Iterator[yaml.ScalarNode]:
    """Yield the figures of a file of the spec that are limits."""
    root = yaml.compose(file.read_text("utf-8"))
    if file.name == "limits.yaml":
        for _, limit in _items(_value(root, "limits")):
            value, values = _value(limit, "value"), _value(limit, "values")
            yield from [value] if value else [each for _, each in _items(values)]
    elif file.name == "sessions.yaml":
        for _, session in _items(_value(root, "sessions")):
            yield from (value for key, value in _items(session) if key in SESSION_LIMITS)
    else:
        yield from _bounds(root)


def _bounds(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _bounds(each)
    elif isinstance(node, yaml.MappingNode):
        of = {key: value for key, value in _items(node)}
        if "step" not in of and getattr(of.get("unit"), "value", None) not in UNITS:
            yield from (of[key] for key in BOUNDS if key in of)
        for each in of.values():
            yield from _bounds(each)


def _items(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    return [(key.value, value) for key, value in node.value]


def _value(node: yaml.Node, key: str) -> yaml.Node | None:
    return dict(_items(node)).get(key)


def change(spec: Path) -> int:
    """Change every limit of a spec folder; return their number."""
    count = 0
    for file in (*(spec / f"{name}.yaml" for name in ("limits", "sessions", "fields", "header")),):
        text = file.read_text("utf-8")
        for node in reversed(list(figures(file))):
            text = text[: node.start_mark.index] + changed(node.value) + text[node.end_mark.index :]
            count += 1
        file.write_text(text, "utf-8")
    return count


def copy(to: Path) -> None:
    """Copy the files of the project, as they are in the work tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def main(*arguments: str) -> int:
    """Make the copy, generate, and run the tests."""
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "project"
        copy(to)
        print("== limits changed:", change(to / SPEC), flush=True)
        path = os.pathsep.join(str(to / each) for each in ("src", "adapters", "venue", "."))
        environment = {**os.environ, "PYTHONPATH": path}
        python = [sys.executable, "-bb", "-m"]
        quick = runpy.run_path(str(to / "tools/quick.py"))
        slow = [f"--ignore-glob=*/{each}" for each in quick["SLOW"]]
        tests = list(arguments) or [*slow, *quick["chosen"]([])]
        for command in ([*python, "codegen"], [*python, "pytest", "-q", "-p", "no:cacheprovider", *tests]):
            print("==", *command, flush=True)
            done = subprocess.run(command, cwd=to, env=environment, check=False)
            if done.returncode:
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
