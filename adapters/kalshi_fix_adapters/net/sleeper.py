"""Lets a thread sleep until a socket is ready, or until another thread wakes it."""

from __future__ import annotations

import contextlib
import select
import selectors
import socket
from typing import Any, Final

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE
READY, WOKEN = 1, 2
"""Why a sleep ended: the socket is ready, or another thread called `wake`."""
MAX_SLEEP: Final = 86_400.0
"""Maximum duration of a sleep in seconds. Some systems do not accept more than a few days, and a sleep may
end early anyway.
"""


class Sleeper:
    """Watches at most one socket. One thread may `watch` and `sleep`; any thread may `wake`."""

    can_watch_in_sleep: bool = False
    """Whether any thread may call `watch` while another thread sleeps. If so, the call takes effect during
    that sleep.
    """
    _events: tuple[int, ...] = (0, READ, WRITE, READ | WRITE)
    """The selector's events, indexed by interest: 0, `READ`, `WRITE` or both."""

    def __init__(self) -> None:
        # A byte sent through the pair ends a sleep, because a selector cannot wait for a threading.Event.
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._selector = self._open()
        self.interest: int = 0
        """The events for which the socket is registered."""

    def _open(self) -> Any:
        selector = selectors.DefaultSelector()
        selector.register(self._receiver, READ)
        return selector

    def watch(self, fd: int, interest: int) -> None:
        """Watch the socket with this file descriptor for `READ`, `WRITE`, both, or not at all (0)."""
        if interest == self.interest:
            return
        if not self.interest:
            self._selector.register(fd, self._events[interest])
        elif interest:
            self._selector.modify(fd, self._events[interest])
        else:
            # A socket that is registered without events would still report a hangup repeatedly.
            self._selector.unregister(fd)
        self.interest = interest

    def sleep(self, seconds: float | None) -> int:
        """Sleep for `seconds`, or without limit if None. Return `READY`, `WOKEN`, both flags
        combined, or 0 for neither. The sleep may end early, so check the clock.
        """
        flags = 0
        for key, _ in self._selector.select(None if seconds is None else min(seconds, MAX_SLEEP)):
            flags |= self._read_wakes() if key.fileobj is self._receiver else READY
        return flags

    def _read_wakes(self) -> int:
        # Read the bytes of all calls to `wake`, because several calls have the effect of one.
        self._receiver.recv(4096)
        return WOKEN

    def wake(self) -> None:
        """End the other thread's sleep or, if that thread is awake, its next sleep."""
        with contextlib.suppress(OSError):  # full or closed: the other thread is awake or has ended
            self._sender.send(b"\0")

    def close(self) -> None:
        """Close the selector and the socket pair."""
        self._selector.close()
        self._receiver.close()
        self._sender.close()


class EpollSleeper(Sleeper):
    """A sleeper on Linux.

    It calls epoll directly. Calling it through `selectors` would add 5% to the blocking client's
    tick-to-order time (186 instead of 176 µs), because the processor must load that module's code into its
    caches again after each sleep.
    """

    can_watch_in_sleep = True
    _events = (0, 1, 4, 5)  # EPOLLIN is 1, EPOLLOUT is 4

    def _open(self) -> Any:
        self._receiver_fd = self._receiver.fileno()
        poller = select.epoll()
        poller.register(self._receiver_fd, select.EPOLLIN)
        return poller

    def sleep(self, seconds: float | None) -> int:
        """Sleep as `Sleeper.sleep` does."""
        flags = 0
        for fd, _ in self._selector.poll(None if seconds is None else min(seconds, MAX_SLEEP)):
            flags |= self._read_wakes() if fd == self._receiver_fd else READY
        return flags


def make_sleeper() -> Sleeper:
    """Return the best sleeper for this system."""
    return EpollSleeper() if hasattr(select, "epoll") else Sleeper()
