"""Every invariant can fail: for each, a run with one of the seeds detects a faulty session or store."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from tests.simulation.draw import draw
from tests.simulation.mutants import MUTANTS
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.run import run

SEEDS = 600
WITHOUT_MUTANT = {"store", "resurrected", "endless"}
"""Invariants without a mutant: the SQLite store has its own tests, a revived order would need two faults at
once, and an endless run is a fault of the simulation."""


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_caught(name: str) -> None:
    mutant = MUTANTS[name]
    with mutant.patch():
        for schedule in (*map(draw, range(SEEDS)), *REGRESSIONS.values()):
            if run(attrs.evolve(schedule, sqlite=False)).rule in mutant.rules:
                return
    pytest.fail(f"{name}: not caught by {SEEDS} seeds")


def test_every_invariant_has_a_mutant() -> None:
    raised = {
        rule
        for path in Path(__file__).parent.glob("*.py")
        for rule in re.findall(r'Violation\(\s*"([a-z ]+)"', path.read_text("utf-8"))
    }
    caught = frozenset[str]().union(*(mutant.rules for mutant in MUTANTS.values()))
    assert raised - caught == WITHOUT_MUTANT
