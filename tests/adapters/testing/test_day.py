"""A day of seeded flow with faults: what three clients count from what they are told, and what the machines
beside them know, are what the exchange has."""

from __future__ import annotations

import pytest

from tests.adapters.testing.day import FAULTS, SETTLED, SETTLED_AT, compare, play


@pytest.mark.parametrize("seed", [1, 2])
def test_orders_cash_and_positions_of_each_client_are_the_exchanges(seed: int) -> None:
    outcome = play(rounds=120, seed=seed, rate=0.03, check=compare)
    assert outcome.events > 3000
    assert {name for name, _ in FAULTS} == set(outcome.faults)
    assert sum(outcome.faults.values()) > 2 * len(FAULTS)
    for player in outcome.players:
        ends = {SETTLED: SETTLED_AT} if player.product == "prediction" else {}
        assert player.ledger.settled == ends
    assert sum(len(player.ledger.fills) for player in outcome.players) > 300
    # Not of each player: who is struck by what, and when, is a matter of real time.
    assert any(player.trouble for player in outcome.players)
    assert any(player.machines.doubted for player in outcome.players)
