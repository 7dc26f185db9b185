"""The page on adapters shows the whole example adapter, piece by piece, and no other code."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "write-an-adapter.md").read_text("utf-8")
STEPS, TRY_IT = PAGE.split("\n## Try it\n")
EXAMPLE = (ROOT / "examples" / "anyio_client.py").read_text("utf-8")


def blocks(page: str) -> list[str]:
    """Return the code blocks of a page with their indentation."""
    return re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def lines(text: str) -> list[str]:
    """Return the lines that are not empty."""
    return [line for line in text.splitlines() if line.strip()]


def test_the_code_on_the_page_is_the_example() -> None:
    assert lines("".join(blocks(STEPS))) == lines(EXAMPLE)


def test_following_the_page_results_in_a_working_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "anyio_client.py").write_text("\n".join(blocks(STEPS)), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "anyio_client", raising=False)
    (program,) = blocks(TRY_IT)
    exec(compile(program, "try it", "exec"), {})
    output = capsys.readouterr().out
    assert output.count("answered within") == output.count("clean=True") == 2


def test_the_tests_that_the_page_names_exist() -> None:
    suite = "".join(
        path.read_text("utf-8") for path in (ROOT / "tests/adapters/conformance").glob("test_*.py")
    )
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert named
    assert all(f"def {name}(" in suite for name in named)
