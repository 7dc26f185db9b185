"""Marks in files and snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_adapters.bus.marks import Mark, Position

EMPTY = Mark().dump()
FULL = Mark(7, 2, 3, 1, {"NR": Position(2, 1, 40)}, ["DC"]).dump()


@pytest.mark.parametrize("dumped", [EMPTY, FULL])
def test_a_loaded_mark_equals_the_dumped_one(dumped: Any) -> None:
    assert Mark.load(dumped).dump() == dumped


@pytest.mark.parametrize(
    "dumped",
    [
        None,
        [],
        {},
        EMPTY | {"sequence": "x"},
        EMPTY | {"event": 1.5},
        EMPTY | {"fence": True},
        EMPTY | {"lanes": []},
        FULL | {"lanes": {"NR": [2, 1]}},
        FULL | {"lanes": {"NR": [2, 1, "40"]}},
        FULL | {"unproven": None},
    ],
)
def test_other_values_are_not_marks(dumped: Any) -> None:
    with pytest.raises(ValueError, match=r"^not a mark: "):
        Mark.load(dumped)
