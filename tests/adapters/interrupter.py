"""Exceptions at chosen points, for tests of the state that an interrupt leaves behind."""

from __future__ import annotations

import sys
from collections.abc import Set as AbstractSet
from types import FrameType
from typing import Any


class Interrupter:
    """Raises an exception at a point where CPython runs signal handlers, as a handler could.

    These points are the beginning of each function in `files`, and the end of each call from such a function
    to a function written in C. `at` is the number of points to pass before the exception.
    """

    def __init__(
        self,
        at: int,
        files: AbstractSet[str | None],
        error: type[BaseException] = KeyboardInterrupt,
    ) -> None:
        self._left = at
        self._files = files
        self._error = error
        self.where: str | None = None
        """The function, line and event at which the exception was raised; None if it was not raised."""

    def __enter__(self) -> None:
        sys.setprofile(self._point)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _point(self, frame: FrameType, event: str, argument: Any) -> None:
        if frame.f_code.co_filename not in self._files or event not in {"call", "c_return"}:
            return
        if self._left == 0:
            self.where = f"{frame.f_code.co_qualname}:{frame.f_lineno} {event} {argument}"
            sys.setprofile(None)
            raise self._error
        self._left -= 1
