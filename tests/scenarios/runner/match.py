"""Comparison of a session's sent messages and events with the expectations of a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import attrs

from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import Dialect, FieldMember
from kalshi_fix_sansio.dialect.problems import Problem
from kalshi_fix_sansio.events import Event
from kalshi_fix_sansio.scalars import FORMATTERS
from tests.helpers import Clock
from tests.scenarios.runner.model import EventPattern, Fields, Moment, Substring, Value

MSG_TYPE = 35
HIDDEN_TAGS = (8, 9, 10, 49, 56)


@attrs.frozen
class Matcher:
    """Compares wire values. A time in a pattern is evaluated when it is compared."""

    dialect: Dialect
    clock: Clock
    start: Clock

    def matches_message(self, frame: bytes, pattern: Fields) -> bool:
        """Return whether a message has every field of a pattern."""
        found = fields_of(frame)
        return all(self._value_matches(found.get(tag), value) for tag, value in pattern)

    def _value_matches(self, found: str | None, expected: Value) -> bool:
        if isinstance(expected, Substring):
            return found is not None and expected.text in found
        if isinstance(expected, Moment):
            return found == expected.text(self.start, self.clock)
        return found == expected

    def matches_event(self, event: Event, pattern: EventPattern) -> bool:
        """Return whether an event has the class and every attribute of a pattern."""
        return type(event).__name__ == pattern.name and all(
            self._attribute_matches(getattr(event, name), value) for name, value in pattern.attributes.items()
        )

    def _attribute_matches(self, found: Any, expected: Any) -> bool:
        if isinstance(found, Message):
            pattern: Fields = expected if isinstance(expected, tuple) else ((MSG_TYPE, str(expected)),)
            return all(self._value_matches(value_in(found, tag), value) for tag, value in pattern)
        if isinstance(expected, Substring):
            return isinstance(found, str) and expected.text in found
        if isinstance(found, Enum):
            return bool(found.name == expected)
        if isinstance(found, tuple):
            shown = [show_problem(item) if isinstance(item, Problem) else item for item in found]
            return shown == list(expected)
        return bool(found == expected) and isinstance(found, bool) == isinstance(expected, bool)

    # --- formatting for failure messages ----------------------------------------------------------------

    def show(self, frame: bytes) -> str:
        """Return a message with field names, without the fields that every message has."""
        fields = fields_of(frame)
        return self.show_pattern([(tag, value) for tag, value in fields.items() if tag not in HIDDEN_TAGS])

    def show_pattern(self, fields: Sequence[tuple[int, Value]]) -> str:
        """Return a pattern in the format of `show`."""
        known = dict(fields)
        msg_type = str(known.pop(MSG_TYPE, "?"))
        layout = self.dialect.messages.get(msg_type)
        shown = [f"{self._name(tag)}={self._show_value(value)}" for tag, value in known.items()]
        return f"{layout.name if layout else f'MsgType {msg_type}'}({', '.join(shown)})"

    def _name(self, tag: int) -> str:
        field = self.dialect.fields.get(tag)
        return str(tag) if field is None else field.name

    def _show_value(self, value: Value) -> str:
        if isinstance(value, Moment):
            return value.text(self.start, self.clock)
        if isinstance(value, Substring):
            return f"..{value.text}.."
        return "(absent)" if value is None else value

    def show_event_pattern(self, pattern: EventPattern) -> str:
        """Return a pattern in a format similar to the repr of an event."""
        shown = [
            f"{name}={self.show_pattern(value) if isinstance(value, tuple) else value}"
            for name, value in pattern.attributes.items()
        ]
        return f"{pattern.name}({', '.join(shown)})"


def fields_of(frame: bytes) -> dict[int, str]:
    """Return the first value of every tag of a complete message."""
    found: dict[int, str] = {}
    for field in frame.decode("latin-1").split("\x01")[:-1]:
        tag, _, value = field.partition("=")
        if tag.isdecimal():
            found.setdefault(int(tag), value)
    return found


def value_in(message: Message, tag: int) -> str | None:
    """Return the wire value of a field of a decoded message, which may be incomplete."""
    if tag == MSG_TYPE:
        return message.msg_type
    for block in (message.header, message):
        member = block.LAYOUT.by_tag.get(tag) if block is not None and hasattr(block, "LAYOUT") else None
        if isinstance(member, FieldMember):
            value = getattr(block, member.attribute)
            return None if value is None else FORMATTERS[member.field.kind](value)
    unknown = message.get_unknown(tag)
    return None if unknown is None else unknown.decode("latin-1")


def show_problem(problem: Problem) -> str:
    """Return a problem in the notation of scenarios: its reason, and its tag if it has one."""
    return problem.reason.name if problem.tag is None else f"{problem.reason.name} {problem.tag}"
