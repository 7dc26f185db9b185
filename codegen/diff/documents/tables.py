"""Parse the tables of a page: fields of a message, values of a field, messages, endpoints, texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import attrs

from codegen.diff.documents import codelists, columns, endpoints
from codegen.diff.documents.headings import ParsedHeading
from codegen.diff.documents.inline import plain
from codegen.diff.documents.markdown import Row, Table
from codegen.diff.facts import (
    TEXT,
    CodeFact,
    CodesFact,
    Fact,
    FieldFact,
    HostFact,
    MemberFact,
    TextFact,
    UnreadableFact,
    Vocabulary,
    folded,
)
from kalshi_fix_adapters.documents.mistakes import Location

# Arrows, branches and bullets that pages put before the fields of a group, one per level.
_NESTING_MARK = re.compile(r"\A[\s\u00a0]*((?:[→↳└├│─╰>»•▸*+-]+[\s\u00a0]*)+)")
# Wording that shows that a field belongs to the group of the nearest counter above it.
_GROUP_MEMBER = re.compile(
    r"\bgroup (?:field|member)\b|\bone entry per\b|\bentr(?:y|ies) only\b"
    r"|\bfield of the (?:repeating )?group\b"
)
# Wording that shows that a field belongs to a named group: `inside each NoPartyIDs`, `per 453=NoPartyIDs`.
_NAMED_GROUP = re.compile(r"\b(?:inside|within|in|of|per|entry of) (?:each |the |an? )?(?:\d+=)?(No[A-Z]\w+)")
# Descriptions of counters that the spec does not have yet.
_COUNTER_WORDS = re.compile(r"repeating group|number of|group counter|no\. of", re.IGNORECASE)
_REQUIRED_WHEN = re.compile(r"\b(?:required|mandatory) (?:when|unless|for|if|with|on|only)\b", re.IGNORECASE)
# A range is written `(1-100)` after a word, `must be 1 to 100`, or `between 1 and 100`.
_RANGE = re.compile(
    r"\((-?\d[\d,]*)\s*(?:-|\u2013|\u2014|to)\s*(\d[\d,]*)\)"
    r"|\b(?:must be|between) (\d+)\s*(?:-|\u2013|and|to)\s*(\d+)"
)
# A time limit has no lower bound: `max 24 hours`.
_MAX_TIME = re.compile(r"\bmax(?:imum)?(?: of)? (\d[\d,]*) (?:hours|minutes|seconds|days)\b", re.IGNORECASE)
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "eight": 8, "ten": 10}
# Number of entries of a group; N is a number in digits or words.
_ENTRIES = tuple(
    re.compile(pattern.replace("N", rf"(\d{{1,4}}|{'|'.join(_NUMBERS)})"), re.IGNORECASE)
    for pattern in (
        r"\b(?:up to|at most|max(?:imum)?(?: of)?|one or|1 or) N\b",
        r"\bonly N (?:is |are )?supported\b",
        r"\b(?:must be|always) N\b",
    )
)
# The clause after a word such as `requires`. It names fields that depend on the field of the row, and fields
# on which the field of the row depends (`tied_fields`).
_TIE = re.compile(
    r"\b(?:requires?|forbids?|(?:required|mandatory) (?:when|unless|if|with))\b([^.;()]*)", re.IGNORECASE
)
_NAME = re.compile(r"\b[A-Z][A-Za-z0-9]{2,}\b")
_YES_NO = re.compile(r"\bY\s?/\s?N\b|\bY or N\b|`?Y`? ?= ?Yes\b")
_HEADER_FIELD = re.compile(r"\bheader (?:field|tag)\b|\bin the (?:standard )?header\b", re.IGNORECASE)
_MAX_LENGTH = re.compile(r"\bmax(?:imum)?(?: of)?:? (\d+) (?:ascii )?char", re.IGNORECASE)


@attrs.frozen
class Context(ParsedHeading):
    """The combined headings above a table. `messages` is taken from the nearest heading that names a message
    or a block.
    """

    file: str = ""
    vocabulary: Vocabulary = attrs.field(factory=Vocabulary)
    line: int = 0
    """First line of the table."""


@attrs.frozen
class _Row:
    """A row with its cells addressed by the role of their column."""

    roles: dict[str, int]
    row: Row
    location: Location

    def cell(self, role: str) -> str:
        """Return the cell as written; empty if no column has this role."""
        return self.row.cells[self.roles[role]] if role in self.roles else ""

    def plain(self, role: str) -> str:
        """Return the plain text of a cell."""
        return plain(self.cell(role))

    def unreadable(self, role: str, what: str) -> UnreadableFact:
        """Return the fact for a cell that could not be parsed."""
        return UnreadableFact(self.location, f"`{self.plain(role)}` {what}")


def read(table: Table, context: Context) -> list[Fact]:
    """Return the facts of a table; none if it is of an unknown kind."""
    roles = columns.roles(table.header.cells)
    # A column whose cells are all hosts is a column of hosts under any heading: `Production`, `Demo`.
    for index, header in enumerate(table.header.cells):
        cells = list(filter(None, (plain(row.cells[index]) for row in table.rows)))
        if index not in roles.values() and cells and all(map(endpoints.is_host, cells)):
            roles[f"host {plain(header).lower()}"] = index
    # In a table of ports the column `Session` contains the TargetCompID.
    if not roles.keys() & {"tag", "target", "msg_type"} and {"port", "sessions"} <= roles.keys():
        roles["target"] = roles.pop("sessions")
    rows = [_Row(roles, row, Location(context.file, row.line)) for row in table.rows]
    reader = _reader(roles, context)
    return [] if reader is None else list(reader(rows, attrs.evolve(context, line=table.line)))


_Reader = Callable[[Sequence[_Row], Context], Iterator[Fact]]


def _reader(roles: dict[str, int], context: Context) -> _Reader | None:
    """Return the parser for a table with columns of these roles, or None."""
    # The order matters, because a table may fit several kinds. A table of messages also has a tag (35), and
    # a table of fields may contain a host in an example.
    if "msg_type" in roles and roles.keys() & {"direction", "sessions"}:
        return _messages
    if "tag" in roles:
        return _fields
    if roles.keys() & {"port", "target"} or any(role.startswith("host") for role in roles):
        return _endpoints
    if f"field {TEXT}" in roles:
        return _texts
    if context.tag is not None and "code" in roles:
        return _codes
    # Fields without tags, recognized only below the heading of a message.
    if {"name", "required"} <= roles.keys() and (context.messages or context.block):
        return _fields
    return None


def _fields(rows: Sequence[_Row], context: Context) -> Iterator[Fact]:
    if len(context.messages) > 1:
        names = " and ".join(context.messages)
        what = f"the heading above a table of fields names {names} at once"
        yield UnreadableFact(Location(context.file, context.line), what)
        return
    # Counters above the current row, nearest last.
    counters: list[int] = []
    for row in rows:
        yield from _FieldRow(row, context, counters).read()


@attrs.frozen
class _FieldRow:
    """One row of a table of fields."""

    row: _Row
    context: Context
    counters: list[int]
    """Counters above, nearest last."""

    def read(self) -> Iterator[Fact]:
        """Yield the field or member, its codes, and the unreadable cells."""
        row, context, location = self.row, self.context, self.row.location
        tag, name, depth = self._names()
        if tag is None:
            yield UnreadableFact(location, f"`{row.plain('tag') or plain(name)}` is not a tag")
            return
        codes = self._codes(row.cell("values"), tag)
        role = "type_or_values" if "type_or_values" in row.roles else "type"
        type_text = row.plain(role)
        if type_text and columns.kind(row.cell(role)) is None:
            type_text = ""
            codes = self._codes(row.cell(role), tag) if role == "type_or_values" else ()
            if not codes:
                problem = "is not a known type"
                if role == "type_or_values":
                    problem = "is neither a type nor a list of values"
                yield row.unreadable(role, problem)
        block = context.block or (context.messages[0] if context.messages else None)
        if block is None:
            yield FieldFact(location, tag, name, type_text, context.mentioned_message or "")
        else:
            required = columns.required(row.cell("required")) if "required" in row.roles else context.required
            if required is None:
                yield row.unreadable("required", f"does not state whether {name} is required")
            yield self._member(block, tag, name, type_text, required or "", depth)
        # A column of values is more reliable than the description, which may mention values of other fields.
        codes = codes or self._codes(row.cell("description"), tag)
        if codes:
            # A single value in a description is usually the only value used in this message.
            yield CodesFact(location, tag, codes, len(codes) > 1, block or "")

    def _codes(self, text: str, tag: int) -> tuple[CodeFact, ...]:
        return codelists.codes_in_text(text, tag, self.context.vocabulary, self.row.location)

    def _names(self) -> tuple[int | None, str, int]:
        """Return tag, name, and nesting depth according to the marker before them."""
        cells = [self.row.plain(role) for role in ("tag", "name")]
        markers = [marker[1] for cell in cells if (marker := _NESTING_MARK.match(cell))]
        depth = max((len(re.findall(r"[→↳└├╰>»•▸*+-]", marker)) for marker in markers), default=0)
        tag_cell, name_cell = (_NESTING_MARK.sub("", cell).strip() for cell in cells)
        if "tag" not in self.row.roles:
            # `ClOrdID (11)`, or `11: ClOrdID`.
            match = re.match(r"(\w+)\s*[(<](\d+)[)>]|(\d+)[\s:=]+(\w+)", name_cell)
            if match:
                return int(match[2] or match[3]), match[1] or match[4], depth
            return self.context.vocabulary.tag_of(name_cell), name_cell, depth
        # `11`, `11 (new)`, `11*`.
        number = re.fullmatch(r"([1-9]\d{0,5})\s*(?:\(.*\)|\*+)?", tag_cell)
        # Text in brackets and footnote marks are not part of the name.
        name_cell = re.sub(r"\s*\(.*\)\Z|\s*\*+\Z", "", name_cell)
        return (int(number[1]) if number else None), name_cell, depth

    def _member(
        self, block: str, tag: int, name: str, type_text: str, required: str, depth: int
    ) -> MemberFact:
        context, tag_of = self.context, self.context.vocabulary.tag_of
        text = self.row.plain("description")
        heading_counter = tag_of(context.group) if context.group else None
        heading_counter = heading_counter if heading_counter != tag else None
        inside = self._inside(tag, text, depth) or heading_counter
        is_counter = self._is_counter(tag, name, type_text, text)
        if is_counter:
            self.counters.append(tag)
        words = (word for clause in _TIE.findall(text) for word in _NAME.findall(clause))
        length = _MAX_LENGTH.search(text)
        return MemberFact(
            location=self.row.location,
            block=block,
            tag=tag,
            name=name,
            type=type_text,
            required=required,
            conditional=_REQUIRED_WHEN.search(text) is not None,
            enclosing_group=inside,
            sender=context.sender,
            when=context.when,
            default=self.row.plain("default"),
            sessions=endpoints.only_sessions(text, context.vocabulary),
            limits=_limits(text),
            max_length=int(length[1]) if length else None,
            table=context.line,
            heading_counter=heading_counter,
            max_entries=_max_entries(text) if is_counter else None,
            tied_fields=tuple(dict.fromkeys(word for word in words if tag_of(word) not in (None, tag))),
            yes_no=_YES_NO.search(text) is not None,
            in_header=_HEADER_FIELD.search(text) is not None,
        )

    def _inside(self, tag: int, text: str, depth: int) -> int | None:
        """Return the counter of the group that contains the row according to its text or marker, or None."""
        tag_of, counters = self.context.vocabulary.tag_of, self.counters
        group = _NAMED_GROUP.search(text)
        # The text of a counter may name its own group.
        if group and (counter := tag_of(group[1])) not in (None, tag):
            return counter
        # A marker gives the depth: the number of counters above. Words alone refer to the nearest counter.
        if counters and (depth or _GROUP_MEMBER.search(text.lower())):
            return counters[min(depth or len(counters), len(counters)) - 1]
        return None

    def _is_counter(self, tag: int, name: str, type_text: str, text: str) -> bool:
        """Return whether a row is a group's counter: a known one, or named and described like one."""
        # The text matters only for a new tag.
        known = self.context.vocabulary.kinds.get(tag)
        if known is not None:
            return known == "NUMINGROUP"
        has_counter_name = re.match(r"No[A-Z]", name) is not None
        is_described = _COUNTER_WORDS.search(text) is not None or folded(type_text) == "numingroup"
        return has_counter_name and is_described


