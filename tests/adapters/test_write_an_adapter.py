"""The page on adapters shows the example of one, piece by piece, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "write-an-adapter.md").read_text("utf-8")
EXAMPLE = (ROOT / "examples" / "anyio_client.py").read_text("utf-8")


def lines(text: str) -> list[str]:
    """Lines without their indentation: a method stands alone on the page."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_the_pieces_of_the_page_are_the_example() -> None:
    pieces = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert lines("".join(pieces)) == lines(EXAMPLE)


def test_the_example_is_as_short_as_an_adapter_should_be() -> None:
    assert len(EXAMPLE.splitlines()) <= 150


def test_the_tests_that_the_page_names_exist() -> None:
    suite = "".join(
        path.read_text("utf-8") for path in (ROOT / "tests/adapters/conformance").glob("test_*.py")
    )
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert named
    assert all(f"def {name}(" in suite for name in named)
