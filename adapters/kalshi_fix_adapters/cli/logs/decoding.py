"""Converts messages of a log to the output of `kalshi-fix decode`, with a fast path for valid messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import Enum, auto
from typing import Any

import attrs

from kalshi_fix_adapters.cli.kit.terminal import Line, printable
from kalshi_fix_adapters.cli.logs.explain import Explanation, explain, header_text, valid_message
from kalshi_fix_adapters.cli.logs.filters import NO_FILTERS, Filters
from kalshi_fix_adapters.cli.logs.order_list import OrderFacts, order_facts
from kalshi_fix_adapters.cli.logs.render import brief, json_fields, lines, name_of, origin_text, time_text
from kalshi_fix_adapters.cli.logs.summary import MessageFacts
from kalshi_fix_adapters.cli.logs.templates import Templates
from kalshi_fix_adapters.cli.logs.units import Units
from kalshi_fix_adapters.logs.dates import AsOf, DatedDecoder
from kalshi_fix_adapters.logs.entries import Direction, LogEntry, entry_of, parse_origin
from kalshi_fix_adapters.logs.reader import LoggedMessage
from kalshi_fix_sansio.codec import FieldNode
from kalshi_fix_sansio.dialect.base import Message

PROBLEM = "  ! "
"""Prefix of a line that describes a problem with a message."""
_ARROWS = {"sent": ">", "received": "<", None: "-"}
_MSG_SEQ_NUM = 34


class Form(Enum):
    """The output format."""

    BRIEF = auto()
    FULL = auto()
    JSON = auto()
    ORDERS = auto()
    """No messages, only a line for each order."""
    NONE = auto()
    """No messages, only the summary."""


@attrs.define
class Batch:
    """The output for some messages."""

    match_count: int = 0
    """Number of messages that match the filters; 0 with `Form.NONE`, whose matches are in `facts`."""
    problem_count: int = 0
    """Number of printed messages with problems."""
    text: list[str] = attrs.field(factory=list)
    """Lines without style."""
    lines: list[Line] = attrs.field(factory=list)
    facts: list[tuple[MessageFacts, bool, bool]] = attrs.field(factory=list)
    """For the summary: for each message, its facts, whether it matches the filters, and whether it has
    problems.
    """
    orders: list[OrderFacts] = attrs.field(factory=list)
    """For the list of orders."""


@attrs.frozen
class OutputOptions:
    """The form and the filters of the output, as requested by the options of the command."""

    form: Form
    filters: Filters = NO_FILTERS
    on_terminal: bool = False
    """Whether the output is a terminal. If so, lines have no date, because space is limited."""
    as_of: AsOf = None
    """The date of the dialect, as in `read_log`."""


class Decoder:
    """Formats messages in the order of the log."""

    def __init__(self, options: OutputOptions) -> None:
        self._options = options
        self._templates = Templates(as_json=options.form is Form.JSON)
        self._units = Units()
        self._decoder = DatedDecoder(options.as_of)

    def decode_batch(self, messages: Iterable[LoggedMessage]) -> Batch:
        """Decode messages of a `LogReader`; return their output."""
        batch, matches = Batch(), self._options.filters.matches
        # Each step runs over the whole batch. Finishing one message at a time takes 1.5 times as long,
        # because the code of the steps then does not stay in the processor's caches.
        logged = list(messages)
        if self._options.form is Form.NONE:
            batch.facts = [self._summary_facts(entry, matches(entry)) for entry in logged]
            return batch
        matching = [entry for entry in logged if matches(entry)]
        batch.match_count = len(matching)
        if self._options.form is Form.ORDERS:
            batch.orders = [facts for entry in matching if (facts := order_facts(entry)) is not None]
            return batch
        for entry, message in zip(
            matching, [self._formattable_message(entry) for entry in matching], strict=True
        ):
            if message is None:
                self._add_explained(entry_of(entry, self._decoder), batch)
            elif self._options.form is Form.JSON:
                batch.text.append(self._json(entry, message))
            else:
                self._add_lines(batch, [self._brief(entry, message)])
        return batch

    def _add_explained(self, entry: LogEntry, batch: Batch) -> None:
        explanation = explain(entry, self._decoder)
        batch.problem_count += bool(explanation.problems)
        if self._options.form is Form.FULL:
            self._units.record(explanation.inspection)
            batch.lines += [*lines(explanation, self._units, origin_text(entry)), ()]
        elif self._options.form is Form.JSON:
            batch.text.append(json.dumps(as_json(entry, explanation)))
        else:
            self._add_lines(batch, list(self._explained_lines(entry, explanation)))

    def _formattable_message(self, logged: LoggedMessage) -> Message | None:
        """Return the message if it is valid and a template can format it; otherwise None, because the message
        needs `explain` and the slower renderers.
        """
        message = None if self._options.form is Form.FULL else valid_message(logged, self._decoder)
        return message if message is not None and self._templates.fits(message) else None

    def _add_lines(self, batch: Batch, lines: list[Line]) -> None:
        if self._options.on_terminal:
            batch.lines += lines
        else:
            batch.text += ["".join(part for _, part in line) for line in lines]

    def _time_text(self, time: datetime | None) -> str:
        """Return the text for the time of a message; on a terminal only the time of day."""
        if time is None:
            return "-"
        if self._options.on_terminal:
            return f"{time:%H:%M:%S}.{time.microsecond // 1000:03d}"
        return time_text(time)

    def _brief(self, logged: LoggedMessage, message: Message) -> Line:
        time, direction, connection = parse_origin(logged.prefix)
        fields = self._templates.fields(logged.frame, message.NAME)
        number = message.header.msg_seq_num
        return _line(self._time_text(time), direction, connection, number, message.NAME, fields)

    def _explained_lines(self, entry: LogEntry, explanation: Explanation) -> Iterator[Line]:
        number = printable(header_text(explanation.inspection, _MSG_SEQ_NUM) or "-")
        if number.isdecimal():  # without leading zeros, as in a decoded message
            number = number.lstrip("0") or "0"
        fields = brief(explanation.inspection)
        time_text = self._time_text(entry.time)
        yield _line(time_text, entry.direction, entry.connection, number, name_of(explanation), fields)
        for problem in explanation.problems:
            yield ("bold red", f"{PROBLEM}line {entry.line}: "), ("red", printable(problem))

    def _json(self, logged: LoggedMessage, message: Message) -> str:
        """Return the result of `as_json` for a valid message, as text."""
        time, direction, connection = parse_origin(logged.prefix)
        time_text = "null" if time is None else f'"{time.isoformat()}"'
        direction_text = "null" if direction is None else f'"{direction}"'
        return (
            f'{{"line": {logged.line}, "time": {time_text}, "direction": {direction_text}, '
            f'"connection": {"null" if connection is None else connection}, '
            f'"msg_type": "{message.MSG_TYPE}", "name": "{message.NAME}", '
            f'"fields": {self._templates.fields(logged.frame, message.NAME)}, "problems": []}}'
        )

    def _summary_facts(self, logged: LoggedMessage, selected: bool) -> tuple[MessageFacts, bool, bool]:
        message = valid_message(logged, self._decoder)
        if message is not None:
            return _facts(logged, message), selected, False
        entry = entry_of(logged, self._decoder)
        explanation = explain(entry, self._decoder)
        return _explained_facts(entry, explanation), selected, bool(explanation.problems)


def as_json(entry: LogEntry, explanation: Explanation) -> dict[str, object]:
    """Return a message as a JSON object."""
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


def _line(
    time_text: str,
    direction: Direction | None,
    connection: int | None,
    number: int | str,
    name: str,
    fields: str,
) -> Line:
    connection_text = "" if connection is None else connection
    return (
        ("dim", f"{time_text} {connection_text}{_ARROWS[direction]} #{number} "),
        ("bold", name),
        ("", f" {fields}"),
    )


def _facts(logged: LoggedMessage, message: Any) -> MessageFacts:
    header = message.header
    time, direction, _ = parse_origin(logged.prefix)
    return MessageFacts(
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


def _explained_facts(entry: LogEntry, explanation: Explanation) -> MessageFacts:
    inspection = explanation.inspection
    texts: dict[str, str] = {}
    for node in (*inspection.header, *inspection.body):
        if isinstance(node, FieldNode) and node.layout is not None:
            texts.setdefault(node.layout.name, node.text)
    return MessageFacts(
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
    # Sequence numbers have at most 18 digits.
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None
