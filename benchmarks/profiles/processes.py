"""Stages of importing (g), of a million messages (h) and of generating the code (j)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

from benchmarks.cases import process
from benchmarks.cases.starting import environment
from benchmarks.measure import ROOT
from benchmarks.profiles import Stage, with_rest
from benchmarks.profiles.stopwatch import Stopwatch

GROUPS = {
    "ours: messages and tables, generated": ("kalshi_fix_sansio._generated",),
    "ours: the core": ("kalshi_fix_sansio",),
    "ours: clients, store, command": ("kalshi_fix_adapters",),
    "attrs": ("attr", "attrs"),
    "decimal, datetime, numbers": ("decimal", "_decimal", "datetime", "_datetime", "numbers"),
    "re, enum, typing, collections, inspect": (
        "re",
        "enum",
        "typing",
        "collections",
        "inspect",
        "ast",
        "dis",
    ),
    "asyncio": ("asyncio", "concurrent", "selectors", "select"),
    "ssl, socket, sqlite3": ("ssl", "_ssl", "socket", "_socket", "sqlite3", "_sqlite3"),
    "logging": ("logging", "traceback"),
    "cryptography": ("cryptography",),
}
MEMORY = "h: where memory is, in MiB"


def importing(rounds: int = 5) -> list[Stage]:
    """Import in fresh processes that say how long each module takes; what Python imports anyway left out."""
    anyway = _import_times("sys").keys()
    stages = []
    for name in process.OURS:
        found: list[Counter[str]] = []
        for _ in range(rounds):
            groups: Counter[str] = Counter()
            for module, spent in _import_times(process.MODULES[name]).items():
                if module not in anyway:
                    groups[_group(module)] += spent
            found.append(groups)
        least = min(found, key=lambda groups: groups.total())
        case = f"{process.IMPORT}, {name}"
        stages.append(Stage(case, "all", least.total(), "whole"))
        stages += [Stage(case, group, spent) for group, spent in least.most_common() if group != _OTHER]
        stages.append(Stage(case, f"the rest: {_OTHER}", least[_OTHER], "rest"))
    return stages


_OTHER = "other modules of the standard library"


def _group(module: str) -> str:
    for group, prefixes in GROUPS.items():
        if any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes):
            return group
    return _OTHER


def _import_times(module: str) -> dict[str, int]:
    """Return the microseconds that each module takes by itself."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    out = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment()
    ).stderr
    lines = (line.removeprefix("import time:").split("|") for line in out.splitlines() if "|" in line)
    return {name.strip(): int(own) for own, _, name in lines if own.strip().isdigit()}


def million(count: int = 50_000) -> list[Stage]:
    """Take the time per message apart, and say where memory is; each in a process of its own."""
    timed = process.run_million(count, "--stages")
    stages = [Stage(process.MILLION_TIME, "all", timed["us"], "whole")]
    stages += [Stage(process.MILLION_TIME, name, spent) for name, spent in timed["stages"].items()]
    traced = process.run_million(count, "--memory")["memory"]
    memory = [Stage(MEMORY, "resident, as in the run of a million", timed["resident"], "whole", "MiB")]
    memory += [Stage(MEMORY, name, size, "part", "MiB") for name, size in traced.items()]
    return [
        *with_rest(stages, "numbers, names and time checked, the events"),
        *with_rest(memory, "the interpreter and its libraries, what is free within blocks"),
    ]


def generating() -> list[Stage]:
    """Take `codegen --check` apart, its functions timed where they are called."""
    from codegen import cli
    from codegen.emit import render as rendering
    from codegen.export import shipped
    from codegen.export.reference import examples, pages
    from codegen.read import resolve

    watch, case = Stopwatch(), process.GENERATE
    places: tuple[tuple[Any, str, str], ...] = (
        (resolve, "load", "the spec read and checked against its schema"),
        (resolve, "resolve", "resolved: references, codesets, groups, conditions"),
        (rendering, "format_sources", "formatted by ruff"),
        (cli, "render", "Python rendered"),
        (shipped, "render", "QuickFIX dictionaries rendered"),
        (examples, "load", "examples made"),
        (examples, "run", "examples run"),
        (pages, "render", "reference rendered"),
        (cli, "check", "compared with what is there"),
    )
    with ExitStack() as stack:
        for owner, name, stage in places:
            stack.enter_context(watch.watching(owner, name, stage))
        begin = time.perf_counter()
        cli.main(["--check"], standalone_mode=False)
        spent = (time.perf_counter() - begin) * 1e6
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import codegen.cli"], check=True, cwd=ROOT)
    start = (time.perf_counter() - begin) * 1e6
    stages = [Stage(case, "all", start + spent, "whole"), Stage(case, "Python started, imports", start)]
    stages += [Stage(case, name, seconds * 1e6) for name, seconds in watch.spent.items()]
    return with_rest(stages, "the command line")
