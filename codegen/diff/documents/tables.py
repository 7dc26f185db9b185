"""Reads the tables of a page: fields of a message, values of a field, messages, endpoints, texts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from codegen.diff.documents import codelists, columns, endpoints
from codegen.diff.documents.inline import plain
from codegen.diff.documents.markdown import Row, Table
from codegen.diff.facts import (
    TEXT,
    CodeSaid,
    CodesSaid,
    Fact,
    FieldSaid,
    HostSaid,
    MemberSaid,
    TextSaid,
    Unread,
    Vocabulary,
    folded,
)
from kalshi_fix_adapters.documents.mistakes import Location

# Arrows, branches and bullets that pages put in front of the fields of a group, one for each level.
_NESTED = re.compile(r"\A[\s\u00a0]*((?:[→↳└├│─╰>»•▸*+-]+[\s\u00a0]*)+)")
# The row is a field of some group: of the nearest one above it.
_IN_GROUP = re.compile(
    r"\bgroup (?:field|member)\b|\bone entry per\b|\bentr(?:y|ies) only\b"
    r"|\bfield of the (?:repeating )?group\b"
)
# The row is a field of this group: `inside each NoPartyIDs`, `per 453=NoPartyIDs`.
_OF_GROUP = re.compile(r"\b(?:inside|within|in|of|per|entry of) (?:each |the |an? )?(?:\d+=)?(No[A-Z]\w+)")
# What the text of a counter says that the spec does not know yet.
_OPENS_GROUP = re.compile(r"repeating group|number of|group counter|no\. of", re.IGNORECASE)
_REQUIRED_WHEN = re.compile(r"\b(?:required|mandatory) (?:when|unless|for|if|with|on|only)\b", re.IGNORECASE)
# Either `(1-100)` behind a word, or `must be 1 to 100` and `between 1 and 100`.
_RANGE = re.compile(
    r"\((-?\d[\d,]*)\s*(?:-|\u2013|\u2014|to)\s*(\d[\d,]*)\)"
    r"|\b(?:must be|between) (\d+)\s*(?:-|\u2013|and|to)\s*(\d+)"
)
# A bound of time has no lower end: `max 24 hours`.
_MOST = re.compile(r"\bmax(?:imum)?(?: of)? (\d[\d,]*) (?:hours|minutes|seconds|days)\b", re.IGNORECASE)
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "eight": 8, "ten": 10}
# How many entries a group has; N stands for a number in digits or words.
_ENTRIES = tuple(
    re.compile(pattern.replace("N", rf"(\d{{1,4}}|{'|'.join(_NUMBERS)})"), re.IGNORECASE)
    for pattern in (
        r"\b(?:up to|at most|max(?:imum)?(?: of)?|one or|1 or) N\b",
        r"\bonly N (?:is |are )?supported\b",
        r"\b(?:must be|always) N\b",
    )
)
# The clause behind such a word; names of fields in it are tied to the row's field.
_TIED = re.compile(
    r"\b(?:requires?|forbids?|(?:required|mandatory) (?:when|unless|if|with))\b([^.;()]*)", re.IGNORECASE
)
_NAME = re.compile(r"\b[A-Z][A-Za-z0-9]{2,}\b")
_YES_NO = re.compile(r"\bY\s?/\s?N\b|\bY or N\b|`?Y`? ?= ?Yes\b")
_OF_HEADER = re.compile(r"\bheader (?:field|tag)\b|\bin the (?:standard )?header\b", re.IGNORECASE)
_LONGEST = re.compile(r"\bmax(?:imum)?(?: of)?:? (\d+) (?:ascii )?char", re.IGNORECASE)


@attrs.frozen
class Context:
    """What the headings above a table say."""

    file: str
    vocabulary: Vocabulary
    messages: tuple[str, ...] = ()
    """The MsgTypes of the heading that owns the table."""
    block: str | None = None
    """`header` or `trailer`, where that heading is about one of them."""
    about: str | None = None
    """A MsgType that a heading mentions by name."""
    tag: int | None = None
    group: str | None = None
    when: tuple[str, str] | None = None
    sender: str | None = None
    required: str = ""
    environment: str = ""

    def at(self, row: Row | Table) -> Location:
        """Where something stands."""
        return Location(self.file, row.line)


def read(table: Table, context: Context) -> list[Fact]:
    """The facts of a table; none where it is none of the kinds known here."""
    roles = columns.roles(table.header.cells)
    # A column is one of hosts by what stands in it, whatever its heading: `Production`, `Demo`.
    for index, header in enumerate(table.header.cells):
        cells = [plain(row.cells[index]) for row in table.rows]
        if (
            index not in roles.values()
            and any(cells)
            and all(endpoints.is_host(cell) for cell in cells if cell)
        ):
            roles[f"host {plain(header).lower()}"] = index
    # From here on the order decides, for a table may fit several kinds: one of messages has a tag (35)
    # too, one of fields a host in an example.
    if "msg_type" in roles and ("direction" in roles or "sessions" in roles):
        return list(_messages(table, roles, context))
    if "tag" in roles:
        return _fields(table, roles, context)
    # In a table of ports the column `Session` holds the TargetCompID.
    if "port" in roles and "target" not in roles and "sessions" in roles:
        roles["target"] = roles.pop("sessions")
    if "port" in roles or "target" in roles or any(role.startswith("host") for role in roles):
        return list(_endpoints(table, roles, context))
    if f"field {TEXT}" in roles:
        return list(_texts(table, roles, context))
    if context.tag is not None and "code" in roles:
        return _codes(table, roles, context)
    # Fields by name alone, which only the heading of a message makes one of fields.
    if {"name", "required"} <= roles.keys() and (context.messages or context.block):
        return _fields(table, roles, context)
    return []


def _cell(row: Row, roles: dict[str, int], role: str) -> str:
    return row.cells[roles[role]] if role in roles else ""


def _fields(table: Table, roles: dict[str, int], context: Context) -> list[Fact]:
    if len(context.messages) > 1:
        listed = " and ".join(context.messages)
        return [Unread(context.at(table), f"the heading above a table of fields names {listed} at once")]
    rows = _Rows(roles, context, table.line)
    found: list[Fact] = []
    for row in table.rows:
        found += rows.read(row)
    return found


@attrs.define
class _Rows:
    """Reads the rows of one table of fields in order, since a counter says something about those below it."""

    roles: dict[str, int]
    context: Context
    line: int
    """Where the table begins."""
    _counters: list[int] = attrs.field(factory=list)
    """The counters met so far, the nearest last."""

    def read(self, row: Row) -> Iterator[Fact]:
        context, location = self.context, self.context.at(row)
        tag, name, depth = self._names(row)
        if tag is None:
            yield Unread(location, f"`{plain(_cell(row, self.roles, 'tag') or name)}` is no tag")
            return
        written, codes = self._type(row, tag, location)
        if isinstance(written, Unread):
            yield written
            written = ""
        block = context.block or (context.messages[0] if context.messages else None)
        text = _cell(row, self.roles, "description")
        if block is None:
            yield FieldSaid(location, tag, name, written, context.about or "")
        else:
            required = self._required(row)
            if required is None:
                yield Unread(
                    location,
                    f"`{plain(_cell(row, self.roles, 'required'))}` says not whether {name} is required",
                )
                required = ""
            yield self._member(row, block, tag, name, written, required, depth)
        # A column for values is more reliable than the description, in which other fields' values
        # stand too.
        codes = codes or codelists.of_text(text, tag, context.vocabulary, location)
        if codes:
            # One value in a description is usually the one that matters in this message.
            whole = len(codes) > 1
            yield CodesSaid(location, tag, codes, whole, block or "")

    def _names(self, row: Row) -> tuple[int | None, str, int]:
        """Tag, name and how deep in groups a marker in front of them puts the row."""
        tag_cell, name_cell = (plain(_cell(row, self.roles, role)) for role in ("tag", "name"))
        depth = 0
        for cell in (tag_cell, name_cell):
            if marker := _NESTED.match(cell):
                depth = max(depth, len(re.findall(r"[→↳└├╰>»•▸*+-]", marker[1])))
        tag_cell, name_cell = (_NESTED.sub("", cell).strip() for cell in (tag_cell, name_cell))
        if "tag" not in self.roles:
            # `ClOrdID (11)`, or `11: ClOrdID`.
            both = re.match(r"(\w+)\s*[(<](\d+)[)>]|(\d+)[\s:=]+(\w+)", name_cell)
            if both:
                return int(both[2] or both[3]), both[1] or both[4], depth
            return self.context.vocabulary.tag_of(name_cell), name_cell, depth
        # `11`, `11 (new)`, `11*`.
        number = re.fullmatch(r"([1-9]\d{0,5})\s*(?:\(.*\)|\*+)?", tag_cell)
        # A remark or a mark of a footnote is no part of the name.
        name_cell = re.sub(r"\s*\(.*\)\Z|\s*\*+\Z", "", name_cell)
        return (int(number[1]) if number else None), name_cell, depth

    def _type(self, row: Row, tag: int, location: Location) -> tuple[str | Unread, tuple[CodeSaid, ...]]:
        """The type as written, and the codes of a column for values."""
        vocabulary = self.context.vocabulary
        values = _cell(row, self.roles, "values")
        codes = codelists.of_text(values, tag, vocabulary, location)
        if "type_or_values" in self.roles:
            cell = _cell(row, self.roles, "type_or_values")
            if columns.kind(cell):
                return plain(cell), codes
            codes = codelists.of_text(cell, tag, vocabulary, location)
            if not codes and plain(cell):
                return Unread(location, f"`{plain(cell)}` is neither a type nor a list of values"), ()
            return "", codes
        cell = _cell(row, self.roles, "type")
        if plain(cell) and columns.kind(cell) is None:
            return Unread(location, f"`{plain(cell)}` is no type that is known here"), ()
        return plain(cell), codes

    def _required(self, row: Row) -> str | None:
        if "required" not in self.roles:
            return self.context.required
        return columns.required(_cell(row, self.roles, "required"))

    def _member(
        self, row: Row, block: str, tag: int, name: str, written: str, required: str, depth: int
    ) -> MemberSaid:
        vocabulary = self.context.vocabulary
        text = plain(_cell(row, self.roles, "description"))
        inside = self._inside(tag, text, depth)
        low, high, longest = _limits(text)
        counts = self._is_counter(tag, name, written, text)
        if counts:
            self._counters.append(tag)
        under = vocabulary.tag_of(self.context.group) if self.context.group else None
        return MemberSaid(
            location=self.context.at(row),
            block=block,
            tag=tag,
            name=name,
            type=written,
            required=required,
            conditional=_REQUIRED_WHEN.search(text) is not None,
            inside=inside,
            sender=self.context.sender,
            when=self.context.when,
            default=plain(_cell(row, self.roles, "default")),
            sessions=endpoints.only_sessions(text, vocabulary),
            limits=None if low is None and high is None else (low, high),
            longest=longest,
            table=self.line,
            under=under if under != tag else None,
            most=_most_entries(text) if counts else None,
            ties=tuple(dict.fromkeys(w for w in _ties(text) if vocabulary.tag_of(w) not in (None, tag))),
            yes_no=_YES_NO.search(text) is not None,
            of_header=_OF_HEADER.search(text) is not None,
        )

    def _inside(self, tag: int, text: str, depth: int) -> int | None:
        """The counter of the group that this row is said to stand in."""
        vocabulary = self.context.vocabulary
        named = _OF_GROUP.search(text)
        # A counter that speaks of its own group does not stand in it.
        if named and (counter := vocabulary.tag_of(named[1])) not in (None, tag):
            return counter
        # A marker says how deep: of that many counters above. Words alone mean the nearest counter.
        if self._counters and (depth or _IN_GROUP.search(text.lower())):
            return self._counters[max(0, min(depth or len(self._counters), len(self._counters)) - 1)]
        if self.context.group is not None:
            counter = vocabulary.tag_of(self.context.group)
            return counter if counter != tag else None
        return None

    def _is_counter(self, tag: int, name: str, written: str, text: str) -> bool:
        """Whether a row is the counter of a group: known to be one, or called and described like one."""
        # Only of a tag that is new the text has to be asked.
        known = self.context.vocabulary.kinds.get(tag)
        if known is not None:
            return known == "NUMINGROUP"
        counts = re.match(r"No[A-Z]", name) is not None
        return counts and (_OPENS_GROUP.search(text) is not None or folded(written) == "numingroup")


def _most_entries(text: str) -> int | None:
    """The most entries of a group, as a text about its counter gives it."""
    found = next((match for pattern in _ENTRIES if (match := pattern.search(text))), None)
    return None if found is None else _NUMBERS.get(found[1].lower()) or int(found[1])


def _ties(text: str) -> Iterator[str]:
    """The words of a text that may be fields which it requires or forbids."""
    for clause in _TIED.findall(text):
        yield from _NAME.findall(clause)


def _limits(text: str) -> tuple[int | None, int | None, int | None]:
    """Least and greatest value and most characters, where a text gives them."""
    longest = _LONGEST.search(text)
    found = _RANGE.search(text)
    if found is None and (most := _MOST.search(text)):
        return None, int(most[1].replace(",", "")), None
    if found is None:
        return None, None, int(longest[1]) if longest else None
    low, high = (int(number.replace(",", "")) for number in (found[1] or found[3], found[2] or found[4]))
    return low, high, int(longest[1]) if longest else None


def _codes(table: Table, roles: dict[str, int], context: Context) -> list[Fact]:
    """A table of the values of the field that the heading names."""
    tag = context.tag or 0
    found: list[Fact] = []
    codes: list[CodeSaid] = []
    # What such a table calls the column of names varies; the nearest word counts.
    label = next((role for role in ("label", "name", "description") if role in roles), "")
    for row in table.rows:
        cell = _cell(row, roles, "code")
        code = codelists.of_cells(cell, _cell(row, roles, label), context.at(row))
        if code is None:
            found.append(Unread(context.at(row), f"`{plain(cell)}` is no value of {tag}"))
        else:
            codes.append(code)
    if codes:
        found.append(CodesSaid(codes[0].location, tag, tuple(codes), whole=True))
    return found


def _messages(table: Table, roles: dict[str, int], context: Context) -> Iterator[Fact]:
    for row in table.rows:
        msg_type = plain(_cell(row, roles, "msg_type"))
        if not re.fullmatch(r"\w{1,6}", msg_type):
            yield Unread(context.at(row), f"`{msg_type}` is no MsgType")
            continue
        sessions = plain(_cell(row, roles, "sessions")) if "sessions" in roles else None
        # A table without a column for the direction is about messages that either side sends.
        direction = plain(_cell(row, roles, "direction")) if "direction" in roles else "both"
        name = plain(_cell(row, roles, "name"))
        yield endpoints.flows(msg_type, name, sessions, direction, context.at(row), context.vocabulary)


def _endpoints(table: Table, roles: dict[str, int], context: Context) -> Iterator[Fact]:
    for row in table.rows:
        location = context.at(row)
        environment = plain(_cell(row, roles, "environment")).lower() or context.environment
        port = ""
        for role, index in roles.items():
            if role.startswith("host") and plain(row.cells[index]):
                host, _, port = plain(row.cells[index]).partition(":")
                # Which host it is the heading of the column says, else the text of the row.
                of = role.removeprefix("host").strip() or plain(_cell(row, roles, "description"))
                yield HostSaid(location, environment, of, host, plain(_cell(row, roles, "target")))
        if "target" in roles:
            name, port = plain(_cell(row, roles, "target")), plain(_cell(row, roles, "port")) or port
            yield endpoints.session_row(name, port, environment, location)


def _texts(table: Table, roles: dict[str, int], context: Context) -> Iterator[Fact]:
    other = next((role for role in roles if role.startswith("field ") and role != f"field {TEXT}"), "")
    for row in table.rows:
        text = plain(_cell(row, roles, f"field {TEXT}"))
        if len(context.messages) != 1 or not re.fullmatch(r"[A-Za-z][\w ]*", text):
            yield Unread(context.at(row), "a row on values of Text names no value, or no message has it")
            continue
        field = other.removeprefix("field ")
        yield TextSaid(context.at(row), context.messages[0], text, field, plain(_cell(row, roles, other)))
