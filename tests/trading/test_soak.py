"""A short run of the soak test, and the faults that it must detect."""

from __future__ import annotations

import pytest

from tests.trading.soak.mutants import MUTANTS, SEEDS
from tests.trading.soak.play import play


def test_the_state_of_the_traders_equals_the_ledger_or_is_uncertain() -> None:
    lines: list[int] = []
    tally = play(2_500, 3, faults=0.05, report=lambda tally: lines.append(tally.events))
    assert tally.first_differences == {}
    assert tally.events >= lines[-1] >= 2_500
    assert len(tally.sizes) == 20
    assert tally.compared > 0.5 * tally.events
    assert min(tally.losses, tally.crashes, tally.withheld, tally.listed_items, tally.copied) > 0
    assert min(tally.copies_on_order_session, tally.settlements, tally.settled_first, tally.triggered) > 0


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_in_a_state_machine_is_detected(name: str) -> None:
    mutant, differences = MUTANTS[name], {}
    with mutant.patch():
        for seed in (SEEDS.get(name, 1), *range(2, 12)):
            differences = play(1_500, seed, faults=0.03).first_differences
            if differences.keys() & mutant.rules:
                return
    pytest.fail(f"{name} was not detected; reported instead: {differences}")
