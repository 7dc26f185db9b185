"""`kalshi-fix venue replay`: replay a venue's input log."""

from __future__ import annotations

from pathlib import Path

import click

from kalshi_fix_adapters.cli.kit.failures import CommandError, converting_errors
from kalshi_fix_adapters.cli.kit.terminal import Screen, plain, pluralize
from kalshi_fix_venue.input_log import ReplayResult, replay
from kalshi_fix_venue.input_log.digest import state_digest


@click.command(name="replay")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def replay_input_log(file: Path) -> None:
    """Replay a venue's input log (`kalshi-fix venue --input-log FILE`) and compare the results.

    The command compares every byte that the venue sent and, at intervals, the venue's state. At the first
    difference it prints the line of the log and exits with status 1.
    """
    with converting_errors():
        result = replay(file)
    if not result.entries and result.venue is None and result.difference is None:
        raise CommandError(f"{file} is not a venue's input log, or contains no complete entry")
    screen = Screen()
    screen.print_lines([plain(line) for line in _lines(result)])
    screen.flush()
    if result.difference is not None:
        raise CommandError(result.difference)


def _lines(result: ReplayResult) -> list[str]:
    lines = [
        f"{pluralize(result.entries, 'input')}, {pluralize(result.sent, 'byte')} sent and "
        f"{pluralize(result.states, 'state')} "
        + ("were reproduced" if result.matches_log else "were reproduced before the first difference")
    ]
    if result.venue is not None:
        lines.append(f"state at the end: {state_digest(result.venue)}")
    return [*lines, *([result.incomplete_end] if result.incomplete_end is not None else [])]
