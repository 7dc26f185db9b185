"""What the explainer fills: blocks and groups, as far as they have come."""

from __future__ import annotations

from typing import Any

import attrs

from kalshi_fix_sansio.codec.nodes import FieldNode, GroupNode, Node
from kalshi_fix_sansio.codec.tables import BlockTable, FieldSlot, GroupSlot, LengthSlot
from kalshi_fix_sansio.codec.tokens import Token
from kalshi_fix_sansio.dialect.layout import FieldLayout


@attrs.define(eq=False)
class FieldItem:
    """A field where it stands."""

    token: Token
    position: int
    """Which token of the message it is."""
    slot: FieldSlot | LengthSlot | None
    """None if its tag is not defined here, or its value has no place here."""
    layout: FieldLayout | None
    discarded: bool = False
    """Whether the value stands only in a problem: it came a second time, or is empty."""

    @property
    def is_unknown(self) -> bool:
        """Whether it goes into the block's `unknown`."""
        return self.slot is None and not self.discarded

    def node(self) -> FieldNode:
        """Return the field as tools see it."""
        raw = self.token.value.encode("latin-1")
        return FieldNode(self.token.tag, self.layout, raw, self.slot is not None)


@attrs.define(eq=False)
class GroupItem:
    """A group where its counter stands."""

    slot: GroupSlot
    table: BlockTable
    """That of an entry."""
    raw: str
    """The counter's value as it came."""
    position: int
    """Which token of the message the counter is."""
    count: int | None = None
    """What the counter says; None if it could not be read."""
    entries: list[BlockItem] = attrs.field(factory=list)
    opener: int = 0
    """The tag that opened the first entry."""
    interrupted: bool = False
    """Whether fields of the enclosing block stand among the entries."""

    def opens_entry(self, tag: int) -> bool:
        """Say whether a member of the entry begins the next entry.

        The tag that opened the first entry opens each. Another possible delimiter that comes a second time
        does so too as long as the counter says that there are more entries to come. Else it is a repeated
        field of the last entry.
        """
        if not self.entries:
            return True
        if tag not in self.entries[-1].seen:
            return False
        if tag == self.opener:
            return True
        return tag in self.slot.member.delimiters and len(self.entries) < (self.count or 0)

    def node(self) -> GroupNode:
        """Return the group as tools see it."""
        entries = tuple(entry.nodes() for entry in self.entries)
        return GroupNode(self.slot.member, self.raw.encode("latin-1"), entries)


class BlockItem:
    """A block and what was found of it."""

    __slots__ = ("groups", "items", "last_index", "legacy", "seen", "table", "values")

    def __init__(self, table: BlockTable) -> None:
        self.table: BlockTable = table
        self.items: list[FieldItem | GroupItem] = []
        self.seen: set[int] = set()
        """Tags that have come, counters among them: one that comes again is a repetition."""
        self.values: dict[str, Any] = {}
        """By attribute, without those that could not be read."""
        self.groups: dict[int, GroupItem] = {}
        """By the counter's tag."""
        self.last_index: int = -1
        """Place in the layout of the member that stands furthest behind, for the order of entries."""
        self.legacy: list[FieldItem] = []
        """Those of older tags, which are read only when nothing else says the same."""

    def nodes(self) -> tuple[Node, ...]:
        """Return the block as tools see it."""
        return tuple(item.node() for item in self.items)

    def build(self) -> Any:
        """Make the instance of the block's class.

        Its constructor would refuse None for a required field, which stands for one that is missing or
        unreadable, and warn of deprecated messages, which only concerns who makes them.
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
