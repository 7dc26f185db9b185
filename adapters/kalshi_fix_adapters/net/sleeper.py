"""How a thread sleeps until something can be read or written, or until another thread wakes it."""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import Final

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE
READY, WOKEN = 1, 2
"""Why a sleep was over: the socket can be read or written, another thread wants attention."""
MAX_SLEEP: Final = 86_400.0
"""Seconds; some systems take no more than some days at once, and a sleep may end early."""


class Sleeper:
    """Watches at most one socket. One thread may `watch` and `sleep`, any may `wake`."""

    def __init__(self) -> None:
        # A byte through it ends a sleep: a selector waits for files alone, and not for a threading.Event.
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._receiver, READ)
        self.interest: int = 0
        """The events for which the socket is registered."""

    def watch(self, number: int, interest: int) -> None:
        """Watch the socket of a file number for `READ`, `WRITE`, both, or not at all (0)."""
        if interest == self.interest:
            return
        if not self.interest:
            self._selector.register(number, interest)
        elif interest:
            self._selector.modify(number, interest)
        else:
            # Watched for nothing it would still report a hangup, again and again.
            self._selector.unregister(number)
        self.interest = interest

    def sleep(self, seconds: float | None) -> int:
        """Sleep, for ever if None; return `READY` and `WOKEN`, or 0 when the time is over.

        It may be over early, so look at the clock.
        """
        found = 0
        for key, _ in self._selector.select(None if seconds is None else min(seconds, MAX_SLEEP)):
            if key.fileobj is self._receiver:
                found |= WOKEN
                # All wake-ups at once: any number of them is one reason to look.
                self._receiver.recv(4096)
            else:
                found |= READY
        return found

    def wake(self) -> None:
        """End the sleep of the other thread, or its next one if it is awake."""
        with contextlib.suppress(OSError):  # full or closed: then it is awake or gone
            self._sender.send(b"\0")

    def close(self) -> None:
        """Let go of the sockets for waking."""
        self._selector.close()
        self._receiver.close()
        self._sender.close()
