"""Locks whose `with` an interrupt cannot leave held.

Ctrl-C raises between two steps of the interpreter. Up to Python 3.13 there is none between the end of
`__enter__` of a lock and the beginning of the block that releases it. Since 3.14 `with` calls `__enter__`
like any function, and after a call of a C function the interpreter checks for signals: the lock is acquired,
its block has not begun, and it is never released. The interpreter does not check after a Python function.
"""

from __future__ import annotations

import sys
import threading

if sys.version_info >= (3, 14):
    import _thread

    class ReentrantLock(_thread.RLock):
        """A lock that the thread that holds it may take again."""

        __slots__ = ()

        def __enter__(self) -> bool:
            try:
                return self.acquire()
            except BaseException:
                # `threading.Condition` asks the same way whether a lock was taken. Who held it already did
                # not have to wait, so it has one more to give back in every case.
                if self._is_owned():
                    self.release()
                raise

        # `__exit__` remains the C function: an interrupt could occur before the first line of a Python one.

    Lock = ReentrantLock
    """A non-reentrant lock; `locked()` returns whether it is held."""
else:
    ReentrantLock = threading.RLock
    Lock = threading.Lock
