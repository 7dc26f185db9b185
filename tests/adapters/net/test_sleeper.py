"""A sleeper that is interrupted in the middle of a change."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kalshi_fix_adapters.net.sleeper import READ, READY, WRITE, SelectPoll, Sleeper


class Interrupted:
    """A poll that a Ctrl-C follows: before a change or behind it."""

    def __init__(self, *, done: bool) -> None:
        self._poll = SelectPoll()
        self.strikes = False
        self._done = done

    def register(self, number: int, interest: int) -> None:
        with self._struck(lambda: self._poll.register(number, interest)):
            self._poll.register(number, interest)

    def unregister(self, number: int) -> None:
        with self._struck(lambda: self._poll.unregister(number)):
            self._poll.unregister(number)

    def poll(self, milliseconds: float | None) -> list[tuple[int, int]]:
        return self._poll.poll(milliseconds)

    @contextmanager
    def _struck(self, change: Callable[[], None]) -> Iterator[None]:
        if self.strikes:
            self.strikes = False
            if self._done:
                change()
            raise KeyboardInterrupt
        yield


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("cut_off", [0, READ, WRITE, READ | WRITE])
@pytest.mark.parametrize("before", [0, READ, READ | WRITE])
@pytest.mark.parametrize("after", [0, READ, WRITE])
def test_a_change_that_was_cut_off_is_made_good_by_the_next(
    monkeypatch: pytest.MonkeyPatch, before: int, cut_off: int, after: int, done: bool
) -> None:
    poll = Interrupted(done=done)
    monkeypatch.setattr("kalshi_fix_adapters.net.sleeper.make_poll", lambda: poll)
    sleeper = Sleeper()
    here, there = socket.socketpair()
    with here, there:
        there.send(b"x")
        sleeper.watch(here.fileno(), before)
        poll.strikes = before != cut_off
        try:
            sleeper.watch(here.fileno(), cut_off)
        except KeyboardInterrupt:
            sleeper.watch(here.fileno(), after)
            # It can be read and written, so whatever is watched is reported at once.
            assert sleeper.sleep(0) == (READY if after else 0)
        sleeper.watch(here.fileno(), 0)
        assert sleeper.sleep(0) == 0
    sleeper.close()
