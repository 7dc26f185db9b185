"""Sessions and stores that exceed a bound."""

from __future__ import annotations

from typing import Any

import attrs

from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.session.resend import Resender
from tests.simulation import bounds
from tests.simulation.mutants.patching import Patch, caught_by, wrap
from tests.simulation.world import World

ONE_MESSAGE = 300


def _settings(**changes: int) -> Patch:
    def evolved(config: Any, *arguments: Any, **named: Any) -> Any:
        return attrs.evolve(config(*arguments, **named), **changes)

    return wrap(World, "config", evolved)


def _keep_more(begin: Any, store: MemoryStore, **settings: Any) -> None:
    if "max_bytes" in settings:
        settings["max_bytes"] += ONE_MESSAGE
    begin(store, **settings)


def _read_more(begin: Any, resender: Resender, now: Any) -> None:
    begin(resender, now)
    resender._messages_left += 2


MUTANTS = {
    "a gap after which more bytes are held": caught_by(
        _settings(max_held_bytes=bounds.MAX_HELD_BYTES + ONE_MESSAGE), "unbounded"
    ),
    "a larger record of sent messages": caught_by(
        _settings(max_sent_record_bytes=bounds.MAX_RECORD_BYTES + ONE_MESSAGE), "unbounded"
    ),
    "open requests with more bytes": caught_by(
        _settings(max_open_request_bytes=2 * bounds.MAX_OPEN_BYTES), "unbounded"
    ),
    "one more resting order": caught_by(_settings(max_resting_orders=bounds.MAX_RESTING + 1), "unbounded"),
    "a store that keeps more bytes": caught_by(wrap(MemoryStore, "__init__", _keep_more), "unbounded"),
    "a resend that reads more messages": caught_by(wrap(Resender, "_begin_turn", _read_more), "unbounded"),
}
