"""The fast path's code: for one shape of message, a regular expression and a function made for it.

The shape of a message is the sequence of its tags with the counts of its groups. Once the careful path has
read a message without finding anything wrong, everything that depends on the shape alone is known: which
field goes where, that nothing required is missing or repeated, where group entries begin and end. What is
left depends on the values, and is checked for each message: the regular expression demands exactly these
tags and the lexical form of each value; the function converts the values straight into their attributes and
lets ValueError out for days that no calendar has. Whatever does not fit goes the careful way again.

The entries of long groups are not part of the shape one by one: if they follow the order of the layout, or
are all alike, one expression and one loop serve any number of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

import attrs

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec.blocks import BlockItem, FieldItem, GroupItem
from kalshi_fix_sansio.codec.plans import FieldSlot, Slot
from kalshi_fix_sansio.codec.reader import BEGIN_STRING_TAG, MSG_TYPE_TAG, Reader
from kalshi_fix_sansio.layout import Kind
from kalshi_fix_sansio.scalars import LEXICAL_PLAIN

MAX_VALUES: Final = 250
"""Fields that a shape may spell out one by one."""
MAX_SINGLE_ENTRIES: Final = 4
"""Entries of a group that are spelt out one by one; more become a loop where they are regular."""
MAX_DECIMALS: Final = 2048
"""Decimals that are remembered by their text: prices and quantities come again and again."""

_LITERAL_TAGS: Final = frozenset((BEGIN_STRING_TAG, MSG_TYPE_TAG))
"""Header fields whose values belong to the shape."""

_BODY_LENGTH: Final = "9=([1-9][0-9]{0,8})\x01"
_CHECK_SUM: Final = "10=([0-9]{3})\x01"
_FRAMING: Final = {9: _BODY_LENGTH, 10: _CHECK_SUM}
"""What frames a message has a form of its own (see `framing`)."""

Build = Callable[[Sequence[str]], Message | None]
"""Makes the message from the values; None or ValueError if it takes the careful path to tell."""


class Decimals(dict[str, Decimal]):
    """Decimals by their text, made when first asked for, forgotten all at once when there are too many."""

    __slots__ = ()

    def __missing__(self, text: str) -> Decimal:
        if len(self) >= MAX_DECIMALS:
            self.clear()
        value = self[text] = Decimal(text)
        return value


@attrs.frozen(eq=False)
class Shape:
    """One shape, ready to decode."""

    pattern: str
    whole: bool
    """Whether what fits is a message of the dialect, but for the values of BodyLength and CheckSum."""
    has_runs: bool
    """Whether it fits groups of any length, and takes longer for it than a shape of one length."""
    match: Callable[[str], re.Match[str] | None]
    build: Build


@attrs.define(eq=False)
class _Target:
    """One instance that the function makes, and what it assigns to it."""

    name: str
    block: BlockItem
    values: dict[str, str] = attrs.field(factory=dict)
    """Expression by attribute."""
    unknown: list[str] = attrs.field(factory=list)
    """Expressions of (tag, value)."""

    def lines(self) -> Iterator[str]:
        """Write the assignments, of what is absent too."""
        plan = self.block.plan
        yield f"{self.name} = new({self.name}_class)"
        for attribute, expression in self.values.items():
            yield f"{self.name}.{attribute} = {expression}"
        absent = [f"{self.name}.{name} = " for name in plan.fields if name not in self.values]
        if absent:
            yield f"{''.join(absent)}None"
        for name, _ in plan.groups:
            if name not in self.values:
                yield f"{self.name}.{name} = []"
        yield f"{self.name}.unknown = ({''.join(f'{pair}, ' for pair in self.unknown)})"


class _NoShapeError(Exception):
    """The message has a form that no code is made for."""


class ShapeWriter:
    """Writes the pattern and the source for the shape of one message that was read without problems."""

    def __init__(self, reader: Reader, data_tags: Mapping[int, int], decimals: Decimals) -> None:
        """Work out the shape; `pattern` is empty for a form that no code is made for."""
        self._data_tags = data_tags
        self._parts: list[str] = []
        self._functions: list[str] = []
        self._lines: list[str] = []
        self._checks: list[str] = []
        self._start = f"8={re.escape(reader.begin_string)}\x01{_BODY_LENGTH}35="
        self._values: list[str] = []
        """Variables, one for each captured value."""
        self._position = 0
        """How many fields are written: each must stand where the pattern has it."""
        self._data_length: tuple[int, str] = (0, "")
        """Tag and variable of a data field's length, if that was the field before."""
        self._names: dict[str, Any] = {
            "new": object.__new__,
            "decimals": decimals,
            "timestamp": datetime.fromisoformat,
            "date": date.fromisoformat,
            "time": time.fromisoformat,
        }
        try:
            self._write(reader)
            self.pattern = "".join(self._parts)
        except _NoShapeError:
            self.pattern = ""

    def compile(self) -> Shape:
        """Make the shape; costs some milliseconds."""
        unpack = f"({''.join(f'{name}, ' for name in self._values)}) = values"
        body = "".join(f"    {line}\n" for line in (unpack, *self._checks, *self._lines))
        source = "".join(self._functions) + "def build(values):\n" + body
        exec(compile(source, "<shape>", "exec"), self._names)  # noqa: S102 - nothing in it comes from the peer
        whole = self.pattern.startswith(self._start) and self._parts[-1] == _CHECK_SUM
        match = re.compile(self.pattern).fullmatch
        return Shape(self.pattern, whole, bool(self._functions), match, self._names["build"])

    def _write(self, reader: Reader) -> None:
        header, body, trailer = (
            self._target(name, block)
            for name, block in (("header", reader.header), ("body", reader.body), ("trailer", reader.trailer))
        )
        items = [(item, target) for target in (header, body, trailer) for item in target.block.items]
        items.sort(key=lambda pair: pair[0].position)
        for item, target in items:
            self._item(target, item)
        body.values.update(header="header", trailer="trailer", problems="()")
        for target in (header, trailer, body):
            self._lines += target.lines()
        self._lines.append("return body")

    def _target(self, name: str, block: BlockItem) -> _Target:
        self._names[f"{name}_class"] = block.plan.layout.cls
        return _Target(name, block)

    def _item(self, target: _Target, item: FieldItem | GroupItem) -> None:
        if item.position != self._position or len(self._values) > MAX_VALUES:
            raise _NoShapeError
        self._position += 1
        if isinstance(item, GroupItem):
            self._group(target, item)
        else:
            self._field(target, item)

    # --- fields --------------------------------------------------------------------------------------

    def _field(self, target: _Target, item: FieldItem) -> None:
        tag, slot = item.token.tag, item.slot
        length_tag, length = self._data_length
        self._data_length = (0, "")
        if target.name == "header" and tag in _LITERAL_TAGS and isinstance(slot, FieldSlot):
            self._parts.append(f"{tag}={re.escape(item.token.value)}\x01")
            target.values[slot.member.attribute] = repr(item.token.value)
            return
        name = self._capture(tag, slot)
        if self._data_tags.get(length_tag) == tag:
            self._checks.append(f"if int({length}) != len({name}): return None")
        if tag in self._data_tags:
            self._data_length = (tag, name)
        if slot is None:
            target.unknown.append(f"({tag}, {name}.encode('latin-1'))")
        elif isinstance(slot, FieldSlot):
            target.values[slot.member.attribute] = self._expression(slot, name)

    def _capture(self, tag: int, slot: Slot | None) -> str:
        self._parts.append(_FRAMING.get(tag) or f"{tag}=({_lexical(slot)})\x01")
        name = f"v{len(self._values)}"
        self._values.append(name)
        return name

    def _expression(self, slot: FieldSlot, name: str) -> str:
        if slot.codes is not None:
            codes = f"codes{len(self._names)}"
            self._names[codes] = slot.codes
            return f"{codes}[{name}]"
        return _EXPRESSIONS[slot.field.kind].format(name)

    # --- groups --------------------------------------------------------------------------------------

    def _group(self, target: _Target, group: GroupItem) -> None:
        self._data_length = (0, "")
        if group.interrupted:
            raise _NoShapeError
        attribute = group.slot.member.attribute
        run = _run_of(group, self._data_tags) if len(group.entries) > MAX_SINGLE_ENTRIES else None
        if run is not None:
            target.values[attribute] = self._run(group, run)
            return
        self._parts.append(f"{group.slot.field.tag}={re.escape(group.raw)}\x01")
        names = []
        for entry in group.entries:
            target_of_entry = self._target(f"entry{self._position}", entry)
            for item in entry.items:
                self._item(target_of_entry, item)
            self._lines += target_of_entry.lines()
            names.append(target_of_entry.name)
        target.values[attribute] = f"[{', '.join(names)}]"

    def _run(self, group: GroupItem, fields: list[_RunField]) -> str:
        """Write a loop over entries; return the variable with the list that it makes."""
        for entry in group.entries:
            for item in entry.items:
                if item.position != self._position:
                    raise _NoShapeError
                self._position += 1
        count = self._capture(group.slot.field.tag, group.slot)
        plain = "".join(field.pattern(captured=False) for field in fields)
        self._parts.append(f"((?:{plain})+)")
        run = f"v{len(self._values)}"
        self._values.append(run)
        entries = f"entries{len(self._values)}"
        captured = "".join(field.pattern(captured=True) for field in fields)
        self._names[f"{entries}_find"] = re.compile(captured).findall
        target = self._target(f"{entries}_entry", group.entries[0])
        names = [f"f{number}" for number in range(len(fields))]
        for name, field in zip(names, fields, strict=True):
            if field.slot is None:
                target.unknown.append(f"({field.tag}, {name}.encode('latin-1'))")
            else:
                expression = self._expression(field.slot, name)
                target.values[field.slot.member.attribute] = (
                    f"{expression} if {name} else None" if field.optional else expression
                )
        each = names[0] if len(names) == 1 else ", ".join(names)
        self._functions.append(
            f"def {entries}_read(text):\n"
            f"    entries = []\n"
            f"    for {each} in {entries}_find(text):\n"
            + "".join(f"        {line}\n" for line in target.lines())
            + f"        entries.append({target.name})\n"
            f"    return entries\n"
        )
        self._checks += [
            f"{entries} = {entries}_read({run})",
            f"if len({entries}) != int({count}): return None",
        ]
        return entries