def _max_entries(text: str) -> int | None:
    """Return the maximum number of entries given in a counter's text, or None."""
    match = next((m for pattern in _ENTRIES if (m := pattern.search(text))), None)
    return None if match is None else _NUMBERS.get(match[1].lower()) or int(match[1])


def _limits(text: str) -> tuple[int | None, int | None] | None:
    """Return the minimum and maximum value given in a text, or None."""
    if match := _RANGE.search(text):
        low, high = (int(number.replace(",", "")) for number in (match[1] or match[3], match[2] or match[4]))
        return low, high
    maximum = _MAX_TIME.search(text)
    return (None, int(maximum[1].replace(",", ""))) if maximum else None


def _codes(rows: Sequence[_Row], context: Context) -> Iterator[Fact]:
    """Parse a table of values of the field named in the heading."""
    tag = context.tag or 0
    codes: list[CodeFact] = []
    for row in rows:
        # The names of the values are in the first of these columns that the table has.
        label = next((role for role in ("label", "name", "description") if role in row.roles), "")
        code = codelists.code_of_cells(row.cell("code"), row.cell(label), row.location)
        if code is None:
            yield row.unreadable("code", f"is not a value of {tag}")
        else:
            codes.append(code)
    if codes:
        yield CodesFact(codes[0].location, tag, tuple(codes), complete=True)


