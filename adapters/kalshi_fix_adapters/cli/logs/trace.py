"""`kalshi-fix trace`: prints the history of an order in logs, as text or as an HTML page."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import click

from kalshi_fix_adapters.cli.kit.failures import NOTHING_FOUND, PROBLEMS_FOUND, UNREADABLE
from kalshi_fix_adapters.cli.kit.terminal import Screen, pluralize, print_stderr, printable
from kalshi_fix_adapters.cli.logs.as_of import as_of_option
from kalshi_fix_adapters.cli.logs.files import STDIN, OtherVersionCounter, Progress, UnreadableError, chunks
from kalshi_fix_adapters.cli.logs.steps import OrderHistory, page, terminal_lines
from kalshi_fix_adapters.logs.dates import AsOf
from kalshi_fix_adapters.logs.entries import CHUNK
from kalshi_fix_adapters.logs.trace import trace as trace_order


@click.command()
@click.argument("identifier", metavar="ID")
@click.argument("files", nargs=-1, required=True, metavar="LOG...")
@click.option("--full", is_flag=True, help="Print all fields of the messages.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write an HTML page with all fields, instead of printing text.",
)
@as_of_option
def trace(identifier: str, files: tuple[str, ...], *, full: bool, html: Path | None, as_of: AsOf) -> None:
    """Print the history of the order with this ClOrdID, OrderID or ExecID, from LOGs (- for standard input).

    The messages are found by the order's chain of ClOrdIDs, its OrderID, and the sequence numbers in Rejects.
    Logs are read in the same way as by `kalshi-fix decode`. Signatures and passwords are not shown.

    Exit status: 0 if the order was found, 1 if one of its messages has problems, 2 if a log could not be
    read, 3 if the order was not found, 130 after Ctrl-C, 141 if the reader of the output closed the pipe.
    """
    if not identifier:
        raise click.UsageError("ID must not be empty")
    if files.count(STDIN) > 1:
        raise click.UsageError("standard input can be read only once")
    versions = OtherVersionCounter()
    logs = [_Log(name, versions) for name in files]
    with contextlib.ExitStack() as copies:
        for log in logs:
            copies.callback(log.close)
        sys.exit(_print_trace(identifier, logs, versions, full=full, html=html, as_of=as_of))


def _print_trace(
    identifier: str,
    logs: list[_Log],
    versions: OtherVersionCounter,
    *,
    full: bool,
    html: Path | None,
    as_of: AsOf,
) -> int:
    history = OrderHistory(identifier, trace_order(identifier, logs), [log.name for log in logs], as_of)
    if history.steps and html is None:
        screen = Screen()
        screen.print_lines(list(terminal_lines(history, screen.text_width, full=full)))
        screen.flush()
    elif history.steps and html is not None:
        try:
            html.write_text(page(history), encoding="utf-8")
        except OSError as error:
            print_stderr(f"{html} cannot be written: {error.strerror or error}")
            return UNREADABLE
        print_stderr(f"{html} contains {pluralize(len(history.steps), 'message')} about the order")
    problems = [log.problem for log in logs if log.problem]
    for text in (*versions.sentences(), *problems):
        print_stderr(text)
    if not history.steps:
        print_stderr(f"no message has the ClOrdID, OrderID or ExecID '{printable(identifier)}'")
    if not history.complete:
        print_stderr("the order has more messages than the limits allow; some are not shown")
    if problems:
        return UNREADABLE
    if not history.steps:
        return NOTHING_FOUND
    return PROBLEMS_FOUND if history.has_problems else 0


class _Log:
    """A log that can be read repeatedly. Input that is not a file is copied to a temporary file."""

    def __init__(self, name: str, versions: OtherVersionCounter) -> None:
        self.name = name
        self.problem = ""
        """The error that prevented reading the log to its end; empty if there was none."""
        self._versions: OtherVersionCounter | None = versions
        self._copy: IO[bytes] | None = None

    def __call__(self) -> Iterator[bytes]:
        try:
            with Progress(self.name, shown=True) as progress:
                yield from progress.watch(self._chunks())
        except UnreadableError as error:
            self.problem = str(error)

    def close(self) -> None:
        """Delete the copy."""
        if self._copy is not None:
            self._copy.close()

    def _chunks(self) -> Iterator[bytes]:
        if self._copy is not None:
            self._copy.seek(0)
            while data := self._copy.read(CHUNK):
                yield data
            return
        data_chunks = chunks(self.name)
        # Count messages of other versions only in the first pass, because each pass reads the same messages.
        if self._versions is not None:
            data_chunks, self._versions = self._versions.watch(data_chunks), None
        if self.name != STDIN and Path(self.name).is_file():
            yield from data_chunks
            return
        copy = self._copy = TemporaryFile()  # noqa: SIM115 - stays open until `close`
        for data in data_chunks:
            copy.write(data)
            yield data
