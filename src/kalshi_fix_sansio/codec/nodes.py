"""A message as it stands on the wire, with names: for tools that show messages to people."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio.dialect.layout import FieldLayout, GroupMember, MessageLayout
from kalshi_fix_sansio.dialect.problems import Problem


@attrs.frozen
class FieldNode:
    """One field.

    Attributes:
        tag: Its tag.
        layout: Its layout; None if the dialect does not know the tag at all.
        raw: The value as it came.
        placed: False if the tag is not defined here, or stands here a second time.
    """

    tag: int
    layout: FieldLayout | None = attrs.field(repr=False)
    raw: bytes = attrs.field(repr=False)
    placed: bool = True

    @property
    def text(self) -> str:
        """The value as latin-1 text, one character per byte."""
        return self.raw.decode("latin-1")


@attrs.frozen
class GroupNode:
    """A repeating group with the entries that were found.

    Attributes:
        layout: Its counter and the layout of its entries.
        raw: The counter's value as it came; the number of entries found may differ.
        entries: Its entries, each as its fields and groups in their order.
    """

    layout: GroupMember = attrs.field(repr=False)
    raw: bytes
    entries: tuple[tuple[FieldNode | GroupNode, ...], ...]

    @property
    def tag(self) -> int:
        """The counter's tag."""
        return self.layout.tag


Node = FieldNode | GroupNode


@attrs.frozen
class Inspection:
    """Everything that can be said of a message, however damaged it is.

    Attributes:
        msg_type: MsgType (35), or None if there is none.
        layout: None if the dialect does not know the MsgType.
        header: Fields of the header, in their order.
        body: Fields and groups of the body, in their order.
        trailer: Fields of the trailer, in their order.
        problems: What is wrong with the frame first, then what is wrong with the fields, in their order.
            Fields that could not be read as fields stand only here.
    """

    msg_type: str | None
    layout: MessageLayout | None = attrs.field(repr=False)
    header: tuple[Node, ...]
    body: tuple[Node, ...]
    trailer: tuple[Node, ...]
    problems: tuple[Problem, ...]