@attrs.frozen(eq=False)
class _RunField:
    """One field of the entries in a run."""

    tag: int
    slot: FieldSlot | None
    optional: bool

    def pattern(self, *, captured: bool) -> str:
        """Return its part of the entry's expression."""
        lexical = _lexical(self.slot)
        field = f"{self.tag}={f'({lexical})' if captured else f'(?:{lexical})'}\x01"
        return f"(?:{field})?" if self.optional else field


def _run_of(group: GroupItem, data_tags: Mapping[int, int]) -> list[_RunField] | None:
    """Return the fields that serve every entry of a group, or None if its entries are not regular."""
    entries = []
    for entry in group.entries:
        fields = [item for item in entry.items if isinstance(item, FieldItem)]
        if len(fields) != len(entry.items) or not all(_is_simple(item, data_tags) for item in fields):
            return None
        entries.append(fields)
    tags = [[item.token.tag for item in fields] for fields in entries]
    if all(_is_ordered(fields) and fields[0].token.tag == group.opener for fields in entries):
        return _ordered_run(group, set.intersection(*map(set, tags)))
    if all(same == tags[0] for same in tags):
        return [_RunField(item.token.tag, _field_slot(item), False) for item in entries[0]]
    return None


def _ordered_run(group: GroupItem, always: set[int]) -> list[_RunField]:
    """Return every field that the layout has from the opener on; those not in `always` may be absent."""
    begin = group.plan.slots[group.opener].index
    return [
        _RunField(tag, slot, tag not in always)
        for tag, slot in group.plan.slots.items()
        if isinstance(slot, FieldSlot)
        and not slot.legacy
        and slot.field.kind is not Kind.DATA
        and slot.index >= begin
    ]


