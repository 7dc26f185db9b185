"""Many messages through one session, and its memory, in a process of their own.

    python -m benchmarks.million COUNT                  for case h
    python -m benchmarks.million COUNT --stages         with what framing and decoding take alone
    python -X tracemalloc -m benchmarks.million COUNT --memory      with who holds the memory

Prints JSON: MiB and microseconds for one message.
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import samples
from benchmarks.cases.stream import CHUNK, established
from benchmarks.engines import ours
from kalshi_fix_sansio import encode
from kalshi_fix_sansio.clock import Instant

_HOLDERS = {
    "<frozen importlib": "the code of modules",
    "/kalshi_fix_sansio/_generated/": "classes and tables of the dialect",
    "/kalshi_fix_sansio/codec/": "the codec: plans, code made for shapes and forms, decimals",
    "/kalshi_fix_sansio/session/": "the session",
    "/kalshi_fix_sansio/": "the core's other modules",
    "/attr/": "attrs",
    "/benchmarks/": "the benchmark's own messages",
}


def resident() -> float:
    """Return the resident memory of this process in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def chunks(count: int) -> Iterator[tuple[bytes, datetime]]:
    """Yield reports as a socket gives them, with the time; no two have the same names, number or time."""
    pending, reports = bytearray(), [samples.report(number) for number in range(samples.COUNT)]
    for number in range(count):
        moment = samples.NOON + timedelta(microseconds=number)
        report = reports[number % len(reports)]
        report.order_id = report.cl_ord_id = f"{number:08x}-6a37-4a7c-9d1b-2f6f1d1f0c11"
        report.exec_id, report.transact_time = f"execution-{number}", moment
        pending += encode(report, samples.header("8", 2 + number, moment))
        if len(pending) >= CHUNK or number == count - 1:
            yield bytes(pending), moment
            pending.clear()


def run(count: int) -> dict[str, Any]:
    """Receive so many messages; measure memory before the first, after a twentieth, and on to the end."""
    session, spent = established(), 0.0
    sizes = [resident()]
    for chunk, moment in chunks(count):
        now = Instant((moment - samples.NOON).total_seconds(), moment)
        begin = time.perf_counter()
        session.receive_data(chunk, now)
        session.events()
        spent += time.perf_counter() - begin
        if session.next_incoming > count * len(sizes) // 20:
            sizes.append(resident())
    assert session.next_incoming == count + 2, "messages were lost"
    end = resident()
    return {
        "start": sizes[0],
        "warm": sizes[1],
        "end": end,
        "most": max(*sizes, end),
        "resident": end,
        "us": spent / count * 1e6,
    }


def stages(count: int) -> dict[str, float]:
    """Return what framing and decoding the same chunks take alone."""
    spent = 0.0
    for chunk, _ in chunks(count):
        begin = time.perf_counter()
        for _ in ours.read_stream([chunk]):
            pass
        spent += time.perf_counter() - begin
    return {"framing and decoding": spent / count * 1e6}


def memory() -> dict[str, float]:
    """Return MiB by who allocated them."""
    found: Counter[str] = Counter()
    for statistic in tracemalloc.take_snapshot().statistics("filename"):
        name = statistic.traceback[0].filename
        holder = next((holder for part, holder in _HOLDERS.items() if part in name), "other modules")
        found[holder] += statistic.size
    return {holder: size / 2**20 for holder, size in found.most_common()}


if __name__ == "__main__":
    amount, *options = sys.argv[1:]
    told = run(int(amount))
    if "--stages" in options:
        told["stages"] = stages(int(amount))
    if "--memory" in options:
        told["memory"] = memory()
    json.dump(told, sys.stdout)
