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

    Every byte that the venue sent is compared, and so is its state, at intervals. At the first difference
    the command prints the line of the log and exits with status 1.
    """
    with converting_errors():
        found = replay(file)
    if not found.entries and found.venue is None and found.difference is None:
        raise CommandError(f"{file} is not a venue's input log, or contains no complete entry")
    screen = Screen()
    screen.print_lines([plain(line) for line in _lines(found)])
    screen.flush()
    if found.difference is not None:
        raise CommandError(found.difference)


def _lines(found: ReplayResult) -> list[str]:
    lines = [
        f"{pluralize(found.entries, 'call')}, {pluralize(found.sent, 'byte')} sent and "
        f"{pluralize(found.states, 'state')} "
        + ("were reproduced" if found.is_same else "were reproduced before the first difference")
    ]
    if found.venue is not None:
        lines.append(f"state at the end: {state_digest(found.venue)}")
    return [*lines, *([found.torn] if found.torn is not None else [])]
