"""Runs one schedule and returns its result."""

from __future__ import annotations

import traceback
from collections import Counter

import attrs

from tests.simulation.draw import draw
from tests.simulation.schedule import Schedule
from tests.simulation.violation import Violation
from tests.simulation.world import World


@attrs.define
class Result:
    """The result of a run."""

    schedule: Schedule
    rule: str = ""
    """The violated invariant, or an empty string."""
    text: str = ""
    faults: Counter[str] = attrs.field(factory=Counter)
    endings: Counter[str] = attrs.field(factory=Counter)
    messages: int = 0
    restarts: int = 0
    takeovers: int = 0
    """The number of takeovers of a store whose former holder was alive."""
    duplicates: int = 0
    virtual_seconds: float = 0.0
    event_counts: Counter[str] = attrs.field(factory=Counter)
    """Counts of the events that users took."""
    log: list[str] = attrs.field(factory=list)


def run(schedule: Schedule, *, keep_log: bool = False) -> Result:
    """Run a schedule to its end or to the first violated invariant."""
    result = Result(schedule)
    world = World(schedule, keep_log=keep_log)
    try:
        world.finish()
    except Violation as violation:
        result.rule, result.text = violation.rule, violation.text
    except Exception as error:  # noqa: BLE001 - any exception of a session is a finding
        result.rule, result.text = type(error).__name__, "".join(traceback.format_exception(error))
    result.faults = world.injector.done
    result.endings = world.endings
    result.messages = world.wire.messages
    result.restarts = world.restarts
    result.takeovers = world.takeovers
    result.duplicates = world.from_venue.duplicates + world.from_client.duplicates
    result.virtual_seconds = world.now
    result.event_counts = world.event_counts
    result.log = [
        f"{line.at:9.3f} {line.side.value:6} {line.connection or '-':>3} {line.text}"
        for line in world.wire.log
    ]
    return result


def run_seed(seed: int) -> Result:
    """Run the schedule of a seed."""
    return run(draw(seed))
