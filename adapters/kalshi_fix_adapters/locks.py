"""Locks whose `with` an interrupt cannot leave held.

Ctrl-C raises between two steps of the interpreter. Up to Python 3.13 there is none between the end of
`__enter__` of a lock and the beginning of the block that releases it. Since 3.14 `with` calls `__enter__` as
any function is called, and after the call of one that is written in C the interpreter looks for signals: the
lock is taken, its block has not begun, and nobody releases it. No such look comes after a function in Python.
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

        # `__exit__` stays the one in C: an interrupt could come before the first line of one in Python.

    Lock = ReentrantLock
    """A lock that is taken once; `locked()` says whether it is."""
else:
    ReentrantLock = threading.RLock
    Lock = threading.Lock
