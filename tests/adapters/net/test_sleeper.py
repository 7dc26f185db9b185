"""Waking a sleeping thread."""

from __future__ import annotations

import socket

from kalshi_fix_adapters.net.sleeper import READ, READY, WOKEN, WRITE, Sleeper


def test_a_sleeper_ends_by_wake_up_or_timeout() -> None:
    sleeper = Sleeper()
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
