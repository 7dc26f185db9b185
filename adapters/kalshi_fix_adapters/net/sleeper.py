"""Lets a thread sleep until a socket is ready, or until another thread wakes it."""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import Final

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE
READY, WOKEN = 1, 2
"""Why a sleep ended: the socket is ready, or another thread called `wake`."""
MAX_SLEEP: Final = 86_400.0
"""Maximum duration of a sleep in seconds. Some systems do not accept more than some days, and a sleep may end
early anyway.
"""


class Sleeper:
    """Watches at most one socket. One thread may `watch` and `sleep`; any thread may `wake`."""

    def __init__(self) -> None:
        # A byte sent through the pair ends a sleep, because a selector cannot wait for a threading.Event.
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._receiver, READ)
        self.interest: int = 0
        """The events for which the socket is registered."""

    def watch(self, number: int, interest: int) -> None:
        """Watch the socket with this file descriptor for `READ`, `WRITE`, both, or not at all (0)."""
        if interest == self.interest:
            return
        if not self.interest:
            self._selector.register(number, interest)
        elif interest:
            self._selector.modify(number, interest)
        else:
            # A socket that is registered without events would still report a hangup repeatedly.
            self._selector.unregister(number)
        self.interest = interest

    def sleep(self, seconds: float | None) -> int:
        """Sleep for `seconds`, or without limit if None. Return the flags `READY` and `WOKEN`, or 0 if there
        was neither. The sleep may end early, so check the clock.
        """
        found = 0
        for key, _ in self._selector.select(None if seconds is None else min(seconds, MAX_SLEEP)):
            if key.fileobj is self._receiver:
                found |= WOKEN
                # Read the bytes of all calls of `wake`, because several calls have the effect of one.
                self._receiver.recv(4096)
            else:
                found |= READY
        return found

    def wake(self) -> None:
        """End the sleep of the other thread, or its next sleep if the thread is awake."""
        with contextlib.suppress(OSError):  # full or closed: the other thread is awake or has ended
            self._sender.send(b"\0")

    def close(self) -> None:
        """Close the selector and the socket pair."""
        self._selector.close()
        self._receiver.close()
        self._sender.close()
