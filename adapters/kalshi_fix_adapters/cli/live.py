"""What is followed live: redrawn in place on a terminal, line by line in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final, NoReturn, Protocol

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from kalshi_fix_adapters.blocking import Client
from kalshi_fix_adapters.errors import ClientTimeoutError, SessionClosedError
from kalshi_fix_adapters.events import ClientEvent, ConnectFailed, Disconnected, GaveUp
from kalshi_fix_sansio.events import LoggedOn

REDRAWN_EVERY: Final = 0.1
"""Seconds at least between two pictures."""


class View(Protocol):
    """What is shown."""

    def apply(self, event: ClientEvent) -> Sequence[str]:
        """Take an event; return the lines that tell what it has changed."""

    def picture(self) -> Sequence[str]:
        """Return how all of it stands."""

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for has come."""


def follow(client: Client, view: View, *, once: bool, timeout: float) -> bool:
    """Show what comes until it ends or is interrupted; with `once`, one picture as soon as it is complete.

    Returns whether it was complete.

    Raises:
        SessionClosedError: the client is over.
        KeyboardInterrupt: it was interrupted.
    """
    if once:
        deadline = time.monotonic() + timeout
        while not view.is_complete and time.monotonic() < deadline:
            _take(client, view, max(0.0, deadline - time.monotonic()))
        _print(view.picture())
        return view.is_complete
    if sys.stdout.isatty():
        _redraw(client, view)
    while True:
        _print(_take(client, view, None))


def _take(client: Client, view: View, timeout: float | None) -> list[str]:
    """Return what the next event changes; nothing if none comes in time."""
    try:
        event = client.receive(timeout)
    except ClientTimeoutError:
        return []
    return [*_connection_line(event), *view.apply(event)]


def _redraw(client: Client, view: View) -> NoReturn:
    state = ""
    # `vertical_overflow`: who watches more than the screen has room for sees the first of it.
    with Live(console=Console(highlight=False), auto_refresh=False, vertical_overflow="crop") as live:
        drawn = 0.0
        while True:
            try:
                event = client.receive(REDRAWN_EVERY)
            except ClientTimeoutError:
                pass
            else:
                view.apply(event)
                state = "".join(_connection_line(event)) if not isinstance(event, LoggedOn) else ""
            if time.monotonic() - drawn >= REDRAWN_EVERY:
                drawn = time.monotonic()
                lines = [*view.picture(), *filter(None, [state]), "Ctrl-C ends it"]
                live.update(Text("\n".join(lines)), refresh=True)


def _connection_line(event: ClientEvent) -> list[str]:
    match event:
        case Disconnected(retry_in=seconds):
            return [f"the connection was lost; again in {seconds:.0f} s"]
        case ConnectFailed(retry_in=seconds):
            return [f"no connection; again in {seconds:.0f} s"]
        case GaveUp(reason=reason):
            raise SessionClosedError(reason)
    return []


def _print(lines: Sequence[str]) -> None:
    if lines:
        click.echo("\n".join(lines))
