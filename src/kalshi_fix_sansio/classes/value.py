"""Values that compare, hash and show themselves by what attrs knows of them.

attrs writes and compiles these methods for each class anew. For classes of which there are many, and which
are seldom compared or shown, that is a tenth of what importing the package takes: they are made with
`eq=False` and `repr=False`, and have these methods instead.
"""

from __future__ import annotations

import attrs


class Value:
    """Base of such classes. Fields with `eq=False` or `repr=False` are left out, as by attrs itself."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self is other or _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash((self.__class__, _compared(self)))

    def __repr__(self) -> str:
        shown = (
            f"{field.name}={getattr(self, field.name)!r}"
            for field in _fields(self)
            if field.repr is not False
        )
        return f"{type(self).__qualname__}({', '.join(shown)})"


def _fields(value: object) -> tuple[attrs.Attribute[object], ...]:
    fields: tuple[attrs.Attribute[object], ...] = getattr(type(value), "__attrs_attrs__")  # noqa: B009 - attrs adds it
    return fields


def _compared(value: object) -> tuple[object, ...]:
    return tuple([getattr(value, field.name) for field in _fields(value) if field.eq])
