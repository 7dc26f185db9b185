"""The stages of all cases."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.profiles import ROUNDS, Stage, loopback, measured, messages, processes, stores, streams


def stages(rounds: int = ROUNDS) -> Iterator[Stage]:
    """Measure all stages of all cases, in the order of the cases."""
    found = measured(messages.parts(), messages.RESTS, rounds)
    yield from (stage for stage in found if not stage.case.startswith("e:"))
    yield from streams.stages(rounds=rounds)
    yield from (stage for stage in found if stage.case.startswith("e:"))
    yield from loopback.stages(min(rounds, 5))
    yield from processes.importing(min(rounds, 5))
    yield from processes.million()
    yield from stores.stages()
    yield from processes.generating()
