"""Tables that the codec computes once for each block of a dialect (header, body, trailer or group entry).
They contain the position of each tag in the block, and the parser of its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from kalshi_fix_sansio.classes.lazy_dict import LazyDict
from kalshi_fix_sansio.dialect.base import UnknownMessage
from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    Dialect,
    FieldLayout,
    FieldMember,
    GroupMember,
    Kind,
    Member,
    MessageLayout,
    Presence,
)
from kalshi_fix_sansio.dialect.limits import LimitCheck, limit_check
from kalshi_fix_sansio.dialect.support import format_unknown
from kalshi_fix_sansio.scalars import PARSERS

TextParser = Callable[[str], Any]
"""A function that parses wire text. It raises a ValueError whose text contains the expected form."""


HEADER, BODY, TRAILER = range(3)
"""The parts of a message, in wire order."""


class CodeValues(dict[str, Any]):
    """Maps the wire text of a code to its enum member. Other text is parsed into a plain value, which is not
    cached.

    Look values up with `[]`, because `get` returns None for unknown values instead of calling `__missing__`.
    """

    __slots__ = ("_by_value", "_parse")

    def __init__(self, field: FieldLayout) -> None:
        super().__init__({str(member.value): member for member in field.codes})
        self._by_value = {member.value: member for member in field.codes}
        self._parse = PARSERS[field.kind]

    def __missing__(self, raw: str) -> Any:
        value = self._parse(raw)
        # The peer may write a code differently, such as 01 for 1.
        return self._by_value.get(value, value)


@attrs.frozen(eq=False)
class FieldSlot:
    """The position of a field in its block or, if `legacy` is set, of an obsolete tag of the field."""

    member: FieldMember
    field: FieldLayout
    """The field that is named in problems: that of the member or, for an obsolete tag, the field that has
    this tag elsewhere in the dialect, if there is one.
    """
    index: int
    """Index of the member in its block. The fields of a group entry must be in the order of their indexes."""
    legacy: bool
    read: TextParser
    codes: CodeValues | None
    """The code values that `read` looks up; None if the field has no codes."""
    limit: LimitCheck | None
    """The check of the field's limit, which only strict decoding calls; None if the field has no limit."""


@attrs.frozen(eq=False)
class LengthSlot:
    """The position of a field that contains the length of the data field after it. The length has no
    attribute.
    """

    data: FieldMember
    field: FieldLayout
    index: int
    read: TextParser


@attrs.frozen(eq=False)
class GroupSlot:
    """The position of a group's counter."""

    member: GroupMember
    field: FieldLayout
    index: int
    read: TextParser
    entry: BlockTable


Slot = FieldSlot | LengthSlot | GroupSlot


ReaderSlot = tuple[int, str, TextParser, "LimitCheck | GroupSlot | None"]
"""A slot in the form that the reader uses. Its four values are:

- the part of the message (HEADER, BODY or TRAILER); in an entry, the index of the member
- the attribute
- the parser
- the check of the limit; for a counter, the `GroupSlot`

It is a tuple, because the reader needs all four values for each field. Reading them from a slot takes
twice as long.
"""


def _reject(raw: str) -> Any:
    """Raise ValueError: the reader does not parse this field, and leaves the message to the explainer."""
    raise ValueError(raw)


def _reader_slot(slot: Slot, part_or_index: int) -> ReaderSlot:
    if isinstance(slot, GroupSlot):
        return part_or_index, slot.member.attribute, slot.read, slot
    if isinstance(slot, LengthSlot) or slot.legacy or slot.field.length_tag is not None:
        # Data may contain SOH, and an obsolete tag is used only if the current tag is absent.
        return part_or_index, "", _reject, None
    return part_or_index, slot.member.attribute, slot.read, slot.limit


def always_required(member: Member) -> bool:
    """Return whether a member is required for every product, session type and sender."""
    return member.presence is Presence.REQUIRED and all(
        rule.presence is Presence.REQUIRED for rule in member.rules
    )


