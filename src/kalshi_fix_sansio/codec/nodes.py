"""The fields of a message in wire order with their names, for tools that display messages."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio.dialect.layout import FieldLayout, GroupMember, MessageLayout
from kalshi_fix_sansio.dialect.problems import Problem


@attrs.frozen
class FieldNode:
    """One field.

    Attributes:
        tag: Tag of the field.
        layout: Layout of the field; None if the dialect does not define the tag.
        raw: The value on the wire.
        placed: Whether the dialect defines the tag in this place, and the field is not repeated.
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
        layout: The counter and the layout of the entries.
        raw: The counter's value on the wire; the number of entries found may differ.
        entries: The entries, each with its fields and groups in wire order.
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
    """The fields and problems of a message, which may be damaged.

    Attributes:
        msg_type: MsgType (35), or None if it is absent.
        layout: The message's layout; None if the dialect does not define the MsgType.
        header: Fields of the header, in wire order.
        body: Fields and groups of the body, in wire order.
        trailer: Fields of the trailer, in wire order.
        problems: Problems with the frame, then problems with the fields, in wire order. Malformed fields are
            listed only here.
    """

    msg_type: str | None
    layout: MessageLayout | None = attrs.field(repr=False)
    header: tuple[Node, ...]
    body: tuple[Node, ...]
    trailer: tuple[Node, ...]
    problems: tuple[Problem, ...]
