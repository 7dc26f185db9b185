"""An interrupt at any point of a `with` statement leaves the lock as it was before the statement."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import pytest

from kalshi_fix_adapters.observe import locks
from kalshi_fix_adapters.observe.locks import Lock, ReentrantLock
from tests.adapters.interrupter import Interrupter


def is_free(lock: Any) -> bool:
    taken: list[bool] = []
    other = threading.Thread(target=lambda: taken.append(lock.acquire(blocking=False)))
    other.start()
    other.join()
    return taken == [True]


def interrupt_at(lock: Any, at: int) -> bool:
    """Interrupt a `with lock` statement at the point `at`; return whether the statement has such a point."""
    interrupter = Interrupter(at, {__file__, locks.__file__})

    def use() -> None:
        with lock:
            len("a function that is written in C")

    with suppress(KeyboardInterrupt), interrupter:
        use()
    return interrupter.where is not None


@pytest.mark.parametrize(("kind", "held"), [(Lock, False), (ReentrantLock, False), (ReentrantLock, True)])
def test_an_interrupt_at_any_point_leaves_the_lock_as_it_was(kind: Callable[[], Any], held: bool) -> None:
    at, interrupted = 0, True
    while interrupted:
        lock = kind()
        with lock if held else nullcontext():
            interrupted = interrupt_at(lock, at)
            assert not (held and is_free(lock)), at
        assert is_free(lock), at
        at += 1
    assert at > 2


def test_a_lock_reports_whether_it_is_held() -> None:
    lock = Lock()
    assert not lock.locked()
    with lock:
        assert lock.locked()
    assert not lock.locked()
