"""From messages of a log to what `kalshi-fix decode` prints: sound ones fast, the others explained."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from enum import Enum, auto
from typing import Any

import attrs

from kalshi_fix_adapters.cli.logs.explain import Explanation, explain, sound_message
from kalshi_fix_adapters.cli.logs.filters import NOTHING_ASKED, Filters
from kalshi_fix_adapters.cli.logs.render import brief, json_fields, lines, name_of, passed
from kalshi_fix_adapters.cli.logs.summary import Fact
from kalshi_fix_adapters.cli.logs.templates import Templates
from kalshi_fix_adapters.cli.logs.units import Units
from kalshi_fix_adapters.cli.terminal import Line, printable
from kalshi_fix_adapters.logs.entries import Direction, LogEntry, entry_of, own_line, told
from kalshi_fix_adapters.logs.reader import LoggedMessage
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.codec import FieldNode

PROBLEM = "  ! "
"""Begins a line that tells what is wrong with a message."""
_ARROWS = {"sent": ">", "received": "<", None: "-"}
_NUMBER = 34


_TYPES = {layout.name: layout.msg_type for layout in DIALECT.messages.values()}
_Row = tuple[str, int, LoggedMessage]
"""Of a sound message: name, MsgSeqNum, and where it was found."""
_TIME_SIZE = len("2026-11-21 12:00:00.123456")


class Form(Enum):
    """How messages are shown."""

    BRIEF = auto()
    FULL = auto()
    JSON = auto()
    NONE = auto()
    """Not at all: only added up."""


@attrs.define
class Batch:
    """What comes of some messages."""

    found: int = 0
    problems: int = 0
    """How many messages have some."""
    text: list[str] = attrs.field(factory=list)
    """Lines without style."""
    lines: list[Line] = attrs.field(factory=list)
    facts: list[tuple[Fact, bool, bool]] = attrs.field(factory=list)
    """For the summary, of each message: whether it is wanted, and whether it has problems."""


@attrs.frozen
class Asked:
    """What the options of the command ask for."""

    form: Form
    filters: Filters = NOTHING_ASKED
    on_terminal: bool = False
    """Whether there is little room: then lines have no date."""


class Decoder:
    """Shows messages one after the other, in the order of the log."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._templates = Templates(as_json=asked.form is Form.JSON)
        self._units = Units()
        self._second = b""
        """The last date and time to the second that stood in a wire log: mostly the next one is the same."""

    def batch(self, found: Iterable[LoggedMessage]) -> Batch:
        """Decode what a `LogReader` gives."""
        asked, batch = self._asked, Batch()
        wants = asked.filters.wants if asked.filters.any else None
        if asked.form is Form.NONE:
            self._add_up(found, batch)
            return batch
        # Step by step for all of them, and not all steps for each: in the processor's caches is then what the
        # step needs.
        kept = list(found) if wants is None else [logged for logged in found if wants(logged)]
        batch.found = len(kept)
        if asked.form is Form.FULL:
            for entry in map(entry_of, kept):
                self._full(entry, batch)
            return batch
        rows = [*map(self._row, kept)]
        # Messages are gone by now; their bytes are enough.
        if asked.form is Form.JSON:
            self._json(rows, batch)
        elif asked.on_terminal:
            self._brief(rows, batch)
        else:
            self._brief_text(rows, batch)
        return batch

    def _row(self, logged: LoggedMessage) -> _Row | LogEntry:
        """Return what is shown of a sound message; its entry where that is for the careful renderers."""
        message = sound_message(logged)
        if message is None or not self._templates.fits(message):
            return entry_of(logged)
        return message.NAME, message.header.msg_seq_num, logged

    def _full(self, entry: LogEntry, batch: Batch) -> None:
        explanation = explain(entry)
        batch.problems += bool(explanation.problems)
        self._units.learn(explanation.inspection)
        batch.lines += [*lines(explanation, self._units, passed(entry)), ()]

    def _told(self, before: bytes) -> tuple[str, Direction | None, int | None]:
        """Return what `told` does, with the time as text: empty if there is none."""
        own = own_line(before)
        if own is not None and own[0] == self._second:
            return before[:_TIME_SIZE].decode("ascii"), own[1], own[2]
        time, direction, connection = told(before)
        when = _moment(time)
        if own is not None and when[:-7].encode() == own[0]:
            self._second = own[0]
        return when, direction, connection

    # Each in one loop: a call for each row takes a tenth more.

    def _brief(self, rows: Iterable[_Row | LogEntry], batch: Batch) -> None:
        for row in rows:
            if isinstance(row, LogEntry):
                self._explained_brief(row, batch)
                continue
            name, number, logged = row
            time, direction, connection = told(logged.before)
            fields = self._templates.fields(logged.frame, name)
            batch.lines.append(_line(_clock(time), direction, connection, number, name, fields))

    def _brief_text(self, rows: Iterable[_Row | LogEntry], batch: Batch) -> None:
        fields_of, told_of, append = self._templates.fields, self._told, batch.text.append
        for row in rows:
            if isinstance(row, LogEntry):
                self._explained_brief(row, batch)
                continue
            name, number, logged = row
            when, direction, connection = told_of(logged.before)
            told = "" if connection is None else connection
            append(
                f"{when or '-'} {told}{_ARROWS[direction]} #{number} {name} {fields_of(logged.frame, name)}"
            )

    def _explained_brief(self, entry: LogEntry, batch: Batch) -> None:
        explanation = explain(entry)
        time = entry.time
        when = _clock(time) if self._asked.on_terminal else _moment(time) or "-"
        number, name = _header(explanation, _NUMBER) or "-", name_of(explanation)
        if number.isdecimal():  # as the message itself has it, which is a number
            number = number.lstrip("0") or "0"
        fields = brief(explanation.inspection)
        shown = [_line(when, entry.direction, entry.connection, number, name, fields)]
        if explanation.problems:
            batch.problems += 1
            where = f"{PROBLEM}line {entry.line}: "
            shown += [(("bold red", where), ("red", printable(problem))) for problem in explanation.problems]
        if self._asked.on_terminal:
            batch.lines += shown
        else:
            batch.text += ["".join(part for _, part in line) for line in shown]

    def _json(self, rows: Iterable[_Row | LogEntry], batch: Batch) -> None:
        fields_of, told_of, append = self._templates.fields, self._told, batch.text.append
        for row in rows:
            if isinstance(row, LogEntry):
                self._explained_json(row, batch)
                continue
            name, _, logged = row
            when, direction, connection = told_of(logged.before)
            # As `datetime.isoformat` has it.
            at = f'"{when[:10]}T{when[11:].removesuffix(".000000")}+00:00"' if when else "null"
            way = "null" if direction is None else f'"{direction}"'
            fields = fields_of(logged.frame, name)
            append(
                f'{{"line": {logged.line}, "time": {at}, "direction": {way}, '
                f'"connection": {"null" if connection is None else connection}, '
                f'"msg_type": "{_TYPES[name]}", "name": "{name}", "fields": {fields}, "problems": []}}'
            )

    def _explained_json(self, entry: LogEntry, batch: Batch) -> None:
        explanation = explain(entry)
        batch.problems += bool(explanation.problems)
        batch.text.append(json.dumps(as_json(entry, explanation)))

    def _add_up(self, found: Iterable[LoggedMessage], batch: Batch) -> None:
        wants = self._asked.filters.wants
        for logged in list(found):
            wanted, message = wants(logged), sound_message(logged)
            if message is not None:
                batch.facts.append((_fact(logged, message), wanted, False))
                continue
            entry = entry_of(logged)
            explanation = explain(entry)
            batch.facts.append((_explained_fact(entry, explanation), wanted, bool(explanation.problems)))


