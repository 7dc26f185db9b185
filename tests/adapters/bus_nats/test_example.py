"""The programs of `examples/bus`, started with the commands of docs/how-to/session-process.md."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_sansio import ExecType
from tests.example_programs import (
    EXAMPLES,
    SYMBOL,
    ExampleEnvironment,
    Script,
    example_environment,
    run_script,
)
from tests.nats import NatsServer

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "how-to" / "session-process.md").read_text("utf-8")
EXPECTED = {
    "session.py": ["publishing"],
    "recorder.py": [],
    "strategy.py": ["Sent(", f"{ExecType.NEW.value} "],
    "watch": ["KXHIGHNY-26DEC31-B50"],
}
"""Words in the lines that each program prints, in this order."""


@pytest.fixture
def environment(server: NatsServer, tmp_path: Path) -> Iterator[ExampleEnvironment]:
    with example_environment(tmp_path) as prepared:
        key_id, key_path = prepared.second_key
        prepared.environ |= {
            "KALSHI_FIX_BUS": server.url,
            "KALSHI_KEY_ID_2": key_id,
            "KALSHI_PRIVATE_KEY_PATH_2": str(key_path),
        }
        yield prepared


def replay_output() -> str:
    """Return the output of `kalshi-fix replay` for the recorder's file."""
    return CliRunner().invoke(commands, ["replay", "desk.log"]).stdout


def test_a_session_process_serves_a_recorder_and_two_strategies(
    environment: ExampleEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, block = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    with ExitStack() as running:

        def start(line: str) -> Script:
            program, name, *arguments = shlex.split(line)
            if program == "kalshi-fix":
                return running.enter_context(
                    run_script(environment.environ, "-m", "kalshi_fix_adapters.cli", name, *arguments)
                )
            return running.enter_context(run_script(environment.environ, ROOT / name, *arguments))

        for line in block.splitlines():
            script = start(line)
            for words in next(words for name, words in EXPECTED.items() if name in line):
                script.expect(words)
        assert len(block.splitlines()) == len(EXPECTED) + 1
        # The recorder reads the same events as the strategies, perhaps later.
        assert any("north-" in replay_output() for _ in range(1000))


def test_the_other_programs_continue_when_the_session_process_is_killed_and_restarted(
    environment: ExampleEnvironment, tmp_path: Path
) -> None:
    session = ("bus/session.py", str(tmp_path / "state"), SYMBOL)
    with ExitStack() as running:

        def start(name: str, *arguments: object) -> Script:
            return running.enter_context(run_script(environment.environ, EXAMPLES / str(name), *arguments))

        first = start(*session)
        first.expect("publishing")
        recorder = start("bus/recorder.py", tmp_path / "desk.log")
        north = start("bus/strategy.py", "north", "buy", SYMBOL)
        north.expect("Sent(")
        north.expect(f"{ExecType.NEW.value} ", SYMBOL)
        first.process.kill()
        second = start(*session)
        second.expect("publishing")
        south = start("bus/strategy.py", "south", "sell", SYMBOL)
        south.expect("Sent(")
        south.expect(f"{ExecType.NEW.value} ", SYMBOL)
        recorder.expect("KalshiNR", "LoggedOn")
        recorder.expect("KalshiNR", "LoggedOn")
        assert [each.interrupt() for each in (south, north, second, recorder)] == [0, 0, 0, 0]
    recorded = (tmp_path / "desk.log").read_bytes()
    assert all(part in recorded for part in (b"\x0111=north-", b"\x0111=south-", b"\x0135=W\x01"))
