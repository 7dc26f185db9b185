"""An interrupt at any point of a `with` leaves its lock free."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from kalshi_fix_adapters import locks
from kalshi_fix_adapters.locks import Lock, ReentrantLock


def interrupted(function: Callable[[], None], at: int) -> bool:
    """Call a function; raise at the `at`th point at which CPython looks for signals in it or in `locks`: when
    a function begins, and after one that is written in C has been called."""
    left = at

    def look(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        if frame.f_code.co_filename in {__file__, locks.__file__} and event in {"call", "c_return"}:
            left -= 1
            if left < 0:
                sys.setprofile(None)
                raise KeyboardInterrupt

    sys.setprofile(look)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


def is_free(lock: Any) -> bool:
    taken: list[bool] = []
    other = threading.Thread(target=lambda: taken.append(lock.acquire(blocking=False)))
    other.start()
    other.join()
    return taken == [True]


@pytest.mark.parametrize("kind", [Lock, ReentrantLock])
def test_an_interrupt_at_any_point_leaves_the_lock_free(kind: Callable[[], Any]) -> None:
    at, struck = 0, True
    while struck:
        lock = kind()

        def use(lock: Any = lock) -> None:
            with lock:
                len("a function that is written in C")

        struck = interrupted(use, at)
        assert is_free(lock), at
        at += 1
    assert at > 2


def test_an_interrupt_takes_nothing_from_who_held_the_lock_already() -> None:
    at, struck = 0, True
    while struck:
        lock = ReentrantLock()

        def use(lock: Any = lock) -> None:
            with lock:
                len("a function that is written in C")

        with lock:
            struck = interrupted(use, at)
            assert not is_free(lock), at
        assert is_free(lock), at
        at += 1
    assert at > 2


def test_a_lock_says_whether_it_is_held() -> None:
    lock = Lock()
    assert not lock.locked()
    with lock:
        assert lock.locked()
    assert not lock.locked()
