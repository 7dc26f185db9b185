"""Rate budgets that record all spending, against the simulated venue's own token buckets."""

from __future__ import annotations

from kalshi_fix_sansio._generated.limits import RFQ_SHARD
from tests.venue.rate_soak import soak


def test_no_request_is_refused_if_the_budgets_record_all_spending() -> None:
    outcome = soak(5, 3, ("Basic", "Basic"))
    assert outcome.total_refused == 0, outcome
    assert outcome.rest > 20
    assert len(outcome.use) == 4 + len({1, 2, RFQ_SHARD})
    assert min(outcome.use.values()) > 0.8, outcome
    assert max(outcome.use.values()) < 0.951, outcome


def test_variable_delays_cause_refusals_if_the_budgets_keep_no_reserve() -> None:
    assert soak(2, 3, ("Basic", "Basic"), use=1.0).total_refused > 0
