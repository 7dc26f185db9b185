"""Replay of recordings and wire logs through state machines such as `Orders` and `OrderBooks`.

The events of a session are reconstructed from its messages: logons, the end of the session, missing messages,
and the message that a reject answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from typing import Any, Final

import attrs

from kalshi_fix_adapters.logs.dates import AsOf, DatedDecoder
from kalshi_fix_adapters.logs.entries import read_log
from kalshi_fix_adapters.logs.recording import Kind, Recording, is_recording
from kalshi_fix_sansio import (
    DIALECT,
    BusinessMessageReject,
    Heartbeat,
    Logon,
    Logout,
    Reject,
    ResendRequest,
    SequenceReset,
    TestRequest,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message, values_of
from kalshi_fix_sansio.errors import DecodeError, LocalProtocolError
from kalshi_fix_sansio.events import (
    CloseReason,
    LoggedOn,
    MessageReceived,
    MessagesLost,
    RejectReceived,
    SessionEnded,
)
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.trading import DropCopy

MAX_SENT: Final = 10_000
"""Maximum number of sent messages kept for each connection, because a later reject may refer to them."""
MAX_MISSING: Final = 1_000
"""Maximum number of ranges of missing sequence numbers kept for each connection."""
MAX_CONNECTIONS: Final = 1_000
"""Maximum number of connections that are open at the same time. If there are more, the oldest is assumed to
have ended.
"""
_UNKNOWN_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECRETS: Final = frozenset(field.attribute for field in DIALECT.fields.values() if field.secret)
_SESSION_MESSAGES: Final = frozenset((Heartbeat, TestRequest, ResendRequest, SequenceReset, Logon, Logout))


@attrs.frozen
class SessionEvent:
    """An event or sent message of one session.

    Attributes:
        time: The time in UTC; 1970-01-01 if the log gives no time.
        session_type: The session type, such as KalshiMD; empty if the CompIDs are not Kalshi's.
        event: The argument for `apply`: an event of the session, or a sent message.
    """

    time: datetime
    session_type: str
    event: object


Source = str | Path | Recording


def replay(
    source: Source | Iterable[Source], *machines: Any, session_type: str | None = None, as_of: AsOf = None
) -> int:
    """Replay a recording or log through machines; return the number of its messages and events.

    A machine is any object with `apply(event)` or `apply(event, now)`. Each machine also receives the updates
    returned by the machines before it, so pass `DropCopy` before `Orders`, and `Orders` before `Positions`
    and `Cash`.

    Args:
        source: a file, or several files in chronological order. A file is decompressed if its name ends with
            .gz. Pass a `Recording` to find the skipped damaged ranges in `damaged` afterwards.
        machines: the objects whose `apply` is called.
        session_type: replay only sessions of this type; the default is all. Set this if a file contains
            several sessions, because a state machine cannot distinguish the ends of different sessions.
        as_of: as in `read_log`.

    Raises:
        RecordingError, OSError, EOFError, zlib.error: as raised by `Recording` and `read_log`.
    """
    steps = [_step(machine) for machine in machines]
    # A single machine without a time argument, such as books, takes a faster path.
    single = steps[0][0] if len(steps) == 1 and steps[0][1] is None else None
    count = 0
    for time, event_session_type, event in _iter_events(source, as_of):
        if session_type is not None and event_session_type != session_type:
            continue
        count += 1
        if single is not None:
            try:  # noqa: SIM105 - a context manager would be entered for each message
                single(event)
            except LocalProtocolError:
                pass  # the machine rejects this message, which was nevertheless sent
            continue
        items: list[object] = [event]
        for apply, time_type, replaces_event in steps:
            events: list[object] = []
            for item in items:
                try:
                    updates = apply(item, _time_argument(time_type, time)) if time_type else apply(item)
                except LocalProtocolError:
                    continue  # the machine rejects this message, which was nevertheless sent
                if updates is not None:
                    events += updates if isinstance(updates, list) else [updates]
            items = events if replaces_event else items + events
    return count


_Step = tuple[Any, type | None, bool]
"""The method `apply` of a machine; the type of its time argument, or None if it has none; whether later
machines receive only its result, and not the event.
"""


def _step(machine: Any) -> _Step:
    parameters = list(signature(machine.apply).parameters.values())
    time_type = None
    if len(parameters) > 1:
        time_type = Instant if "Instant" in str(parameters[1].annotation) else datetime
    return machine.apply, time_type, isinstance(machine, DropCopy)


def _time_argument(time_type: type, time: datetime) -> object:
    return Instant(time.timestamp(), time) if time_type is Instant else time


def read_events(source: Source | Iterable[Source], *, as_of: AsOf = None) -> Iterator[SessionEvent]:
    """Yield the events and sent messages of recordings, wire logs and other logs, in order.

    Invalid FIX messages are skipped, and so are messages without a direction in a log. Damage in a recording
    is reported as lost messages for every open session. See `read_log` for `as_of`.

    Raises:
        RecordingError, OSError, EOFError, zlib.error: as raised by `Recording` and `read_log`.
    """
    for values in _iter_events(source, as_of):
        yield SessionEvent(*values)


_EventTuple = tuple[datetime, str, object]
"""The values of a `SessionEvent`."""


def _iter_events(source: Source | Iterable[Source], as_of: AsOf) -> Iterator[_EventTuple]:
    sources = [source] if isinstance(source, str | Path | Recording) else list(source)
    sessions = _Sessions()
    for each in sources:
        if isinstance(each, Recording):
            yield from _recording_events(each, sessions, as_of)
        elif is_recording(each):
            yield from _recording_events(Recording(each), sessions, as_of)
        else:
            yield from _log_events(each, sessions, as_of)


def _recording_events(recording: Recording, sessions: _Sessions, as_of: AsOf) -> Iterator[_EventTuple]:
    decode = DatedDecoder(as_of).decode
    time, skipped = _UNKNOWN_TIME, 0
    for record in recording:
        time = record.time
        if recording.damaged_bytes != skipped:
            skipped = recording.damaged_bytes
            yield from sessions.record_loss(time)
        session = sessions.session_of(record.connection)
        yield from sessions.end_evicted(time)
        if record.kind is Kind.RECEIVED:
            framer = session.framer
            framer.feed(record.data)
            record_received = session.record_received
            while (framed := framer.next()) is not None:
                if framed.__class__ is Frame:
                    for event in record_received(decode(framed), framed.data):
                        yield time, session.session_type, event
            continue
        if record.kind is Kind.SENT:
            try:
                message = decode(record.data)
            except DecodeError:
                continue
            events = session.record_sent(message)
        elif record.kind is Kind.ENDED:
            events = sessions.end(record.connection)
        else:
            events = session.record_loss()
        for event in events:
            yield time, session.session_type, event
    if recording.damaged_bytes != skipped:
        yield from sessions.record_loss(time)


def _log_events(path: str | Path, sessions: _Sessions, as_of: AsOf) -> Iterator[_EventTuple]:
    for entry in read_log(path, as_of=as_of):
        message = entry.message
        if message is None or entry.direction is None:
            continue
        header = message.header
        # The CompID of the side that wrote the log comes first, in both directions.
        ids = (header.sender_comp_id, header.target_comp_id)
        ids = ids if entry.direction == "sent" else ids[::-1]
        time = entry.time or _UNKNOWN_TIME
        for earlier in sessions.earlier_connections(ids, entry.connection):
            for event in sessions.end(earlier):
                yield time, ids[1] or "", event
        session = sessions.session_of((ids, entry.connection))
        yield from sessions.end_evicted(time)
        events = (
            session.record_sent(message)
            if entry.direction == "sent"
            else session.record_received(message, entry.frame)
        )
        for event in events:
            yield time, session.session_type, event


class _Sessions:
    """The open connections."""

    def __init__(self) -> None:
        self._open: dict[Any, _Session] = {}
        self.evicted: _Session | None = None
        """The session that the last call of `session_of` removed to make room; None if it removed none."""

    def session_of(self, key: Any) -> _Session:
        """Return the session of a connection; a new one if the connection is not known."""
        session = self._open.get(key)
        if session is None:
            if len(self._open) >= MAX_CONNECTIONS:
                self.evicted = self._open.pop(next(iter(self._open)))
            session = self._open[key] = _Session()
        return session

    def end_evicted(self, time: datetime) -> Iterator[_EventTuple]:
        """End the removed session, so that its orders become uncertain; yield the resulting events."""
        session, self.evicted = self.evicted, None
        if session is not None:
            for event in session.end():
                yield time, session.session_type, event

    def record_loss(self, time: datetime) -> Iterator[_EventTuple]:
        """Record that messages of every open session may be missing; yield the resulting events."""
        for session in list(self._open.values()):
            for event in session.record_loss():
                yield time, session.session_type, event

    def end(self, key: Any) -> list[object]:
        """Remove a connection; return the events that this produces."""
        session = self._open.pop(key, None)
        return [] if session is None else session.end()

    def earlier_connections(self, ids: Any, connection: int | None) -> list[Any]:
        """If this connection is new, return the keys of earlier connections between these CompIDs. Those
        connections must have ended.
        """
        if (ids, connection) in self._open:
            return []
        return [key for key in self._open if isinstance(key, tuple) and key[0] == ids]


class _Session:
    """Reconstructs the events of a session from the messages of one connection."""

    def __init__(self) -> None:
        self.framer = Framer()
        self.session_type = ""
        self._resend = False
        self._flags: dict[str, Any] = {}
        self._expected: int | None = None
        self._missing: list[range] = []
        self._sent: dict[int, Message] = {}
        self._is_logged_on = False

    def record_sent(self, message: Message) -> list[object]:
        """Record a sent message; return the events and messages to pass to `apply`."""
        self._set_session_type(message.header.target_comp_id)
        if isinstance(message, Logon):
            events = self.end()
            values = values_of(message).items()
            self._flags = {name: value for name, value in values if name not in _SECRETS | {"unknown"}}
            self._sent.clear()
            return events
        number = message.header.msg_seq_num
        if number:
            self._sent[number] = message
            if len(self._sent) > MAX_SENT:
                del self._sent[next(iter(self._sent))]
        return [] if message.__class__ in _SESSION_MESSAGES or isinstance(message, Reject) else [message]

    def record_received(self, message: Message, frame: bytes) -> list[object] | tuple[object, ...]:
        """Record a received message; return the events and messages to pass to `apply`."""
        header = message.header
        number = header.msg_seq_num
        if number == self._expected and message.__class__ not in _SLOW_PATH_TYPES:
            self._expected = number + 1
            return (
                MessageReceived(message, header.poss_dup_flag is True, header.poss_resend is True, frame),
            )
        return self._record_received(message, number, frame)

    def _record_received(self, message: Message, number: int | None, frame: bytes) -> list[object]:
        events: list[object] = []
        header: Any = message.header
        self._set_session_type(header.sender_comp_id)
        poss_dup = header.poss_dup_flag is True
        if isinstance(message, Logon):
            events += self.end()
            self._is_logged_on = True
            reset = message.reset_seq_num_flag is True
            if reset or not self._resend:
                self._expected = None
                self._missing.clear()
            events.append(LoggedOn(message, message.heart_bt_int or 0, reset, self._flags))
        if number is not None and not self._record_number(number, poss_dup=poss_dup, events=events):
            return events
        match message:
            case Logout():
                events += self.end(CloseReason.LOGGED_OUT, message.text or "", clean=True)
            case Reject() | BusinessMessageReject():
                events.append(
                    RejectReceived(message, message.ref_seq_num, self._sent.get(message.ref_seq_num or 0))
                )
            case SequenceReset():
                new_seq_no = message.new_seq_no
                if new_seq_no is not None:
                    self._expected = new_seq_no if self._expected is None else max(new_seq_no, self._expected)
                    self._missing = [range(max(each.start, new_seq_no), each.stop) for each in self._missing]
            case _ if message.__class__ not in _SESSION_MESSAGES:
                events.append(MessageReceived(message, poss_dup, header.poss_resend is True, frame))
        return events

    def _record_number(self, number: int, *, poss_dup: bool, events: list[object]) -> bool:
        """Record a sequence number, and append MessagesLost to `events` if the numbers before it are missing
        and will not be resent. Return False for a possible duplicate that does not fill a gap.
        """
        expected = self._expected
        if expected is None or number == expected:
            self._expected = number + 1
            return True
        if number > expected:
            self._expected = number + 1
            if not self._resend:
                events.append(MessagesLost(expected, number - 1))
            elif len(self._missing) < MAX_MISSING:
                self._missing.append(range(expected, number))
            return True
        for index, missing in enumerate(self._missing):
            if number in missing:
                # Resent messages are in order, and a gap fill replaces the messages that are not resent.
                self._missing[index] = range(number + 1, missing.stop)
                self._missing = [each for each in self._missing if each]
                return True
        return not poss_dup

    def record_loss(self) -> list[object]:
        """Record that messages are missing from the recording; return the resulting events."""
        self.framer = Framer()
        expected, self._expected = self._expected, None
        # The number of missing messages is unknown, so only the first one is reported.
        return [MessagesLost(expected, expected)] if expected is not None else []

    def end(
        self,
        reason: CloseReason = CloseReason.CONNECTION_LOST,
        text: str = "",
        *,
        clean: bool = False,
    ) -> list[object]:
        """Record the end of the connection; return a SessionEnded if the session was logged on."""
        was_logged_on, self._is_logged_on = self._is_logged_on, False
        return [SessionEnded(reason, text, clean)] if was_logged_on else []

    def _set_session_type(self, venue_id: str | None) -> None:
        if not self.session_type:
            session_type = DIALECT.session_types.get(venue_id or "")
            if session_type is not None:
                self.session_type, self._resend = session_type.name, session_type.resend


_SLOW_PATH_TYPES: Final = _SESSION_MESSAGES | {Reject, BusinessMessageReject}
