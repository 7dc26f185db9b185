"""Click parameter types, and groups of options."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # not generic in click 8.1

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


class ParsedParam(_ParamType):
    """A parameter type whose values are converted from text by a function. A ValueError from the function
    is shown as a usage error.
    """

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        """Store the name, which the help shows in capitals, and the function."""
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert a text. A default value of another type is returned unchanged."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def choice_option(*names: str, choices: Iterable[str], default: str, text: str) -> Decorator:
    """Return an option whose value is one of the choices; `text` describes it in the help."""
    return click.option(*names, type=click.Choice([*choices]), default=default, show_default=True, help=text)


def option_group(*options: Decorator) -> Decorator:
    """Return a decorator that adds options to a command, in this order."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
