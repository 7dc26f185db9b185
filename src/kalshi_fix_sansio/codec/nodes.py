"""A message as it stands on the wire, with names: for tools that show messages to people."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio.layout import FieldLayout, GroupMember, MessageLayout
from kalshi_fix_sansio.problems import Problem


@attrs.frozen
class FieldNode:
    """One field."""

    tag: int
    layout: FieldLayout | None = attrs.field(repr=False)
    """Its layout; None if the dialect does not know the tag at all."""
    raw: bytes = attrs.field(repr=False)
    """The value as it came."""
    placed: bool = True
    """False if the tag is not defined here, or stands here a second time."""

    @property
    def text(self) -> str:
        """The value as latin-1 text, one character per byte."""
        return self.raw.decode("latin-1")


@attrs.frozen
class GroupNode:
    """A repeating group with the entries that were found."""

    layout: GroupMember = attrs.field(repr=False)
    raw: bytes
    """The counter's value as it came; the number of entries found may differ."""
    entries: tuple[tuple[FieldNode | GroupNode, ...], ...]

    @property
    def tag(self) -> int:
        """The counter's tag."""
        return self.layout.tag


Node = FieldNode | GroupNode


@attrs.frozen
class Inspection:
    """Everything that can be said of a message, however damaged it is."""

    msg_type: str | None
    """MsgType (35), or None if there is none."""
    layout: MessageLayout | None = attrs.field(repr=False)
    """None if the dialect does not know the MsgType."""
    header: tuple[Node, ...]
    body: tuple[Node, ...]
    trailer: tuple[Node, ...]
    problems: tuple[Problem, ...]
    """What is wrong with the frame first, then what is wrong with the fields, in their order. Fields
    that could not be read as fields stand only here."""
