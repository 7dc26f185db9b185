"""Clients whose `messages()` reports less than `events()` does."""

from __future__ import annotations

from typing import Any

import attrs

from kalshi_fix_adapters.engine import iteration
from kalshi_fix_adapters.errors import MessagesLostError
from kalshi_fix_sansio.events import MessagesLost, OutcomesUnknown
from tests.simulation.mutants.patching import caught_by, wrap


def _skip(kind: type) -> Any:
    def change(message_or_error: Any, event: Any) -> Any:
        return None if isinstance(event, kind) else message_or_error(event)

    return wrap(iteration, "message_or_error", change)


def _report_fewer_losses(message_or_error: Any, event: Any) -> Any:
    found = message_or_error(event)
    if isinstance(found, MessagesLostError):
        return MessagesLostError(attrs.evolve(event, end=event.end - 1))
    return found


MUTANTS = {
    "messages() that skips lost messages": caught_by(_skip(MessagesLost), "hidden by messages()"),
    "messages() that skips unknown outcomes": caught_by(_skip(OutcomesUnknown), "hidden by messages()"),
    "messages() that reports fewer messages than are lost": caught_by(
        wrap(iteration, "message_or_error", _report_fewer_losses), "hidden by messages()"
    ),
}
