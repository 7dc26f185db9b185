"""What a scenario file says, for one role of our side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.layout import Dialect, SessionType
from kalshi_fix_sansio.session import MemoryStore


@attrs.frozen
class Moment:
    """A time in relation to the virtual clock."""

    from_start: bool
    """Counted from the scenario's start, or else from the present."""
    seconds: float


@attrs.frozen
class Part:
    """Any text that contains this."""

    text: str


Value = str | Moment | Part | None
"""What a field holds; None for a field that is not there."""
Fields = tuple[tuple[int, Value], ...]


@attrs.frozen
class Said:
    """A message of the peer, or one that the user sends."""

    fields: Fields
    """MsgType (35) first; the rest in the order of the file."""
    body: str = ""
    """Further fields as they stand on the wire, with | for SOH."""


@attrs.frozen
class PeerSays:
    """Messages and other bytes, in one piece unless the step cuts it."""

    parts: tuple[Said | bytes, ...]
    cut: int | None = None
    """How many bytes come at a time."""


@attrs.frozen
class PeerCloses:
    """The peer ends the connection."""


@attrs.frozen
class PeerReads:
    """The peer stops reading, or reads again."""

    reads: bool


@attrs.frozen
class UserDoes:
    """A call of the session's user."""

    name: str
    text: str | None = None
    message: Said | None = None


@attrs.frozen
class UserWatches:
    """The user no longer fetches events, or fetches them again."""

    watches: bool


Action = PeerSays | PeerCloses | PeerReads | UserDoes | UserWatches


@attrs.frozen
class EventPattern:
    """The class of an event, and attributes that it must have."""

    name: str
    attributes: Mapping[str, Any]


@attrs.frozen
class Step:
    """Time passes, one thing happens, and all that comes of it is known."""

    number: int
    line: int
    at: float | None
    action: Action | None
    raises: tuple[str, str] | None
    """The class of the exception the user gets, and a part of its text."""
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
    """Of SessionConfig."""
    store: Mapping[str, Any]
    """Arguments of its MemoryStore."""
    logged_on: bool
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """Folder and file, without the ending."""
        return f"{self.path.parent.name}/{self.path.stem}"

    def new_store(self) -> MemoryStore:
        """Make the store as it is before the first connection."""
        return MemoryStore(**self.store)
