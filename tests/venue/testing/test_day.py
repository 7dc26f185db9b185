"""A day of random trading with faults: at the end of the day, the state of three clients and of their state
machines equals that of the exchange."""

from __future__ import annotations

from decimal import DecimalException

import pytest

from kalshi_fix_sansio.trading import GroupState, OrderGroup
from kalshi_fix_sansio.trading.money import settlements
from tests.simulation.mutants.patching import replace
from tests.venue.testing.day import FAULTS, SETTLED, SETTLED_AT, play


@pytest.mark.parametrize("seed", [1, 3])
def test_orders_cash_and_positions_of_each_client_equal_those_of_the_exchange(seed: int) -> None:
    outcome = play(rounds=120, seed=seed, rate=0.03)
    assert outcome.events > 3000
    assert {name for name, _ in FAULTS} == set(outcome.faults)
    assert sum(outcome.faults.values()) > 2 * len(FAULTS)
    for player in outcome.players:
        expected = {SETTLED: SETTLED_AT} if player.product == "prediction" else {}
        assert player.ledger.settled in ({}, expected)  # accounts without a position have no entry
    assert any(player.ledger.settled for player in outcome.players)
    assert sum(len(player.ledger.fills) for player in outcome.players) > 300
    # This is not checked per player: which client a fault affects, and when, depends on real time.
    assert any(player.exceptions for player in outcome.players)
    assert any(player.machines.looked_up for player in outcome.players)
    assert any(player.machines.groups for player in outcome.players)
    assert all(player.restarts for player in outcome.players)


MUTANTS = {
    "order groups that are never triggered": replace(OrderGroup, "state", GroupState.ACTIVE),
    "payouts in the caller's decimal context": replace(settlements, "total", sum),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_in_a_state_machine_is_detected(name: str) -> None:
    with MUTANTS[name](), pytest.raises((AssertionError, DecimalException)):
        _play_days(5)


def _play_days(count: int) -> None:
    """Simulate several days: thread scheduling varies, so a day may pass without a triggered group."""
    for seed in range(1, count + 1):
        play(rounds=60, seed=seed, rate=0.03)
