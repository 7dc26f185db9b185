"""Live views: redrawn in place on a terminal, line by line in a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import click
from rich.console import Console
from rich.live import Live

from kalshi_fix_adapters.cli.kit.terminal import Line, Screen, folded, plain, printable, styled, truncated
from kalshi_fix_adapters.cli.sessions.keys import KeyReader
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.errors import ClientTimeoutError, SessionClosedError
from kalshi_fix_adapters.events import ClientEvent, ConnectFailed, Connecting, Disconnected, GaveUp
from kalshi_fix_sansio.events import LoggedOn

REDRAW_SECONDS: Final = 0.1
"""Minimum number of seconds between two redraws."""
LINE_WIDTH: Final = 60
"""Number of columns of a view that is printed once, without a terminal."""
MAX_REASON: Final = 300
"""Maximum length of the displayed reason for a lost connection, in characters."""


class View(Protocol):
    """A live view."""

    def apply(self, event: ClientEvent) -> Sequence[str]:
        """Apply an event; return lines that describe the changes."""

    def tick(self) -> Sequence[str]:
        """Perform work that is due; return lines as `apply` does. This is called regularly."""

    def render(self, width: int, height: int | None) -> Sequence[Line]:
        """Return lines with the current state, in `width` columns and, if possible, `height` rows."""

    @property
    def is_complete(self) -> bool:
        """Whether all requested data has been received."""


def time_of_day() -> str:
    """Return the time of day in UTC, as in messages and logs."""
    return f"{datetime.now(UTC):%H:%M:%S}"


class Source(Protocol):
    """A client, or the events of another process's session."""

    def receive(self, timeout: float | None = None) -> ClientEvent | BusConnected:
        """Return the next event.

        Raises:
            ClientTimeoutError: there was no event within the timeout.
        """


class BusConnected:
    """Reports that the connection to NATS is established. A view of another process's session uses this
    instead of LoggedOn, because the LoggedOn of that session may have been published much earlier.
    """


def session_name(plan: ConnectionPlan) -> str:
    """Return the name of a client's session for the header of a view."""
    return f"{plan.config.session_type.name} {plan.config.product}, {plan.environment}"


def follow(source: Source, name: str, view: View, *, once: float | None = None) -> bool:
    """Show the view until the source ends or the user quits. Return whether the view was complete.

    With `once`, print the view only once: when it is complete, or after `once` seconds.

    Raises:
        SessionClosedError: the source has ended.
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    connection = _Connection(name)
    if once is not None:
        deadline = time.monotonic() + once
        while not view.is_complete and time.monotonic() < deadline:
            _apply_next(source, view, connection, max(0.0, min(REDRAW_SECONDS, deadline - time.monotonic())))
        screen = Screen()
        width = screen.width if screen.is_terminal else LINE_WIDTH
        screen.print_lines(view.render(width, None))
        return view.is_complete
    if sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown"):
        _Display(source, view, connection).run()
        return view.is_complete
    while True:
        lines = _apply_next(source, view, connection, REDRAW_SECONDS)
        if lines:
            click.echo("\n".join(lines))


def _apply_next(source: Source, view: View, connection: _Connection, timeout: float) -> list[str]:
    """Wait for the next event; return lines that describe the changes."""
    lines: list[str] = []
    # After a timeout, `tick` may have work to do.
    with contextlib.suppress(ClientTimeoutError):
        event = source.receive(timeout)
        lines += connection.apply(event)
        if not isinstance(event, BusConnected):
            lines += view.apply(event)
    return [*lines, *view.tick()]


class _Connection:
    """The state of the connection."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._is_connected = False
        self._since = time_of_day()
        self._reason = ""
        self._retry_at: float | None = None
        self._attempt = 0

    def apply(self, event: ClientEvent | BusConnected) -> list[str]:
        """Apply an event; return lines that describe it.

        Raises:
            SessionClosedError: the client does not reconnect.
        """
        match event:
            case Connecting(attempt=attempt):
                self._attempt, self._retry_at = attempt, None
                return []
            case LoggedOn() | BusConnected():
                self._is_connected, self._since, self._reason, self._attempt = True, time_of_day(), "", 0
                return [f"{self._since} connected"]
            case Disconnected(ended=ended, retry_in=seconds, note=note):
                return self._record_failure(ended.text or ended.reason.value, seconds, note)
            case ConnectFailed(error=error, retry_in=seconds, note=note):
                return self._record_failure(str(error), seconds, note)
            case GaveUp(reason=reason):
                raise SessionClosedError(reason)
        return []

    def _record_failure(self, reason: str, seconds: float, note: str) -> list[str]:
        state = "connection lost" if self._is_connected else "no connection"
        if self._is_connected:
            self._is_connected, self._since = False, time_of_day()
        text = printable(f"{reason}; {note}" if note else reason)
        self._reason = text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}..."
        self._retry_at = time.monotonic() + seconds
        return [f"{time_of_day()} {state}, next attempt in {seconds:.0f} s: {self._reason}"]

    def lines(self, width: int) -> list[Line]:
        """Return the header of the view."""
        now = f"{time_of_day()} UTC"
        head: Line = (("bold", f"{self.name:<{width - len(now)}}"), ("", now))
        if self._is_connected:
            return [head, (("green", f"connected since {self._since}"),), ()]
        if self._retry_at is None:
            state = f"connecting, attempt {self._attempt}" if self._attempt else "connecting"
        else:
            state = f"next attempt in {max(0.0, self._retry_at - time.monotonic()):.0f} s"
        status = f"NO CONNECTION since {self._since}, {state}"
        reason = folded((("yellow", self._reason),), width) if self._reason else []
        return [head, (("bold red", status),), *reason, ()]