@attrs.define(eq=False)
class BlockTable:
    """One block: a body, a group entry, the header or the trailer."""

    layout: BlockLayout
    slots: dict[int, Slot]
    """The slots by tag: of members, of their obsolete tags, and of the lengths of data fields."""
    required: tuple[Member, ...] = attrs.field(init=False)
    """Members that must be present wherever the block is used."""
    required_tags: frozenset[int] = attrs.field(init=False)
    """The tags of `required`."""
    required_attributes: tuple[str, ...] = attrs.field(init=False)
    """The attributes of `required`."""
    fields: tuple[str, ...] = attrs.field(init=False)
    """Attributes that are None when absent."""
    groups: tuple[tuple[str, BlockTable], ...] = attrs.field(init=False)
    """Attributes that are an empty list when absent, with the tables of their entries."""
    reader_slots: dict[str, ReaderSlot] = attrs.field(init=False)
    """The slots for reading an entry, by the text of the tag."""

    def __attrs_post_init__(self) -> None:
        """Compute the derived attributes."""
        members, slots = self.layout.members, self.slots
        self.required = tuple(member for member in members if always_required(member))
        self.required_tags = frozenset(member.tag for member in self.required)
        self.required_attributes = tuple(member.attribute for member in self.required)
        self.fields = tuple(member.attribute for member in members if isinstance(member, FieldMember))
        groups = [slot for slot in slots.values() if isinstance(slot, GroupSlot)]
        self.groups = tuple((slot.member.attribute, slot.entry) for slot in groups)
        self.reader_slots = {str(tag): _reader_slot(slot, slot.index) for tag, slot in slots.items()}

    def blank(self) -> Any:
        """Create an empty instance without calling its constructor: see `BlockItem.build`."""
        block = object.__new__(self.layout.cls)
        for attribute in self.fields:
            setattr(block, attribute, None)
        for attribute, _ in self.groups:
            setattr(block, attribute, [])
        block.unknown = ()
        return block


UNKNOWN_BODY: Final = BlockTable(
    BlockLayout("a message of unknown type", UnknownMessage, (), lambda body: format_unknown(body.unknown)),
    {},
)
"""The body of a message whose MsgType the dialect does not define: all its fields are unknown."""

ReaderTable = tuple[BlockTable, dict[str, ReaderSlot], frozenset[str]]
"""The table of a body; the slots of the whole message, including header and trailer, by tag; and the required
tags. Tags are wire text, which saves the reader an `int` call for each field.
"""


