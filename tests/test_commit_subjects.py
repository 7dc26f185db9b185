"""The hook that requires commit subjects in the imperative."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.programs import run_program

SCRIPT = Path(__file__).resolve().parent.parent / "tools" / "check_subject.py"


@pytest.mark.parametrize(
    ("subject", "refused"),
    [
        ("Refuse amends that reuse the order's own ClOrdID", False),
        ("Process resends in order", False),
        ("Merge branch 'store'", False),
        ("Docs: all layers of the adapters", True),
        ("Adds a store", True),
        ("Added a store", True),
        ("Adding a store", True),
        ("The store is opened", True),
        ("add a store", True),
        ("Add a store.", True),
        ("Add " + "x" * 100, True),
        ("", True),
    ],
)
def test_subjects_are_in_the_imperative(tmp_path: Path, subject: str, refused: bool) -> None:
    message = tmp_path / "message"
    message.write_text(f"{subject}\n\nThe body says why.\n")
    done = run_program(sys.executable, SCRIPT, message)
    assert done.returncode == refused, done.stderr
