"""Sessions that lose sight of requests."""

from __future__ import annotations

from typing import Any

from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.ledger import Ledger
from tests.simulation.mutants.patching import around, caught_by, instead


def _nothing(*_: object) -> None:
    """Nothing is told, or nothing is settled."""


def _keep_open(answered: Any, ledger: Ledger, request_ids: Any) -> None:
    before = dict(ledger.open)
    answered(ledger, request_ids)
    ledger.open.update(before)


MUTANTS = {
    "unknown outcomes that are not told": caught_by(
        instead(Core, "give_up_on", _nothing), "unsettled", "forgotten"
    ),
    "unknown outcomes that are told again": caught_by(around(Ledger, "answered", _keep_open), "listed twice"),
    "answered orders that stay open": caught_by(instead(Ledger, "_settle_confirmed", _nothing), "unsettled"),
}
