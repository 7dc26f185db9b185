"""Stages of a round trip (f): each client's own, those of its loop, of the system and of the peer."""

from __future__ import annotations

from benchmarks.cases import loopback
from benchmarks.engines.present import missing
from benchmarks.profiles import Stage

CLIENTS = (loopback.BARE, *loopback.FLOORS, *loopback.ADAPTERS)


def stages(rounds: int = 3) -> list[Stage]:
    """Run each client with its calls timed; of several runs the fastest counts."""
    if "quickfix" in missing():
        return []
    found = []
    with loopback.identity() as (key, _):
        for client in CLIENTS:
            runs = [loopback.run_client(client, key, None, "--stages")["stages"] for _ in range(rounds)]
            best = min(runs, key=lambda stages: sum(stages.values()))
            case = f"{loopback.MEDIAN}, {client}"
            found.append(Stage(case, "all", sum(best.values()), "whole"))
            found += [Stage(case, name, spent) for name, spent in best.items()]
    return found
