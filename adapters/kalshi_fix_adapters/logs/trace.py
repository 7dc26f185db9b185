"""The history of an order in logs: all messages of its chain of ClOrdIDs.

The bytes of a log are searched for the IDs of the order, and only the messages around matches are parsed.
When a new ID is found, such as the OrderID in the first report, the rest of the pass searches for this ID
too. Another pass searches for it in the bytes before the position at which it was found.
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final

import attrs

from kalshi_fix_adapters.logs.entries import Direction, parse_origin
from kalshi_fix_adapters.logs.fields import SEPARATORS
from kalshi_fix_adapters.logs.reader import (
    MAX_MESSAGE,
    MAX_START_SIZE,
    START,
    LoggedMessage,
    LogReader,
    position_after,
)
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.dialect.layout import FieldMember, MessageLayout

MAX_STEPS: Final = 10_000
"""Maximum number of messages of an order that are kept."""
MAX_STEP_BYTES: Final = 64 * 1024 * 1024
"""Maximum total size of the kept messages in bytes."""
MAX_IDS: Final = 10_000
"""Maximum number of ClOrdIDs and OrderIDs of an order that are searched for."""
MAX_REJECTS_OR_RESETS: Final = 10_000
"""Maximum number of Rejects that are kept, and of Logons that reset the sequence numbers. A Reject may refer
to a message of the order by its MsgSeqNum, and a reset changes which message a MsgSeqNum identifies.
"""
MAX_PASSES: Final = 20
"""Maximum number of passes over the logs."""
MAX_SEPARATE_SEARCHES: Final = 8
"""Maximum number of IDs that are searched for one by one. If there are more, all are searched for at once."""

_BEGIN = b"8=FIXT.1.1"
_BYTES_AFTER_VALUE: Final = frozenset(each[:1] for each in (*SEPARATORS, b"\r", b"\n"))
"""Bytes that may follow a value."""
_CLIENT, _ORDER, _EXECUTION = "ClOrdID", "OrderID", "ExecID"
_KINDS: Final = {b"11": _CLIENT, b"41": _CLIENT, b"379": _CLIENT, b"37": _ORDER, b"17": _EXECUTION}
_FOLLOWED_TAGS: Final = (b"11", b"41", b"37")
"""The tags of the IDs that are searched for once they are found in a message of the order."""
_TAG_SUFFIXES: Final = frozenset(tag[-2:] for tag in _KINDS)
"""The last two digits of each tag."""
_TAGS: Final = {
    kind: tuple(tag + b"=" for tag, each in _KINDS.items() if each == kind) for kind in _KINDS.values()
}
_IDS = re.compile(rb"\x01(11|17|37|379|41)=([^\x01]+)(?=\x01)")
_HEADER = re.compile(rb"\x01(34|35|43|45|49|52|56|372)=([^\x01]*)(?=\x01)")
_REJECT_AND_RESET_FIELDS: Final = (b"45=", b"141=Y")
"""The bytes of RefSeqNum and of ResetSeqNumFlag=Y, which may occur in Rejects and Logons."""
_LOGON = b"A"


def _has_fields(layout: MessageLayout, *names: str) -> bool:
    """Return whether a message has fields with all these names."""
    field_names = {member.field.name for member in layout.body.members if isinstance(member, FieldMember)}
    return field_names.issuperset(names)


_REJECTS: Final = frozenset(
    layout.msg_type.encode()
    for layout in DIALECT.messages.values()
    if _has_fields(layout, "RefSeqNum", "RefMsgType")
)
_UNRELIABLE_ORDER_ID_TYPES: Final = frozenset(
    layout.msg_type.encode()
    for layout in DIALECT.messages.values()
    if layout.name in ("OrderCancelReject", "OrderMassCancelReport")
)
"""Types of messages whose OrderID may be a word for "none", or identify an operation instead of an order."""

Log = Callable[[], Iterable[bytes]]
"""A function that yields the bytes of a log in chunks. It is called for each pass."""
_Position = tuple[int, int]
"""The index of a log, and a position in this log in bytes."""
_Identifier = tuple[str, bytes]
_MessageKey = tuple[int, bytes, bytes, bytes]
"""Log, SenderCompID, TargetCompID, MsgSeqNum."""


@attrs.frozen
class Step:
    """One message in the history of an order."""

    log: int
    """Index of the log, counted from 0."""
    offset: int
    """Position of the message in the log, in bytes."""
    logged: LoggedMessage
    time: datetime | None
    """The time of the message in the log or, without one, its SendingTime; None if both are missing."""
    direction: Direction | None
    connection: int | None
    header: dict[bytes, bytes]
    """The first value of each header field that identifies the message, by tag."""

    @property
    def sender(self) -> str:
        """SenderCompID; empty if it is missing."""
        return self.header.get(b"49", b"").decode("latin-1")

    @property
    def target(self) -> str:
        """TargetCompID; empty if it is missing."""
        return self.header.get(b"56", b"").decode("latin-1")


@attrs.frozen
class Trace:
    """The messages of an order."""

    steps: tuple[Step, ...]
    """The messages. Messages of one log are in the order of the log; different logs are merged by time."""
    client_ids: tuple[str, ...]
    """The ClOrdIDs of the order, oldest first."""
    order_ids: tuple[str, ...]
    complete: bool
    """Whether the trace is complete; False if a limit was reached."""
    logons: tuple[LoggedMessage, ...]
    """For each pair of SenderCompID and TargetCompID, the last Logon that reset the sequence numbers."""


def trace(identifier: str, logs: Sequence[Log]) -> Trace:
    """Return the messages of the order that has this ClOrdID, OrderID or ExecID.

    The memory used is bounded, regardless of the size of the logs. An ID that is wrapped across two lines is
    not found.
    """
    return _Tracer(identifier.encode("latin-1", "replace")).run(logs)


@attrs.frozen
class _Block:
    """A part of a log. Every block except the last ends just before a message, or inside a stretch of
    bytes that is too long to be one message.
    """

    data: bytes
    position: _Position
    line: int
    before: bytes
    """The text before the block, on the line on which the block begins."""

    def messages(self, positions: Iterable[int]) -> Iterator[tuple[int, LoggedMessage]]:
        """Yield the messages that contain one of these positions, each with its own position in the log."""
        yielded_to = counted_to = 0
        line, before = self.line, self.before
        for at in sorted(positions):
            # Skip a position inside the message that was yielded last.
            if at < yielded_to:
                continue
            begin = last_start(self.data, 0, at)
            following = START.search(self.data, at)
            yielded_to = len(self.data) if following is None else following.start()
            if begin < 0:
                continue
            line, before = position_after(line, before, self.data[counted_to:begin])
            counted_to = begin
            reader = LogReader(line=line, prefix=before)
            # The data includes the beginning of the next message, which ends this message.
            end = len(self.data) if following is None else following.end()
            logged = next(chain(reader.feed(self.data[begin:end]), reader.close()), None)
            if logged is not None:
                yield self.position[1] + begin, logged


def last_start(data: bytes, first: int, end: int) -> int:
    """Return the position of the last beginning of a message between `first` and `end`; -1 if there is
    none.
    """
    at = data.rfind(_BEGIN, first, end)
    while at >= 0 and START.match(data, at) is None:
        at = data.rfind(_BEGIN, first, at)
    return at


def _blocks(log: int, chunks: Iterable[bytes]) -> Iterator[_Block]:
    """Split the log with this index into blocks."""
    # Except at position 0, no message begins in `waiting` before `searched_to`.
    waiting, offset, line, before, searched_to = b"", 0, 1, b"", 0
    for chunk in chain(chunks, (None,)):
        end = len(waiting)
        if chunk is not None:
            waiting += chunk
            # If no message begins within the largest message size, the bytes are not part of a message.
            end = last_start(waiting, max(searched_to, 1), len(waiting))
            if end < 0 and len(waiting) > MAX_MESSAGE + MAX_START_SIZE:
                end = len(waiting)
            searched_to = max(0, len(waiting) - MAX_START_SIZE)
            if end < 0:
                continue
        data = waiting[:end]
        yield _Block(data, (log, offset), line, before)
        line, before = position_after(line, before, data)
        offset += end
        waiting = waiting[end:]
        searched_to = max(0, searched_to - end)


class _ValuesOfTag:
    """The values of one tag that are searched for."""

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self._values: set[bytes] = set()
        self._sizes: set[int] = set()

    def add(self, value: bytes) -> None:
        self._values.add(value)
        self._sizes.add(len(value))

    def positions(self, data: bytes) -> Iterator[int]:
        """Yield the positions of the tag followed by one of the values."""
        for at in _occurrences(data, self._tag):
            begin = at + len(self._tag)
            for size in self._sizes:
                end = begin + size
                if data[begin:end] in self._values and data[end : end + 1] in _BYTES_AFTER_VALUE:
                    yield at
                    break


class _Search:
    """IDs to search for."""

    def __init__(self, ids: Iterable[_Identifier]) -> None:
        self.ids: list[_Identifier] = []
        self._values_by_kind = {kind: [_ValuesOfTag(tag) for tag in tags] for kind, tags in _TAGS.items()}
        for each in ids:
            self.add(each)

    def add(self, identifier: _Identifier) -> None:
        self.ids.append(identifier)
        for values in self._values_by_kind[identifier[0]]:
            values.add(identifier[1])

    def positions(self, data: bytes) -> Iterator[int]:
        """Yield positions at which one of the IDs may occur."""
        if len(self.ids) > MAX_SEPARATE_SEARCHES:
            # With many IDs, separate searches would take too long.
            kinds = {kind for kind, _ in self.ids}
            for kind in kinds:
                for values in self._values_by_kind[kind]:
                    yield from values.positions(data)
            return
        for value in {value for _, value in self.ids}:
            for at in _occurrences(data, b"=" + value):
                end = at + 1 + len(value)
                if data[at - 2 : at] in _TAG_SUFFIXES and data[end : end + 1] in _BYTES_AFTER_VALUE:
                    yield at


def _positions_of_rejects_and_resets(data: bytes) -> Iterator[int]:
    for field in _REJECT_AND_RESET_FIELDS:
        for at in _occurrences(data, field):
            if not data[at - 1 : at].isdigit():
                yield at


def _occurrences(data: bytes, pattern: bytes) -> Iterator[int]:
    at = data.find(pattern)
    while at >= 0:
        yield at
        at = data.find(pattern, at + len(pattern))


class _Tracer:
    def __init__(self, value: bytes) -> None:
        self._known: set[_Identifier] = {(kind, value) for kind in _TAGS}
        self._new = _Search(sorted(self._known))
        """IDs found in this pass."""
        self._recent = _Search(())
        """IDs found in this and the previous pass."""
        self._steps: dict[_Position, Step] = {}
        self._size = 0
        self._complete = True
        self._rejects: list[Step] = []
        self._resets: dict[tuple[int, frozenset[bytes]], list[int]] = {}
        self._reset_count = 0
        self._logons: dict[tuple[str, str], LoggedMessage] = {}

    def run(self, logs: Sequence[Log]) -> Trace:
        # Up to this position, the next pass must search for the IDs that the previous pass found.
        until: _Position = (0, 0)
        # The first pass searches all logs for the requested ID, so the second pass need not.
        requested_count = len(self._new.ids)
        for number in range(MAX_PASSES):
            until = self._pass(logs, until, first=number == 0)
            self._recent = _Search(self._new.ids[0 if number else requested_count :])
            self._new = _Search(())
            if until == (0, 0):
                break
        else:
            self._complete = False
        self._add_rejects()
        return self._result(len(logs))

    def _pass(self, logs: Sequence[Log], until: _Position, *, first: bool) -> _Position:
        """Read the logs until no IDs are left to search for. Return the position of the block in which the
        last new ID was found; (0, 0) if there was none. The first pass also collects Rejects and Logons.
        """
        last: _Position = (0, 0)
        for index, log in enumerate(logs):
            for block in _blocks(index, log()):
                if first:
                    self._collect_rejects_and_resets(block)
                search = self._recent if block.position < until else self._new
                if not search.ids:
                    return last
                while search.ids:
                    count = len(self._new.ids)
                    for offset, logged in block.messages(search.positions(block.data)):
                        self._add_if_related(block.position[0], offset, logged)
                    # This block may also contain the IDs that were just found.
                    search = _Search(self._new.ids[count:])
                    if search.ids:
                        last = block.position
        return last

    def _add_if_related(self, log: int, offset: int, logged: LoggedMessage) -> None:
        """Add a message to the history if it contains a known ID; search for its other IDs from now on."""
        ids = _IDS.findall(logged.frame)
        if self._known.isdisjoint((_KINDS[tag], value) for tag, value in ids):
            return
        step = _step(log, offset, logged)
        self._add(step)
        for tag, value in ids:
            identifier = _KINDS[tag], value
            if tag not in _FOLLOWED_TAGS or identifier in self._known:
                continue
            if tag == b"37" and step.header.get(b"35") in _UNRELIABLE_ORDER_ID_TYPES:
                continue
            if len(self._known) >= MAX_IDS:
                self._complete = False
                continue
            self._known.add(identifier)
            self._new.add(identifier)
            self._recent.add(identifier)

    def _add(self, step: Step) -> None:
        position = step.log, step.offset
        if position in self._steps:
            return
        if self._reserve(len(self._steps) < MAX_STEPS, step.logged):
            self._steps[position] = step

    def _reserve(self, has_room: bool, logged: LoggedMessage) -> bool:
        """Reserve room for a message. Return False if keeping it would exceed a limit."""
        size = len(logged.frame)
        if not has_room or self._size + size > MAX_STEP_BYTES:
            self._complete = False
            return False
        self._size += size
        return True

    def _collect_rejects_and_resets(self, block: _Block) -> None:
        for offset, logged in block.messages(_positions_of_rejects_and_resets(block.data)):
            step = _step(block.position[0], offset, logged)
            msg_type = step.header.get(b"35")
            if msg_type == _LOGON and self._reserve(self._reset_count < MAX_REJECTS_OR_RESETS, logged):
                self._reset_count += 1
                self._resets.setdefault((step.log, _session(step)), []).append(offset)
                self._logons[step.sender, step.target] = logged
            elif msg_type in _REJECTS and self._reserve(len(self._rejects) < MAX_REJECTS_OR_RESETS, logged):
                self._rejects.append(step)

    def _add_rejects(self) -> None:
        """Add Rejects that refer to a message of the order by its MsgSeqNum."""
        by_key: dict[_MessageKey, list[Step]] = {}
        for step in self._steps.values():
            by_key.setdefault(_message_key(step, b"49", b"56", b"34"), []).append(step)
        for reject in self._rejects:
            candidates = by_key.get(_message_key(reject, b"56", b"49", b"45"), ())
            if any(self._refers_to(reject, step) for step in candidates):
                self._add(reject)

    def _refers_to(self, reject: Step, step: Step) -> bool:
        """Return whether a Reject refers to the message of `step`. The caller has checked that the Reject's
        RefSeqNum equals the message's MsgSeqNum.
        """
        if reject.offset < step.offset or reject.header.get(b"372") not in (None, step.header.get(b"35")):
            return False
        # A Reject that was lost with its connection may be resent on the next connection.
        if reject.connection != step.connection and reject.header.get(b"43") != b"Y":
            return False
        resets = self._resets.get((step.log, _session(step)), [])
        return bisect_right(resets, step.offset) == bisect_right(resets, reject.offset)

    def _result(self, log_count: int) -> Trace:
        steps_by_log: list[list[Step]] = [[] for _ in range(log_count)]
        for _, step in sorted(self._steps.items(), key=lambda item: item[0]):
            steps_by_log[step.log].append(step)
        steps = tuple(heapq.merge(*steps_by_log, key=_time_or_min))
        ids: dict[_Identifier, None] = {}
        for step in steps:
            # OrigClOrdID (41) is sorted first, because it was used before ClOrdID.
            for tag, value in sorted(_IDS.findall(step.logged.frame), key=lambda each: each[0] != b"41"):
                identifier = _KINDS[tag], value
                if tag in _FOLLOWED_TAGS and identifier in self._known:
                    ids.setdefault(identifier)
        return Trace(
            steps,
            tuple(value.decode("latin-1") for kind, value in ids if kind == _CLIENT),
            tuple(value.decode("latin-1") for kind, value in ids if kind == _ORDER),
            self._complete,
            tuple(self._logons.values()),
        )


def _step(log: int, offset: int, logged: LoggedMessage) -> Step:
    header: dict[bytes, bytes] = {}
    for tag, value in _HEADER.findall(logged.frame):
        header.setdefault(tag, value)
    time, direction, connection = parse_origin(logged.prefix)
    if time is None:
        time = parse_origin(header.get(b"52", b""))[0]
    return Step(log, offset, logged, time, direction, connection, header)


def _message_key(step: Step, sender_tag: bytes, target_tag: bytes, number_tag: bytes) -> _MessageKey:
    header = step.header
    return (
        step.log,
        header.get(sender_tag, b""),
        header.get(target_tag, b""),
        header.get(number_tag, b"").lstrip(b"0"),
    )


def _session(step: Step) -> frozenset[bytes]:
    return frozenset((step.header.get(b"49", b""), step.header.get(b"56", b"")))


def _time_or_min(step: Step) -> datetime:
    return step.time or datetime.min.replace(tzinfo=UTC)
