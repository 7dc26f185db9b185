"""Every test named in the table of guarantees in `docs/session.md` exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cells_with_tests() -> list[str]:
    """Return the last column of the table of guarantees."""
    page = (ROOT / "docs" / "session.md").read_text("utf-8")
    table = page.partition("| guarantee | mechanism | test |")[2].partition("\n\n")[0]
    return [line.split(" | ")[-1] for line in table.splitlines()[2:]]


def test_every_guarantee_names_an_existing_test_or_scenario() -> None:
    assert len(cells_with_tests()) == 9
    for cell in cells_with_tests():
        named = re.findall(r"`([^`]+)`", cell)
        assert named
        for name in named:
            folder, suffix = ("session", "") if name.endswith((".py", ".yaml")) else ("scenarios", ".yaml")
            assert list((ROOT / "tests" / folder).glob(name + suffix)), name
