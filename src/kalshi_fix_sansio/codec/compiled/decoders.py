"""Compiled decoders: a regular expression and a function generated for one shape of message.

The shape of a message is the sequence of its tags, with the counts of its groups. Once a message of a shape
has been decoded without problems, all facts that depend only on the shape are known: the place of each field,
the beginning and end of each group entry, and that no required field is missing or repeated. Only the values
of further messages are checked. The regular expression matches exactly these tags, with values of the right
form. The function checks CheckSum, assigns the converted values to their attributes, and raises ValueError
for a day that does not exist. If a message does not match, the caller uses the reader.

For long groups with regular entries, the function contains a loop instead: see `runs`.

Part of the function generated for a Heartbeat with TestReqID:

    def read(data, at, head, framed, strict):
        found = match(data.decode('latin-1'), at)
        if found is None: return None
        (v1, v2, v3, v4, v5, v6, ) = found.groups()
        (length, ) = head
        if not framed and check_sum(v6) != byte_sum(data) & 255: return None
        header = new(header_class)
        header.begin_string = 'FIXT.1.1'
        header.body_length = length
        header.msg_seq_num = convert12(v1)
        ...
        body = new(body_class)
        body.test_req_id = v5
        body.header = header
        ...
        return body
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

import attrs

from kalshi_fix_sansio.classes.runtime_code import make_function
from kalshi_fix_sansio.codec.blocks import BlockItem, FieldItem, GroupItem
from kalshi_fix_sansio.codec.compiled.converters import CONVERTERS, any_violation, convert_optional
from kalshi_fix_sansio.codec.compiled.runs import RunField, run_of, value_pattern
from kalshi_fix_sansio.codec.explainer import BEGIN_STRING_TAG, MSG_TYPE_TAG, Explainer
from kalshi_fix_sansio.codec.tables import FieldSlot, Slot
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.framing import SUMS_WITH_CHECK_SUM, byte_sum
from kalshi_fix_sansio.scalars import Decimals

MAX_VALUES: Final = 250
"""Maximum number of fields that the code of a shape decodes outside loops."""
MAX_SINGLE_ENTRIES: Final = 4
"""Maximum number of group entries that are decoded without a loop. A longer group is decoded with a loop if
its entries are regular. For short groups a loop is slower: book updates of three levels would take 1.6 times
as long, and updates of one level 1.8 times as long.
"""

_LITERAL_TAGS: Final = frozenset((BEGIN_STRING_TAG, MSG_TYPE_TAG))
"""Header fields whose values, not only their tags, are part of the shape."""
_MSG_SEQ_NUM_TAG: Final = 34
_ROUTE_TAGS: Final = frozenset((8, 9, 35, 49, 50, 56, 57, 142, 143))
"""Header fields whose values recur: framing, message type, sender and target. A head (see `Head`) with any
other field, such as a time, is not cached, because it would displace heads that recur.
"""

_RECURRING_TYPES: Final = frozenset(("PRICE", "QTY"))
"""FIX types of fields outside group entries whose values recur."""
_RECURRING_ENTRY_TYPES: Final = frozenset(("PRICE",))
"""FIX types of fields in group entries whose values recur."""

_BODY_LENGTH: Final = "9=([1-9][0-9]{0,8}+)\x01"
_CHECK_SUM: Final = "10=([0-9]{3})\x01"
_FRAMING: Final = {9: _BODY_LENGTH, 10: _CHECK_SUM}
"""Expressions for the framing fields (see `framing`)."""
_SUMS: Final = {f"{value:03d}": total for value, total in enumerate(SUMS_WITH_CHECK_SUM)}
"""Maps each valid text of CheckSum to the sum of all bytes of the message, including the CheckSum field,
modulo 256. `get` returns None for 256 to 999, which are not valid.
"""

Head = tuple[Any, ...]
"""The fields before MsgSeqNum: BodyLength as a number, and the captured texts of other fields."""
MessageDecoder = Callable[[bytes, int, Head, bool, bool], Message | None]
"""A function that decodes a message. If the message does not match, it returns None or raises ValueError, and
the caller uses the reader.

