"""Filters for messages of a log: by type, tag, ID, symbol, direction and time.

Filters match the bytes of a message, and the time and direction before it in the log, without decoding the
message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from functools import wraps
from typing import Any, Final, TypeVar

import attrs
import click

from kalshi_fix_adapters.cli.kit.values import Decorator, ParsedParam, option_group
from kalshi_fix_adapters.logs.entries import Direction, parse_origin
from kalshi_fix_adapters.logs.reader import LoggedMessage
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.dialect.layout import FieldLayout, MessageLayout

_CLIENT_IDS = frozenset(tag for tag, field in DIALECT.fields.items() if field.name.endswith("ClOrdID"))
_SYMBOLS = frozenset(tag for tag, field in DIALECT.fields.items() if field.name == "Symbol")
TimeBound = datetime | time
Patterns = tuple[re.Pattern[bytes], ...]
_K = TypeVar("_K")


@attrs.frozen
class Filters:
    """Conditions on messages. A message must match every condition. It matches a condition if it has one of
    the values that the condition lists.
    """

    patterns: Patterns = ()
    direction: Direction | None = None
    since: TimeBound | None = None
    until: TimeBound | None = None

    @property
    def any(self) -> bool:
        """Whether there is any condition."""
        return self != NO_FILTERS

    def matches(self, logged: LoggedMessage) -> bool:
        """Return whether a message matches. A message without a time matches no filter for times, and a
        message without a direction matches no filter for directions.
        """
        frame = logged.frame
        if any(pattern.search(frame) is None for pattern in self.patterns):
            return False
        if self.direction is None and self.since is None and self.until is None:
            return True
        when, direction, _ = parse_origin(logged.prefix)
        if self.direction is not None and direction != self.direction:
            return False
        return (
            self.since is None or (when is not None and _comparable_time(when, self.since) >= self.since)
        ) and (self.until is None or (when is not None and _comparable_time(when, self.until) < self.until))


NO_FILTERS = Filters()


def _comparable_time(when: datetime, bound: TimeBound) -> Any:
    """Return a time in the form of a bound: without the date if the bound is a time of day."""
    return when if isinstance(bound, datetime) else when.time()


def _condition(option: str, argument: str, metavar: str, text: str) -> Decorator:
    return click.option(option, argument, multiple=True, metavar=metavar, help=f"Only messages {text}")


_field_options: Final = option_group(
    _condition("--type", "types", "TYPE", "of this type: D, NewOrderSingle."),
    _condition("--tag", "tags", "TAG[=VALUE]", "with this field: 58, Side=1, 55=KX*."),
    _condition("--id", "client_ids", "ID", "with this ClOrdID or OrigClOrdID."),
    _condition("--symbol", "symbols", "SYMBOL", "for this market: KX*."),
)


def field_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for conditions on fields. The command receives them as `patterns`."""

    @wraps(command)
    def with_patterns(*, types: Any, tags: Any, client_ids: Any, symbols: Any, **others: Any) -> None:
        command(patterns=(*_patterns(types, tags, client_ids, symbols),), **others)

    return _field_options(with_patterns)


def _patterns(
    types: Sequence[str], tags: Sequence[str], client_ids: Sequence[str], symbols: Sequence[str]
) -> Iterator[re.Pattern[bytes]]:
    """Yield a pattern for each condition.

    Raises:
        BadParameter: a name is unknown, or a value contains a character that is not Latin-1.
    """
    if types:
        yield _field_pattern((35,), map(_msg_type, types))
    for text in tags:
        name, separator, value = text.partition("=")
        yield _field_pattern((_tag(name),), [value] if separator else ["*"])
    if client_ids:
        yield _field_pattern(_CLIENT_IDS, client_ids)
    if symbols:
        yield _field_pattern(_SYMBOLS, symbols)


def _field_pattern(tags: Iterable[int], values: Iterable[str]) -> re.Pattern[bytes]:
    """Return a pattern for a field with one of these tags and values. In a value, `*` matches any text."""
    pattern = "|".join(map(_glob_pattern, values))
    try:
        encoded = pattern.encode("latin-1")
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        raise click.BadParameter(
            f"{character!r} cannot be in a FIX message, because FIX text is Latin-1"
        ) from None
    return re.compile(b"\x01(?:%b)=(?:%b)\x01" % ("|".join(map(str, tags)).encode(), encoded))


def _glob_pattern(text: str) -> str:
    """Return a pattern for a text with `*`. Matching takes time linear in the length of the value."""
    first, *rest = map(re.escape, text.split("*"))
    if not rest:
        return first
    # The first occurrence of each part is sufficient: if the rest matches after a later occurrence, it also
    # matches after the first one. So the groups are atomic, and later occurrences are never tried.
    middle = "".join(f"(?>[^\x01]*?{part})" for part in rest[:-1] if part)
    return f"{first}{middle}[^\x01]*{rest[-1]}"


def _msg_type(text: str) -> str:
    if text in DIALECT.messages or text == "*":
        return text
    return _key_of(text, DIALECT.messages, "message", "name of a message or its MsgType, such as D")


def _tag(name: str) -> int:
    if name.isascii() and name.isdigit() and len(name) < 10:
        return int(name)
    return _key_of(name, DIALECT.fields, "field", "name of a field or its tag, such as 55 or 55=KX*")


def _key_of(name: str, elements: Mapping[_K, FieldLayout | MessageLayout], kind: str, expected: str) -> _K:
    """Return the key of the element with this name; upper and lower case are equivalent."""
    for key, element in elements.items():
        if element.name.lower() == name.lower():
            return key
    raise click.BadParameter(f"there is no {kind} {name!r}; give the {expected}")


def _time_bound(text: str) -> TimeBound:
    """Parse a time of day, a date, or a date with a time of day, in UTC."""
    parsers: tuple[Callable[[str], TimeBound], ...] = (time.fromisoformat, datetime.fromisoformat)
    for parse in parsers:
        try:
            bound = parse(text.strip())
        except ValueError:
            continue
        if isinstance(bound, datetime):
            return bound.replace(tzinfo=UTC) if bound.tzinfo is None else bound.astimezone(UTC)
        if bound.tzinfo is None:
            return bound
    raise ValueError(f"{text.strip()!r} is not a time such as 14:30, 2026-11-21 or '2026-11-21 14:30:05.5'")


TIME_BOUND = ParsedParam("time", _time_bound)