def _field_slot(item: FieldItem) -> FieldSlot | None:
    return item.slot if isinstance(item.slot, FieldSlot) else None


def _is_simple(item: FieldItem, data_tags: Mapping[int, int]) -> bool:
    """Say whether the field can stand in a run: not data, nor its length, nor an older tag."""
    slot = _field_slot(item)
    if slot is None:
        return item.slot is None and item.token.tag not in data_tags
    return not slot.legacy and slot.field.kind is not Kind.DATA


def _is_ordered(fields: Sequence[FieldItem]) -> bool:
    """Say whether all fields are the layout's, in its order."""
    places = [-1 if item.slot is None else item.slot.index for item in fields]
    return -1 not in places and places == sorted(places)


def _lexical(slot: Slot | None) -> str:
    return LEXICAL_PLAIN[Kind.STRING] if slot is None else LEXICAL_PLAIN[slot.field.kind]


_EXPRESSIONS: Final = {
    Kind.STRING: "{}",
    Kind.CHAR: "{}",
    Kind.INT: "int({})",
    Kind.LENGTH: "int({})",
    Kind.SEQNUM: "int({})",
    Kind.NUMINGROUP: "int({})",
    Kind.DECIMAL: "decimals[{}]",
    Kind.BOOLEAN: "{} == 'Y'",
    Kind.UTCTIMESTAMP: "timestamp({} + 'Z')",
    Kind.UTCDATEONLY: "date({})",
    Kind.UTCTIMEONLY: "time({})",
    Kind.DATA: "{}.encode('latin-1')",
}
"""From the text of a value to the value, by kind."""
