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
from tests.example_programs import Place, Script, example_place, run_script
from tests.nats import NatsServer

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "how-to" / "session-process.md").read_text("utf-8")
EXPECTED = {
    "session.py": ["publishing"],
    "recorder.py": [],
    "strategy.py": ["Sent(", f"{ExecType.NEW.value} "],
    "watch": ["KXHIGHNY-26DEC31-B50"],
}
"""Words of the lines that each program prints, in this order."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with example_place(tmp_path) as made:
        yield made


def replayed() -> str:
    """Return what `kalshi-fix replay` prints about the recorder's file."""
    return CliRunner().invoke(commands, ["replay", "desk.log"]).stdout


def test_a_session_process_serves_a_recorder_and_two_strategies(
    server: NatsServer, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, block = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    key_id, key_path = place.second_key
    environ = place.environ | {
        "KALSHI_FIX_BUS": server.url,
        "KALSHI_KEY_ID_2": key_id,
        "KALSHI_PRIVATE_KEY_PATH_2": str(key_path),
    }
    monkeypatch.chdir(tmp_path)
    with ExitStack() as running:

        def start(line: str) -> Script:
            program, name, *arguments = shlex.split(line)
            if program == "kalshi-fix":
                return running.enter_context(
                    run_script(environ, "-m", "kalshi_fix_adapters.cli", name, *arguments)
                )
            return running.enter_context(run_script(environ, ROOT / name, *arguments))

        for line in block.splitlines():
            script = start(line)
            for words in next(words for name, words in EXPECTED.items() if name in line):
                script.expect(words)
        assert len(block.splitlines()) == len(EXPECTED) + 1
        # The recorder reads the same events as the strategies, perhaps later.
        assert any("north-" in replayed() for _ in range(1000))
