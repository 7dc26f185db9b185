"""The explainer: assigns the fields of a message to blocks, and reports all problems.

A block is the header, the body, the trailer or a group entry. Fields are assigned to blocks according to FIX
5.0 SP2 volume 1, "Repeating groups", and to this library's rules for fields that a venue adds without notice.

- A field belongs to the innermost open block that defines its tag. It ends all group entries inside that
  block.
- If no open block defines the tag, but the entries of a closed group of the innermost open block do, the
  field continues that group. The entries after an unexpected field are therefore not lost.
- Any other tag is unknown and belongs to the innermost open entry, or to the body.

The value of a counter affects the assignment only in a group whose entries may begin with different tags (see
`GroupItem.opens_entry`). A counter that differs from the number of entries is a problem.
"""

from __future__ import annotations

from kalshi_fix_sansio.codec.blocks import BlockItem, FieldItem, GroupItem
from kalshi_fix_sansio.codec.findings import (
    MAX_PROBLEMS,
    Finding,
    field_problem,
    quoted,
    tag_problem,
    value_problem,
)
from kalshi_fix_sansio.codec.tables import (
    BODY,
    HEADER,
    UNKNOWN_BODY,
    FieldSlot,
    GroupSlot,
    LengthSlot,
    Slot,
    Tables,
)
from kalshi_fix_sansio.codec.tokens import NO_TAG, Token, TokenForm, tokenize
from kalshi_fix_sansio.dialect.base import Message, UnknownMessage
from kalshi_fix_sansio.dialect.layout import Dialect, FieldLayout, Kind, MessageLayout
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.errors import DecodeError

BEGIN_STRING_TAG, MSG_TYPE_TAG, CHECK_SUM_TAG = 8, 35, 10