def _messages(rows: Sequence[_Row], context: Context) -> Iterator[Fact]:
    for row in rows:
        msg_type = row.plain("msg_type")
        if not re.fullmatch(r"\w{1,6}", msg_type):
            yield row.unreadable("msg_type", "is not a MsgType")
            continue
        sessions = row.plain("sessions") if "sessions" in row.roles else None
        # A table without a column for the direction lists messages that either side sends.
        direction = row.plain("direction") if "direction" in row.roles else "both"
        name, vocabulary = row.plain("name"), context.vocabulary
        yield endpoints.flows(msg_type, name, sessions, direction, row.location, vocabulary)


def _endpoints(rows: Sequence[_Row], context: Context) -> Iterator[Fact]:
    for row in rows:
        environment = row.plain("environment").lower() or context.environment
        port = ""
        for role in (role for role in row.roles if role.startswith("host") and row.plain(role)):
            host, _, port = row.plain(role).partition(":")
            # The host's role is in the column's heading or, failing that, in the text of the row.
            host_role = role.removeprefix("host").strip() or row.plain("description")
            yield HostFact(row.location, environment, host_role, host, row.plain("target"))
        if "target" in row.roles:
            port = row.plain("port") or port
            yield endpoints.session_row(row.plain("target"), port, environment, row.location)


def _texts(rows: Sequence[_Row], context: Context) -> Iterator[Fact]:
    for row in rows:
        text = row.plain(f"field {TEXT}")
        others = (role for role in row.roles if role.startswith("field ") and role != f"field {TEXT}")
        other = next(others, "")
        if len(context.messages) != 1 or not re.fullmatch(r"[A-Za-z][\w ]*", text):
            what = "a table row for Text has no value, or does not belong to exactly one message"
            yield UnreadableFact(row.location, what)
            continue
        code = row.plain(other)
        yield TextFact(row.location, context.messages[0], text, other.removeprefix("field "), code)
