"""A day of seeded flow with faults, whose cash and positions three clients count from what they are told."""

from __future__ import annotations

import pytest

from tests.adapters.testing.day import FAULTS, SETTLED, SETTLED_AT, compare, play


@pytest.mark.parametrize("seed", [1, 2])
def test_cash_and_positions_counted_from_the_reports_are_the_exchanges(seed: int) -> None:
    outcome = play(rounds=120, seed=seed, rate=0.03, check=compare)
    assert outcome.events > 3000
    assert {name for name, _ in FAULTS} == set(outcome.faults)
    assert sum(outcome.faults.values()) > 2 * len(FAULTS)
    for player in outcome.players:
        assert len(player.ledger.fills) > 50
        ends = {SETTLED: SETTLED_AT} if player.product == "prediction" else {}
        assert player.ledger.settled == ends
    assert any(player.trouble for player in outcome.players)
