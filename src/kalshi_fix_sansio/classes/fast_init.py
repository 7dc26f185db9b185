"""Frozen values, made as fast as mutable ones.

A frozen class has to get past its own `__setattr__` for each attribute that its constructor sets, which takes
longer than everything else about it. Events, requests and stored messages are made for each message, so the
session makes them here instead: attributes are set while an instance still belongs to a subclass that is not
frozen, then it becomes what it was meant to be. That is 5 % of a report, for its Frame and its event,
and 6 % of an order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import attrs

_P = ParamSpec("_P")
_T = TypeVar("_T")
_OWN_CONSTRUCTORS = ("__attrs_init__", "__attrs_pre_init__", "__attrs_post_init__")
"""What a class has that does more in its constructor, or has one that attrs did not write."""


def fast_init(cls: Callable[_P, _T]) -> Callable[_P, _T]:
    """Return a constructor of a frozen attrs class, with the arguments that the class itself takes.

    What it makes is equal to what the class makes, of that very class, and as frozen.

    Raises:
        TypeError: making an instance of the class takes more than setting its attributes: a converter, a
            validator, a default that is made anew each time; or it has other attributes, or no slots.
    """
    made: Any = cls
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(made)
    slots = {name for base in made.__mro__ for name in getattr(base, "__slots__", ())}
    if (
        slots - {"__weakref__"} != {field.name for field in fields}
        or any(hasattr(made, name) for name in _OWN_CONSTRUCTORS)
        or any(_takes_more(field) for field in fields)
    ):
        raise TypeError(f"{made.__name__} cannot be made by setting its attributes alone")
    arguments = [
        field.name if field.default is attrs.NOTHING else f"{field.name}=_{field.name}" for field in fields
    ]
    source = [
        "class Draft(cls):",
        # No slots of its own, or Python refuses to make an instance one of `cls`.
        "    __slots__ = ()",
        # Both, or attributes of an instance are not set the fast way.
        "    __setattr__, __delattr__ = set_attribute, delete_attribute",
        f"    def __init__(self, {', '.join(arguments)}):",
        *(f"        self.{field.name} = {field.name}" for field in fields),
        "        self.__class__ = cls",
    ]
    names: dict[str, Any] = {
        "cls": made,
        "set_attribute": object.__setattr__,
        "delete_attribute": object.__delattr__,
        **{f"_{field.name}": field.default for field in fields},
    }
    exec(compile("\n".join(source), f"<fast_init {made.__name__}>", "exec"), names)  # noqa: S102 - from the class alone
    draft: Callable[_P, _T] = names["Draft"]
    return draft


def _takes_more(field: attrs.Attribute[Any]) -> bool:
    return (
        not field.init
        or field.kw_only
        or field.alias != field.name
        or field.converter is not None
        or field.validator is not None
        or isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]
    )
