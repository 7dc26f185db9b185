"""Waking a sleeping thread."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kalshi_fix_adapters.net.sleeper import READ, READY, WOKEN, WRITE, Sleeper, make_sleeper


@pytest.mark.parametrize("make", [Sleeper, make_sleeper])
def test_a_sleep_ends_after_a_wake_up_or_a_timeout(make: Callable[[], Sleeper]) -> None:
    sleeper = make()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert sleeper.sleep(0) == 0
        sleeper.wake()
        sleeper.wake()
        assert sleeper.sleep(None) == WOKEN
        assert sleeper.sleep(0) == 0
        sleeper.watch(ours.fileno(), READ | WRITE)
        assert sleeper.sleep(None) == READY
        sleeper.watch(ours.fileno(), READ)
        assert sleeper.sleep(0) == 0
        theirs.send(b"x")
        sleeper.wake()
        assert sleeper.sleep(1e12) == READY | WOKEN
        sleeper.watch(ours.fileno(), 0)
        assert sleeper.sleep(0) == 0
    sleeper.close()
    sleeper.wake()


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    found = make_sleeper()
    if not found.can_watch_in_sleep:
        pytest.skip("this system has no epoll")
    yield found
    found.close()


def test_another_thread_can_watch_during_a_sleep(sleeper: Sleeper) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor() as pool:
        sleeping = pool.submit(sleeper.sleep, None)
        theirs.send(b"x")
        sleeper.watch(ours.fileno(), READ)
        assert sleeping.result() == READY
        sleeper.watch(ours.fileno(), 0)
        assert sleeper.sleep(0) == 0
