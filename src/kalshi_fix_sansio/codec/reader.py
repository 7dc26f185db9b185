"""The reader: decodes regular messages of any shape, field by field, using tables.

The reader never diagnoses. If a message is irregular in any way, it returns None; the explainer then decodes
the message again and lists the problems. The reader accepts only messages in which the explainer would find
no problem. Fields that the dialect does not define are accepted, unless decoding is strict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kalshi_fix_sansio.codec.tables import BODY, HEADER, BlockTable, GroupSlot, ReaderSlot, Tables
from kalshi_fix_sansio.codec.tokens import TAG, Columns
from kalshi_fix_sansio.dialect.base import Message


def read(tables: Tables, columns: Columns, *, strict: bool) -> Message | None:
    """Read a complete message, given as its tags and values.

    Returns None if the message is irregular or, with `strict`, if strict decoding would reject it; the caller
    then uses the explainer.
    """
    tags, texts = columns
    # Every field must have a value. `split` gives malformed fields an empty value, so this check finds them
    # too.
    if "" in texts:
        return None
    try:
        if (tags[0], tags[2], texts[0]) != ("8", "35", tables.dialect.begin_string):
            return None
        return _MessageReader(tables, columns, strict).read_message(*tables.reader_tables[texts[2]])
    except (ValueError, LookupError):
        return None


class _MessageReader:
    """Reads one message. The methods raise ValueError or LookupError if it is irregular."""

    __slots__ = ("_known_tags", "_strict", "_tables", "_tags", "_texts")

    def __init__(self, tables: Tables, columns: Columns, strict: bool) -> None:
        self._tables = tables
        self._known_tags: Mapping[str, int] = tables.tags
        self._tags, self._texts = columns
        self._strict = strict

    def read_message(
        self, table: BlockTable, slots: Mapping[str, ReaderSlot], required: frozenset[str]
    ) -> Message:
        """Read the header, the body and the trailer."""
        tags, texts, strict = self._tags, self._texts, self._strict
        find = slots.get
        blocks = (self._tables.header.blank(), table.blank(), self._tables.trailer.blank())
        unknown: list[tuple[int, bytes]] = []
        section, block = HEADER, blocks[HEADER]
        # `begin` is the index of the first field after the last group; `outer_tags` contains the tags before
        # `begin` that are not in entries. The inner loop over the fields restarts at `begin` after each
        # group.
        begin, outer_tags = 0, []
        groups: set[str] = set()
        fields = zip(tags, texts, strict=True)
        while True:
            for tag, text in fields:
                slot = find(tag)
                if slot is None:
                    unknown.append(self._read_unknown(tag, text))
                    # An unknown field belongs to the body, so the header ends here.
                    if section < BODY:
                        section, block = BODY, blocks[BODY]
                    continue
                part, attribute, convert, limit_or_group = slot
                if part != section:
                    if part < section:
                        raise ValueError  # for example, a header field in the body
                    section, block = part, blocks[part]
                value = convert(text)
                if limit_or_group is not None:
                    if limit_or_group.__class__ is GroupSlot:
                        # Reject a repeated counter here, not below with other repeated fields. The rest of
                        # the message is copied after each group, so many counters would take quadratic time.
                        if tag in groups:
                            raise ValueError
                        groups.add(tag)
                        first = tags.index(tag, begin) + 1
                        outer_tags += tags[begin:first]
                        value, begin = self._read_entries(limit_or_group, value, first)
                        setattr(block, attribute, value)
                        fields = zip(tags[begin:], texts[begin:], strict=True)
                        break
                    if strict and limit_or_group(value, text) is not None:  # type: ignore[operator]
                        raise ValueError
                setattr(block, attribute, value)
            else:
                break
        outer_tags += tags[begin:]
        seen = set(outer_tags)
        # Only unknown tags may be repeated, so both counts of repetitions must be equal.
        if not required <= seen or len(outer_tags) - len(seen) != len(unknown) - len(dict(unknown)):
            raise ValueError
        header, message, trailer = blocks
        message.unknown = tuple(unknown)
        message.header, message.trailer, message.problems = header, trailer, ()
        return message  # type: ignore[no-any-return]

    def _read_entries(self, group: GroupSlot, count: int, position: int) -> tuple[list[Any], int]:
        """Read the entries of a group that begin at the field with index `position`. Return the entries, and
        the index after them.

        CheckSum always ends the message and belongs to no group, so reading past the last field raises
        IndexError, and the message is left to the explainer.
        """
        tags = self._tags
        table = group.entry
        opener = tags[position]
        if opener not in table.reader_slots:
            if count:
                raise ValueError
            return [], position
        if self._known_tags[opener] not in group.member.delimiters:
            raise ValueError  # no entry can begin with this field
        entries: list[Any] = []
        while tags[position] == opener:
            entry, position = self._read_entry(table, opener, position)
            entries.append(entry)
        if len(entries) != count:
            raise ValueError
        return entries, position

    def _read_entry(self, table: BlockTable, opener: str, position: int) -> tuple[Any, int]:
        """Read the entry that begins at the field with index `position`. Return the entry, and the index
        after it.
        """
        tags, texts, find = self._tags, self._texts, table.reader_slots.get
        entry = table.blank()
        unknown: list[tuple[int, bytes]] = []
        last = -1
        while True:
            tag = tags[position]
            slot = find(tag)
            if slot is None:
                if tag in self._known_tags:
                    break  # the field belongs to an enclosing block, or is misplaced
                unknown.append(self._read_unknown(tag, texts[position]))
                position += 1
                continue
            index, attribute, convert, limit_or_group = slot
            if index <= last:
                if tag == opener:
                    break  # the next entry begins
                raise ValueError  # not in the dialect's sequence, or repeated
            last = index
            text = texts[position]
            value = convert(text)
            position += 1
            if limit_or_group is not None:
                if limit_or_group.__class__ is GroupSlot:
                    value, position = self._read_entries(limit_or_group, value, position)
                elif self._strict and limit_or_group(value, text) is not None:  # type: ignore[operator]
                    raise ValueError
            setattr(entry, attribute, value)
        if unknown:
            entry.unknown = tuple(unknown)
        for attribute in table.required_attributes:
            if getattr(entry, attribute) is None:
                raise ValueError
        return entry, position

    def _read_unknown(self, tag: str, text: str) -> tuple[int, bytes]:
        """Return the tag and value of a field that the dialect does not define. Raise ValueError if the field
        is a problem, which the explainer must report.
        """
        if self._strict or tag in self._known_tags or not TAG.fullmatch(tag):
            raise ValueError
        return int(tag), text.encode("latin-1")
