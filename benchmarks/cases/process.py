"""(g) What importing costs, (h) a million messages, (j) generating the code."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from benchmarks import samples
from benchmarks.cases.stream import CHUNK, established
from benchmarks.engines.present import missing
from benchmarks.measure import Result, result
from kalshi_fix_sansio import encode
from kalshi_fix_sansio.clock import Instant

ROOT = Path(__file__).resolve().parents[2]
IMPORT, MEMORY = "g: import", "g: memory after import"
MILLION, MILLION_TIME = "h: resident memory, a million messages", "h: a message of a million"
MILLION_START, MILLION_END = "after the first twentieth", "at the end"
GENERATE = "j: codegen --check"
MODULES = {
    "kalshi-fix-sansio": "kalshi_fix_sansio",
    "kalshi-fix-sansio, asyncio client": "kalshi_fix_adapters.asyncio",
    "quickfix": "quickfix",
    "kalshi-sdk": "kalshi.fix",
    "fixcore": "fixcore.application",
    "simplefix": "simplefix",
}
_IMPORT = """\
import time
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
before, begin = resident(), time.perf_counter()
import {module}
print(time.perf_counter() - begin, resident() - before)
"""


def resident() -> float:
    """Return the resident memory of this process in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def importing(rounds: int) -> list[Result]:
    """Import each engine in fresh processes, all of them in each round."""
    absent = missing()
    wanted = {
        name: module
        for name, module in MODULES.items()
        if not any(module.partition(".")[0] == needed.partition(".")[0] for needed in absent)
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in wanted}
    for _ in range(rounds):
        for name, module in wanted.items():
            command = [sys.executable, "-c", _IMPORT.format(module=module)]
            out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
            seconds, size = map(float, out.split())
            found[name].append((seconds * 1e6, size / 2**20))
    return [
        measured
        for name, pairs in found.items()
        for measured in (
            result(IMPORT, name, [seconds for seconds, _ in pairs]),
            result(MEMORY, name, [size for _, size in pairs], "MiB"),
        )
    ]


def million(count: int = 1_000_000) -> list[Result]:
    """Send this many messages through one session, and look at the memory at both ends."""
    session = established()
    name = "kalshi-fix-sansio"
    pending, spent = bytearray(), 0.0
    sizes: list[float] = []
    message = samples.report()
    for number in range(count):
        moment = samples.NOON + timedelta(microseconds=number)
        pending += encode(message, samples.header("8", 2 + number, moment))
        if len(pending) < CHUNK:
            continue
        chunk, now = bytes(pending), Instant(number / 1e6, moment)
        pending.clear()
        begin = time.perf_counter()
        session.receive_data(chunk, now)
        session.events()
        spent += time.perf_counter() - begin
        if number >= count // 20 and (not sizes or number >= count * len(sizes) // 20):
            sizes.append(resident())
    assert session.next_incoming > count - 20, "messages were lost"
    return [
        result(MILLION, MILLION_START, sizes[:1], "MiB"),
        result(MILLION, MILLION_END, sizes[-1:], "MiB"),
        result(MILLION, "most in between", [max(sizes)], "MiB"),
        result(MILLION_TIME, name, [spent / count * 1e6]),
    ]


def generating(rounds: int) -> list[Result]:
    """Generate the dialect from its spec, and compare with what is committed."""
    took = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "codegen", "--check"], check=True, cwd=ROOT, capture_output=True
        )
        took.append((time.perf_counter() - begin) * 1e6)
    return [result(GENERATE, "kalshi-fix-sansio", took)]
