"""Working data of the explainer: the blocks (header, body, trailer, group entries) and groups read so far."""

from __future__ import annotations

from typing import Any

import attrs

from kalshi_fix_sansio.codec.nodes import FieldNode, GroupNode, Node
from kalshi_fix_sansio.codec.tables import BlockTable, FieldSlot, GroupSlot, LengthSlot
from kalshi_fix_sansio.codec.tokens import Token
from kalshi_fix_sansio.dialect.layout import FieldLayout


@attrs.define(eq=False)
class FieldItem:
    """A field and its place in the message."""

    token: Token
    position: int
    """Index of the token in the message."""
    slot: FieldSlot | LengthSlot | None
    """The field's slot (see `tables`); None if its tag is not defined in this place, or its value is not
    used.
    """
    layout: FieldLayout | None
    discarded: bool = False
    """Whether the field is repeated or empty. Its value then appears only in a problem."""

    @property
    def is_unknown(self) -> bool:
        """Whether the field is added to the block's `unknown`."""
        return self.slot is None and not self.discarded

    def node(self) -> FieldNode:
        """Return the field for display."""
        raw = self.token.value.encode("latin-1")
        return FieldNode(self.token.tag, self.layout, raw, self.slot is not None)


@attrs.define(eq=False)
class GroupItem:
    """A group, at the position of its counter."""

    slot: GroupSlot
    table: BlockTable
    """The table of the group's entries."""
    raw: str
    """The counter's value on the wire."""
    position: int
    """Index of the counter's token in the message."""
    count: int | None = None
    """The counter's value; None if it could not be parsed."""
    entries: list[BlockItem] = attrs.field(factory=list)
    opener: int = 0
    """The tag that opened the first entry."""
    interrupted: bool = False
    """Whether the entries are interrupted by fields of the enclosing block."""

    def opens_entry(self, tag: int) -> bool:
        """Return whether a field of the group begins a new entry.

        The tag that opened the first entry opens each further entry. Other delimiters (tags that the dialect
        allows to open an entry) open one only if they are already in the last entry, and fewer entries were
        found than the counter states. Any other repeated tag is a repeated field of the last entry.
        """
        if not self.entries:
            return True
        if tag not in self.entries[-1].seen:
            return False
        if tag == self.opener:
            return True
        return tag in self.slot.member.delimiters and len(self.entries) < (self.count or 0)

    def node(self) -> GroupNode:
        """Return the group for display."""
        entries = tuple(entry.nodes() for entry in self.entries)
        return GroupNode(self.slot.member, self.raw.encode("latin-1"), entries)


class BlockItem:
    """A block and the fields found for it."""

    __slots__ = ("groups", "items", "last_index", "legacy", "seen", "table", "values")

    def __init__(self, table: BlockTable) -> None:
        self.table: BlockTable = table
        self.items: list[FieldItem | GroupItem] = []
        self.seen: set[int] = set()
        """Tags found so far, including counters. Used to detect repeated fields."""
        self.values: dict[str, Any] = {}
        """Values by attribute, except those that could not be parsed."""
        self.groups: dict[int, GroupItem] = {}
        """The groups by the tag of their counter."""
        self.last_index: int = -1
        """Highest layout index of the members found so far. Used to check the sequence of fields in entries.
        """
        self.legacy: list[FieldItem] = []
        """Fields with obsolete tags. They are parsed only if the field with the current tag is absent."""

    def nodes(self) -> tuple[Node, ...]:
        """Return the block for display."""
        return tuple(item.node() for item in self.items)

    def build(self) -> Any:
        """Create the instance of the block's class.

        The constructor is bypassed for two reasons. It rejects None for a required field, which here means
        that the field is missing or malformed. And it warns about deprecated messages; that warning is meant
        only for code that sends them.
        """
        instance = self.table.blank()
        for attribute, value in self.values.items():
            setattr(instance, attribute, value)
        for group in self.groups.values():
            setattr(instance, group.slot.member.attribute, [entry.build() for entry in group.entries])
        instance.unknown = tuple(
            (item.token.tag, item.token.value.encode("latin-1"))
            for item in self.items
            if isinstance(item, FieldItem) and item.is_unknown
        )
        return instance
