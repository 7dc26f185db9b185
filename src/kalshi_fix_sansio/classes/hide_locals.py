"""Functions that are given secrets, and whose exceptions do not carry them.

A traceback keeps the local variables of each frame that it goes through, and crash reporters record them.
After the refusal of a private key that would be the key itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_C = TypeVar("_C", bound=type[Any])


def hides_locals(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Return a function that clears the local variables of all frames below it when it raises, also those of
    the exceptions that led to the one it raises. Their lines stay in the traceback."""

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            raise RuntimeError
        except RuntimeError as probe:
            handled = probe.__context__  # what `sys.exception` returns
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs
            _clear(error, handled)
            raise

    return call


def init_hides_locals(cls: _C) -> _C:
    """Make the constructor of a class a function that `hides_locals`."""
    cls.__init__ = hides_locals(cls.__init__)
    return cls


def _clear(error: BaseException, handled: BaseException | None) -> None:
    """Clear the frames of an exception and of its causes, but not of one that the caller was handling."""
    # Here, because it takes long to import.
    from traceback import clear_frames

    waiting: list[BaseException | None] = [error]
    # A user's code may have made a circle of causes.
    cleared = {id(handled)}
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in cleared:
            continue
        cleared.add(id(each))
        clear_frames(each.__traceback__)
        waiting += (each.__cause__, each.__context__)
