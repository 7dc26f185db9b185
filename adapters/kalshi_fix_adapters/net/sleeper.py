"""How a thread sleeps until something can be read or written, or until another thread wakes it.

Not by the standard library's `selectors`: those register a socket in two steps, in a table of their own and
with the system. A Ctrl-C between the two would leave them apart, so that the socket is watched and not known,
or the other way round, and every later change of it fails. What is here does it in one call that is written
in C, and may be repeated.
"""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Protocol

READ, WRITE = 1, 4
"""What to watch a socket for; the values of POLLIN and POLLOUT."""
READY, WOKEN = 1, 2
"""Why a sleep was over: the socket can be read or written, another thread wants attention."""
_UNKNOWN = -1
"""The interest while it is being changed."""
_MAX_SLEEP = 86_400.0
"""Seconds; some systems take no more than some days at once, and who sleeps has to be ready to wake early."""


class Sleeper:
    """Watches at most one socket. One thread at a time may `watch` and `sleep`, any may `wake`."""

    def __init__(self) -> None:
        # A byte through it ends a sleep: `poll` waits for files alone, and not for a threading.Event.
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._own = self._receiver.fileno()
        """Told from the watched socket by this number."""
        self._poll = make_poll()
        self._poll.register(self._own, READ)
        self._watched = -1
        self.interest: int = 0
        """What for a socket is watched now."""

    def watch(self, number: int, interest: int) -> None:
        """Watch the socket of a file number for `READ`, `WRITE`, both, or not at all (0)."""
        if interest == self.interest:
            return
        # A Ctrl-C may come between any two of these lines. Until the last one nothing is taken for granted,
        # so that the next call does it all again.
        self.interest = _UNKNOWN
        if interest:
            self._watched = number
            self._poll.register(number, interest)
        else:
            # Watched for nothing it would still report a hangup, again and again.
            with contextlib.suppress(KeyError):  # done already, by a call that was cut off
                self._poll.unregister(self._watched)
        self.interest = interest

    def sleep(self, seconds: float | None) -> int:
        """Sleep, for ever if None; return `READY` and `WOKEN`, or 0 when the time is over.

        It may be over early, so look at the clock.
        """
        found = 0
        for number, _ in self._poll.poll(
            None if seconds is None else seconds * 1000 if seconds < _MAX_SLEEP else _MAX_SLEEP * 1000
        ):
            if number == self._own:
                found |= WOKEN
                # All wake-ups at once: any number of them is one reason to look.
                with contextlib.suppress(OSError):  # another thread may have closed it
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
        self._receiver.close()
        self._sender.close()


class Poll(Protocol):
    """What is used of `select.poll`."""

    def register(self, number: int, interest: int, /) -> None:
        """Watch a file for these events, in place of those before."""

    def unregister(self, number: int, /) -> None:
        """Watch it no longer."""

    def poll(self, milliseconds: float | None, /) -> list[tuple[int, int]]:
        """Wait until one is ready, at most so long; return what is, and for what."""


class SelectPoll:
    """The same by `select.select`, for systems without poll."""

    def __init__(self) -> None:
        self._interests: dict[int, int] = {}

    def register(self, number: int, interest: int) -> None:
        """Watch a file for these events, in place of those before."""
        self._interests[number] = interest

    def unregister(self, number: int) -> None:
        """Watch it no longer."""
        del self._interests[number]

    def poll(self, milliseconds: float | None) -> list[tuple[int, int]]:
        """Wait until one is ready, at most so long; return what is, and for what."""
        reading = [number for number, interest in self._interests.items() if interest & READ]
        writing = [number for number, interest in self._interests.items() if interest & WRITE]
        seconds = None if milliseconds is None else milliseconds / 1000
        # A connection that failed is told of as an exception there.
        found = select.select(reading, writing, writing, seconds)
        return [(number, 0) for number in {number for ready in found for number in ready}]


def make_poll() -> Poll:
    """Return the quickest that this system has for two sockets."""
    return select.poll() if hasattr(select, "poll") else SelectPoll()
