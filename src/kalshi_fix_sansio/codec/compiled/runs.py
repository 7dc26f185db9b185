"""Runs: long groups with regular entries. One regular expression and one loop decode any number of entries.

Entries are regular if all have the same tags in the same order. Entries with different tags are regular too
if every entry has only tags of the layout, in the layout's order, but they are decoded more slowly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from kalshi_fix_sansio.codec.blocks import FieldItem, GroupItem
from kalshi_fix_sansio.codec.tables import FieldSlot, Slot
from kalshi_fix_sansio.dialect.layout import Kind
from kalshi_fix_sansio.scalars import LEXICAL_PLAIN


@attrs.frozen(eq=False)
class RunField:
    """One field of the entries in a run."""

    tag: int
    slot: FieldSlot | None
    """The slot of the field; None if the dialect does not define the tag in these entries."""
    optional: bool

    def pattern(self, *, captured: bool) -> str:
        """Return the part of the entry's expression for this field.

        It begins with the SOH of the previous field, and does not end with the field's own SOH. An entry can
        therefore begin only where a field begins. Without the SOH, an entry could begin at every `448=`
        inside a long text, and each time the text would be read to its end.
        """
        form = value_pattern(self.slot)
        field = f"\x01{self.tag}={f'({form})' if captured else f'(?:{form})'}"
        return f"(?:{field})?" if self.optional else field


def value_pattern(slot: Slot | None) -> str:
    """Return the regular expression for the values of a field; `slot` is None for an unknown field."""
    return LEXICAL_PLAIN[Kind.STRING if slot is None else slot.field.kind]


def run_of(group: GroupItem, data_tags: Mapping[int, int]) -> list[RunField] | None:
    """Return the fields of the entries of a group, or None if its entries are not regular."""
    entries = []
    for entry in group.entries:
        # Entries with nested groups are not regular: the number of nested entries varies, so one expression
        # cannot capture them.
        fields = [item for item in entry.items if isinstance(item, FieldItem)]
        if len(fields) != len(entry.items) or not all(_is_simple(item, data_tags) for item in fields):
            return None
        entries.append(fields)
    tags = [[item.token.tag for item in fields] for fields in entries]
    if all(entry_tags == tags[0] for entry_tags in tags):
        return [RunField(item.token.tag, _field_slot(item), False) for item in entries[0]]
    if all(_is_ordered(fields) and fields[0].token.tag == group.opener for fields in entries):
        return _ordered_run(group, set.intersection(*map(set, tags)))
    return None


def _ordered_run(group: GroupItem, common_tags: set[int]) -> list[RunField]:
    """Return the fields of the layout from the opener (the first field of every entry) on. Those not in
    `common_tags` are optional.
    """
    # The opener is in every entry, so it is not optional. This matters, because an expression of only
    # optional fields would match between any two characters.
    begin = group.table.slots[group.opener].index
    return [
        RunField(tag, slot, tag not in common_tags)
        for tag, slot in group.table.slots.items()
        if isinstance(slot, FieldSlot)
        and not slot.legacy
        and slot.field.kind is not Kind.DATA
        and slot.index >= begin
    ]


def _field_slot(item: FieldItem) -> FieldSlot | None:
    return item.slot if isinstance(item.slot, FieldSlot) else None


def _is_simple(item: FieldItem, data_tags: Mapping[int, int]) -> bool:
    """Return whether a run can contain the field. It must not be data, the length of data, or an obsolete
    tag.
    """
    slot = _field_slot(item)
    if slot is None:
        return item.slot is None and item.token.tag not in data_tags
    return not slot.legacy and slot.field.kind is not Kind.DATA


def _is_ordered(fields: Sequence[FieldItem]) -> bool:
    """Return whether the layout defines all these fields, and they are in the layout's order."""
    indexes = [-1 if item.slot is None else item.slot.index for item in fields]
    return -1 not in indexes and indexes == sorted(indexes)
