"""The page on bad input is correct: the command of every row is run, in a pipe and on a terminal."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from kalshi_fix_adapters.cli.commands import subcommands
from kalshi_fix_adapters.logs import Recorder
from kalshi_fix_adapters.store_sqlite import SqliteStore
from kalshi_fix_venue.identities import Authority, ClientKey
from tests.adapters.cli.order_logs import ORDERS
from tests.adapters.cli.runner import invoke
from tests.adapters.cli.terminals import plain, run_on_terminal
from tests.adapters.store_sqlite.stores import OWNER, execute

PAGE = Path(__file__).parents[3] / "docs" / "bad-input.md"
MISSING_MODULES = {"the extra `cli` is not installed": "click", "the extra `mcp` is not installed": "mcp"}
"""The module that is missing, by the description of the row."""
PROGRAM_WITHOUT_MODULE = """
import sys
sys.modules[sys.argv.pop(1)] = None
from kalshi_fix_adapters.cli import main
main()
"""
PREFIX = "kalshi-fix: "


class Row(NamedTuple):
    command: str
    description: str
    expected: str
    status: str


def code(cell: str) -> str:
    return cell.strip().strip("`").strip().replace("\\|", "|")


def rows() -> list[Row]:
    found = []
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("| `") and "kalshi-fix" in line.split("`")[1]:
            command, description, text, status = re.split(r"(?<!\\)\|", line)[1:-1]
            found.append(Row(code(command), description.strip(), code(text), status.strip()))
    return found


ROWS = rows()


@pytest.fixture(autouse=True)
def _files(workdir: None) -> None:
    """Create the files that the page names."""
    stranger = ClientKey.generate(ed25519_key=True).private_key_pem
    texts = {
        "notes.txt": b"No FIX in here.\n",
        "wrong.log": ORDERS.replace(b"11=a1|38=10|", b"11=a1|38=1x|", 1),
        "old.log": b"8=FIX.4.4|9=5|35=0|10=000|\n",
        "empty.log": b"",
        "torn.log.gz": gzip.compress(ORDERS)[:-20],
        "public.pem": b"-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n",
        "stranger.pem": stranger,
        "open.pem": stranger,
        "other-ca.pem": Authority().certificate_pem,
        "wrong.yaml": b"flow: { rat: 5 }\n",
        "fine.yaml": b"{}\n",
    }
    for name, data in texts.items():
        Path(name).write_bytes(data)
        Path(name).chmod(0o600)
    Path("open.pem").chmod(0o644)
    Recorder("empty.rec")
    SqliteStore(Path("damaged.sqlite3").absolute(), owner=OWNER).close()
    execute(Path("damaged.sqlite3"), "UPDATE session SET next_outgoing = 99")
    execute(Path("other.sqlite3"), "CREATE TABLE mine (a)")
    Path("folder").mkdir()
    Path("shared").mkdir()
    Path("shared").chmod(0o777)


def prepare(row: Row, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Set the environment variables of a row and return its command's arguments."""
    words = shlex.split(row.command)
    while words[0] != "kalshi-fix":
        name, _, value = words.pop(0).partition("=")
        monkeypatch.setenv(name, value)
    return words[1:]


def mask_varying_values(text: str) -> str:
    """Return the text with values that vary from run to run replaced by placeholders."""
    text = text.replace(str(Path.cwd()), "/home/you")
    text = re.sub(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT", text)
    # OpenSSL's wording differs between machines.
    return re.sub(r"(could\s+not\s+be\s+verified)\s+\([^)]*\)", r"\1 (REASON)", text)


def outcome(row: Row, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Run the command of a row; return the documented error and the exit status."""
    arguments = prepare(row, monkeypatch)
    if row.description in MISSING_MODULES:
        command = [sys.executable, "-c", PROGRAM_WITHOUT_MODULE, MISSING_MODULES[row.description], *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.stdout == ""
        return ended.stderr.removeprefix("kalshi-fix: ").rstrip("\n"), str(ended.returncode)
    result = invoke(*arguments, status=None)
    assert isinstance(result.exception, SystemExit), result.exception
    assert "\x1b" not in result.output
    return documented_error(result.stdout, result.stderr), str(result.exit_code)


def documented_error(stdout: str, stderr: str) -> str:
    """Return the error that the page documents: the errors on standard error, or else the refusal, or
    else the problems listed with the messages.
    """
    sentences = [
        line.removeprefix(PREFIX)
        for line in mask_varying_values(stderr).splitlines()
        if line.startswith(PREFIX)
    ]
    if sentences:
        return " / ".join(sentences)
    if "refused" in stdout:
        return " ".join(mask_varying_values(stdout).split())
    return " / ".join(line.strip() for line in stdout.splitlines() if line.startswith("  ! "))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.command[:60])
def test_bad_input_gives_the_documented_error(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(row, monkeypatch) == (row.expected, row.status)


@pytest.mark.parametrize("no_color", ["", "1"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.command[:60])
def test_on_a_terminal_errors_fit_and_no_word_is_split(
    row: Row, no_color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if row.description in MISSING_MODULES:
        return
    monkeypatch.setenv("NO_COLOR", no_color)  # an empty value counts as not set
    arguments = prepare(row, monkeypatch)
    with open(os.devnull) as nothing:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", nothing)
        status, shown, output = run_on_terminal(monkeypatch, arguments)
    assert str(status) == row.status
    assert "\x1b" not in output
    assert "\x1b" not in shown or not no_color
    everything = plain(shown) + output
    printed = mask_varying_values(everything)
    for line in everything.splitlines():
        assert len(line) <= 60 or " " not in line.strip(), line
    assert set(row.expected.split()) - {"/"} <= set(printed.split()), printed


def test_every_subcommand_is_on_the_page() -> None:
    assert {shlex.split(row.command[row.command.index("kalshi-fix ") :])[1] for row in ROWS} >= {
        *subcommands()
    } - {"demo"}
