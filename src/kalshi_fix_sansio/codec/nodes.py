"""A message as it stands on the wire, with names: for tools that show messages to people."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.layout import FieldLayout, GroupMember, MessageLayout
from kalshi_fix_sansio.problems import Problem


@explained
@attrs.frozen
class FieldNode:
    """One field."""

    tag: int
    """Its tag."""
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


@explained
@attrs.frozen
class GroupNode:
    """A repeating group with the entries that were found."""

    layout: GroupMember = attrs.field(repr=False)
    """Its counter and the layout of its entries."""
    raw: bytes
    """The counter's value as it came; the number of entries found may differ."""
    entries: tuple[tuple[FieldNode | GroupNode, ...], ...]
    """Its entries, each as its fields and groups in their order."""

    @property
    def tag(self) -> int:
        """The counter's tag."""
        return self.layout.tag


Node = FieldNode | GroupNode


@explained
@attrs.frozen
class Inspection:
    """Everything that can be said of a message, however damaged it is."""

    msg_type: str | None
    """MsgType (35), or None if there is none."""
    layout: MessageLayout | None = attrs.field(repr=False)
    """None if the dialect does not know the MsgType."""
    header: tuple[Node, ...]
    """Fields of the header, in their order."""
    body: tuple[Node, ...]
    """Fields and groups of the body, in their order."""
    trailer: tuple[Node, ...]
    """Fields of the trailer, in their order."""
    problems: tuple[Problem, ...]
    """What is wrong with the frame first, then what is wrong with the fields, in their order. Fields
    that could not be read as fields stand only here."""