def as_json(entry: LogEntry, explanation: Explanation) -> dict[str, object]:
    """Return a message as an object."""
    return {
        "line": entry.line,
        "time": None if entry.time is None else entry.time.isoformat(),
        "direction": entry.direction,
        "connection": entry.connection,
        "msg_type": explanation.inspection.msg_type,
        "name": explanation.name,
        "fields": json_fields(explanation.inspection),
        "problems": list(explanation.problems),
    }


def _moment(time: datetime | None) -> str:
    """Return date and time in UTC; empty if there is none."""
    return "" if time is None else time.isoformat(" ", "microseconds")[:_TIME_SIZE]


def _clock(time: datetime | None) -> str:
    """Return a time of day for a terminal, which has little room."""
    return "-" if time is None else f"{time:%H:%M:%S}.{time.microsecond // 1000:03d}"


def _line(
    when: str,
    direction: Direction | None,
    connection: int | None,
    number: int | str,
    name: str,
    fields: str,
) -> Line:
    told = "" if connection is None else connection
    return (
        ("dim", f"{when} {told}{_ARROWS[direction]} #{number} "),
        ("bold", name),
        ("", f" {fields}"),
    )


def _header(explanation: Explanation, tag: int) -> str | None:
    for node in explanation.inspection.header:
        if isinstance(node, FieldNode) and node.tag == tag:
            return printable(node.text)
    return None


def _fact(logged: LoggedMessage, message: Any) -> Fact:
    header = message.header
    time, direction, _ = told(logged.before)
    return Fact(
        logged.line,
        time,
        direction,
        message.MSG_TYPE,
        header.sender_comp_id,
        header.target_comp_id,
        header.msg_seq_num,
        header.poss_dup_flag is True,
        getattr(message, "reset_seq_num_flag", None) is True,
        getattr(message, "new_seq_no", None),
        getattr(message, "cl_ord_id", None),
    )


def _explained_fact(entry: LogEntry, explanation: Explanation) -> Fact:
    inspection = explanation.inspection
    texts: dict[str, str] = {}
    for node in (*inspection.header, *inspection.body):
        if isinstance(node, FieldNode) and node.layout is not None:
            texts.setdefault(node.layout.name, node.text)
    return Fact(
        entry.line,
        entry.time,
        entry.direction,
        inspection.msg_type or "",
        texts.get("SenderCompID", ""),
        texts.get("TargetCompID", ""),
        _number(texts.get("MsgSeqNum")),
        texts.get("PossDupFlag") == "Y",
        texts.get("ResetSeqNumFlag") == "Y",
        _number(texts.get("NewSeqNo")),
        texts.get("ClOrdID"),
    )


def _number(text: str | None) -> int | None:
    # More digits are no number that a session has.
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None
