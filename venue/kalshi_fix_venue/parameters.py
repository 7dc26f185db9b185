"""Parameters of operations on a running venue: the name, the allowed values and the meaning of each. The
values are given in code, on a command line, in a YAML file or in JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_sansio.errors import ConfigurationError

_KEY = "parameter"
_TRUE, _FALSE = ("yes", "true", "y", "on", "1"), ("no", "false", "n", "off", "0")


@attrs.frozen
class Kind:
    """The type of a parameter's values."""

    placeholder: str
    """Placeholder in help texts, such as `SECONDS`."""
    read: Callable[[object], Any]
    """Convert a given value, which may be text. Raises ValueError with the accepted values."""
    choices: tuple[str, ...] = ()
    """All allowed values, if there are only a few."""


@attrs.frozen
class Parameter:
    """One parameter of one operation."""

    name: str
    """Name in Python; the command line uses hyphens instead of underscores."""
    kind: Kind
    doc: str
    required: bool
    default: Any
    positional: bool
    """Whether it is positional on a command line."""


def parameter(
    kind: Kind, doc: str, *, default: Any = attrs.NOTHING, positional: bool = False, optional: bool = False
) -> Any:
    """Declare an attribute of an attrs class as a parameter. With `optional`, it is None by default."""
    if optional:
        default = None
    meta = Parameter("", kind, doc, default is attrs.NOTHING, default, positional)
    read = attrs.converters.optional(kind.read) if optional else kind.read
    return attrs.field(default=default, converter=read, metadata={_KEY: meta})


def parameters(cls: type) -> tuple[Parameter, ...]:
    """Return the parameters of an attrs class in this order: inherited positional ones, its own, and the
    other inherited ones.
    """
    fields = [field for field in attrs.fields(cls) if _KEY in field.metadata]
    # `attrs.fields` lists inherited attributes first.
    fields.sort(key=lambda field: field.inherited and not field.metadata[_KEY].positional)
    return tuple(attrs.evolve(field.metadata[_KEY], name=field.name) for field in fields)


def build(cls: type[Any], subject: str, values: Mapping[str, object]) -> Any:
    """Build an object from values by name; hyphens and underscores are equivalent.

    Raises:
        ConfigurationError: a name is unknown, a value is missing or has the wrong type; the text begins with
            `subject`.
    """
    known = {parameter.name: parameter for parameter in parameters(cls)}
    given: dict[str, Any] = {}
    for name, value in values.items():
        parameter = known.get(name.replace("-", "_"))
        if parameter is None:
            advice = did_you_mean(display_name(name), map(display_name, known))
            raise ConfigurationError(f"{subject} has no parameter {name!r}; {advice}")
        try:
            given[parameter.name] = (
                None if value is None and not parameter.required else parameter.kind.read(value)
            )
        except ValueError as error:
            raise ConfigurationError(f"{subject}: {display_name(parameter.name)}: {error}") from None
    for parameter in known.values():
        if parameter.required and parameter.name not in given:
            raise ConfigurationError(f"{subject} needs {display_name(parameter.name)}: {parameter.doc}")
    return cls(**{name: value for name, value in given.items() if value is not None})


def display_name(name: str) -> str:
    """Return a parameter's name in the form that command lines and YAML files use."""
    return name.replace("_", "-")


# Kinds


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, int) and not isinstance(value, bool):  # such as MsgType 8, an integer in YAML
        return str(value)
    raise ValueError(f"{value!r} is {'blank' if isinstance(value, str) else 'not text'}")


def _number(value: object) -> float:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    try:
        number = float(value)  # type: ignore[arg-type]  # other types raise TypeError, caught below
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number


_MAX_SECONDS = 10**7
"""Almost four months. A longer time is probably a mistake, and too long for a timer."""


def _seconds(value: object) -> float:
    seconds = _number(value)
    if not 0 <= seconds <= _MAX_SECONDS:
        raise ValueError(f"{value!r} is not a duration from 0 to {_MAX_SECONDS} seconds")
    return seconds


def _chance(value: object) -> float:
    chance = _number(value)
    if not 0 < chance <= 1:
        raise ValueError(f"{value!r} is not a probability above 0 and at most 1")
    return chance


def _count(value: object) -> int:
    number = _number(value)
    if number != int(number) or not 0 <= number <= 10**9:
        raise ValueError(f"{value!r} is not a whole number from 0 to 1000000000")
    return int(number)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{value!r} is neither yes nor no")


def _amount(value: object) -> Decimal:
    # A float from a YAML file is read as its decimal text.
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a decimal number") from None
    if not amount.is_finite():
        raise ValueError(f"{value!r} is not a decimal number")
    return amount


TEXT = Kind("TEXT", _text)
SECONDS = Kind("SECONDS", _seconds)
COUNT = Kind("COUNT", _count)
CHANCE = Kind("PROBABILITY", _chance)
FLAG = Kind("yes|no", _flag, ("yes", "no"))
AMOUNT = Kind("DOLLARS", _amount)
QUANTITY = Kind("CONTRACTS", _amount)


def choice(*names: str) -> Kind:
    """Return the kind whose values are these words."""

    def read(value: object) -> str:
        # YAML reads a bare yes or no as a boolean.
        word = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        if word in names:
            return word
        raise ValueError(f"{word!r} is not one of {', '.join(names)}; {did_you_mean(word, names)}")

    return Kind("|".join(names), read, names)
