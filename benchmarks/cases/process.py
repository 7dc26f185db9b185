"""(g) What importing costs, (h) a million messages, (j) generating the code."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.cases.starting import environment
from benchmarks.engines.present import missing
from benchmarks.measure import ROOT, Result, result

IMPORT, MEMORY = "g: import", "g: memory after import"
MILLION, MILLION_TIME = "h: resident memory, a million messages", "h: a message of a million"
MILLION_START, MILLION_WARM, MILLION_END = "before the first", "after the first twentieth", "at the end"
GENERATE = "j: codegen --check"
OURS = ("kalshi-fix-sansio", "kalshi-fix-sansio, asyncio client")
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


def importing(rounds: int) -> list[Result]:
    """Import each engine in fresh processes, all of them in each round."""
    absent = missing()
    wanted = {
        name: module
        for name, module in MODULES.items()
        if not any(module.partition(".")[0] == needed.partition(".")[0] for needed in absent)
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in wanted}
    for number in range(rounds + 1):
        for name, module in wanted.items():
            command = [sys.executable, "-c", _IMPORT.format(module=module)]
            out = subprocess.run(
                command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment()
            ).stdout
            seconds, size = map(float, out.split())
            if number:  # the first round writes what was compiled
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
    """Send this many messages through one session in a fresh process, and look at its memory."""
    found = run_million(count)
    return [
        result(MILLION, MILLION_START, [found["start"]], "MiB"),
        result(MILLION, MILLION_WARM, [found["warm"]], "MiB"),
        result(MILLION, MILLION_END, [found["end"]], "MiB"),
        result(MILLION, "most in between", [found["most"]], "MiB"),
        result(MILLION_TIME, "kalshi-fix-sansio", [found["us"]]),
    ]


def run_million(count: int, *options: str) -> Any:
    """Return what `python -m benchmarks.million` finds."""
    tracing = ("-X", "tracemalloc") if "--memory" in options else ()
    command = [sys.executable, *tracing, "-m", "benchmarks.million", str(count), *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)


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
