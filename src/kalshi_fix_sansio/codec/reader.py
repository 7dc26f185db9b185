"""The reader: a message of any shape that the dialect foresees, field by field, by tables.

It says nothing: at the first thing that is out of the ordinary it gives up, and the explainer, which knows
what may stand where and what is wrong with the rest, takes the message instead. What the reader takes is
what the explainer has nothing to say of, but for fields that the dialect does not have yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any, Final

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec.tables import BODY, HEADER, BlockTable, GroupSlot, Place, Tables
from kalshi_fix_sansio.codec.tokens import TAG, Columns

MIN_COLUMNS: Final = 3
"""Entries of a group from which on each of their fields is read for all entries at once."""


def read(tables: Tables, columns: Columns, *, strict: bool) -> Message | None:
    """Read a whole message, given as its tags and values; None if the explainer has to take it.

    With `strict` it has to also where only strict decoding minds.
    """
    tags, texts = columns
    if "" in texts:
        return None
    try:
        if (tags[0], tags[2], texts[0]) != ("8", "35", tables.dialect.begin_string):
            return None
        return _Reading(tables, columns, strict).message(*tables.reading[texts[2]])
    except (ValueError, LookupError):
        return None


class _Reading:
    """One message while it is read. ValueError or LookupError mean that something is out of the ordinary."""

    __slots__ = ("_known", "_strict", "_tables", "_tags", "_texts")

    def __init__(self, tables: Tables, columns: Columns, strict: bool) -> None:
        self._tables = tables
        self._known: Mapping[str, int] = tables.tags
        self._tags, self._texts = columns
        self._strict = strict

    def message(self, table: BlockTable, places: Mapping[str, Place], required: frozenset[str]) -> Message:
        """Read header, body and trailer."""
        tags, texts, strict = self._tags, self._texts, self._strict
        find = places.get
        blocks = (self._tables.header.blank(), table.blank(), self._tables.trailer.blank())
        unknown: list[tuple[int, bytes]] = []
        section, block = HEADER, blocks[HEADER]
        # Where the fields begin that are behind the last group, and the tags in front that are in none.
        begin, outside = 0, []
        groups: set[str] = set()
        fields = zip(tags, texts, strict=True)
        while True:
            for tag, text in fields:
                place = find(tag)
                if place is None:
                    unknown.append(self._unknown(tag, text))
                    # The header ends where something stands that belongs to the body.
                    if section < BODY:
                        section, block = BODY, blocks[BODY]
                    continue
                part, attribute, convert, more = place
                if part != section:
                    if part < section:
                        raise ValueError  # behind the part that it belongs to
                    section, block = part, blocks[part]
                value = convert(text)
                if more is not None:
                    if more.__class__ is GroupSlot:
                        # At once, for what is left of the columns is copied behind each group.
                        if tag in groups:
                            raise ValueError  # it stands twice
                        groups.add(tag)
                        at = tags.index(tag, begin) + 1
                        outside += tags[begin:at]
                        value, begin = self._entries(more, value, at)
                        setattr(block, attribute, value)
                        fields = zip(tags[begin:], texts[begin:], strict=True)
                        break
                    if strict and more(value, text) is not None:  # type: ignore[operator]
                        raise ValueError
                setattr(block, attribute, value)
            else:
                break
        outside += tags[begin:]
        seen = set(outside)
        # Only unknown fields may stand twice.
        if not required <= seen or len(outside) - len(seen) != len(unknown) - len(dict(unknown)):
            raise ValueError
        header, message, trailer = blocks
        message.unknown = tuple(unknown)
        message.header, message.trailer, message.problems = header, trailer, ()
        return message  # type: ignore[no-any-return]

    def _entries(self, group: GroupSlot, count: int, at: int) -> tuple[list[Any], int]:
        """Read the entries of a group, which begin at a field; return them, and where they end."""
        tags = self._tags
        table = group.entry
        opener = tags[at]
        if opener not in table.places:
            if count:
                raise ValueError
            return [], at
        if self._known[opener] not in group.member.delimiters:
            raise ValueError  # the entries begin with another field than the dialect's
        if count >= MIN_COLUMNS:
            # All entries alike, and a field of another block behind them.
            width = tags.index(opener, at + 1) - at
            end = at + count * width
            if end < len(tags) and tags[end] in self._known and tags[end] not in table.places:
                entry = tags[at : at + width]
                if tags[at:end] == entry * count and (made := self._columns(table, entry, at, end)):
                    return made, end
        entries: list[Any] = []
        while tags[at] == opener:
            made, at = self._entry(table, opener, at)
            entries.append(made)
        if len(entries) != count:
            raise ValueError
        return entries, at

    def _columns(self, table: BlockTable, tags: Sequence[str], begin: int, end: int) -> list[Any] | None:
        """Read entries that have the same tags, field by field; None if they are to be read one by one."""
        places = [table.places.get(tag) for tag in tags]
        width = len(tags)
        if None in places:
            return None
        last = -1
        entries = [table.blank() for _ in range(begin, end, width)]
        for at, (index, attribute, convert, more) in enumerate(places, begin):  # type: ignore[misc]
            if more.__class__ is GroupSlot:
                return None
            if index <= last:
                raise ValueError  # another order than the dialect's, or it stands twice
            last = index
            texts = self._texts[at:end:width]
            values = list(map(convert, texts))
            if self._strict and more is not None and any(map(more, values, texts)):  # type: ignore[arg-type]
                raise ValueError
            # Attribute by attribute in Python it would take twice as long.
            deque(map(setattr, entries, repeat(attribute), values), 0)
        _require(table, entries[0])
        return entries

    def _entry(self, table: BlockTable, opener: str, at: int) -> tuple[Any, int]:
        """Read one entry, which begins at a field; return it, and where it ends."""
        tags, texts, find = self._tags, self._texts, table.places.get
        made = table.blank()
        unknown: list[tuple[int, bytes]] = []
        last = -1
        while True:
            tag = tags[at]
            place = find(tag)
            if place is None:
                if tag in self._known:
                    break  # a field of a block around this one, or of none
                unknown.append(self._unknown(tag, texts[at]))
                at += 1
                continue
            index, attribute, convert, more = place
            if index <= last:
                if tag == opener:
                    break  # the next entry begins
                raise ValueError  # another order than the dialect's, or it stands twice
            last = index
            text = texts[at]
            value = convert(text)
            at += 1
            if more is not None:
                if more.__class__ is GroupSlot:
                    value, at = self._entries(more, value, at)
                elif self._strict and more(value, text) is not None:  # type: ignore[operator]
                    raise ValueError
            setattr(made, attribute, value)
        if unknown:
            made.unknown = tuple(unknown)
        _require(table, made)
        return made, at

    def _unknown(self, tag: str, text: str) -> tuple[int, bytes]:
        """Return a field that the dialect does not have; ValueError where there is something to say of it."""
        if self._strict or tag in self._known or not TAG.fullmatch(tag):
            raise ValueError
        return int(tag), text.encode("latin-1")


def _require(table: BlockTable, entry: Any) -> None:
    """Raise ValueError if something required is missing."""
    for attribute in table.required_attributes:
        if getattr(entry, attribute) is None:
            raise ValueError