class _Display:
    """The live view on a terminal. The previous content of the terminal is restored at the end."""

    def __init__(self, source: Source, view: View, connection: _Connection) -> None:
        self._source, self._view, self._connection = source, view, connection
        self._console = Console(highlight=False, markup=False)
        self._is_plain = self._console.no_color
        self._top = 0
        self._drawn: object = None

    def run(self) -> None:
        """Draw until `q` is pressed."""
        # The alternate screen of the terminal is used, so the previous output is visible again at the end.
        live = Live(console=self._console, auto_refresh=False, screen=True, vertical_overflow="crop")
        with KeyReader() as keys, live:
            drawn_at = 0.0
            while True:
                _apply_next(self._source, self._view, self._connection, REDRAW_SECONDS)
                for key in keys.pressed():
                    if key == "q":
                        return
                    self._scroll(key)
                if keys.must_suspend:
                    live.stop()
                    keys.suspend()
                    self._drawn = None
                    live.start()
                if time.monotonic() - drawn_at >= REDRAW_SECONDS:
                    drawn_at = time.monotonic()
                    self._draw(live)

    def _scroll(self, key: str) -> None:
        page = max(1, self._console.height // 2)
        steps = {"down": 1, "up": -1, "page down": page, "page up": -page}
        self._top = 0 if key == "home" else max(0, self._top + steps.get(key, 0))

    def _draw(self, live: Live) -> None:
        width, height = self._console.size
        header = self._connection.lines(width)
        body_height = max(1, height - len(header) - 1)
        body = self._view.render(width, body_height)
        # The scroll position is kept while the body grows, and limited when it shrinks.
        self._top = min(self._top, max(0, len(body) - body_height))
        visible = list(body[self._top : self._top + body_height])
        footer = "q or Ctrl-C to quit"
        if len(body) > body_height:
            last = self._top + len(visible)
            footer += f"; rows {self._top + 1} to {last} of {len(body)}, arrow keys scroll"
        blank: list[Line] = [()] * (body_height - len(visible))
        lines = [truncated(line, width) for line in (*header, *visible, *blank, (("dim", footer),))][:height]
        if self._is_plain:
            lines = [plain("".join(part for _, part in line)) for line in lines]
        # After a resize the terminal is redrawn, even if the lines are the same.
        if self._drawn != (width, height, lines):
            self._drawn = (width, height, lines)
            live.update(styled(lines), refresh=True)