class Explainer:
    """Assigns the fields of one message to blocks. The constructor does all the work; the attributes contain
    the results.
    """

    def __init__(self, tables: Tables, text: str) -> None:
        """Read a complete message given as latin-1 text."""
        self._tables = tables
        self._dialect: Dialect = tables.dialect
        self.begin_string: str = tables.dialect.begin_string
        """BeginString of the dialect. The BeginString of the message may differ."""
        self.tags_are_valid: bool = True
        """Whether the dialect defines the MsgType, and allows every field at its place in the message. If so,
        and if lenient decoding reports no problem, strict decoding can reject the message only because of
        values.
        """
        self._findings: list[Finding] = []
        self._counts = [0, 0]
        """Two counts, indexed by `Finding.strict`: problems that lenient decoding reports too, and problems
        that only strict decoding reports.
        """
        self.tokens: list[Token] = tokenize(text, tables.data_tags, tables.tags)
        self._open: list[GroupItem] = []
        """Open groups, from the outermost to the innermost."""
        self._section = HEADER
        self._position = 0
        self.header: BlockItem = BlockItem(tables.header)
        self.trailer: BlockItem = BlockItem(tables.trailer)
        # Find MsgType before any field is assigned, because it determines the layout of the body.
        self.msg_type: str | None = self._first(MSG_TYPE_TAG)
        """MsgType of the message; None if it is absent."""
        self.layout: MessageLayout | None = self._dialect.messages.get(self.msg_type or "")
        """The layout of the message; None if the dialect does not define the MsgType."""
        body = UNKNOWN_BODY if self.layout is None else tables.body(self.layout)
        self.body: BlockItem = BlockItem(body)
        self._assign_all()
        self._check_begin_string()
        self._check_msg_type()
        for block in (self.header, self.body, self.trailer):
            self._finish(block, "")
        self._findings.sort(key=lambda finding: finding.position)

    def message(self) -> Message:
        """Build the message; raise DecodeError if it has no MsgType."""
        if self.msg_type is None:
            raise DecodeError("the bytes are not a FIX message: MsgType (35) is missing")
        message: Message = self.body.build()
        if isinstance(message, UnknownMessage):
            message.msg_type = self.msg_type
        message.header = self.header.build()
        message.trailer = self.trailer.build()
        message.problems = self.problems(strict=False)
        return message

    def problems(self, *, strict: bool) -> tuple[Problem, ...]:
        """Return the problems in wire order; with `strict`, include those that only strict decoding reports.

        Of the problems that lenient decoding reports too, at most `MAX_PROBLEMS` are listed; the same limit
        applies to those that only strict decoding reports. A final problem contains the number of problems
        that are not listed.
        """
        reported = [finding.problem for finding in self._findings if strict or not finding.strict]
        more = sum(max(0, count - MAX_PROBLEMS) for count in self._counts[: 2 if strict else 1])
        if more:
            text = f"{more} more {'problem is' if more == 1 else 'problems are'} not listed"
            reported.append(Problem(Reason.OTHER, text))
        return tuple(reported)

    def _first(self, tag: int) -> str | None:
        return next((t.value for t in self.tokens if t.tag == tag and t.form is not TokenForm.INVALID), None)

    # --- assigning fields to blocks ----------------------------------------------------------------

    def _assign_all(self) -> None:
        """Assign each token to its block and parse its value."""
        blocks = (self.header, self.body, self.trailer)
        sections = self._tables.sections(self.body.table)
        groups = self._open
        plain, counted = TokenForm.PLAIN, TokenForm.COUNTED
        previous: Token | None = None
        for position, token in enumerate(self.tokens):
            self._position = position
            tag, _, form = token
            if form is not plain and form is not counted and not self._is_field(token, previous):
                continue
            previous = token
            # If both an open entry and the body define a tag, the field belongs to the entry.
            group = self._group_of(tag) if groups else None
            if group is not None:
                slot = group.table.slots[tag]
                block = self._entry(group, slot, token)
            else:
                destination = sections.get(tag)
                if destination is None:
                    self._assign_undefined(token)
                    continue
                section, slot = destination
                block = blocks[section]
                if groups:
                    groups.clear()
                if section != self._section:
                    self._enter_section(section, block, token)
            self._store(block, slot, token)
        self._position = len(self.tokens)

    def _is_field(self, token: Token, previous: Token | None) -> bool:
        """Return whether a token is a field; if not, record the problem. `previous` is the previous field."""
        if token.form is TokenForm.INVALID:
            self._record_invalid(token, previous)
        elif token.form is TokenForm.TRUNCATED:
            self._record(self._problem_of(Reason.OTHER, token, "is cut short by the end of the message"))
        else:
            return True
        return False

    def _group_of(self, tag: int) -> GroupItem | None:
        """Return the innermost open group whose entries define a tag, and close the groups inside it."""
        groups = self._open
        for depth in range(len(groups) - 1, -1, -1):
            if tag in groups[depth].table.slots:
                del groups[depth + 1 :]
                return groups[depth]
        return None

    def _record_invalid(self, token: Token, previous: Token | None) -> None:
        """Record a malformed field. Its value is left out if the field is secret. It is also left out if it
        follows a secret data field that has no length field: if the data contains SOH, the rest of the secret
        looks like a malformed field.
        """
        fields = self._dialect.fields
        previous_field = (
            None if previous is None or previous.form is TokenForm.COUNTED else fields.get(previous.tag)
        )
        field = fields.get(token.tag)
        secret = (
            previous_field is not None and previous_field.secret and previous_field.kind is Kind.DATA
        ) or (field is not None and field.secret)
        value = None if secret else token.value
        description = "a secret field" if value is None else quoted(value)
        text = f"{description} does not have the form tag=value with a tag of 1 or more"
        self._record(
            Problem(Reason.INVALID_TAG_NUMBER, text, None if token.tag == NO_TAG else token.tag, value)
        )

    def _assign_undefined(self, token: Token) -> None:
        # No open block defines the tag. If the entries of a closed group define it, the field continues this
        # group.
        block = self._innermost()
        for group in block.groups.values():
            slot = group.table.slots.get(token.tag)
            if slot is not None:
                group.interrupted = True
                self._open.append(group)
                text = f"is separated from the other entries of {group.slot.field.label}"
                self._record_tag_problem(self._problem_of(Reason.GROUP_FIELDS_OUT_OF_ORDER, token, text))
                self._store(self._entry(group, slot, token), slot, token)
                return
        # Unknown fields belong to the body or its entries, so the header ends here.
        self._section = max(self._section, BODY)
        field = self._dialect.fields.get(token.tag)
        block.items.append(FieldItem(token, self._position, None, field, discarded=not token.value))
        if not token.value:
            self._record(self._problem_of(Reason.TAG_WITHOUT_VALUE, token, "has no value"))
        # If the MsgType is unknown, only that is reported, not each field.
        if self.layout is None or token.tag in block.table.layout.past_tags:
            return
        if field is None:
            text = f"is not defined by {self._dialect.name}"
            problem = tag_problem(Reason.UNDEFINED_TAG, token.tag, text, token.value)
        elif self.layout.admin and token.tag not in self._tables.session_tags:
            text = "is not defined for session messages"
            problem = field_problem(Reason.UNDEFINED_TAG, field, text, token.value)
        else:
            text = f"is not defined for {block.table.layout.name}"
            problem = field_problem(Reason.TAG_NOT_DEFINED_FOR_MESSAGE, field, text, token.value)
        self._record_tag_problem(problem)

    def _innermost(self) -> BlockItem:
        # A group without entries cannot contain the field, so look in the enclosing groups.
        for group in reversed(self._open):
            if group.entries:
                return group.entries[-1]
        return self.body

    def _enter_section(self, section: int, block: BlockItem, token: Token) -> None:
        """Begin a part of the message (header, body or trailer). If the field belongs to an earlier part,
        record that it is out of order.
        """
        if section > self._section:
            self._section = section
        # A repeated field is reported only as repeated, not also as out of order.
        elif token.tag not in block.seen:
            section_name = "the body" if self._section == BODY else "the trailer"
            text = f"follows the beginning of {section_name}"
            self._record_tag_problem(self._problem_of(Reason.TAG_OUT_OF_ORDER, token, text))

    # --- storing fields in a block -----------------------------------------------------------------

    def _entry(self, group: GroupItem, slot: Slot, token: Token) -> BlockItem:
        """Return the entry of a group to which a field belongs. If the field opens an entry, the entry is
        new.
        """
        if group.opens_entry(token.tag):
            if not group.entries:
                group.opener = token.tag
            if token.tag not in group.slot.member.delimiters:
                text = f"cannot be the first field of an entry of {group.slot.field.label}"
                self._record_tag_problem(self._problem_of(Reason.GROUP_FIELDS_OUT_OF_ORDER, token, text))
            entry = BlockItem(group.table)
            group.entries.append(entry)
        else:
            entry = group.entries[-1]
        if slot.index >= entry.last_index:
            entry.last_index = slot.index
        elif token.tag not in entry.seen:
            text = f"is out of order in {group.slot.field.label}"
            self._record_tag_problem(self._problem_of(Reason.GROUP_FIELDS_OUT_OF_ORDER, token, text))
        return entry

    def _store(self, block: BlockItem, slot: Slot, token: Token) -> None:
        """Store a field, length or counter in its block."""
        tag, raw, _ = token
        if tag in block.seen:
            self._record_repeated(block, slot, token)
            return
        block.seen.add(tag)
        if isinstance(slot, GroupSlot):
            self._open_group(block, slot, token)
            return
        item = FieldItem(token, self._position, slot, slot.field)
        block.items.append(item)
        if isinstance(slot, LengthSlot):
            self._check_length(slot, token)
        elif slot.legacy:
            block.legacy.append(item)
        else:
            self._read(block, slot, raw, self._position)

    def _record_repeated(self, block: BlockItem, slot: Slot, token: Token) -> None:
        problem = field_problem(Reason.TAG_REPEATED, slot.field, "appears more than once", token.value)
        self._record(problem)
        block.items.append(FieldItem(token, self._position, None, slot.field, True))
        # Treat the entries after a repeated counter as further entries of the group.
        if isinstance(slot, GroupSlot):
            self._open.append(block.groups[token.tag])

    def _open_group(self, block: BlockItem, slot: GroupSlot, token: Token) -> None:
        group = GroupItem(slot, slot.entry, token.value, self._position)
        block.items.append(group)
        block.groups[token.tag] = group
        group.count = self._count(slot, token.value)
        self._open.append(group)

    def _check_length(self, slot: LengthSlot, token: Token) -> None:
        if self._count(slot, token.value) is None:
            return
        following = self.tokens[self._position + 1 : self._position + 2]
        data = slot.data.field
        if not following or following[0].tag != data.tag:
            text = f"is not followed by {data.label}"
            self._record(field_problem(Reason.TAG_OUT_OF_ORDER, slot.field, text, token.value))
        elif following[0].form is TokenForm.MISCOUNTED:
            text = f"is {quoted(token.value)}, but {data.label} does not end there"
            self._record(field_problem(Reason.VALUE_INCORRECT, slot.field, text, token.value))

    def _read(self, block: BlockItem, slot: FieldSlot, raw: str, position: int) -> None:
        try:
            value = slot.read(raw)
        except ValueError as error:
            self._record_unreadable(slot, raw, error, position)
            return
        block.values[slot.member.attribute] = value
        expected = None if slot.limit is None else slot.limit(value, raw)
        if expected is not None:
            problem = value_problem(Reason.VALUE_INCORRECT, slot.field, raw, f"expected {expected}")
            self._record(problem, strict=True, position=position)

    def _count(self, slot: LengthSlot | GroupSlot, raw: str) -> int | None:
        """Return the value of a length or a counter, or None if it cannot be parsed."""
        try:
            count: int = slot.read(raw)
        except ValueError as error:
            self._record_unreadable(slot, raw, error, self._position)
            return None
        return count

    def _record_unreadable(self, slot: Slot, raw: str, error: ValueError, position: int) -> None:
        if raw:
            problem = value_problem(Reason.INCORRECT_DATA_FORMAT, slot.field, raw, str(error))
        else:
            problem = field_problem(Reason.TAG_WITHOUT_VALUE, slot.field, "has no value", "")
        self._record(problem, position=position)

    # --- checks of the whole message ---------------------------------------------------------------

    def _check_begin_string(self) -> None:
        begin_string, expected = self._first(BEGIN_STRING_TAG), self._dialect.begin_string
        if begin_string is not None and begin_string != expected:
            text = f"BeginString ({BEGIN_STRING_TAG}) is {quoted(begin_string)}: expected {expected}"
            problem = Problem(Reason.VALUE_INCORRECT, text, BEGIN_STRING_TAG, begin_string)
            self._record(problem, position=0)

    def _check_msg_type(self) -> None:
        if self.layout is None and self.msg_type:
            text = f"MsgType ({MSG_TYPE_TAG}) {quoted(self.msg_type)} is not defined by {self._dialect.name}"
            problem = Problem(Reason.INVALID_MSG_TYPE, text, MSG_TYPE_TAG, self.msg_type)
            self._record_tag_problem(problem, position=2)  # MsgType is the third field

    def _finish(self, block: BlockItem, where: str) -> None:
        """Parse obsolete tags whose current tag is absent, and check required members and counters. `where`
        names the entry, with a leading space; it is empty for the header, the body and the trailer.
        """
        # Parse obsolete tags first, because one of them may contain the value of a required field.
        for item in block.legacy:
            self._finish_legacy(block, item)
        for group in block.groups.values():
            self._finish_group(group)
        if block.table.required_tags <= block.seen:
            return
        for member in block.table.required:
            if member.tag not in block.seen and member.attribute not in block.values:
                text = f"{member.name} ({member.tag}) is missing{where}"
                problem = Problem(Reason.REQUIRED_TAG_MISSING, text, member.tag)
                # In an entry, sort the problem between the entry's last field and the next field.
                is_entry = bool(where)
                position = block.items[-1].position + 0.5 if is_entry else self._position
                self._record(problem, position=position)

    def _finish_legacy(self, block: BlockItem, item: FieldItem) -> None:
        slot = item.slot
        assert isinstance(slot, FieldSlot)  # noqa: S101
        # The current tag takes precedence, even if its value could not be parsed. The obsolete tag is then
        # kept as an unknown field, which has no slot.
        if slot.member.tag in block.seen or slot.member.attribute in block.values:
            item.slot = None
            if not item.token.value:
                item.discarded = True
                problem = field_problem(Reason.TAG_WITHOUT_VALUE, slot.field, "has no value", "")
                self._record(problem, position=item.position)
        else:
            self._read(block, slot, item.token.value, item.position)

    def _finish_group(self, group: GroupItem) -> None:
        counter = group.slot.field
        for number, entry in enumerate(group.entries, 1):
            self._finish(entry, f" in entry {number} of {counter.label}")
        if group.count is not None and group.count != len(group.entries):
            count = len(group.entries)
            text = (
                f"is {quoted(group.raw)}, but {count} {'entry was' if count == 1 else 'entries were'} found"
            )
            problem = field_problem(Reason.WRONG_NUM_IN_GROUP, counter, text, group.raw)
            self._record(problem, position=group.position)

    def _problem_of(self, reason: Reason, token: Token, text: str) -> Problem:
        """Return a problem with a field. The text contains the dialect's name of the field, if it has one."""
        field: FieldLayout | None = self._dialect.fields.get(token.tag)
        if field is None:
            return tag_problem(reason, token.tag, text, token.value)
        return field_problem(reason, field, text, token.value)

    def _record_tag_problem(self, problem: Problem, position: int | None = None) -> None:
        """Record a problem that only strict decoding reports, and that every message with these tags has."""
        self.tags_are_valid = False
        self._record(problem, strict=True, position=position)

    def _record(self, problem: Problem, *, strict: bool = False, position: float | None = None) -> None:
        # The number of findings is limited, because a single byte can cause a finding, which takes 200 times
        # the memory of the byte.
        self._counts[strict] += 1
        if self._counts[strict] <= MAX_PROBLEMS:
            self._findings.append(Finding(self._position if position is None else position, problem, strict))
