"""Runs engines on targets, each in a process of its own, and counts what they did."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from fuzz.targets import Target

ROOT: Final = Path(__file__).resolve().parent.parent
WORK: Final = ROOT / ".cache" / "fuzz"
"""What is found on the way: inputs that reach something new, logs, and reproducers."""
LONGEST_INPUT_SECONDS: Final = 30
MEMORY_MB: Final = 1024
HEAD: Final = (
    "| target | engine | executions | time | edges | last new edge | inputs kept | found |\n"
    "|--------|--------|-----------:|-----:|------:|--------------:|------------:|------:|"
)
_STATUS = re.compile(r"^#(\d+)\s.*?(?:cov: (\d+))?(?: ft: \d+)?(?: corp: (\d+)/|$)")
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_ENGINES: Final = {"atheris": "fuzz.guided", "hypothesis": "fuzz.unguided"}


def has_atheris() -> bool:
    """Say whether the engine that is guided by coverage is installed."""
    return importlib.util.find_spec("atheris") is not None


@attrs.define
class Run:
    """One engine on one target."""

    target: Target
    engine: str
    process: subprocess.Popen[str]
    began: float
    artifacts: Path
    executions: int = 0
    edges: int = 0
    corpus: int = 0
    newest: float = 0.0
    """When the last new edge was seen, on the monotonic clock."""
    reader: threading.Thread | None = None
    told_to_end: bool = False
    """Because it was quiet for long enough: what it then returns depends on where the signal met it."""

    @property
    def row(self) -> str:
        """What it did, as a line of a table (see `HEAD`)."""
        now = time.monotonic()
        edges = f"{self.edges} | {(now - self.newest) / 60:.1f} min ago" if self.edges else "- | -"
        lasted = f"{(now - self.began) / 60:.1f} min"
        return (
            f"| {self.target.name} | {self.engine} | {self.executions:,} | {lasted} | {edges} | "
            f"{self.corpus:,} | {len(self.reproducers) or '-'} |"
        )

    def note(self, line: str) -> None:
        """Take one line of the engine's output."""
        if found := _EXECUTED.search(line):
            self.executions = int(found[1])
        elif found := _STATUS.match(line):
            self.executions = max(self.executions, int(found[1]))
            if found[2] and int(found[2]) > self.edges:
                self.edges, self.newest = int(found[2]), time.monotonic()
            self.corpus = int(found[3] or self.corpus)

    @property
    def reproducers(self) -> list[Path]:
        """The inputs that broke the invariant."""
        return sorted(self.artifacts.iterdir())


def start(target: Target, engine: str, seconds: float) -> Run:
    """Start an engine on a target for so many seconds."""
    folder = WORK / target.name
    corpus, seeds, artifacts = folder / "corpus", folder / "seeds", folder / "found"
    for each in (corpus, seeds, artifacts):
        each.mkdir(parents=True, exist_ok=True)
    for old in (*seeds.iterdir(), *artifacts.iterdir()):
        old.unlink()
    for name, data in target.seeds.items():
        (seeds / name).write_bytes(data)
    command = [
        *(sys.executable, "-m", _ENGINES[engine], target.name),
        f"-max_total_time={max(1, round(seconds))}",
        f"-max_len={target.max_len}",
        f"-timeout={LONGEST_INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        "-print_final_stats=1",
        f"-artifact_prefix={artifacts}/",
        *(str(corpus), str(seeds)),
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    now = time.monotonic()
    run = Run(target, engine, process, now, artifacts, newest=now)
    run.reader = threading.Thread(target=_read, args=(run, folder / "log"), daemon=True)
    run.reader.start()
    return run


def _read(run: Run, log: Path) -> None:
    assert run.process.stderr is not None
    with log.open("w", encoding="utf-8") as file:
        for line in run.process.stderr:
            file.write(line)
            run.note(line)


def search(
    targets: Sequence[Target],
    engine: str,
    seconds: float,
    until_quiet: float | None,
    at_least: int,
    jobs: int,
    report: Path | None = None,
) -> int:
    """Search on all targets, some at a time; print a line for each, and write a table of them to `report`.
    Return how many promises were broken.

    With `until_quiet` each ends when no new edge came for so many seconds, and `at_least` so many inputs have
    been tried; `seconds` is the longest.
    """
    waiting, running, broken, rows = list(targets), list[Run](), 0, [HEAD]
    each = seconds if until_quiet is not None else seconds * min(jobs, len(targets)) / len(targets)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(start(waiting.pop(0), engine, each))
            time.sleep(0.2)
            for run in list(running):
                quiet = time.monotonic() - run.newest
                done = until_quiet is not None and quiet > until_quiet and run.executions >= at_least
                if done and run.process.poll() is None:
                    run.told_to_end = True
                    run.process.send_signal(signal.SIGINT)
                    run.process.wait(LONGEST_INPUT_SECONDS)
                if run.process.poll() is not None:
                    running.remove(run)
                    broken += _tell(run)
                    rows.append(run.row)
                    if report is not None:
                        report.write_text("\n".join([*rows, ""]), "utf-8")
    finally:
        for run in running:
            run.process.kill()
    return broken


def _tell(run: Run) -> bool:
    """Print what a run did; say whether it found something."""
    assert run.reader is not None
    run.reader.join()
    now = time.monotonic()
    edges = f"{run.edges} edges, the last new one {now - run.newest:.0f} s ago, " if run.edges else ""
    line = (
        f"{run.target.name:12} {run.executions:>9,} executions in {now - run.began:.0f} s by {run.engine}, "
        f"{edges}{run.corpus} inputs kept"
    )
    print(line, flush=True)
    for path in run.reproducers:
        shown = os.path.relpath(path, ROOT)
        print(f"  BROKEN: python -m fuzz replay {run.target.name} {shown}", flush=True)
    if not run.reproducers and run.process.returncode and not run.told_to_end:
        print(f"  FAILED: see {os.path.relpath(WORK / run.target.name / 'log', ROOT)}", flush=True)
        return True
    return bool(run.reproducers)
