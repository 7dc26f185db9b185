"""Puts objects back to what they were: cheaper than making them anew, when that takes a handshake.

What is restored is everything mutable that can be reached from a root: attributes and containers, in place,
so that all who refer to them see it. What came to be afterwards is forgotten.
"""

from __future__ import annotations

import functools
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from re import Pattern
from typing import Any, Final

_ATOMS: Final = (
    str,
    bytes,
    int,
    float,
    complex,
    Decimal,
    Enum,
    Pattern,
    date,
    time,
    timedelta,
    tzinfo,
    range,
    type,
    type(None),
    type(NotImplemented),
    types.BuiltinFunctionType,
    types.ModuleType,
    types.MappingProxyType,
)
"""What cannot change."""
_CONTAINERS: Final = (list, deque, set, dict, OrderedDict, defaultdict, bytearray)
_OF_A_CLASS: Final = 1 << 9
"""The flag of types that a class statement made (Py_TPFLAGS_HEAPTYPE)."""


class Checkpoint:
    """What an object, and all that it refers to, is at this moment."""

    def __init__(self, root: object, shared: Iterable[object] = ()) -> None:
        """Note it; what is `shared` with others is left alone, with all behind it.

        Raises:
            TypeError: there is something whose state cannot be noted, such as a generator.
        """
        self._sets: list[tuple[Callable[[Any, Any], object], object, object]] = []
        """Slots: what sets one, of which object, to what."""
        self._absent: list[tuple[object, str]] = []
        self._contents: list[tuple[Any, Callable[[Any], object], Any]] = []
        """Containers: each, what fills it, and with what."""
        seen = {id(each): each for each in shared}
        waiting = [root]
        while waiting:
            found = waiting.pop()
            if isinstance(found, _ATOMS) or id(found) in seen:
                continue
            seen[id(found)] = found
            waiting += self._note(found)

    def restore(self) -> None:
        """Put everything back."""
        for put, found, value in self._sets:
            put(found, value)
        for found, name in self._absent:
            if hasattr(found, name):
                object.__delattr__(found, name)
        for container, fill, held in self._contents:
            container.clear()
            fill(held)

    def _note(self, found: Any) -> list[Any]:
        """Note one object; return what it refers to."""
        if isinstance(found, tuple | frozenset):
            return list(found)
        if isinstance(found, types.FunctionType):
            return [cell.cell_contents for cell in found.__closure__ or ()]
        if isinstance(found, types.MethodType):
            return [found.__self__]
        if isinstance(found, functools.partial):
            return [found.func, *found.args, *found.keywords.values()]
        if type(found) in _CONTAINERS:
            return self._note_contents(found)
        if not type(found).__flags__ & _OF_A_CLASS:
            raise TypeError(f"cannot put back a {type(found)}")
        return self._note_attributes(found, list(_slots(type(found))))

    def _note_contents(self, found: Any) -> list[Any]:
        held = found.copy()
        self._contents.append((found, found.update if isinstance(found, dict | set) else found.extend, held))
        if isinstance(found, bytearray):
            return []
        return [*held.keys(), *held.values()] if isinstance(held, dict) else list(held)

    def _note_attributes(self, found: Any, slots: list[types.MemberDescriptorType]) -> list[Any]:
        more: list[Any] = []
        for slot in slots:
            try:
                value = slot.__get__(found)
            except AttributeError:
                self._absent.append((found, slot.__name__))
            else:
                more.append(value)
                self._sets.append((slot.__set__, found, value))
        # Attributes beside slots are in a dict, which is restored as such.
        return [*more, found.__dict__] if hasattr(found, "__dict__") else more


def _slots(cls: type) -> Iterator[types.MemberDescriptorType]:
    """The slots of a class and of those before it."""
    for base in cls.__mro__:
        for value in vars(base).values():
            if isinstance(value, types.MemberDescriptorType):
                yield value
