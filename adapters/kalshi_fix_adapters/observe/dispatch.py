"""Calls everything that observes a client: the user's observers, the wire log, `logging` and timings.

A client has one `Dispatcher`, and makes these calls:

| call | when |
| --- | --- |
| `report_event(event, now)` | an event is queued; optional for valid messages unless `follows_messages` |
| `tcp_connected(now)` | TCP is connected, and TLS has not begun; optional |
| `connected(where, now, secured=True)` | the logon begins |
| `on_wire(direction, data, now)` | bytes, as they are read or written, unless `on_wire` is None |
| `report_state(session.state, now)` | after each input of the session |
| `sent(message, now)` | after `Session.send`, if `follows_orders` |
| `test_request_sent(test_req_id, now)` | after `Session.test_request` |
| `disconnected(now)` | the transport is closed |
| `close()` | the client has ended, in all cases |

Observers cannot affect the session: if an observer raises, the exception is logged, and the observer is
disabled.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kalshi_fix_adapters.events import ClientEvent, Connecting
from kalshi_fix_adapters.observe.logging import DEBUG, WIRE, EventLog
from kalshi_fix_adapters.observe.observer import Direction, Observer, OnWire
from kalshi_fix_adapters.observe.redact import Transcript
from kalshi_fix_adapters.observe.timing import Timings
from kalshi_fix_adapters.observe.wire_log import WireLog, WireLogConnection, close_shared, open_shared
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import PeerSilent
from kalshi_fix_sansio.framing import MAX_BODY_LENGTH
from kalshi_fix_sansio.session.states import State

HOOKS: Final = ("on_wire", "on_state", "on_event", "on_timing")
"""The methods of `Observer`."""


class Dispatcher:
    """Calls the observers of one client, across all its connections."""

    def __init__(
        self,
        name: str,
        observer: Observer | Iterable[Observer] | None = None,
        wire_log: WireLog | str | Path | None = None,
    ) -> None:
        """Start observing.

        Args:
            name: name of the client in logs.
            observer: the user's observer, or several of them.
            wire_log: a `WireLog`, which the user closes, or a path. Clients with the same path share one log.

        Raises:
            ConfigurationError: the wire log cannot be written.
        """
        observers = (observer,) if isinstance(observer, Observer) else tuple(observer or ())
        # Only overridden hooks are listed, which saves a call for each message.
        self._hooks = {hook: [each for each in observers if _is_overridden(each, hook)] for hook in HOOKS}
        self.follows_orders: bool = False
        """Whether `sent` must be called."""
        self.follows_messages: bool = False
        """Whether `report_event` must be called for messages without problems."""
        self._update_flags()
        # The user closes a WireLog object; a log given by its path is shared by all clients with this path.
        self._shared_log = open_shared(wire_log) if isinstance(wire_log, str | Path) else None
        self._wire_log = wire_log if isinstance(wire_log, WireLog) else self._shared_log
        self._log = EventLog(name)
        self._name = name
        self._timings = Timings()
        self._state = State.DISCONNECTED
        self._connected = False
        self._wire_log_connection: WireLogConnection | None = None
        """The current connection in the wire log."""
        self._transcript: Transcript | None = None
        """The current connection for the logger `kalshi_fix_adapters.wire`, if that is enabled."""

    def report_event(self, event: ClientEvent, now: Instant) -> None:
        """Report an event that was put into the queue."""
        self._log.event(event)
        if self._hooks["on_event"]:
            self._notify("on_event", event, now)
        if isinstance(event, Connecting):
            self._timings.connecting(now.monotonic)
        elif isinstance(event, PeerSilent):
            # The session sent this TestRequest itself; measure it like a TestRequest sent by the user.
            self.test_request_sent(event.test_req_id, now)
        timing = self._timings.event(event, now.monotonic)
        if timing is not None:
            self._log.timing(timing)
            self._notify("on_timing", timing, now)

    def tcp_connected(self, now: Instant) -> None:
        """Record the time at which TCP was connected, before TLS."""
        self._timings.tcp_connected(now.monotonic)

    def connected(
        self, where: str, now: Instant, *, secured: bool, max_message_size: int = MAX_BODY_LENGTH
    ) -> None:
        """Report that the transport is connected, with TLS if `secured`; `where` is the venue's address."""
        self._connected = True
        self._timings.connected(now.monotonic, secured=secured)
        self._log.connected(where)
        if self._wire_log is not None:
            self._wire_log_connection = self._wire_log.connect(
                f"{self._name} at {where}", now, max_message_size=max_message_size
            )
        if WIRE.isEnabledFor(DEBUG):
            # The logger is checked once per connection, because a transcript that starts in the middle of a
            # message could show part of a signature.
            self._transcript = Transcript(max_message_size)

    @property
    def on_wire(self) -> OnWire | None:
        """The function to call with the bytes of the current connection; None if no observer needs them."""
        is_needed = (
            self._hooks["on_wire"] or self._wire_log_connection is not None or self._transcript is not None
        )
        return self.report_bytes if is_needed else None

    def report_bytes(self, direction: Direction, data: bytes, now: Instant) -> None:
        """Report bytes sent or received."""
        if self._hooks["on_wire"]:
            self._notify("on_wire", direction, data, now)
        try:
            if self._wire_log_connection is not None:
                self._wire_log_connection.record(direction, data, now)
            if self._transcript is not None:
                for line in self._transcript.feed(direction, data, now):
                    self._log.wire(line)
        except Exception as error:  # noqa: BLE001 - a log must not end a session
            self._stop_logging(error)

    def report_state(self, state: State, now: Instant) -> None:
        """Report the session's state, if it has changed."""
        old = self._state
        if state is not old:
            self._state = state
            self._log.state(old, state)
            self._notify("on_state", old, state, now)

    def sent(self, message: Message, now: Instant) -> None:
        """Report that the session has accepted a user's message."""
        if self.follows_orders:
            self._timings.sent(message, now.monotonic)

    def test_request_sent(self, test_req_id: str, now: Instant) -> None:
        """Report a TestRequest that was sent."""
        self._timings.test_request_sent(test_req_id, now.monotonic)

    def disconnected(self, now: Instant) -> None:
        """Report that the transport is closed. This has no effect if the transport was never connected."""
        if not self._connected:
            return
        self._connected = False
        try:
            if self._wire_log_connection is not None:
                self._wire_log_connection.close(now)
            if self._transcript is not None:
                for line in self._transcript.end():
                    self._log.wire(line)
        except Exception as error:  # noqa: BLE001 - a log must not end a session
            self._stop_logging(error)
        self._wire_log_connection = self._transcript = None
        self._log.disconnected()
        self.report_state(State.DISCONNECTED, now)

    def close(self) -> None:
        """Release the wire log, after the client has ended."""
        shared, self._shared_log = self._shared_log, None
        if shared is not None:
            close_shared(shared)

    def _stop_logging(self, error: Exception) -> None:
        self._wire_log_connection = self._transcript = None
        self._log.failed("the wire log", error)

    def _notify(self, hook: str, *arguments: object) -> None:
        for observer in self._hooks[hook]:
            try:
                getattr(observer, hook)(*arguments)
            except Exception as error:  # noqa: BLE001 - no error in an observer may affect the session
                # The lists are replaced rather than changed, because one is being iterated over.
                for name, observers in self._hooks.items():
                    self._hooks[name] = [other for other in observers if other is not observer]
                self._update_flags()
                self._log.failed(f"the observer {type(observer).__name__}", error)

    def _update_flags(self) -> None:
        self.follows_orders = bool(self._hooks["on_timing"])
        self.follows_messages = self.follows_orders or bool(self._hooks["on_event"])


def _is_overridden(observer: Observer, hook: str) -> bool:
    return getattr(getattr(observer, hook), "__func__", None) is not getattr(Observer, hook)
