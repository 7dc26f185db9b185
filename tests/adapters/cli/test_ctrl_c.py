"""Subcommands that Ctrl-C interrupts (exit status 130), and subcommands whose output cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.adapters.cli.order_logs import ORDERS
from tests.adapters.cli.pipes import COMMAND, PipedProcess, interrupt, started
from tests.adapters.cli.terminals import PATIENCE, Terminal, plain
from tests.adapters.net.peers import keep_silent, listening

MARKET = "KXHIGHNY-26DEC31-B50"
FULL = Path("/dev/full")
"""A device on which every write fails."""
NOT_WRITTEN = "the request was sent, but its outcome cannot be written (No space left on device): "
STDIN_FILE = "/dev/stdin"
"""Standard input as a file, which does not end while the pipe is open."""
LONG_LOG_REPETITIONS = 120
"""Number of repetitions of `LARGE_LOG` that take a few seconds to read."""
LARGE_LOG = ORDERS * (512 * 1024 // len(ORDERS))
"""More than a pipe buffers: once all of it is written, the reader has begun to read."""


def drain(process: PipedProcess) -> threading.Thread:
    """Read the process's output in the background, so that the process does not block."""
    reader = threading.Thread(target=process.stdout.read)
    reader.start()
    return reader


@pytest.mark.parametrize(
    "arguments",
    [
        *(("decode",), ("decode", "--json"), ("decode", "--summary"), ("decode", "--full")),
        *(("decode", STDIN_FILE), ("trace", "a1", "-"), ("trace", "a1", STDIN_FILE)),
    ],
    ids=" ".join,
)
def test_ctrl_c_while_a_log_is_read_from_a_pipe(arguments: tuple[str, ...]) -> None:
    with started(*arguments) as process:
        reader = drain(process)
        process.stdin.write(LARGE_LOG)
        process.stdin.flush()
        assert interrupt(process) == (130, b"")
        reader.join()


def feed(pipe: Path) -> None:
    """Write until the reader closes the pipe, so that it is still reading when it is interrupted."""
    with suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
        while True:
            file.write(LARGE_LOG)


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("replay",), " a second"),
        (("trace", "nobody"), " MB/s"),
        (("decode", "--summary"), " MB/s"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_long_operations_show_their_progress_and_erase_it(
    arguments: tuple[str, ...], output: str, tmp_path: Path
) -> None:
    path = tmp_path / "long.log"
    if arguments == ("replay",):
        path.write_bytes(LARGE_LOG * LONG_LOG_REPETITIONS)
    else:
        os.mkfifo(path)
        threading.Thread(target=feed, args=(path,)).start()
    with Terminal([*arguments, "long.log"], {}, cwd=tmp_path) as terminal:
        terminal.expect(output)
        assert terminal.status_after("\x03") == 130
        *_, line, _, rest = terminal.output.replace("^C", "").split("\r")
        assert len(line) <= 60
        assert rest.strip() == ""
        assert "\x1b" not in terminal.output


def test_ctrl_c_while_a_log_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "growing.log"
    path.write_bytes(ORDERS)
    with started("decode", "--follow", str(path)) as process:
        assert process.stdout.readline()
        assert interrupt(process) == (130, b"")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["doctor"], "address      ok"),
        (["order", "buy", MARKET, "1", "0.10", "--yes"], "prediction, demo: KalshiNR"),
        (["watch", MARKET], None),
        (["orders"], None),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_ctrl_c_while_waiting_for_an_answer(
    environ: dict[str, str], arguments: list[str], expected: str | None
) -> None:
    arrived = threading.Event()

    def silent(connection: object) -> None:
        arrived.set()
        keep_silent(connection)  # type: ignore[arg-type]

    with listening(silent) as port:
        address = ["--host", "127.0.0.1", "--port", str(port), "--plaintext"]
        with started(*arguments, *address, environ=environ) as process:
            if expected is not None:
                stream = process.stderr if arguments[0] == "order" else process.stdout
                assert any(expected in line.decode() for line in stream)
            assert arrived.wait(PATIENCE)
            assert interrupt(process) == (130, b"")


def test_ctrl_c_at_a_prompt_sends_nothing(environ: dict[str, str]) -> None:
    with Terminal(["order", "buy", MARKET, "1", "0.10"], environ) as terminal:
        terminal.expect("Send it? [y/N]: ")
        terminal.interrupt()
        assert terminal.wait_for_exit() == 130
        after = plain(terminal.output).partition("[y/N]: ")[2]
        assert after.replace("^C", "") == "\nkalshi-fix: nothing was sent\n"


def test_end_of_input_at_a_prompt_sends_nothing(environ: dict[str, str]) -> None:
    with Terminal(["order", "buy", MARKET, "1", "0.10"], environ) as terminal:
        terminal.expect("Send it? [y/N]: ")
        assert terminal.status_after("\x04") == 1
        assert plain(terminal.output).endswith("\nkalshi-fix: nothing was sent\n")


@pytest.mark.parametrize(
    "arguments", [("spec", "ExecutionReport"), ("decode", "-"), ("trace", "a1", "-")], ids=" ".join
)
def test_the_command_ends_as_if_by_sigpipe_when_the_reader_closes_the_pipe(
    arguments: tuple[str, ...],
) -> None:
    with started(*arguments) as process:
        process.stdout.close()
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(LARGE_LOG)
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 141


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (("spec", "55"), 1, "the output cannot be written: No space left on device"),
        (
            ("order", "buy", MARKET, "1", "0.10", "--yes"),
            3,
            f"{NOT_WRITTEN}open 1.00 contracts at 0.1000 dollars",
        ),
        (
            ("order", "buy", "NOPE", "1", "0.10", "--yes"),
            3,
            f"{NOT_WRITTEN}refused MARKET_NOT_FOUND: No market has this symbol.",
        ),
    ],
)
def test_a_full_disk_is_reported_in_one_sentence(
    environ: dict[str, str], arguments: tuple[str, ...], status: int, error: str
) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, *COMMAND, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, **environ},
            check=False,
        )
    assert (done.returncode, done.stderr.decode().splitlines()[-1]) == (status, f"kalshi-fix: {error}")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("redirections", "arguments", "status"),
    [
        (">&-", "spec 55", 0),
        (">&-", "spec nosuch", 1),
        ("<&- >&- 2>&-", "spec 55", 0),
        ("<&- >&- 2>&-", "spec nosuch", 1),
        ("2>&-", "spec nosuch", 1),
    ],
)
def test_closed_streams_do_not_change_the_exit_status(redirections: str, arguments: str, status: int) -> None:
    command = f"{sys.executable} -m kalshi_fix_adapters.cli {arguments} {redirections}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
    assert done.returncode == status
    assert b"Traceback" not in done.stderr
