"""Run the quick gate: the checks of formatting, lint, disallowed words, generated code, handling of the
dialect (`codegen downstream`), types and import contracts, and the tests of the packages that changed.

`make quick` runs it. A package of the core is tested together with the packages that depend on it; without
changes, all of the core is tested. The slow tests (`SLOW_TESTS`) and other Python versions are left to
`make check`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = (
    *("scalars", "framing", "codec", "validation", "core", "session", "scenarios", "trading"),
    *("adapters/config", "adapters/engine", "adapters/loops", "adapters/net", "adapters/observe"),
)
"""Test folders that run if a change may affect all of the core, or if no file changed."""
USED_BY = {
    "framing": ("framing", "session", "scenarios"),
    "codec": ("codec", "validation", "scenarios"),
    "validation": ("validation", "scenarios"),
    "session": ("session", "scenarios", "adapters/engine", "adapters/loops"),
    "trading": ("trading",),
}
"""Folders of tests for a package of the core: its own, and the folders of packages that depend on it."""
PACKAGES = {
    "adapters/kalshi_fix_adapters": "tests/adapters",
    "venue/kalshi_fix_venue": "tests/venue",
    "codegen": "tests/codegen",
    "fuzz": "tests/fuzz",
    "tools": "tests",
}
"""Folder with the tests of a package; each file or folder in it is named after a module or folder of the
package.
"""
WHOLE_SUITES = {"codegen": "tests/codegen", "fuzz": "tests/fuzz", "benchmarks": "tests/test_benchmarks.py"}
"""Tests of packages whose test suite is quick enough to run completely if a changed module has no tests of
its own.
"""
PAGES = ("tests/test_docs_text.py", "tests/test_project_docs.py", "tests/test_readme.py")
SLOW_TESTS = (
    *("*slow_model*", "test_fuzz*", "test_soak*", "test_kill*", "test_crash*", "test_day*", "*hostile*"),
    *("test_generated_encoders*", "test_order_books_wire*", "test_mutations*", "test_held_out*"),
)
"""Patterns of test files that the gate skips, because they take longer than the other files in their
folders.
"""


def changed_files(base: str) -> list[str]:
    """Return the files that differ from a commit, including untracked ones."""
    commands = (["diff", "--name-only", base], ["ls-files", "--others", "--exclude-standard"])
    return [
        line
        for command in commands
        for line in subprocess.run(
            ["git", *command], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.splitlines()
    ]


def tests_of(path: str) -> Iterator[str]:
    """Yield the paths of the tests of a changed file."""
    folder, _, file = path.rpartition("/")
    if path.startswith("tests/"):
        # A helper module affects the tests of its folder; one directly in `tests` may affect all of the core.
        if file.startswith("test_"):
            yield path
        else:
            yield from [folder] if folder != "tests" else _all_of_core()
    elif path.endswith(".md"):
        yield from PAGES
    elif path.startswith(("src/", "spec/")):
        package = path.removeprefix("src/kalshi_fix_sansio/").partition("/")[0]
        yield from (f"tests/{each}" for each in USED_BY.get(package, CORE))
    if path.startswith(("spec/", "codegen/emit/")):
        yield "tests/test_generated.py"
    package_tests: list[str] = []
    for package, tests in PACKAGES.items():
        if path.startswith(f"{package}/"):
            name, _, _ = path.removeprefix(f"{package}/").partition("/")
            package_tests += [
                each for each in (f"{tests}/{name}", f"{tests}/test_{name}") if (ROOT / each).exists()
            ]
    top, _, _ = path.partition("/")
    yield from package_tests or [each for package, each in WHOLE_SUITES.items() if package == top]


def _all_of_core() -> list[str]:
    return [f"tests/{each}" for each in CORE]


def tests_to_run(paths: Iterable[str]) -> list[str]:
    """Return the folders and files of tests to run."""
    tests = {each for path in paths for each in tests_of(path) if (ROOT / each).exists()}
    return sorted(tests or _all_of_core())


def steps(base: str) -> Iterator[list[str]]:
    """Yield the commands of the gate, the quickest first."""
    paths = changed_files(base)
    python = [sys.executable, "-bb", "-m"]
    scripts = Path(sys.executable).parent
    yield [f"{scripts}/ruff", "format", "--check", "--quiet", "."]
    yield [f"{scripts}/ruff", "check", "--quiet", "."]
    yield [sys.executable, "tools/check_words.py"]
    if any(path.startswith(("spec/", "codegen/")) for path in paths):
        yield [*python, "codegen", "--check"]
    yield [*python, "codegen", "downstream"]
    yield [f"{scripts}/mypy"]
    yield [f"{scripts}/lint-imports"]
    slow = [f"--ignore-glob=*/{each}" for each in SLOW_TESTS]
    yield [*python, "pytest", "-q", "-n", "auto", *slow, *tests_to_run(paths)]


def main(base: str = "HEAD") -> int:
    """Run every step until one fails."""
    for command in steps(base):
        print("==", *command, flush=True)
        is_pytest = "pytest" in command  # the output of other commands is printed only if they fail
        result = subprocess.run(command, cwd=ROOT, check=False, capture_output=not is_pytest, text=True)
        if result.returncode:
            print(result.stdout or "", result.stderr or "", sep="", file=sys.stderr)
            return result.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
