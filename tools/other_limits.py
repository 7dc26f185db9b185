"""Run tests on a copy of the project in which all of the venue's limits have been changed.

`make limits` runs it. In the copy's spec all rate limits, scopes, windows and bounds are changed, and the
generated files are written again. A test that fails there hard-codes one of the venue's figures, so the next
revision of the spec would break it. Arguments are passed to pytest; without arguments, the script runs the
tests of the quick gate, and the simulated venue's tests of rate limits and windows.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SPEC = "spec/kalshi"
SCHEMA = "venue/kalshi_fix_venue/scenario/scenario.schema.json"
VENUE_TESTS = (
    *("test_rate_limits.py", "test_tiers.py", "test_rate_budgets.py", "test_order_groups.py"),
    *("test_listeners.py", "test_logon.py", "test_retransmission.py", "test_drop_copy.py"),
    *("test_prices_and_limits.py", "dialogues", "gateway", "rfq/test_combos.py"),
)
"""Tests of the limits that the simulated venue enforces."""
SESSION_LIMITS = (
    *("max_message_size", "requests_per_second", "symbols_per_request", "subscriptions"),
    *("past_reports_hours", "retention_hours"),
)
"""Keys of a session type that are limits."""
BOUNDS = ("minimum", "maximum", "max_length")
"""Keys of a field, or of its `limits`, that are bounds."""
Change = tuple[yaml.Node, str]
"""A scalar of a file, and its new text."""


def double(node: yaml.Node) -> Change:
    """Return a change that doubles a figure and adds one, which preserves the order of the figures."""
    return node, str(2 * int(node.value) + 1)


def limit_changes(root: yaml.Node) -> Iterator[Change]:
    """Yield the changes to `limits.yaml`: the figures, and the last word of each list of words."""
    for _, limit in entries(child(root, "limits")):
        for key, value in entries(limit):
            if key == "value":
                yield double(value)
            elif key == "values":
                # A week has only seven days.
                yield from (
                    (node, str((int(node.value) + 5) % 7)) if name == "weekday" else double(node)
                    for name, node in entries(value)
                )
            elif key == "words":
                yield value.value[-1], json.dumps(value.value[-1].value + "-2")


def session_changes(root: yaml.Node) -> Iterator[Change]:
    """Yield the changes to `sessions.yaml`."""
    for _, session in entries(child(root, "sessions")):
        yield from (double(value) for key, value in entries(session) if key in SESSION_LIMITS)


def field_changes(node: yaml.Node) -> Iterator[Change]:
    """Yield the changes to the bounds of fields without steps; prices and quantities have steps."""
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from field_changes(each)
    elif isinstance(node, yaml.MappingNode):
        found = dict(entries(node))
        for key, value in found.items():
            if key in BOUNDS and "step" not in found and int(value.value) > 0:
                yield double(value)
            yield from field_changes(value)


CHANGES = {
    "limits.yaml": limit_changes,
    "sessions.yaml": session_changes,
    "fields.yaml": field_changes,
    "header.yaml": field_changes,
}
"""The changes, by file."""


def entries(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    """Return the keys and values of a mapping."""
    return [(key.value, value) for key, value in node.value]


def child(node: yaml.Node, key: str) -> yaml.Node:
    """Return the value of a key."""
    return dict(entries(node))[key]


def change_limits(spec: Path) -> int:
    """Change every limit of a spec folder; return the number of changes."""
    count = 0
    for name, changes in CHANGES.items():
        text = (spec / name).read_text("utf-8")
        # The changes are made from the end to the beginning, so the positions of the remaining ones stay
        # valid.
        root: Any = yaml.compose(text)
        ordered = sorted(changes(root), key=lambda each: -each[0].start_mark.index)
        for node, new in ordered:
            text = text[: node.start_mark.index] + new + text[node.end_mark.index :]
        (spec / name).write_text(text, "utf-8")
        count += len(ordered)
    return count


def copy_project(target: Path) -> None:
    """Copy the files of the project, as they are in the work tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def quick_tests() -> list[str]:
    """Return pytest's arguments for the tests of the quick gate and the tests of the venue's limits."""
    quick = runpy.run_path(str(ROOT / "tools/quick.py"))
    slow = [f"--ignore-glob=*/{each}" for each in quick["SLOW_TESTS"]]
    return ["-n", "auto", *slow, *quick["tests_to_run"]([]), *(f"tests/venue/{each}" for each in VENUE_TESTS)]


def run(project: Path, *command: str, show_output: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a module from the copy, not from the installed project."""
    path = os.pathsep.join(str(project / each) for each in ("src", "adapters", "venue", "."))
    return subprocess.run(
        [sys.executable, "-bb", "-m", *command],
        cwd=project,
        env={**os.environ, "PYTHONPATH": path},
        check=not show_output,
        capture_output=not show_output,
        text=True,
    )


def main(*arguments: str) -> int:
    """Create the copy, generate its files, and run the tests."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        copy_project(project)
        print(f"== {change_limits(project / SPEC)} limits changed", flush=True)
        run(project, "codegen")
        (project / SCHEMA).write_text(
            run(project, "kalshi_fix_adapters.cli", "venue", "schema").stdout, "utf-8"
        )
        tests = arguments or quick_tests()
        return run(project, "pytest", "-q", "-p", "no:cacheprovider", *tests, show_output=True).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
