"""The output of every command fits a terminal of 60 columns, and is plain in a pipe and with NO_COLOR."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kalshi_fix_adapters.cli.commands import subcommands
from kalshi_fix_adapters.store_sqlite import SqliteStore
from kalshi_fix_sansio.events import OpenRequest
from tests.adapters.cli.runner import invoke
from tests.adapters.cli.terminals import plain, run_on_terminal
from tests.adapters.store_sqlite.stores import OWNER

MARKET = "KXHIGHNY-26DEC31-B50"
COMMAND_LINES = [
    "--help",
    "--version",
    "amend o-1 buy KXHIGHNY-26DEC31-B50 12 0.11 --id o-2 --yes",
    "cancel o-2 buy KXHIGHNY-26DEC31-B50 --yes",
    "decode orders.log",
    "decode --full orders.log",
    "decode --summary orders.log",
    "decode --follow --help",
    "demo",
    "dictionary margin --out dictionaries",
    "doctor",
    "keygen key.pem",
    "mass-cancel --yes",
    "mcp --help",
    "order buy KXHIGHNY-26DEC31-B50 10 0.10 --id o-1 --yes",
    "order sell KXHIGHNY-26DEC31-B50 1 0.43 --yes",
    "orders --once",
    "replay orders.log",
    "replay orders.log --all",
    f"shapes {'orders.log ' * 10}--out orders.shapes",
    "bus check --help",
    "spec ExecutionReport",
    "spec 150",
    "store store.sqlite3",
    "trace a1 orders.log",
    "trace a1 orders.log --full",
    "trace a1 orders.log --html page.html",
    "venue --help",
    "venue check scenario.yaml",
    "venue do status --folder venue",
    "venue simulate --for 1m",
    "watch KXHIGHNY-26DEC31-B50 KXNBA-27-NYK --once",
]
COPIED_PREFIXES = ("-----", "export ")
"""Prefixes of lines that are meant to be copied unchanged."""


@pytest.fixture(autouse=True)
def _files(workdir: None) -> None:
    """Create the files that the commands read."""
    Path("scenario.yaml").write_text("{}\n")
    with SqliteStore(Path("store.sqlite3").absolute(), owner=OWNER) as store:
        sent_at = datetime(2026, 11, 21, 12, tzinfo=UTC)
        store.record_sent(1, None)
        store.record_request(OpenRequest("my-order-with-a-long-name-17", "D", 1, sent_at, b"", 1))
        store.record_rows({"fill 1700000000000;0;12": '{"price": "0.40", "quantity": "5.00"}'})
        store.commit()


def prepare(line: str, name: str) -> list[str]:
    """Return the arguments of a line. If the line changes or cancels an order, place that order first."""
    arguments = shlex.split(line)
    placed = {"amend": "o-1", "cancel": "o-2"}.get(arguments[0])
    if placed is not None:
        invoke("order", "buy", MARKET, 10, "0.10", "--id", f"{name}-{placed}", "--yes")
        arguments[1] = f"{name}-{placed}"
    if "--id" in arguments:
        index = arguments.index("--id") + 1
        arguments[index] = f"{name}-{arguments[index]}-new"
    return arguments


@pytest.mark.parametrize("no_color", ["", "1"])
@pytest.mark.parametrize(
    "line", [item for item in COMMAND_LINES if not item.startswith(("venue do", "mass"))]
)
def test_on_a_terminal_of_60_columns_every_line_fits(
    line: str, no_color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)  # an empty value counts as not set
    arguments = prepare(line, f"t{no_color}")
    status, shown, output = run_on_terminal(monkeypatch, arguments)
    assert status == 0, output
    if no_color:
        assert "\x1b" not in shown + output
    for line in plain(shown + output).splitlines():
        *_, last = line.split("\r")
        copied = last.startswith(COPIED_PREFIXES) or (" " not in last.strip() and len(last) > 60)
        assert len(last) <= 60 or copied, last


@pytest.mark.parametrize("line", [item for item in COMMAND_LINES if not item.startswith("venue do")])
def test_output_in_a_pipe_is_plain(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for forced in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.setenv(forced, "1")
    result = invoke(*prepare(line, "p"))
    assert result.output
    assert "\x1b" not in result.output


def test_every_subcommand_is_tested() -> None:
    assert {line.split()[0] for line in COMMAND_LINES} >= set(subcommands())


def test_writing_the_page_of_a_long_log_shows_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_adapters.cli.kit.terminal.PROGRESS_SECONDS", 0.0)
    arguments = ["trace", "a1", "orders.log", "--html", "page.html"]
    _, _, output = run_on_terminal(monkeypatch, arguments)
    assert "\r0 of 6 messages of the order" in output
    assert "\r5 of 6 messages of the order" in output
    last = "kalshi-fix: page.html contains 6 messages about the order"
    assert output.splitlines()[-1].rpartition("\r")[2] == last
    assert invoke(*arguments).stderr == f"{last}\n"
