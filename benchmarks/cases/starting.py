"""(g) How long programs take to start: whole processes, from Python itself to the end of their imports."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import attrs

from benchmarks.measure import ROOT, Result, result

START = "g: process, its imports and its end"
CORE, CLIENT = "the core", "the blocking client"
MODULES = {CORE: "kalshi_fix_sansio", CLIENT: "kalshi_fix_adapters.blocking"}
OTHERS = "what {} imports of others"
NOTHING, VERSION, HELP = "Python alone", "kalshi-fix --version", "kalshi-fix --help"
_OURS = ("kalshi_fix_sansio", "kalshi_fix_adapters")
_LISTED = (
    "import sys; before = {{*sys.modules}}; import {}; print(*[m for m in sys.modules if m not in before])"
)


def environment() -> dict[str, str]:
    """Return the variables of a process that keeps what it compiles, as users have it; a benchmark may run
    where that is off, and would compile all sources each time."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def starting(rounds: int) -> list[Result]:
    """Run each program in each round; the first round, which writes what was compiled, does not count.

    Programs that import modules of others alone are the floor of ours that need them.
    """
    programs = {NOTHING: ["-c", "pass"]}
    for name, module in MODULES.items():
        programs[OTHERS.format(name)] = ["-c", _of_others(module)]
        programs[name] = ["-c", f"import {module}"]
    for name in (VERSION, HELP):
        programs[name] = ["-m", "kalshi_fix_adapters.cli", name.partition(" ")[2]]
    found: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, arguments in programs.items():
            spent = _processor_time(arguments)
            if number:
                found[name].append(spent * 1e6)
    return [attrs.evolve(result(START, name, took), rounds=took) for name, took in found.items()]


def _of_others(module: str) -> str:
    """Return a program that imports what one of our modules imports, but nothing of ours."""
    command = [sys.executable, "-c", _LISTED.format(module)]
    names = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment()
    ).stdout.split()
    # Some are no modules by themselves, such as typing.io.
    wanted = [name for name in names if not name.startswith((*_OURS, "typing."))]
    return f"import {', '.join(wanted)}"


def _processor_time(arguments: list[str]) -> float:
    """Return the seconds that a process takes of the processor, in the program and for it in the system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment()
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
