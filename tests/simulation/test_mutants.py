"""Every invariant can fail: sessions and stores with one fault each are caught within a few seeds."""

from __future__ import annotations

import attrs
import pytest

from tests.simulation.draw import draw
from tests.simulation.mutants import MUTANTS
from tests.simulation.run import run

SEEDS = 300


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_is_caught(name: str) -> None:
    mutant, expected = MUTANTS[name]
    with mutant():
        for seed in range(SEEDS):
            if run(attrs.evolve(draw(seed), sqlite=False)).rule in expected:
                return
    pytest.fail(f"{name}: not caught by {SEEDS} seeds")
