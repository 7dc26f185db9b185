"""The reader: a message of any shape that the dialect foresees, field by field, by tables.

It says nothing: at the first thing that is out of the ordinary it gives up, and the explainer, which knows
what may stand where and what is wrong with the rest, takes the message instead. What the reader takes is
what the explainer has nothing to say of, but for fields that the dialect does not have yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec.tables import BODY, HEADER, TRAILER, BlockTable, GroupSlot, Tables
from kalshi_fix_sansio.codec.tokens import SOH, TAG

Fields = Sequence[tuple[str, str, str]]
"""Of each field the text of its tag, `=` and its value."""


def read(tables: Tables, text: str, *, strict: bool) -> Message | None:
    """Read a whole message given as latin-1 text; None if the explainer has to take it.

    With `strict` it has to also where only strict decoding minds.
    """
    fields = [field.partition("=") for field in text.split(SOH)]
    if fields.pop() != ("", "", ""):
        return None  # the last field does not end
    try:
        (begin, _, begin_string), _, (type_tag, _, msg_type) = fields[:3]
        if (begin, begin_string, type_tag) != ("8", tables.dialect.begin_string, "35"):
            return None
        return _read(tables, tables.body(tables.dialect.messages[msg_type]), fields, strict)
    except (ValueError, LookupError):
        return None


def _read(tables: Tables, table: BlockTable, fields: Fields, strict: bool) -> Message:
    """Read header, body and trailer; ValueError or LookupError if something is out of the ordinary."""
    places = tables.places(table)
    known = tables.tags
    blocks: tuple[dict[str, Any], ...] = ({}, {}, {})
    unknown: list[tuple[int, bytes]] = []
    current = HEADER
    values = blocks[HEADER]
    at, size = 0, len(fields)
    while at < size:
        number, _, raw = fields[at]
        at += 1
        found = places.get(number)
        if found is None:
            unknown.append(_unknown(number, raw, known, strict))
            # The header ends where something stands that belongs to the body.
            if current < BODY:
                current, values = BODY, blocks[BODY]
            continue
        section, (_, attribute, parse, limit, group) = found
        if section != current:
            if section < current:
                raise ValueError  # behind the part that it belongs to
            current, values = section, blocks[section]
        if attribute in values:
            raise ValueError  # it stands twice
        value = parse(raw)
        if group is not None:
            value, at = _entries(group, value, fields, at, known, strict)
        elif strict and limit is not None and limit(value, raw) is not None:
            raise ValueError
        values[attribute] = value
    message: Message = _built(table, blocks[BODY], unknown)
    message.header = _built(tables.header, blocks[HEADER], ())
    message.trailer = _built(tables.trailer, blocks[TRAILER], ())
    message.problems = ()
    return message


def _entries(
    group: GroupSlot, count: int, fields: Fields, at: int, known: Mapping[str, int], strict: bool
) -> tuple[list[Any], int]:
    """Read the entries of a group, which begin at a field; return them, and where they end."""
    table = group.entry
    places = table.places
    entries: list[Any] = []
    opener = fields[at][0]
    if opener in places and known[opener] not in group.member.delimiters:
        raise ValueError  # the entries begin with another field than the dialect's
    while fields[at][0] == opener and opener in places:
        values: dict[str, Any] = {}
        unknown: list[tuple[int, bytes]] = []
        last = -1
        while True:
            number, _, raw = fields[at]
            place = places.get(number)
            if place is None:
                if number in known:
                    break  # a field of a block around this one, or of none
                unknown.append(_unknown(number, raw, known, strict))
                at += 1
                continue
            index, attribute, parse, limit, inner = place
            if attribute in values:
                if number == opener:
                    break  # the next entry begins
                raise ValueError  # it stands twice in this one
            if index < last:
                raise ValueError  # another order than the dialect's
            last = index
            value = parse(raw)
            at += 1
            if inner is not None:
                value, at = _entries(inner, value, fields, at, known, strict)
            elif strict and limit is not None and limit(value, raw) is not None:
                raise ValueError
            values[attribute] = value
        entries.append(_built(table, values, unknown))
    if len(entries) != count:
        raise ValueError
    return entries, at


def _unknown(number: str, raw: str, known: Mapping[str, int], strict: bool) -> tuple[int, bytes]:
    """Return a field that the dialect does not have; ValueError where there is something to say of it."""
    if strict or not raw or number in known or not TAG.fullmatch(number):
        raise ValueError
    return int(number), raw.encode("latin-1")


def _built(table: BlockTable, values: dict[str, Any], unknown: Sequence[tuple[int, bytes]]) -> Any:
    """Make a block of what was read; ValueError if something required is missing."""
    if not table.required_attributes <= values.keys():
        raise ValueError
    instance = object.__new__(table.layout.cls)
    get = values.get
    for attribute in table.fields:
        setattr(instance, attribute, get(attribute))
    for attribute, _ in table.groups:
        setattr(instance, attribute, get(attribute) or [])
    instance.unknown = tuple(unknown)
    return instance
