"""Rate budgets that record all spending, against the simulated venue's own token buckets."""

from __future__ import annotations

from kalshi_fix_sansio._generated.limits import RFQ_SHARD
from tests.venue.rate_soak import soak


def test_requests_within_budgets_that_record_all_spending_are_never_refused() -> None:
    outcome = soak(5, 3, ("Basic", "Basic"))
    assert outcome.all_refused == 0, outcome
    assert outcome.rest > 20
    assert len(outcome.use) == 4 + len({1, 2, RFQ_SHARD})
    assert min(outcome.use.values()) > 0.8, outcome
    assert max(outcome.use.values()) < 0.951, outcome


def test_without_a_reserve_requests_are_refused_because_of_variable_delays() -> None:
    assert soak(2, 3, ("Basic", "Basic"), use=1.0).all_refused > 0
