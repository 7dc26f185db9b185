"""What the user's threads do with a blocking client, each call under its lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, ParamSpec, TypeVar

from kalshi_fix_adapters.blocking.background import IoThread
from kalshi_fix_adapters.blocking.driver import Driving
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.client import ClientCore
from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError, SessionClosedError
from kalshi_fix_adapters.events import ClientEvent
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.errors import LocalProtocolError

_INTERRUPTED = "a call was interrupted halfway, so the connection was dropped; reconcile what was sent last"
_FORKED = "this process was forked from the one that has the connection; make a client of its own here"
P = ParamSpec("P")
T = TypeVar("T")


class End(Enum):
    """Nothing more will come."""

    END = "end"


def deadline_after(timeout: float | None) -> float | None:
    """Return the moment `timeout` seconds from now; None stays None."""
    return None if timeout is None else time.monotonic() + timeout


class UserCalls:
    """The calls of a client that connects by a thread of its own; it can be started again when it is over."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self._shared = Driving(plan)
        self._thread: IoThread | None = None
        self.core = self._shared.core

    def start(self) -> None:
        """Start anew.

        Raises:
            LocalProtocolError: it runs already.
            StoreError, ConfigurationError: as `ClientCore.begin`.
        """
        shared = self._shared
        with shared.lock:
            if self._thread is not None and self._thread.alive:
                raise LocalProtocolError("the client is open already; use one client for each connection")
            self.core.begin()
            shared.open()
            self._thread = thread = IoThread(shared)
            try:
                thread.start()
            except BaseException:
                self.core.abort("interrupted")
                if not thread.alive:
                    shared.close()
                raise

    def read(self, look: Callable[[ClientCore], T]) -> T:
        """Return what a function reads from the core."""
        with self._shared.lock:
            return look(self.core)

    def wait_logged_on(self) -> None:
        """Wait for the first logon.

        Raises:
            KalshiFixError: why there is none.
        """
        core = self.core

        def look() -> bool | None:
            self._refuse_if_interrupted(SessionClosedError)
            return core.logged_on is not None or core.over or None

        self._shared.wait(look, None)
        with self._shared.lock:
            if core.logged_on is None:
                raise core.error or core.closed_error()

    def send(
        self,
        message: Message,
        header_fields: Mapping[str, Any] | None,
        timeout: float | None,
        *,
        allow_unknown_codes: bool = False,
    ) -> int:
        """Send a message, after waiting for room if the venue reads too slowly; return its MsgSeqNum."""
        shared, core = self._shared, self.core
        deadline = None
        while True:
            with shared.lock:
                if shared.halfway or not core.congested:
                    return self._send(message, header_fields, allow_unknown_codes)
            deadline = deadline_after(timeout) if deadline is None else deadline
            if shared.wait(self._find_room, deadline) is None:
                raise ClientTimeoutError(
                    "the venue has not read what was sent before, so nothing was sent; try again later, "
                    "or allow more time"
                )

    def _send(
        self, message: Message, header_fields: Mapping[str, Any] | None, allow_unknown_codes: bool
    ) -> int:
        shared = self._shared
        if shared.halfway:
            self._refuse_if_interrupted(NotConnectedError)
        number = self._whole(self._send_and_write, message, header_fields, allow_unknown_codes)
        shared.rouse()
        return number

    def _send_and_write(
        self, message: Message, header_fields: Mapping[str, Any] | None, allow_unknown_codes: bool
    ) -> int:
        number = self.core.send(message, header_fields, allow_unknown_codes=allow_unknown_codes)
        if self.core.output:
            self._shared.write()
        return number

    def _find_room(self) -> bool | None:
        return self._shared.halfway or not self.core.congested or None

    def take(self, deadline: float | None) -> ClientEvent | Literal[End.END] | None:
        """Return the next event; None if there is none by the deadline.

        Raises:
            SessionClosedError: the client ended by a failure of its own, or an interrupt.
        """
        return self._shared.wait(self._find_event, deadline)

    def _find_event(self) -> ClientEvent | Literal[End.END] | None:
        shared, core = self._shared, self.core
        if shared.halfway:
            self._refuse_if_interrupted(SessionClosedError)
        event = self._whole(core.take)
        if event is None and core.over:
            return End.END
        return event

    def test_request(self, deadline: float | None) -> float | None:
        """Ask the venue for a Heartbeat; return the seconds it took, or None if none came by the deadline."""
        core = self.core
        with self._shared.lock:
            self._refuse_if_interrupted(NotConnectedError)
            test_req_id = self._whole(self._act_and_write, lambda core: core.test_request())
            self._shared.rouse()

        def look() -> float | None:
            seconds = core.round_trip(test_req_id)
            if seconds is None:
                self._refuse_if_interrupted(NotConnectedError)
                if not core.is_logged_on:
                    raise core.closed_error(NotConnectedError)
            return seconds

        return self._shared.wait(look, deadline)

    def change(self, act: Callable[[ClientCore], object]) -> None:
        """Let a function do something to the core, unless an interrupt has ended it."""
        shared = self._shared
        with shared.lock:
            if not shared.halfway:
                self._whole(self._act_and_write, act)
            shared.tell()
            shared.wake()

    def close(self, *, clean: bool) -> None:
        """Let go of store and wire log.

        Raises:
            StoreError: what was confirmed last could not be written, and will come again.
        """
        shared = self._shared
        with shared.lock:
            # The store is the parent's, too.
            if not shared.forked:
                self.core.close(clean=clean and not shared.halfway)

    def join(self, timeout: float) -> bool:
        """Wait for the connection to be closed and the thread to be over; say whether it is."""
        return self._thread is None or self._thread.join(timeout)

    def _act_and_write(self, act: Callable[[ClientCore], T]) -> T:
        result = act(self.core)
        self._shared.write()
        return result

    def _whole(self, change: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Change the core; an interrupt in the middle ends the client."""
        shared = self._shared
        shared.halfway = True
        try:
            result = change(*args, **kwargs)
        except Exception:
            shared.halfway = False
            raise
        except BaseException:
            shared.wake()
            raise
        shared.halfway = False
        return result

    def _refuse_if_interrupted(self, kind: type[SessionClosedError]) -> None:
        if self._shared.halfway:
            raise kind(_FORKED if self._shared.forked else _INTERRUPTED)
