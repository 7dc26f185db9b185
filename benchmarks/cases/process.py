"""Benchmarks of complete processes: (g) imports and starts, (h) a million messages, (o) the first order."""

from __future__ import annotations

import json
import resource
from functools import partial
from typing import Any

from benchmarks.engines import missing
from benchmarks.measure import Result, result, run_in_turn, run_python

IMPORT, MEMORY = "g: import", "g: memory after import"
START = "g: process from start to end, with imports"
MILLION, MILLION_TIME = "h: resident memory, a million messages", "h: one of a million messages"
MILLION_START, MILLION_WARM, MILLION_END = "before the first", "after the first twentieth", "at the end"
SENDING, FIRST, NEXT = "o: order sent after prepare()", "first of the process", "median of the others"
MODULES = {
    "kalshi-fix-sansio": "kalshi_fix_sansio",
    "kalshi-fix-sansio, asyncio client": "kalshi_fix_adapters.asyncio",
    "quickfix": "quickfix",
    "kalshi-sdk": "kalshi.fix",
    "fixcore": "fixcore.application",
    "simplefix": "simplefix",
}
CORE, CLIENT = "the core", "the blocking client"
STARTED_MODULES = {CORE: "kalshi_fix_sansio", CLIENT: "kalshi_fix_adapters.blocking"}
THIRD_PARTY_IMPORTS = "third-party imports of {}"
PYTHON_ALONE, VERSION, HELP = "Python alone", "kalshi-fix --version", "kalshi-fix --help"
_OWN_PACKAGES = ("kalshi_fix_sansio", "kalshi_fix_adapters")
_IMPORT = """\
import time
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
before, begin = resident(), time.perf_counter()
import {module}
print(time.perf_counter() - begin, resident() - before)
"""
_LIST_IMPORTS = (
    "import sys; before = {{*sys.modules}}; import {}; print(*[m for m in sys.modules if m not in before])"
)


def measure_imports(rounds: int = 7) -> list[Result]:
    """Import each engine in fresh processes; the first round is ignored, because it compiles modules."""
    absent = {needed.partition(".")[0] for needed in missing()}
    runs = {
        name: partial(_numbers, _IMPORT.format(module=module))
        for name, module in MODULES.items()
        if module.partition(".")[0] not in absent
    }
    results = []
    for name, (_, *pairs) in run_in_turn(runs, rounds + 1).items():
        seconds, sizes = zip(*pairs, strict=True)
        results.append(result(IMPORT, name, [each * 1e6 for each in seconds]))
        results.append(result(MEMORY, name, [size / 2**20 for size in sizes], "MiB"))
    return results


def _numbers(program: str) -> list[float]:
    return [float(text) for text in run_python("-c", program).split()]


def measure_starts(rounds: int = 9) -> list[Result]:
    """Measure whole processes that only import modules; the first round is ignored.

    A program that imports only the third-party modules of one of our modules is the lower bound for that
    module.
    """
    programs = {PYTHON_ALONE: ["-c", "pass"]}
    for name, module in STARTED_MODULES.items():
        programs[THIRD_PARTY_IMPORTS.format(name)] = ["-c", _third_party_imports(module)]
        programs[name] = ["-c", f"import {module}"]
    for name in (VERSION, HELP):
        programs[name] = ["-m", "kalshi_fix_adapters.cli", name.partition(" ")[2]]
    runs = {name: partial(_cpu_time_us, *arguments) for name, arguments in programs.items()}
    by_program = run_in_turn(runs, rounds + 1)
    return [result(START, name, times, by_round=True) for name, (_, *times) in by_program.items()]


def _third_party_imports(module: str) -> str:
    """Return a program that imports the third-party modules of one of our modules."""
    names = run_python("-c", _LIST_IMPORTS.format(module)).split()
    # Some names are not importable modules, such as typing.io.
    wanted = [name for name in names if not name.startswith((*_OWN_PACKAGES, "typing."))]
    return f"import {', '.join(wanted)}"


def _cpu_time_us(*arguments: str) -> float:
    """Return the CPU time of a process in microseconds, including the time spent in the kernel."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_python(*arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e6


def measure_million_messages(count: int = 1_000_000) -> list[Result]:
    """Pass this many messages to one session in a fresh process, and measure the memory of the process."""
    figures = run_fresh_process("session", count)
    memory = {
        MILLION_START: figures["start"],
        MILLION_WARM: figures["warm"],
        MILLION_END: figures["end"],
        "maximum in between": figures["maximum"],
    }
    us = result(MILLION_TIME, "kalshi-fix-sansio", [figures["us"]])
    return [*(result(MILLION, name, [size], "MiB") for name, size in memory.items()), us]


def measure_first_orders(rounds: int = 15, count: int = 400) -> list[Result]:
    """Send the first orders of fresh processes; the first process is ignored, because it compiles modules."""
    _, *figures = [run_fresh_process("orders", count) for _ in range(rounds + 1)]
    return [
        result(SENDING, name, [each[key] for each in figures], by_round=True)
        for name, key in ((FIRST, "first"), (NEXT, "median"))
    ]


def run_fresh_process(name: str, *numbers: int) -> Any:
    """Return the measurements of `python -m benchmarks.fresh_process`."""
    return json.loads(run_python("-m", "benchmarks.fresh_process", name, *map(str, numbers)))
