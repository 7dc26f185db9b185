"""The selection of tests that the quick gate runs for a change."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

QUICK: dict[str, Any] = runpy.run_path(str(Path(__file__).resolve().parent.parent / "tools" / "quick.py"))
CORE = [f"tests/{item}" for item in QUICK["CORE"]]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ([], CORE),
        (["src/kalshi_fix_sansio/config.py"], CORE),
        (["tests/helpers.py"], CORE),
        (["src/kalshi_fix_sansio/validation/checks.py"], ["tests/scenarios", "tests/validation"]),
        (["src/kalshi_fix_sansio/trading/books/book.py"], ["tests/trading"]),
        (["adapters/kalshi_fix_adapters/logs/recording.py"], ["tests/adapters/logs"]),
        (["venue/kalshi_fix_venue/gateway/flags.py"], ["tests/venue/gateway"]),
        (["venue/kalshi_fix_venue/inbox.py"], ["tests/venue/test_inbox.py"]),
        (["codegen/read/importer.py"], ["tests/codegen/read"]),
        (["codegen/naming.py"], ["tests/codegen/test_naming.py"]),
        (["codegen/model.py"], ["tests/codegen"]),
        (["fuzz/targets.py"], ["tests/fuzz/test_targets.py"]),
        (["fuzz/corpus/session.txt"], ["tests/fuzz"]),
        (["tools/quick.py"], ["tests/test_quick.py"]),
        (["benchmarks/cases/ticks.py"], ["tests/test_benchmarks.py"]),
        (["tests/session/conftest.py", "tests/test_quick.py"], ["tests/session", "tests/test_quick.py"]),
        (["docs/orders.md"], list(QUICK["PAGES"])),
    ],
)
def test_the_tests_of_changed_files_are_selected(changed: list[str], expected: list[str]) -> None:
    assert QUICK["tests_to_run"](changed) == sorted(expected)


def test_the_gate_checks_that_the_code_handles_the_dialect() -> None:
    assert ["codegen", "downstream"] in [step[-2:] for step in QUICK["steps"]("HEAD")]


def test_every_folder_of_the_quick_gate_exists() -> None:
    root = QUICK["ROOT"]
    assert all((root / item).is_dir() for item in CORE)
    assert all((root / "src/kalshi_fix_sansio" / item).is_dir() for item in QUICK["USED_BY"])
    assert {folder for folders in QUICK["USED_BY"].values() for folder in folders} <= {*QUICK["CORE"]}