Arguments, in order:

- the message
- the offset of MsgSeqNum in it
- the head, with a correct BodyLength
- whether the CheckSum was already checked
- whether to return the message only if strict decoding accepts it
"""


@attrs.frozen(eq=False)
class Shape:
    """A compiled shape."""

    pattern: str
    match_head: Callable[[str], re.Match[str] | None]
    """Matches the head, which is the text before MsgSeqNum."""
    is_head_common: bool
    """Whether many messages are expected to have the same head."""
    read: MessageDecoder


@attrs.define(eq=False)
class _Target:
    """One object that the generated function creates, and the values that the function assigns to the
    object's attributes.
    """

    name: str
    block: BlockItem
    values: dict[str, str] = attrs.field(factory=dict)
    """The expressions of the values, by attribute."""
    unknown: list[str] = attrs.field(factory=list)
    """Expressions of (tag, value) pairs."""

    def lines(self) -> Iterator[str]:
        """Yield the statements that create the instance and assign its attributes.

        The statements bypass the constructor, because the values are already converted. They must assign
        every attribute, because reading an unassigned slot raises AttributeError.
        """
        yield f"{self.name} = new({self.name}_class)"
        for attribute, expression in self.values.items():
            yield f"{self.name}.{attribute} = {expression}"
        yield from self.default_lines()

    def default_lines(self) -> Iterator[str]:
        """Yield the assignments for absent and unknown fields."""
        table = self.block.table
        absent = [f"{self.name}.{name} = " for name in table.fields if name not in self.values]
        if absent:
            yield f"{''.join(absent)}None"
        for name, _ in table.groups:
            if name not in self.values:
                yield f"{self.name}.{name} = []"
        yield f"{self.name}.unknown = ({''.join(f'{pair}, ' for pair in self.unknown)})"


class _NoShapeError(Exception):
    """The shape of the message cannot be compiled."""


class DecoderWriter:
    """Writes the pattern and the source for the shape of a message that was decoded without problems."""

    def __init__(self, explained: Explainer, data_tags: Mapping[int, int], decimals: Decimals) -> None:
        """Write the code; `pattern` is empty for a shape that cannot be compiled."""
        self._data_tags = data_tags
        self._parts: list[str] = []
        self._lines: list[str] = []
        """Statements that create the objects. An object is created after the objects that it refers to."""
        self._checks: list[str] = []
        """Statements before `_lines`, most of which return None if the message does not match. They include
        the loops of runs, each after the check of its count.
        """
        self._limits: list[str] = []
        """Expressions that are true if a value violates its limit. Only strict decoding checks limits."""
        self._is_strict = explained.tags_are_valid
        self._values: list[str] = []
        """Variables, one for each captured value."""
        self._position = 0
        """Number of fields written so far. The next field must have this position in the message."""
        self._data_length: tuple[int, str] = (0, "")
        """Tag and variable of the previous field if it was the length of a data field; otherwise 0 and an
        empty string.
        """
        self._decimals = decimals
        self._run_start: tuple[int, int] | None = None
        """Indexes of the first run in `_parts` and `_values`; None if there is no run."""
        self._step = 0
        """Number of texts per entry into which `split` splits the first run."""
        self._entry_patterns: dict[str, str] = {}
        """The regular expression of an entry, by the name of the split function in the generated code."""
        self._head = (0, 0)
        """Number of `_parts` and `_values` before MsgSeqNum; zeros until MsgSeqNum is written."""
        self._is_head_common = True
        self._names: dict[str, Any] = {
            "new": object.__new__,
            "convert_optional": convert_optional,
            "any_violation": any_violation,
            "repeat": repeat,
            "check_sum": _SUMS.get,
            "byte_sum": byte_sum,
        }
        try:
            self._write(explained)
        except _NoShapeError:
            self._parts = []
        self.pattern: str = "".join(self._parts)

    def compile(self) -> Shape:
        """Compile the shape, which takes milliseconds."""
        first, first_value = self._head
        end, end_value = self._run_start or (len(self._parts), len(self._values))
        # Leave out the head, which the caller has matched or found in the cache.
        front, rest = "".join(self._parts[:first]), "".join(self._parts[first:end])
        values = [f"{_tuple_target(self._values[first_value:end_value])} = found.groups()"]
        if self._run_start is None:
            self._names["match"] = re.compile(rest).fullmatch
            lines = ["found = match(data.decode('latin-1'), at)", "if found is None: return None"]
        else:
            self._names["match"] = re.compile(rest).match
            self._names["match_rest"] = re.compile("\x01" + "".join(self._parts[end + 1 :])).fullmatch
            # `split` finds entries anywhere in the rest of the message. Check that no other text is between
            # the counter, the entries, and the fields after them.
            lines = [
                "text = data.decode('latin-1')",
                "found = match(text, at)",
                "if found is None: return None",
                "texts = split(text[found.end():])",
                "rest = match_rest(texts[-1])",
                f"if rest is None or any(texts[:-1:{self._step}]): return None",
            ]
            values.append(f"{_tuple_target(self._values[end_value + 1 :])} = rest.groups()")
        for name, entry in self._entry_patterns.items():
            self._names[name] = re.compile(entry).split
        lines += [*values, f"{_tuple_target(self._values[:first_value])} = head", *self._checks, *self._lines]
        # The source contains no text from the peer, except the tags, as numbers, and the MsgType and
        # BeginString, which the dialect defines. All other text is captured by the expression.
        read = make_function("read(data, at, head, framed, strict)", lines, self._names, "shape")
        match_head = re.compile(front).fullmatch
        return Shape(self.pattern, match_head, self._is_head_common, read)

    def _write(self, explained: Explainer) -> None:
        header = self._target("header", explained.header)
        body = self._target("body", explained.body)
        trailer = self._target("trailer", explained.trailer)
        items = [(item, target) for target in (header, body, trailer) for item in target.block.items]
        # Sort into wire order, because header fields may occur in the body, and body fields in the header.
        items.sort(key=lambda pair: pair[0].position)
        for item, target in items:
            self._item(target, item)
        self._frame(explained, header)
        body.values.update(header="header", trailer="trailer", problems="()")
        for target in (header, trailer, body):
            self._lines += target.lines()
        # If a field is misplaced, it is misplaced in every message of this shape, so strict decoding never
        # uses the shape. Limits depend on the values, so they are checked for each message.
        if not self._is_strict:
            self._checks.insert(0, "if strict: return None")
        elif self._limits:
            self._lines.append(f"if strict and ({' or '.join(self._limits)}): return None")
        self._lines.append("return body")

    def _frame(self, explained: Explainer, header: _Target) -> None:
        """Write the code for BodyLength and CheckSum. Raise _NoShapeError if a framing field is not in its
        place.
        """
        start = [f"8={re.escape(explained.begin_string)}\x01", _BODY_LENGTH]
        parts = self._parts
        # The function begins to match at MsgSeqNum, so this field must precede any run. Framing fields may be
        # misplaced if the user has constructed the `Frame`.
        if (
            parts[:2] != start
            or not parts[2].startswith("35=")
            or parts[-1] != _CHECK_SUM
            or not self._head[0]
            or (self._run_start is not None and self._run_start[0] < self._head[0])
        ):
            raise _NoShapeError
        # The cache has already compared BodyLength with the size of the message, and passes it as a number.
        header.values = {
            attribute: "length" if expression.endswith(f"({self._values[0]})") else expression
            for attribute, expression in header.values.items()
        }
        last, self._values[0] = self._values[-1], "length"
        self._checks.insert(0, f"if not framed and check_sum({last}) != byte_sum(data) & 255: return None")

    def _target(self, name: str, block: BlockItem) -> _Target:
        self._names[f"{name}_class"] = block.table.layout.cls
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
        if not self._head[0]:
            if tag == _MSG_SEQ_NUM_TAG:
                self._head = (len(self._parts), len(self._values))
            elif tag not in _ROUTE_TAGS:
                self._is_head_common = False
        # A length applies only to the field directly after it, as in `tokens.tokenize`.
        length_tag, length = self._data_length
        self._data_length = (0, "")
        if target.name == "header" and tag in _LITERAL_TAGS and isinstance(slot, FieldSlot):
            text, codes = item.token.value, slot.codes
            self._parts.append(f"{tag}={re.escape(text)}\x01")
            value = repr(text) if codes is None else self._name("code", codes[text])
            target.values[slot.member.attribute] = value
            return
        name = self._capture(tag, slot)
        # The regular expression ends a data field at the next SOH, but the explainer ends it at the given
        # length. Accept only messages for which both are the same.
        if self._data_tags.get(length_tag) == tag:
            self._checks.append(f"if int({length}) != len({name}): return None")
        if tag in self._data_tags:
            self._data_length = (tag, name)
        if slot is None:
            target.unknown.append(f"({tag}, {name}.encode('latin-1'))")
        elif isinstance(slot, FieldSlot):
            in_entry = target.name.startswith("entry")
            attribute = slot.member.attribute
            convert = self._converter(slot, in_entry=in_entry)
            target.values[attribute] = (
                name if convert is None else f"{self._name('convert', convert)}({name})"
            )
            if slot.limit is not None and tag not in _FRAMING:
                self._limits.append(f"{self._name('limit', slot.limit)}({target.name}.{attribute}, {name})")

    def _capture(self, tag: int, slot: Slot | None) -> str:
        self._parts.append(_FRAMING.get(tag) or f"{tag}=({value_pattern(slot)})\x01")
        name = f"v{len(self._values)}"
        self._values.append(name)
        return name

    def _converter(self, slot: FieldSlot, *, in_entry: bool) -> Callable[[str], Any] | None:
        """Return the function that converts a field's text; None if the value is the text itself."""
        if slot.codes is not None:
            return slot.codes.__getitem__
        if _has_recurring_values(slot, in_entry=in_entry):
            return self._decimals.__getitem__
        return CONVERTERS[slot.field.kind]

    def _name(self, word: str, value: Any) -> str:
        """Add a value to the function's namespace; return its name."""
        name = f"{word}{len(self._names)}"
        self._names[name] = value
        return name

    # --- groups --------------------------------------------------------------------------------------

    def _group(self, target: _Target, group: GroupItem) -> None:
        self._data_length = (0, "")
        # The expression contains the entries one after another, so it cannot match a field of the enclosing
        # block between them.
        if group.interrupted:
            raise _NoShapeError
        attribute = group.slot.member.attribute
        run = run_of(group, self._data_tags) if len(group.entries) > MAX_SINGLE_ENTRIES else None
        if run is not None:
            target.values[attribute] = self._run(group, run)
            return
        # The expression contains the value of the counter, so the number of entries is part of the shape.
        self._parts.append(f"{group.slot.field.tag}={re.escape(group.raw)}\x01")
        names = []
        for entry in group.entries:
            target_of_entry = self._target(f"entry{self._position}", entry)
            for item in entry.items:
                self._item(target_of_entry, item)
            # Written after the lines of nested groups, because the entry refers to their lists.
            self._lines += target_of_entry.lines()
            names.append(target_of_entry.name)
        target.values[attribute] = f"[{', '.join(names)}]"

    def _run(self, group: GroupItem, fields: list[RunField]) -> str:
        """Write a loop over entries; return the variable that holds their list.

        For the levels of a book, with `texts` split as in `compile`:

            if len(texts) != int(v6) * 4 + 1: return None
            entriesv7 = list(map(new, repeat(entryv7_class, int(v6))))
            for entryv7, entryv7.md_entry_type, entryv7.md_entry_px, ... in zip(
                entriesv7, map(convert15, texts[1::4]), map(convert16, texts[2::4]), ...
            ):
                entryv7.md_entry_date = entryv7.md_entry_time = None
                entryv7.unknown = ()

        The loop takes each value from the column of its texts, and assigns it directly to the attribute.
        """
        for entry in group.entries:
            for item in entry.items:
                if item.position != self._position:
                    raise _NoShapeError
                self._position += 1
        count = self._capture(group.slot.field.tag, group.slot)
        # The expression of each field of a run begins with the SOH of the field before it: see
        # `RunField.pattern`.
        self._parts[-1] = self._parts[-1].removesuffix("\x01")
        entry_pattern = "".join(field.pattern(captured=True) for field in fields)
        # `split` returns the text before an entry, the values of the entry, the text before the next entry,
        # and so on.
        step = len(fields) + 1
        run = f"v{len(self._values)}"
        if self._run_start is None:
            self._run_start, self._step = (len(self._parts), len(self._values)), step
            self._entry_patterns["split"] = entry_pattern
            texts = "texts"
        else:
            texts = f"texts{run}"
            split = f"split{run}"
            self._entry_patterns[split] = entry_pattern
            self._checks.append(f"{texts} = {split}({run})")
        uncaptured_pattern = "".join(field.pattern(captured=False) for field in fields)
        # If the rest of the message does not match, the regular expression backtracks over the entries, but
        # never reads an entry twice. After giving up an entry, it expects the tag that follows the run, and
        # no entry begins with this tag: if one could, the explainer would have assigned the field with this
        # tag to the group.
        self._parts.append(f"((?:{uncaptured_pattern})+)\x01")
        self._values.append(run)
        entries = f"entries{run}"
        target = self._target(f"entry{run}", group.entries[0])
        targets, sources = [target.name], [entries]
        for index, field in enumerate(fields, 1):
            column = f"{texts}[{index}::{step}]"
            if field.slot is None:
                targets.append(f"u{index}")
                sources.append(column)
                target.unknown.append(f"({field.tag}, u{index}.encode('latin-1'))")
            else:
                attribute = field.slot.member.attribute
                target.values[attribute] = column
                targets.append(f"{target.name}.{attribute}")
                sources.append(self._column(field, field.slot, column))
                if field.slot.limit is not None:
                    limit = self._name("limit", field.slot.limit)
                    self._limits.append(f"any_violation({limit}, {entries}, {attribute!r}, {column})")
        # Check the count before it is used, because a counter of 999999999 would create as many objects.
        self._checks += [
            f"if len({texts}) != int({count}) * {step} + 1: return None",
            f"{entries} = list(map(new, repeat({target.name}_class, int({count}))))",
            f"for {', '.join(targets)} in zip({', '.join(sources)}):",
            *(f"    {line}" for line in target.default_lines()),
        ]
        return entries

    def _column(self, field: RunField, slot: FieldSlot, column: str) -> str:
        """Return the expression for the values of a field in all entries."""
        convert = self._converter(slot, in_entry=True)
        if field.optional:
            return f"convert_optional({self._name('convert', convert)}, {column})"
        return column if convert is None else f"map({self._name('convert', convert)}, {column})"


def _has_recurring_values(slot: FieldSlot, *, in_entry: bool) -> bool:
    """Return whether the values of a field recur, so that caching them is worthwhile.

    Prices recur, because a venue has few of them, and order quantities recur too. Fees, balances, and
    quantities in group entries (sums over many orders) rarely recur. If every decimal were cached, a report
    would take 1.2 times as long.
    """
    return slot.field.fix_type in (_RECURRING_ENTRY_TYPES if in_entry else _RECURRING_TYPES)


def _tuple_target(names: Sequence[str]) -> str:
    """Return the left side of an assignment that unpacks a tuple into these names."""
    return f"({''.join(f'{name}, ' for name in names)})"
