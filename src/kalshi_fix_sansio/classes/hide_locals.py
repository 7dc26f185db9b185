"""A decorator that keeps secrets out of the tracebacks of exceptions.

A traceback keeps the local variables of its frames, and crash reporters record them. If a private key is
rejected, these variables include the key.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_C = TypeVar("_C", bound=type[Any])


def hides_locals(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Wrap a function: if it raises an exception, clear the local variables in the exception's traceback,
    starting with the function's own frame.

    The frames of the exception's causes and contexts are cleared too. Tracebacks still show the source lines.
    """

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            raise RuntimeError
        except RuntimeError as probe:
            handled = probe.__context__  # the value of `sys.exception()`
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs
            _clear(error, handled)
            raise

    return call


def init_hides_locals(cls: _C) -> _C:
    """Apply `hides_locals` to the constructor of a class."""
    cls.__init__ = hides_locals(cls.__init__)
    return cls


def _clear(error: BaseException, handled: BaseException | None) -> None:
    """Clear the frames of an exception and of its causes, but not those of an exception that the caller was
    already handling.
    """
    # Imported here because importing it is slow.
    from traceback import clear_frames

    pending: list[BaseException | None] = [error]
    # Visit each exception once: causes set by the user may form a cycle.
    cleared = {id(handled)}
    while pending:
        exception = pending.pop()
        if exception is None or id(exception) in cleared:
            continue
        cleared.add(id(exception))
        clear_frames(exception.__traceback__)
        pending += (exception.__cause__, exception.__context__)
