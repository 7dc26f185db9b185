"""Locks that are never left held when a `with` statement is interrupted.

Ctrl-C raises KeyboardInterrupt between two bytecode instructions. Up to Python 3.13 the interpreter does not
check for signals between the end of a lock's `__enter__` and the start of the block that releases it. Since
3.14 `with` calls `__enter__` like any function, and the interpreter checks for signals after a call to a C
function. If KeyboardInterrupt is raised there, the lock has been acquired but the block has not begun, so the
lock is never released. The interpreter does not check after a call to a Python function. Therefore the
`__enter__` of the locks in this module is a Python function."""

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
                # `_is_owned` is also true if the thread held the lock before. But then `acquire` did not have
                # to wait, so it succeeded and must be undone too. `threading.Condition` uses the same test.
                if self._is_owned():
                    self.release()
                raise

        # `__exit__` remains the C function, because an interrupt could occur before the first line of a
        # Python function.

    Lock = ReentrantLock
    """A lock whose `locked()` returns whether it is held. Callers must not acquire it twice."""
else:
    ReentrantLock = threading.RLock
    Lock = threading.Lock
