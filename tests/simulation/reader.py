"""`messages()` must report losses and unknown outcomes as completely as `events()` does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kalshi_fix_adapters.engine import iteration
from kalshi_fix_adapters.errors import AdapterError
from kalshi_fix_sansio.events import Event, MessageReceived, OrdersUnverified, OutcomesUnknown, RejectReceived
from tests.simulation.ledger import Entry
from tests.simulation.violation import Violation

_NAMES = ("begin", "end", "requests", "message", "orders", "complete")
"""Attributes that an event about a loss or an unknown outcome shares with the error that `messages()` raises
for it.
"""


def check(event: Event, lost: Sequence[Entry]) -> None:
    """Raise Violation if `messages()` reports less of a loss than its event does."""
    shown: Any = iteration.message_or_error(event)
    if isinstance(event, MessageReceived | RejectReceived):
        expected = event.message if isinstance(event, MessageReceived) else event.reject
        if shown is not expected:
            raise Violation("hidden by messages()", f"{event} shows as {shown!r}")
    elif lost or isinstance(event, OutcomesUnknown | OrdersUnverified):
        source: Any = event
        if not isinstance(shown, AdapterError) or any(
            getattr(source, name) != getattr(shown, name) for name in _NAMES if hasattr(source, name)
        ):
            raise Violation(
                "hidden by messages()", f"{event} shows as {shown!r}; {len(lost)} messages are lost"
            )
