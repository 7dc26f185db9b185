"""Docstrings of classes that say what each attribute means, made when somebody asks for one.

Attributes are described in the source, by a string below each, where editors find it. Python drops those
strings, so `help` would show names alone; to keep them all in memory would make every import slower. So a
class reads them out of its own source, the first time that somebody looks at its docstring.
"""

from __future__ import annotations

from typing import Any, Self, SupportsIndex, TypeVar

_C = TypeVar("_C", bound=type[Any])


class Explanation(str):
    """The `__doc__` of a class: what stands there in its source and, for who asks, what its attributes mean.

    Who asks a class gets it by `__get__`. `help` takes what it finds in an enum, or any class whose class has
    a docstring of its own, without asking: a string, of which it expands the tabs first.
    """

    __slots__ = ("_cls", "_like", "_text")

    # Python's own methods, with other answers.
    # ruff: noqa: D102

    def __new__(cls, own: str, explained: type[Any], like: type[Any] | None) -> Self:
        made = super().__new__(cls, own)
        made._cls = explained
        made._like = like
        made._text = None
        return made

    _cls: type[Any]
    _like: type[Any] | None
    _text: str | None

    def __get__(self, instance: object, owner: type[Any]) -> str | None:
        return self._explained() or None

    def expandtabs(self, tabsize: SupportsIndex = 8) -> str:
        return self._explained().expandtabs(tabsize)

    def _explained(self) -> str:
        if self._text is None:
            # Here, because it needs what nothing else does.
            from kalshi_fix_sansio.classes.source import docstring

            classes = [base for base in self._cls.__mro__ if type(vars(base).get("__doc__")) is Explanation]
            self._text = docstring(str(self), classes, self._like)
        return self._text


def explained(cls: _C, like: type[Any] | None = None) -> _C:
    """Make the docstring of a class tell what its attributes mean, by the strings below them in its source.

    Those of its bases are told as well, where these are explained themselves. `like` is another class, which
    describes the attributes of the same names that have no string here. Where the source is not at hand,
    nothing is added.
    """
    # attrs makes a class with slots a second time, out of what the first one has: this one is for the first.
    own = vars(cls).get("__doc__") or ""
    cls.__doc__ = Explanation(own, cls, like)
    return cls
