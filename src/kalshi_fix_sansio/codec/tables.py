"""What the codec works out once per block of a dialect: where each tag goes, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

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

Read = Callable[[str], Any]
"""From wire text to value; raises ValueError with what was expected."""


HEADER, BODY, TRAILER = range(3)
"""The parts of a message, in their order."""


class CodeValues(dict[str, Any]):
    """Wire text to enum member; text of another value becomes the plain value, and is not remembered.

    To be looked up by `[]`: `get` does not ask `__missing__`, and returns None for unknown values.
    """

    __slots__ = ("_by_value", "_parse")

    def __init__(self, field: FieldLayout) -> None:
        super().__init__({str(member.value): member for member in field.codes})
        self._by_value = {member.value: member for member in field.codes}
        self._parse = PARSERS[field.kind]

    def __missing__(self, raw: str) -> Any:
        value = self._parse(raw)
        # A code may be written in another way, such as 01 for 1.
        return self._by_value.get(value, value)


@attrs.frozen(eq=False)
class FieldSlot:
    """The place of a field; with `legacy`, of an older tag of it."""

    member: FieldMember
    field: FieldLayout
    """Whose name is shown: the member's field, or the one that the older tag has elsewhere."""
    index: int
    """Place of the member in its block, here and in the other slots: entries are held to that order."""
    legacy: bool
    read: Read
    codes: CodeValues | None
    """What `read` looks up, if the field has code values."""
    limit: LimitCheck | None
    """What only strict decoding asks of the value; None where any value will do."""


@attrs.frozen(eq=False)
class LengthSlot:
    """The place of a field that carries the length of the data field behind it; it has no attribute."""

    data: FieldMember
    field: FieldLayout
    index: int
    read: Read


@attrs.frozen(eq=False)
class GroupSlot:
    """The place of a group's counter."""

    member: GroupMember
    field: FieldLayout
    index: int
    read: Read
    entry: BlockTable


Slot = FieldSlot | LengthSlot | GroupSlot


ReaderSlot = tuple[int, str, Read, "LimitCheck | GroupSlot | None"]
"""A slot as the reader goes by it. In a message: HEADER, BODY or TRAILER; in an entry: the index of the
member. Then the attribute, what reads the value, and the field's limit or, for a counter, its `GroupSlot`.

A tuple, because each field takes all of them: one by one, the attributes of a slot take twice as long.
"""


def _leave_to_explainer(raw: str) -> Any:
    """Stand for what reads a value that the reader does not judge."""
    raise ValueError(raw)


def _reader_slot(slot: Slot, first: int) -> ReaderSlot:
    if isinstance(slot, GroupSlot):
        return first, slot.member.attribute, slot.read, slot
    if isinstance(slot, LengthSlot) or slot.legacy or slot.field.length_tag is not None:
        # Data may have SOH in it, and an older tag counts only if nothing else says the same.
        return first, "", _leave_to_explainer, None
    return first, slot.member.attribute, slot.read, slot.limit


@attrs.frozen(eq=False)
class BlockTable:
    """One block: a body, a group entry, the header or the trailer."""

    layout: BlockLayout
    slots: dict[int, Slot]
    """By tag: members, their older tags, and the length fields of data."""
    required: tuple[Member, ...]
    """What must be present wherever the block is used."""
    required_tags: frozenset[int]
    """The tags of `required`."""
    fields: tuple[str, ...]
    """Attributes that are None when absent."""
    groups: tuple[tuple[str, BlockTable], ...]
    """Attributes that are an empty list when absent, with the tables of their entries."""
    required_attributes: tuple[str, ...] = attrs.field(init=False)
    """Those of what must be present."""
    reader_slots: dict[str, ReaderSlot] = attrs.field(init=False)
    """The slots as the reader of an entry goes by them, by the text of the tag."""

    def __attrs_post_init__(self) -> None:
        """Work out what follows from the rest."""
        slots = {str(tag): _reader_slot(slot, slot.index) for tag, slot in self.slots.items()}
        object.__setattr__(self, "required_attributes", tuple(member.attribute for member in self.required))
        object.__setattr__(self, "reader_slots", slots)

    def blank(self) -> Any:
        """Make an instance with nothing set, without its constructor: see `BlockItem.build`."""
        made = object.__new__(self.layout.cls)
        for attribute in self.fields:
            setattr(made, attribute, None)
        for attribute, _ in self.groups:
            setattr(made, attribute, [])
        made.unknown = ()
        return made


def _encode_unknown_body(message: UnknownMessage, checked: bool = True) -> str:
    return format_unknown(message.unknown, checked)


UNKNOWN_BODY: Final = BlockTable(
    BlockLayout("a message of unknown type", UnknownMessage, (), _encode_unknown_body),
    {},
    (),
    frozenset(),
    (),
    (),
)
"""The body of a message whose MsgType the dialect does not have: everything in it is unknown."""


def always_required(member: Member) -> bool:
    """Say whether a member must be present on every product, session type and direction."""
    return member.presence is Presence.REQUIRED and all(
        rule.presence is Presence.REQUIRED for rule in member.rules
    )


