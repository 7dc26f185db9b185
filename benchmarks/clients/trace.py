"""Takes a round trip apart: when the session is called, and when the system is.

Nothing is measured until `install`, which replaces what sends, receives and waits by functions that look at
the clock. A trip's stages add up to it: what is between them is the client's own and its loop's.
"""

from __future__ import annotations

import select
import selectors
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

MAKE = "the order made from its values"
SEND, PEER, RECEIVE = "system: send", "the peer and the kernel, until awake", "system: recv"
OUT, IN = "session: send, data_to_send", "session: receive_data, events"
ON_THE_WAY_OUT = "the client and its loop, on the way out"
ON_THE_WAY_IN = "the client and its loop, on the way in"
STAGES = (MAKE, OUT, ON_THE_WAY_OUT, SEND, PEER, RECEIVE, IN, ON_THE_WAY_IN)
_WAIT = "wait"
_MADE_BY = "_selector_cls"
"""Where a selector of CPython has what it waits with."""
_LEAST = 20
"""Bytes of what goes to the peer at least; a loop wakes itself up by single ones."""

_installed = False
_found: list[tuple[str, float, float]] = []
_trips: list[dict[str, float]] = []


def install() -> None:
    """Begin to look; to be called before asyncio, trio or a client is imported."""
    global _installed  # noqa: PLW0603 - a process has one client
    _installed = True
    for name in ("send", "sendall"):
        _replace(socket.socket, name, SEND, lambda done: done is None or done >= _LEAST)
    _replace(socket.socket, "recv", RECEIVE, lambda done: len(done) >= _LEAST)
    _replace(socket.socket, "recv_into", RECEIVE, lambda done: done >= _LEAST)
    for name in ("epoll", "poll"):
        setattr(select, name, _waiting(getattr(select, name)))
    for selector, name in ((selectors.EpollSelector, "epoll"), (selectors.PollSelector, "poll")):
        setattr(selector, _MADE_BY, getattr(select, name))


def watch_session() -> None:
    """Look at the session's calls as well."""
    if _installed:
        from kalshi_fix_sansio.session import Session

        for name, stage in (("send", OUT), ("data_to_send", OUT), ("receive_data", IN), ("events", IN)):
            setattr(Session, name, timed(stage, getattr(Session, name)))


def timed(stage: str, act: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that notes when it runs, or the function itself if nobody looks."""
    if not _installed:
        return act

    def run(*values: Any, **options: Any) -> Any:
        begin = time.perf_counter()
        try:
            return act(*values, **options)
        finally:
            _found.append((stage, begin, time.perf_counter()))

    return run


def trip(begin: float, end: float, *, keep: bool) -> None:
    """Note that a round trip has ended."""
    if _installed:
        if keep:
            _trips.append(_taken_apart(begin, end))
        _found.clear()


def stages() -> dict[str, float]:
    """Return the median of each stage in microseconds; empty if nobody looked."""
    if not _trips:
        return {}
    return {stage: statistics.median(each[stage] for each in _trips) * 1e6 for stage in STAGES}


def _taken_apart(begin: float, end: float) -> dict[str, float]:
    """Cut a trip at the last byte sent and at the first one read."""
    inside = [each for each in list(_found) if begin <= each[1] and each[2] <= end]
    first_read = min(start for stage, start, _ in inside if stage == RECEIVE)
    sent = max(done for stage, _, done in inside if stage == SEND and done <= first_read)
    waits = [done for stage, _, done in inside if stage == _WAIT and sent < done <= first_read]
    reads = [done for stage, start, done in inside if stage == RECEIVE and start == first_read]
    # A socket that blocks waits in the reading itself.
    awake = max(waits) if waits else reads[0]
    spent = dict.fromkeys(STAGES, 0.0)
    spent[PEER] = awake - sent
    for stage, start, done in inside:
        if stage != _WAIT and (done <= sent or start >= awake):
            spent[stage] += done - start
    spent[ON_THE_WAY_OUT] = sent - begin - spent[MAKE] - spent[OUT] - spent[SEND]
    spent[ON_THE_WAY_IN] = end - awake - spent[RECEIVE] - spent[IN]
    return spent


def _replace(owner: Any, name: str, stage: str, counts: Callable[[Any], bool]) -> None:
    act = getattr(owner, name)

    def run(*values: Any) -> Any:
        begin = time.perf_counter()
        done = act(*values)
        end = time.perf_counter()
        if counts(done):
            _found.append((stage, begin, end))
        return done

    setattr(owner, name, run)


def _waiting(make: Callable[..., Any]) -> Callable[..., Any]:
    class Waiting:
        def __init__(self, *values: Any) -> None:
            self._poll = make(*values)
            self.poll = timed(_WAIT, self._poll.poll)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._poll, name)

    return Waiting
