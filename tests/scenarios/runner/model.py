"""The contents of a scenario file, for a session under test in one role (initiator or acceptor)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.layout import Dialect, SessionType
from kalshi_fix_sansio.session import MemoryStore
from tests.helpers import Clock, wire_time


@attrs.frozen
class Moment:
    """A time relative to the virtual clock."""

    from_start: bool
    """Relative to the start of the scenario if true, otherwise to the current time."""
    seconds: float

    def text(self, start: Clock, clock: Clock) -> str:
        """Return the time in wire form."""
        return wire_time((start if self.from_start else clock).utc + timedelta(seconds=self.seconds))


@attrs.frozen
class Substring:
    """Matches any text that contains this text."""

    text: str


Value = str | Moment | Substring | None
"""The value of a field; None for an absent field."""
Fields = tuple[tuple[int, Value], ...]


@attrs.frozen
class MessageSpec:
    """A message sent by the peer or by the user."""

    fields: Fields
    """MsgType (35) first, then the other fields in the order of the file."""
    body: str = ""
    """Further fields in wire form, with | for SOH."""


@attrs.frozen
class PeerInput:
    """Messages and other bytes, delivered in one chunk unless `chunk_size` is set."""

    parts: tuple[MessageSpec | bytes, ...]
    chunk_size: int | None = None
    """The number of bytes delivered at a time."""


@attrs.frozen
class PeerDisconnect:
    """The peer ends the connection."""


@attrs.frozen
class UserCall:
    """A call by the session's user."""

    name: str
    text: str | None = None
    message: MessageSpec | None = None


@attrs.frozen
class Switch:
    """The peer stops or resumes reading, or the user stops or resumes fetching events."""

    name: str
    """The attribute of `Transport`."""
    value: bool


Action = PeerInput | PeerDisconnect | UserCall | Switch


@attrs.frozen
class EventPattern:
    """The class of an event and the attributes that it must have."""

    name: str
    attributes: Mapping[str, Any]


@attrs.frozen
class Step:
    """One step: time passes, one action is performed, and all its effects are collected."""

    number: int
    line: int
    at: float | None
    action: Action | None
    raises: tuple[str, str] | None
    """The class of the exception raised to the user, and a part of its text."""
    expect: tuple[Fields, ...]
    events: tuple[EventPattern, ...]


@attrs.frozen
class Scenario:
    """One behaviour of a session in one role."""

    path: Path
    title: str
    role: Role
    dialect: Dialect
    session_type: SessionType
    settings: Mapping[str, Any]
    """Settings of SessionConfig."""
    store: Mapping[str, Any]
    """Arguments of the session's MemoryStore."""
    logged_on: bool
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The folder and the file name without its suffix."""
        return f"{self.path.parent.name}/{self.path.stem}"

    def new_store(self) -> MemoryStore:
        """Return the store in its state before the first connection."""
        return MemoryStore(**self.store)
