"""The lock file next to a store. Only one process at a time can lock it.

The operating system releases the lock when the process ends for any reason. The locks of SQLite are not
sufficient: they let two programs write in turn, and they are released when the same process closes any other
handle to the file.
"""

from __future__ import annotations

import contextlib
import os
import sys
import weakref
from pathlib import Path

from kalshi_fix_adapters.errors import StoreInUseError
from kalshi_fix_sansio.errors import StoreError

if sys.platform == "win32":
    import msvcrt

    # Other processes cannot read a locked byte, so a byte far past the text (the process id) is locked.
    _LOCKED_BYTE = 1 << 30

    def _acquire(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

    def _release(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

    _IN_USE_ERRORS: tuple[type[OSError], ...] = (PermissionError, BlockingIOError)
else:
    import fcntl

    def _acquire(descriptor: int) -> None:
        # `lockf` is not suitable, because its locks belong to the process. A second store in this process
        # could acquire the same lock, and closing any handle to the file would release the lock.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _release(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    _IN_USE_ERRORS = (BlockingIOError,)


class FileLock:
    """Holds the lock of a store until `release`; any thread may release it.

    Raises:
        StoreInUseError: another store object holds the lock, in this process or another.
        StoreError: the file cannot be opened or locked.
    """

    def __init__(self, store: Path) -> None:
        self.path: Path = store.with_name(store.name + ".lock")
        self._open(store)
        while not self._is_at_path():
            # The file was removed or replaced between opening and locking.
            self._file.close()
            self._open(store)
        # The process id is only needed for the error text in other processes, so a failed write is ignored.
        with contextlib.suppress(OSError):
            self._file.truncate(0)
            self._file.write(b"%d\n" % os.getpid())
        _held_locks.add(self)

    def _open(self, store: Path) -> None:
        """Open the file and lock it."""
        path = self.path
        try:
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
        except OSError as error:
            raise StoreError(
                f"{path} cannot be opened ({error.strerror}): give this user write permission for its folder"
            ) from None
        try:
            _acquire(self._file.fileno())
        except OSError as error:
            holder = self._file.read(32)
            self._file.close()
            if isinstance(error, _IN_USE_ERRORS):
                raise StoreInUseError(_explain_in_use(store, holder)) from None
            raise StoreError(
                f"{path} cannot be locked ({error.strerror}): put the store on a local disk"
            ) from None

    def _is_at_path(self) -> bool:
        """Return whether the locked file is still at its path."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False

    def check(self) -> None:
        """Check that the lock still excludes other processes.

        Raises:
            StoreError: the lock file was removed or replaced, so another process may have locked a new file.
            OSError: the folder cannot be read.
        """
        if not self._is_at_path():
            raise StoreError(
                f"{self.path} was removed or replaced while this store was open, so another process may use "
                "it too: nothing more is written; end the other process, then open the store again"
            )

    def release(self) -> None:
        """Release the lock."""
        # The lock is released explicitly, because a child process that is being started may still have a copy
        # of the descriptor. The file is not removed, because otherwise one process could hold a lock on the
        # old file, and another process a lock on a new file.
        _release(self._file.fileno())
        self.forget()

    def forget(self) -> None:
        """Close this process's handle. In a forked child this does not release the parent's lock."""
        _held_locks.discard(self)
        self._file.close()


def _explain_in_use(store: Path, holder: bytes) -> str:
    pid = holder.strip()
    if pid.isdigit() and int(pid) == os.getpid():
        return f"{store} is already in use by this process: close the other store first"
    who = f"process {int(pid)}" if pid.isdigit() else "another process"
    return f"{store} is in use by {who}: close it there first"


_held_locks: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _forget_all() -> None:
    """Close a forked child's copies of the lock files, which would keep the locks after the parent has
    ended.
    """
    for lock in list(_held_locks):
        lock.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
