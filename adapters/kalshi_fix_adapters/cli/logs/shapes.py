"""`kalshi-fix shapes`: learn the shapes of the venue's messages from logs."""

from __future__ import annotations

from pathlib import Path

import click

from kalshi_fix_adapters.cli.kit.failures import CommandError, plain_errors
from kalshi_fix_adapters.engine.quiet import MAX_SHAPES, write_shapes
from kalshi_fix_adapters.logs import read_events
from kalshi_fix_sansio import DIALECT, SESSION_TYPES
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.events import MessageReceived


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--session", type=click.Choice(list(SESSION_TYPES)), help="Only sessions of this type.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File of shapes to write."
)
def shapes(files: tuple[str, ...], session: str | None, out: Path) -> None:
    """Learn the shapes of the venue's messages from recordings or wire logs, for the option `shapes` of
    clients. Values are not written, only tags, types of messages and numbers of group entries."""
    codec = Codec(DIALECT).deferring()
    with plain_errors():
        for event in read_events(files):
            if isinstance(event.what, MessageReceived) and session in (None, event.session_type):
                codec.decode(event.what.frame)
                codec.compile_deferred()
        if not codec.shapes:
            raise CommandError("the files contain no message of the venue often enough to learn its shape")
        # Those learned first are the most frequent ones.
        found = codec.shapes[:MAX_SHAPES]
        write_shapes(out, found)
    click.echo(f"{len(found)} shapes written to {out}")
