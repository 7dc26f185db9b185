"""Values of the venue as JSON, and back: settings, commands, operations, times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from importlib import import_module
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.signing import Verifier

_ROOT: Final = "kalshi_fix_adapters.venue."
"""Only classes from here are named in a journal: reading one imports nothing else."""
_KEY: Final = "key"
_DECIMAL, _BYTES, _TIME, _ZONE, _MAP, _SET, _LIST, _ENUM, _CLASS, _SPAN = (
    "$decimal", "$bytes", "$time", "$zone", "$map", "$set", "$list", "$enum", "$class", "$span",
)  # fmt: skip
_TIMES: Final[Mapping[str, Any]] = {"datetime": datetime, "date": date, "time": time}


class UnknownValueError(ConfigurationError):
    """A value cannot be journalled, or a journal holds what is no value."""


def to_plain(value: Any) -> Any:
    """Return a value as JSON can hold it. A public key leaves no more than its place.

    Raises:
        UnknownValueError: it is of a type that a journal has no form for.
    """
    match value:
        case Enum():
            return {_ENUM: f"{_name(type(value))}.{value.name}"}
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return {_DECIMAL: str(value)}
        case bytes():
            return {_BYTES: value.decode("latin-1")}
        case Instant():
            return [value.monotonic, value.utc.isoformat()]
        case datetime() | date() | time():
            return {_TIME: [type(value).__name__, value.isoformat()]}
        case timedelta():
            return {_SPAN: [value.days, value.seconds, value.microseconds]}
        case ZoneInfo():
            return {_ZONE: value.key}
        case tuple():
            return [to_plain(each) for each in value]
        case list():
            return {_LIST: [to_plain(each) for each in value]}
        case set() | frozenset():
            # In an order that is the same in every process.
            return {_SET: sorted((to_plain(each) for each in value), key=str)}
        case Mapping():
            return {_MAP: [[to_plain(key), to_plain(each)] for key, each in value.items()]}
        case Verifier():
            return {_CLASS: _KEY}
    if attrs.has(type(value)):
        fields = [field for field in attrs.fields(type(value)) if field.init]
        return {
            _CLASS: _name(type(value)),
            **{field.alias or field.name: to_plain(getattr(value, field.name)) for field in fields},
        }
    raise UnknownValueError(f"a journal has no form for a {type(value).__qualname__}")


def from_plain(plain: Any, key: Verifier | None = None) -> Any:
    """Return the value of what `to_plain` made; `key` takes the place of every public key.

    Raises:
        UnknownValueError: it is none of what `to_plain` makes.
    """
    try:
        return _value(plain, key)
    except UnknownValueError:
        raise
    except (ArithmeticError, AttributeError, ImportError, LookupError, TypeError, ValueError) as error:
        raise UnknownValueError(f"a value cannot be read ({type(error).__name__}: {error})") from None


def instant(plain: Any) -> Instant:
    """Return the time of what `to_plain` made of it.

    Raises:
        UnknownValueError: it is none.
    """
    try:
        monotonic, utc = plain
        return Instant(float(monotonic), datetime.fromisoformat(utc))
    except (TypeError, ValueError):
        raise UnknownValueError("a time cannot be read") from None


def _value(plain: Any, key: Verifier | None) -> Any:
    if isinstance(plain, list):
        return tuple(_value(each, key) for each in plain)
    if not isinstance(plain, dict):
        return plain
    match plain:
        case {"$decimal": text}:
            return Decimal(text)
        case {"$bytes": text}:
            return text.encode("latin-1")
        case {"$time": [name, text]}:
            return _TIMES[name].fromisoformat(text)
        case {"$span": [days, seconds, microseconds]}:
            return timedelta(days, seconds, microseconds)
        case {"$zone": name}:
            return ZoneInfo(name)
        case {"$list": items}:
            return [_value(each, key) for each in items]
        case {"$set": items}:
            return frozenset(_value(each, key) for each in items)
        case {"$map": items}:
            return {_value(name, key): _value(each, key) for name, each in items}
        case {"$enum": name}:
            cls, _, member = name.rpartition(".")
            return _class(cls)[member]
        case {"$class": "key"}:
            return key
        case {"$class": name, **fields}:
            return _class(name)(**{str(field): _value(each, key) for field, each in fields.items()})
    raise UnknownValueError("a value has a form that this version does not know")


def _name(cls: type) -> str:
    if not cls.__module__.startswith(_ROOT):
        raise UnknownValueError(f"a journal has no form for a {cls.__qualname__}")
    return f"{cls.__module__.removeprefix(_ROOT)}:{cls.__qualname__}"


def _class(name: str) -> Any:
    module, _, cls = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), cls)):
        raise UnknownValueError(f"{name!r} is no class of the venue")
    found = getattr(import_module(f"{_ROOT}{module}"), cls)
    if not isinstance(found, type) or not (attrs.has(found) or issubclass(found, Enum)):
        raise UnknownValueError(f"{name!r} is no class of the venue")
    return found
