"""A short run of the soak: what traders keep beside the ledger of the venue."""

from __future__ import annotations

from tests.trading.soak import play


def test_what_traders_keep_is_the_ledger_or_in_doubt() -> None:
    lines: list[str] = []
    tally = play(1_200, 3, faults=0.06, report=lines.append)
    assert len(lines) == len(tally.dumps) == 20
    assert tally.events >= 1_200
    assert tally.compared > tally.whole > 250
    assert min(tally.cuts, tally.withheld, tally.doubted, tally.copied, tally.on_own_session) > 0
