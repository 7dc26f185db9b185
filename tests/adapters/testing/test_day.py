"""A day of seeded flow with faults, whose cash and positions three clients count from their reports."""

from __future__ import annotations

import pytest

from tests.adapters.testing.day import FAULTS, compare, play


@pytest.mark.parametrize("seed", [1, 2])
def test_cash_and_positions_counted_from_the_reports_are_the_exchanges(seed: int) -> None:
    outcome = play(rounds=240, seed=seed, rate=0.03, check=compare)
    assert outcome.events > 3000
    assert {name for name, _ in FAULTS} == set(outcome.faults)
    for player in outcome.players:
        assert len(player.ledger.fills) > 50
        assert player.trouble
