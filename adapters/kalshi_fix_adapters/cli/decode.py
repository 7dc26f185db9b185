"""`kalshi-fix decode`: what FIX messages in a log say, and what is wrong with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import cast

import click

from kalshi_fix_adapters.cli.explain import explain
from kalshi_fix_adapters.cli.render import as_json, lines
from kalshi_fix_adapters.cli.terminal import Screen, plain
from kalshi_fix_adapters.cli.units import Units
from kalshi_fix_adapters.logs.reader import LoggedMessage, LogReader

CHUNK = 64 * 1024
STDIN = "-"
PROBLEMS_FOUND = 1
UNREADABLE = 2


@click.command()
@click.argument("file", default=STDIN)
@click.option("--json", "as_objects", is_flag=True, help="Print one JSON object a line.")
def decode(file: str, as_objects: bool) -> None:
    """Print the FIX messages of a log FILE (or of standard input: -) by name, and what is wrong with them.

    Fields may be separated by SOH, | or ^A; whatever stands before 8=FIXT.1.1 on a line is ignored;
    messages may span lines or share one. Signatures and passwords are not shown.

    The exit status is 1 if a message had problems, and 2 if the file could not be read.
    """
    screen, units = Screen(), Units()
    found = problems = 0
    try:
        for batch in _messages(file):
            for logged in batch:
                explanation = explain(logged)
                found += 1
                problems += bool(explanation.problems)
                if as_objects:
                    screen.lines([plain(json.dumps(as_json(explanation)))])
                else:
                    units.learn(explanation.inspection)
                    screen.lines([*lines(explanation, units), ()])
            # A log that is still being written is shown as far as it goes.
            screen.flush()
    except _UnreadableError as error:
        click.echo(f"kalshi-fix: {error}", err=True)
        sys.exit(UNREADABLE)
    if not found:
        click.echo("kalshi-fix: no FIX message (8=FIXT.1.1) found", err=True)
    sys.exit(PROBLEMS_FOUND if problems else 0)


class _UnreadableError(Exception):
    """The log cannot be read; the text says why."""


def _messages(file: str) -> Iterator[Iterator[LoggedMessage]]:
    reader = LogReader()
    for data in _chunks(file):
        yield reader.feed(data)
    yield reader.close()


def _chunks(file: str) -> Iterator[bytes]:
    try:
        with _open(file) as stream:
            while data := stream.read1(CHUNK):
                yield data
    except OSError as error:
        raise _UnreadableError(f"{file} cannot be read: {error.strerror}") from None


def _open(file: str) -> BufferedReader:
    return cast("BufferedReader", sys.stdin.buffer) if file == STDIN else Path(file).open("rb")
