"""Sessions that lose sight of requests."""

from __future__ import annotations

from typing import Any

from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.ledger import Ledger
from tests.simulation.mutants.patching import around, caught_by, instead


def _nothing(*_: object) -> None:
    """Nothing is told, or nothing is settled."""


def _keep_open(answered: Any, ledger: Ledger, requests: Any) -> None:
    requests = tuple(requests)
    names = [ledger.open.names(request) for request in requests]
    answered(ledger, requests)
    for request, its_names in zip(requests, names, strict=True):
        ledger.open.add(request, its_names)


MUTANTS = {
    "unknown outcomes that are not told": caught_by(
        instead(Core, "give_up_on", _nothing), "unsettled", "forgotten"
    ),
    "unknown outcomes that are told again": caught_by(around(Ledger, "answered", _keep_open), "listed twice"),
    "answered orders that stay open": caught_by(instead(Ledger, "_settle_confirmed", _nothing), "unsettled"),
}