@attrs.define(eq=False)
class Tables:
    """The tables of a dialect, computed on first use."""

    dialect: Dialect
    header: BlockTable = attrs.field(init=False)
    trailer: BlockTable = attrs.field(init=False)
    data_tags: dict[int, int] = attrs.field(init=False)
    """Tag of each data field, by the tag of its length field."""
    length_tags: dict[int, int] = attrs.field(init=False)
    """Tag of each length field, by the tag of its data field."""
    standard_data_tags: dict[int, int] = attrs.field(init=False)
    """`data_tags`, plus the pairs of the FIX standard that the dialect does not define, which a peer may use.
    """
    standard_length_tags: dict[int, int] = attrs.field(init=False)
    tags: dict[str, int] = attrs.field(init=False)
    """Every tag of the dialect by its text. The table of a block adds the obsolete tags that the dialect does
    not list.
    """
    outer_tags: frozenset[int] = attrs.field(init=False)
    """Every tag of the header and the trailer, including their groups."""
    _session_tags: frozenset[int] | None = attrs.field(init=False, default=None)
    _bodies: dict[str, BlockTable] = attrs.field(init=False, factory=dict)
    _sections: dict[int, dict[int, tuple[int, Slot]]] = attrs.field(init=False, factory=dict)
    """The results of `sections`, by the `id` of the body's table. The table exists as long as this object, so
    its `id` is not reused.
    """
    reader_tables: Mapping[str, ReaderTable] = attrs.field(init=False)
    """The reader's tables, by MsgType."""

    def __attrs_post_init__(self) -> None:
        """Compute the tables that every message needs."""
        self.reader_tables = LazyDict(self._reader_table)
        self.tags = {}
        self.header = self._table(self.dialect.header)
        self.trailer = self._table(self.dialect.trailer)
        self.outer_tags = frozenset((*_all_tags(self.header), *_all_tags(self.trailer)))
        self.data_tags = {
            field.length_tag: field.tag
            for field in self.dialect.fields.values()
            if field.length_tag is not None
        }
        self.length_tags = {data: length for length, data in self.data_tags.items()}
        self.tags.update((str(tag), tag) for tag in (*self.dialect.fields, *self.data_tags))
        # Leave out tags that the dialect defines, because a venue may use a tag of the standard for another
        # field.
        defined = self.dialect.fields.keys() | self.data_tags.keys()
        self.standard_data_tags = self.data_tags | {
            length: data
            for length, data in self.dialect.standard_data.items()
            if length not in defined and data not in defined
        }
        self.standard_length_tags = {data: length for length, data in self.standard_data_tags.items()}

    @property
    def session_tags(self) -> frozenset[int]:
        """Every tag of the header, the trailer and the session messages.

        In session messages, all other tags are undefined, because in FIXT 1.1 the session layer does not
        depend on the version of the application messages.
        """
        if self._session_tags is None:
            bodies = (self.body(layout) for layout in self.dialect.messages.values() if layout.admin)
            self._session_tags = self.outer_tags.union(*map(_all_tags, bodies))
        return self._session_tags

    def sections(self, body: BlockTable) -> dict[int, tuple[int, Slot]]:
        """Return, by tag, the part of the message to which the tag belongs, and the tag's slot there. If both
        the body and the header or trailer define a tag, it belongs to the body.
        """
        sections = self._sections.get(id(body))
        if sections is None:
            # The last assignment of a tag counts, so the body takes precedence over the header, and the
            # header over the trailer.
            parts = ((TRAILER, self.trailer), (HEADER, self.header), (BODY, body))
            sections = self._sections[id(body)] = {
                tag: (section, slot) for section, table in parts for tag, slot in table.slots.items()
            }
        return sections

    def _reader_table(self, msg_type: str) -> ReaderTable:
        """Return the reader's table; raise LookupError for a MsgType that the dialect does not define."""
        body = self.body(self.dialect.messages[msg_type])
        sections = self.sections(body)
        slots = {str(tag): _reader_slot(slot, section) for tag, (section, slot) in sections.items()}
        # If the body redefines a tag that the header or trailer requires, the header or trailer never
        # receives this tag. Require "" instead: no field has this tag, so the reader rejects all messages of
        # this type, and the explainer decodes them.
        required = frozenset(
            str(tag) if sections[tag][0] == section else ""
            for section, table in ((HEADER, self.header), (BODY, body), (TRAILER, self.trailer))
            for tag in table.required_tags
        )
        return body, slots, required

    def body(self, layout: MessageLayout) -> BlockTable:
        """Return the table of a message's body."""
        table = self._bodies.get(layout.msg_type)
        if table is None:
            table = self._bodies[layout.msg_type] = self._table(layout.body)
        return table

    def _table(self, layout: BlockLayout) -> BlockTable:
        slots: dict[int, Slot] = {}
        for index, member in enumerate(layout.members):
            if isinstance(member, GroupMember):
                entry = self._table(member.entry)
                slots[member.tag] = GroupSlot(member, member.counter, index, PARSERS[Kind.NUMINGROUP], entry)
            else:
                self._add_field(slots, member, index)
        return BlockTable(layout, slots)

    def _add_field(self, slots: dict[int, Slot], member: FieldMember, index: int) -> None:
        field = member.field
        codes = None if field.codes is None else CodeValues(field)
        read = PARSERS[field.kind] if codes is None else codes.__getitem__
        limit = limit_check(field)
        slots[field.tag] = FieldSlot(member, field, index, False, read, codes, limit)
        if field.length_tag is not None:
            length_field = self._field(field.length_tag, f"{field.name}Length", Kind.LENGTH)
            slots[field.length_tag] = LengthSlot(member, length_field, index, PARSERS[Kind.LENGTH])
        for tag in member.legacy_tags:
            legacy_field = self._field(tag, field.name, field.kind)
            # If this tag is the current tag of another member, before or after this one, that member keeps
            # the tag.
            slots.setdefault(tag, FieldSlot(member, legacy_field, index, True, read, codes, limit))
            self.tags.setdefault(str(tag), tag)

    def _field(self, tag: int, name: str, kind: Kind) -> FieldLayout:
        """Return the layout of a tag, or a new one if the dialect does not list the tag."""
        listed = self.dialect.fields.get(tag)
        new = FieldLayout(tag=tag, name=name, attribute=name.lower(), kind=kind, fix_type=kind.name)
        return listed or new


def _all_tags(table: BlockTable) -> Iterator[int]:
    for tag, slot in table.slots.items():
        yield tag
        if isinstance(slot, GroupSlot):
            yield from _all_tags(slot.entry)
