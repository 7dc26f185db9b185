"""Locks that an interrupt in a `with` statement cannot leave held.

Ctrl-C raises between two steps of the interpreter. Up to Python 3.13 there is no step between the end of a
lock's `__enter__` and the start of the block that releases it. Since 3.14 `with` calls `__enter__` like any
function, and after a call of a C function the interpreter checks for signals: then the lock is acquired, the
block has not begun, and the lock is never released. The interpreter does not check after a Python function.
"""

from __future__ import annotations

import sys
import threading

if sys.version_info >= (3, 14):
    import _thread

    class ReentrantLock(_thread.RLock):
        """A lock that its holder may acquire again."""

        __slots__ = ()

        def __enter__(self) -> bool:
            try:
                return self.acquire()
            except BaseException:
                # `threading.Condition` uses the same test. A thread that already held the lock did not have
                # to wait, so it has acquired it once more in every case.
                if self._is_owned():
                    self.release()
                raise

        # `__exit__` remains the C function: an interrupt could occur before the first line of a Python one.

    Lock = ReentrantLock
    """A non-reentrant lock; `locked()` returns whether it is held."""
else:
    ReentrantLock = threading.RLock
    Lock = threading.Lock
