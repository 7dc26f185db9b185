"""Benchmarks: (p) publish events over NATS: the CPU time of a publisher and a consumer, and delivery to
ten consumers."""

from __future__ import annotations

import json
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

from benchmarks.cases.loopback import serving
from benchmarks.measure import Result, result, run_python
from tests.nats import PROGRAM, NatsServer

ENTRY_COUNTS = (1, 3)
"""Numbers of entries in an update."""
COUNT = 10_000
CONSUMERS = 10
FIXED_RATES = (("10,000/s without decoding", "raw", 10_000), ("2,000/s with books", "books", 2_000))
"""Measurements at a fixed rate: the name, the mode of the consumers, and the messages per second."""
SECONDS, FIXED_RATE_ROUNDS = 5, 3
NAMES = {
    "decode": "decode() alone",
    "publisher": "publisher",
    "consumer": "consumer",
    "raw": "consumer, without decoding",
}


def over_nats(rounds: int = 9, count: int = COUNT, seconds: float = SECONDS) -> list[Result]:
    """Measure the bus with a separate server; return an empty list if nats-server (`make nats`) or
    nats-py is missing.
    """
    if PROGRAM is None or find_spec("nats") is None:
        print("skipped: nats-server or nats-py is not installed")
        return []
    results = []
    for entries in ENTRY_COUNTS:
        with NatsServer() as server:
            figures: dict[str, list[float]] = _run("costs", server.url, entries, count, rounds)
        noun = "entry" if entries == 1 else "entries"
        case = f"p: incremental with {entries} {noun} over the bus"
        results += [result(case, NAMES[name], times, by_round=True) for name, times in figures.items()]
    for name, mode, rate in FIXED_RATES:
        results += _at_fixed_rate(f"p: ten consumers, {name}", mode, rate, seconds)
    return results


def _at_fixed_rate(case: str, mode: str, rate: int, seconds: float) -> list[Result]:
    sent, received, late, published_us, consumer_us, batch = [], [], [], [], [], []
    for _ in range(FIXED_RATE_ROUNDS):
        count = int(rate * seconds)
        with NatsServer() as server, ExitStack() as stack:
            consumers = [
                stack.enter_context(serving("bus", "follow", server.url, count, mode))
                for _ in range(CONSUMERS)
            ]
            publisher: dict[str, float] = _run("publish", server.url, count, rate)
            consumed = [json.loads(consumer.readline()) for consumer in consumers]
        sent.append(float(count))
        received.append(min(figures["received"] for figures in consumed))
        late.append((max(figures["last"] for figures in consumed) - publisher["end"]) * 1e3)
        published_us.append(publisher["us"])
        batch.append(publisher["batch"])
        consumer_us.append(sum(figures["us"] for figures in consumed) / CONSUMERS)
    return [
        result(case, "published", sent, "messages"),
        result(case, "received without a gap, fewest of ten", received, "messages"),
        result(case, "FIX messages per bus message", batch, "messages"),
        result(case, "last received after the last was acknowledged", late, "ms"),
        result(case, "publisher, CPU time per message", published_us),
        result(case, "consumer, CPU time per message", consumer_us),
    ]


def _run(command: str, url: str, *numbers: int) -> Any:
    return json.loads(run_python("-m", "benchmarks.clients.bus", command, url, *map(str, numbers)))
