"""The commands in the tutorial and the README, run against a venue, print the output that the pages show."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from kalshi_fix_venue.control import ControlServer
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.cli.pipes import COMMAND, PipedProcess, interrupt, lines_until, started
from tests.adapters.cli.venue_environ import write_environ
from tests.programs import PATH, run_program

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "tutorial"


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Start a venue and return the variables that its env.sh sets."""
    folder = tmp_path / "venue"
    with Sandbox(("you",)) as sandbox:
        found = {"PATH": os.environ["PATH"], "KALSHI_FIX_VENUE_FOLDER": str(folder)}
        found |= write_environ(sandbox, "you", folder)
        with ControlServer(sandbox.server, folder):
            yield found


def blocks(page: str, fence: str) -> list[str]:
    text = (PAGES / f"{page}.md").read_text("utf-8")
    return re.findall(rf"^```{fence}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands_of(page: str) -> list[list[str]]:
    """Return the words of each `kalshi-fix` command on a page, for this interpreter."""
    lines = "".join(blocks(page, "sh")).splitlines()
    return [[sys.executable, *COMMAND, *line.split()[1:]] for line in lines if line.startswith("kalshi-fix ")]


@contextmanager
def running_market_maker(environ: dict[str, str]) -> Iterator[PipedProcess]:
    """Run the market maker from quoting.md with the number of rounds that the page suggests, and yield it
    once it quotes both sides.
    """
    code = "\n".join(blocks("quoting", "python"))
    page = (PAGES / "quoting.md").read_text("utf-8")
    [rounds] = re.findall(r"`(rounds=\d+)`", page)
    assert rounds in (PAGES / "crash.md").read_text("utf-8")
    assert code.count("rounds=3") == 1
    with started(program=("-c", code.replace("rounds=3", rounds)), environ=environ) as maker:
        # Read its log, because a full pipe would block it.
        Thread(target=maker.stderr.read, daemon=True).start()
        assert lines_until(maker, "SELL 0.4800 OPEN") == blocks("quoting", "text")[0].splitlines()
        yield maker


@pytest.mark.parametrize("page", ["orders", "book", "quoting", "margin"])
def test_the_programs_print_the_shown_output(page: str, environ: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("\n".join(blocks(page, "python")))
    result = run_program(sys.executable, "-W", "error", script, env=environ)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "".join(blocks(page, "text"))


@pytest.mark.parametrize(
    ("path", "expected"), [("README.md", "ExecType.NEW"), ("docs/tutorial/index.md", "logout")]
)
def test_a_venue_is_started_and_used_from_another_shell(path: str, expected: str, tmp_path: Path) -> None:
    text = (ROOT / path).read_text("utf-8")
    lines = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)).splitlines()
    begin = next(number for number, line in enumerate(lines) if "kalshi-fix venue" in line)
    commands = [
        line.replace(".venv/bin/", "") for line in lines[begin + 1 :] if not line.endswith("activate")
    ]
    # The command finds the only venue in the folder for temporary files.
    environ = {"PATH": PATH, "TMPDIR": str(tmp_path)}
    with started(*lines[begin].partition("#")[0].split()[1:], environ=environ) as venue:
        lines_until(venue, "KALSHI_PERPS_PRIVATE_KEY_PATH_2")
        result = run_program("bash", "-ce", "\n".join(commands), cwd=ROOT, env=environ)
        assert (result.returncode, result.stderr) == (0, ""), result.stdout
        assert expected in result.stdout
        interrupt(venue)


def test_the_market_maker_follows_the_trades_of_others(environ: dict[str, str]) -> None:
    with running_market_maker(environ) as maker:
        first, second = (run_program(*command, env=environ).stdout for command in commands_of("quoting"))
        assert first.startswith("KXHIGHNY-26DEC31-B50: 5 traded at 0.47")
        assert "| 5 | 0.48 |" in " ".join(second.split())
        lines_until(maker, "SELL 0.4800 DONE")


def test_the_market_maker_quotes_again_after_losing_its_connections(environ: dict[str, str]) -> None:
    [shown] = blocks("crash", 'text title="the market maker"')
    with running_market_maker(environ) as maker:
        for command in commands_of("crash"):
            result = run_program(*command, env=environ)
            assert (result.returncode, result.stderr) == (0, "")
            assert lines_until(maker, "SELL 0.4800 OPEN") == shown.splitlines()


def test_every_command_of_the_tutorial_is_tested() -> None:
    """A page that suggests another experiment needs a test."""
    proposed = {page.stem: len(commands_of(page.stem)) for page in PAGES.glob("*.md")}
    assert {page: count for page, count in proposed.items() if count} == {
        "index": 2,
        "quoting": 2,
        "crash": 2,
    }


def test_a_killed_process_leaves_exactly_the_missed_messages_to_the_next_one(
    environ: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "crash.py"
    [text] = blocks("crash", 'python title="crash.py"')
    script.write_text(text)
    command = (sys.executable, "-W", "error", script, tmp_path / "store")
    first, second, third = (run_program(*command, *more, env=environ) for more in (["die"], [], []))
    assert (first.returncode, first.stdout) == (1, "")
    assert (second.returncode, second.stdout) == (0, blocks("crash", "text")[0]), second.stderr
    assert (third.returncode, third.stdout) == (0, ""), third.stderr