ReaderTable = tuple[BlockTable, dict[str, ReaderSlot], frozenset[str]]
"""The table of a body; the slots of the whole message, header and trailer included, by tag; which tags must
be there. Tags are texts here, as they stand on the wire: that saves the reader an `int` for each field."""


class _ReaderTables(dict[str, ReaderTable]):
    """By MsgType, made when first asked for. A dict, so that each message takes one look-up and no call."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[str], ReaderTable]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: str) -> ReaderTable:
        made = self[key] = self._make(key)
        return made


@attrs.define(eq=False)
class Tables:
    """The tables of a dialect, made when first needed."""

    dialect: Dialect
    header: BlockTable = attrs.field(init=False)
    trailer: BlockTable = attrs.field(init=False)
    data_tags: dict[int, int] = attrs.field(init=False)
    """Tag of each data field, by the tag of its length field."""
    length_tags: dict[int, int] = attrs.field(init=False)
    """The other way round."""
    standard_data_tags: dict[int, int] = attrs.field(init=False)
    """Also those of the standard that the dialect does not know but a peer may."""
    standard_length_tags: dict[int, int] = attrs.field(init=False)
    tags: dict[str, int] = attrs.field(init=False)
    """Every tag of the dialect by its text, with older tags that it does not list from when they are met."""
    outer_tags: frozenset[int] = attrs.field(init=False)
    """Every tag of header and trailer, also in their groups."""
    _session_tags: frozenset[int] | None = attrs.field(init=False, default=None)
    _bodies: dict[str, BlockTable] = attrs.field(init=False, factory=dict)
    _sections: dict[int, dict[int, tuple[int, Slot]]] = attrs.field(init=False, factory=dict)
    """By the identity of a body's table, which lives as long as this does."""
    reader_tables: Mapping[str, ReaderTable] = attrs.field(init=False)
    """By MsgType, what the reader goes by."""

    def __attrs_post_init__(self) -> None:
        """Make what every message has."""
        self.reader_tables = _ReaderTables(self._reader_table)
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
        # A venue may use a number of the standard for something else.
        taken = self.dialect.fields.keys() | self.data_tags.keys()
        self.standard_data_tags = self.data_tags | {
            length: data
            for length, data in self.dialect.standard_data.items()
            if length not in taken and data not in taken
        }
        self.standard_length_tags = {data: length for length, data in self.standard_data_tags.items()}

    @property
    def session_tags(self) -> frozenset[int]:
        """Every tag of header, trailer and session messages.

        FIXT 1.1 keeps the session layer apart from the version of the application messages: to a session
        message, other tags do not exist.
        """
        if self._session_tags is None:
            bodies = (self.body(layout) for layout in self.dialect.messages.values() if layout.admin)
            self._session_tags = self.outer_tags.union(*map(_all_tags, bodies))
        return self._session_tags

    def sections(self, body: BlockTable) -> dict[int, tuple[int, Slot]]:
        """Return which part of a message each tag belongs to, and its place there. A body may define tags of
        header and trailer as its own."""
        sections = self._sections.get(id(body))
        if sections is None:
            # Of a tag in several parts the last entry stays, so the body's own fields go before those of
            # header and trailer.
            parts = ((TRAILER, self.trailer), (HEADER, self.header), (BODY, body))
            sections = self._sections[id(body)] = {
                tag: (section, slot) for section, table in parts for tag, slot in table.slots.items()
            }
        return sections

    def _reader_table(self, msg_type: str) -> ReaderTable:
        """Return what the reader goes by; LookupError for a MsgType that the dialect does not have."""
        body = self.body(self.dialect.messages[msg_type])
        sections = self.sections(body)
        slots = {str(tag): _reader_slot(slot, section) for tag, (section, slot) in sections.items()}
        # A tag that one part requires and a later one takes as its own never comes to where it is required.
        # "" is no tag, so the reader never finds it and leaves the message to the explainer.
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
        required = tuple(member for member in layout.members if always_required(member))
        return BlockTable(
            layout=layout,
            slots=slots,
            required=required,
            required_tags=frozenset(member.tag for member in required),
            fields=tuple(m.attribute for m in layout.members if isinstance(m, FieldMember)),
            groups=tuple(
                (slot.member.attribute, slot.entry) for slot in slots.values() if isinstance(slot, GroupSlot)
            ),
        )

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
            older = self._field(tag, field.name, field.kind)
            # A member that has this tag as its own keeps it, whether it stands before or behind this one.
            slots.setdefault(tag, FieldSlot(member, older, index, True, read, codes, limit))
            self.tags.setdefault(str(tag), tag)

    def _field(self, tag: int, name: str, kind: Kind) -> FieldLayout:
        """Return the layout of a tag, which the dialect need not list by itself."""
        known = self.dialect.fields.get(tag)
        return known or FieldLayout(tag=tag, name=name, attribute=name.lower(), kind=kind, fix_type=kind.name)


def _all_tags(table: BlockTable) -> Iterator[int]:
    for tag, slot in table.slots.items():
        yield tag
        if isinstance(slot, GroupSlot):
            yield from _all_tags(slot.entry)
