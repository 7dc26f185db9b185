"""Run fuzzing engines on the targets, each in a separate process, and collect their statistics."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

import attrs

from fuzz.targets import Target

ROOT: Final = Path(__file__).resolve().parent.parent
WORK: Final = ROOT / ".cache" / "fuzz"
"""Inputs with new coverage, logs, and reproducers."""
MAX_INPUT_SECONDS: Final = 30
MIN_TIME_LIMIT: Final = 24 * 3600
"""Minimum time limit, in seconds, of a search that ends when it finds no new edges (transitions in the code).
"""
MEMORY_MB: Final = 1024
MAX_RUNNING: Final = 2
"""Number of targets that are searched at the same time."""
HEADER: Final = (
    "| target | engine | executions | time | edges | last new edge | inputs kept | found |\n"
    "|--------|--------|-----------:|-----:|------:|--------------:|------------:|------:|"
)
_STATUS = re.compile(r"^#(\d+)\s.*?(?:cov: (\d+))?(?: ft: \d+)?(?: corp: (\d+)/|$)")
_EXECUTION_COUNT = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
ENGINES: Final = {"atheris": "fuzz.guided", "hypothesis": "fuzz.unguided"}


def has_atheris() -> bool:
    """Return whether atheris, the coverage-guided engine, is installed."""
    return importlib.util.find_spec("atheris") is not None


@attrs.define
class Run:
    """One engine on one target."""

    target: Target
    engine: str
    process: subprocess.Popen[bytes]
    log: TextIO
    """The engine's output."""
    artifacts: Path
    started_at: float = attrs.field(factory=time.monotonic)
    executions: int = 0
    edges: int = 0
    corpus: int = 0
    last_edge_at: float = attrs.field(factory=time.monotonic)
    """Time of the last new edge, on the monotonic clock."""
    was_stopped: bool = False
    """Whether the run was stopped because no new edge was found. The exit code of the process is then
    meaningless, because it depends on the point at which the signal interrupted it."""
    _line: str = ""

    @property
    def row(self) -> str:
        """The run as a row of the table with the header `HEADER`."""
        now = time.monotonic()
        edges = f"{self.edges} | {(now - self.last_edge_at) / 60:.1f} min ago" if self.edges else "- | -"
        duration = f"{(now - self.started_at) / 60:.1f} min"
        return (
            f"| {self.target.name} | {self.engine} | {self.executions:,} | {duration} | {edges} | "
            f"{self.corpus:,} | {len(self.reproducers) or '-'} |"
        )

    def read(self) -> None:
        """Parse the engine's new output."""
        *lines, self._line = (self._line + self.log.read()).split("\n")
        for line in lines:
            if match := _EXECUTION_COUNT.search(line):
                self.executions = int(match[1])
            elif match := _STATUS.match(line):
                self.executions = max(self.executions, int(match[1]))
                if match[2] and int(match[2]) > self.edges:
                    self.edges, self.last_edge_at = int(match[2]), time.monotonic()
                self.corpus = int(match[3] or self.corpus)

    @property
    def reproducers(self) -> list[Path]:
        """The inputs that violated the invariant."""
        return sorted(self.artifacts.iterdir())


def start(target: Target, engine: str, seconds: float) -> Run:
    """Start an engine on a target, for the given number of seconds."""
    folder = WORK / target.name
    corpus, seeds, artifacts = folder / "corpus", folder / "seeds", folder / "found"
    for directory in (corpus, seeds, artifacts):
        directory.mkdir(parents=True, exist_ok=True)
    for old in (*seeds.iterdir(), *artifacts.iterdir()):
        old.unlink()
    for name, data in target.seeds.items():
        (seeds / name).write_bytes(data)
    command = [
        *(sys.executable, "-m", ENGINES[engine], target.name),
        f"-max_total_time={max(1, round(seconds))}",
        f"-max_len={target.max_len}",
        f"-timeout={MAX_INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        "-print_final_stats=1",
        f"-artifact_prefix={artifacts}/",
        *(str(corpus), str(seeds)),
    ]
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=file)
    return Run(target, engine, process, log.open(encoding="utf-8", errors="replace"), artifacts)


def search(
    targets: Sequence[Target],
    engine: str,
    seconds: float,
    until_quiet: float | None,
    at_least: int,
    report: Path | None = None,
) -> int:
    """Search all targets, `MAX_RUNNING` at a time; print a line for each.

    Args:
        targets: The targets.
        engine: One of `ENGINES`.
        seconds: Total duration. With `until_quiet`, the time limit of each target instead; at least
            `MIN_TIME_LIMIT`.
        until_quiet: If given, stop each target after this many seconds without a new edge.
        at_least: Minimum number of executions before `until_quiet` stops a target.
        report: A file for a table of the runs.

    Returns:
        The number of runs that violated an invariant or failed.
    """
    waiting, running, failed_count, rows = list(targets), list[Run](), 0, [HEADER]
    seconds_per_target = seconds * min(MAX_RUNNING, len(targets)) / len(targets)
    if until_quiet is not None:
        seconds_per_target = max(seconds, MIN_TIME_LIMIT)
    try:
        while waiting or running:
            while waiting and len(running) < MAX_RUNNING:
                running.append(start(waiting.pop(0), engine, seconds_per_target))
            time.sleep(0.2)
            for run in list(running):
                has_ended = run.process.poll() is not None
                run.read()
                idle_seconds = time.monotonic() - run.last_edge_at
                done = until_quiet is not None and idle_seconds > until_quiet and run.executions >= at_least
                if has_ended:
                    running.remove(run)
                    failed_count += _print_result(run)
                    rows.append(run.row)
                    if report is not None:
                        report.write_text("\n".join([*rows, ""]), "utf-8")
                elif done and not run.was_stopped:
                    run.was_stopped = True
                    run.process.send_signal(signal.SIGINT)
    finally:
        for run in running:
            run.process.kill()
    return failed_count


def _print_result(run: Run) -> bool:
    """Print the result of a run; return whether it failed."""
    now = time.monotonic()
    edges = f"{run.edges} edges, the last new one {now - run.last_edge_at:.0f} s ago, " if run.edges else ""
    line = (
        f"{run.target.name:12} {run.executions:>9,} executions in {now - run.started_at:.0f} s by "
        f"{run.engine}, {edges}{run.corpus} inputs kept"
    )
    print(line, flush=True)
    for path in run.reproducers:
        relative_path = os.path.relpath(path, ROOT)
        print(f"  BROKEN: python -m fuzz replay {run.target.name} {relative_path}", flush=True)
    if not run.reproducers and run.process.returncode and not run.was_stopped:
        print(f"  FAILED: see {os.path.relpath(WORK / run.target.name / 'log', ROOT)}", flush=True)
        return True
    return bool(run.reproducers)
