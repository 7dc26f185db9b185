"""A complete RFQ over TLS between `kalshi-fix venue`, a creator and a maker, in three processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

import attrs
import pytest

from tests.venue.exchange_harness import MARKET

ROOT = Path(__file__).parents[3]
PATIENCE = 30.0
SCENARIO = f"""
markets: {{ prediction: {{ {MARKET}: {{ high-volatility: true, liquidity: {{ levels: 0 }} }} }} }}
accounts:
  ann: {{ prediction: {{ balance: 1000 }} }}
  bob: {{ prediction: {{ balance: 1000 }} }}
"""


@attrs.define(eq=False)
class Program:
    """A process whose output is read line by line."""

    process: subprocess.Popen[str]
    lines: Queue[str]

    def expect(self, *words: str) -> str:
        """Return the next line that contains all these words."""
        seen: list[str] = []
        while True:
            try:
                seen.append(self.lines.get(timeout=PATIENCE))
            except Empty:
                pytest.fail(f"no line with {words}, only {seen}")
            if all(word in seen[-1] for word in words):
                return seen[-1]


@contextmanager
def running(*command: object, **environ: str) -> Iterator[Program]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": os.environ["PATH"], **environ},
        # Ctrl-C must work even if this test runner was started with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    lines: Queue[str] = Queue()
    reader = threading.Thread(target=lambda stream: [*map(lines.put, stream)], args=(process.stdout,))
    reader.start()
    try:
        yield Program(process, lines)
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def environ_of(owner: str, folder: Path) -> dict[str, str]:
    """Return the environment variables that the venue has written for an owner."""
    files = [
        path
        for path in folder.rglob("env.sh")
        if owner in path.parts or (owner == "ann" and path.parent == folder)
    ]
    lines = (line.removeprefix("export ") for line in files[0].read_text("utf-8").splitlines())
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_a_creator_and_a_maker_trade_from_two_processes(tmp_path: Path) -> None:
    scenario, folder = tmp_path / "scenario.yaml", tmp_path / "venue"
    scenario.write_text(SCENARIO)
    folder.mkdir()
    venue = ("-m", "kalshi_fix_adapters.cli", "venue", "--folder", folder, "--scenario", scenario)
    with running(*venue) as server:
        server.expect("In another shell")
        server.expect("bob", "env.sh")
        bob, ann = environ_of("bob", folder), environ_of("ann", folder)
        with running(ROOT / "examples" / "rfq_maker.py", "0.40", "0.55", **bob) as maker:
            maker.expect("ready")
            with running(ROOT / "examples" / "rfq_creator.py", MARKET, "100", **ann) as creator:
                creator.expect("AcceptQuoteStatus(", "ACCEPTED")
                creator_report = creator.expect("ExecutionReport(", "ExecType.TRADE")
                assert creator.process.wait(PATIENCE) == 0
            maker_report = maker.expect("ExecutionReport(", "ExecType.TRADE")
            maker.process.send_signal(signal.SIGINT)
            assert maker.process.wait(PATIENCE) == 0
        for report in (creator_report, maker_report):
            assert "last_px=0.45" in report
            assert "last_qty=100" in report
        assert "long_qty=100" in creator_report
        assert "short_qty=100" in maker_report
        trade = next(word for word in creator_report.split() if word.startswith("trd_match_id="))
        assert trade in maker_report
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PATIENCE) == 130
