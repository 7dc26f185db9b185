"""`kalshi-fix shapes`: learns the shapes of the venue's messages from logs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kalshi_fix_adapters.cli.kit.failures import NOTHING_FOUND, converting_errors
from kalshi_fix_adapters.cli.kit.terminal import Screen, plain, pluralize, print_stderr
from kalshi_fix_adapters.engine.quiet import MAX_SHAPES, write_shapes
from kalshi_fix_adapters.logs import read_events
from kalshi_fix_sansio import DIALECT, SESSION_TYPES
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.events import MessageReceived


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--session", type=click.Choice(list(SESSION_TYPES)), help="Only sessions of this type.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Shapes file to write."
)
def shapes(files: tuple[str, ...], session: str | None, out: Path) -> None:
    """Learn the shapes of the venue's messages from recordings or wire logs, for the clients' `shapes`
    option.

    The shape of a message consists of its type, its tags, and the number of entries in each group. No values
    are written. A shape is learned once ten messages with it have been read. Exit status: 3 if no shape was
    learned.
    """
    codec = Codec(DIALECT).with_deferred_compilation()
    with converting_errors():
        for event in read_events(files):
            if isinstance(event.event, MessageReceived) and session in (None, event.session_type):
                codec.decode(event.event.frame)
                codec.compile_deferred()
        if not codec.shapes:
            print_stderr("no shape occurred often enough to be learned")
            sys.exit(NOTHING_FOUND)
        # Frequent shapes are learned first.
        learned = codec.shapes[:MAX_SHAPES]
        write_shapes(out, learned)
    Screen().print_lines([plain(f"{pluralize(len(learned), 'shape')} written to {out}")])
