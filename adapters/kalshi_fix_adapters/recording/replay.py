"""Recordings and wire logs once more through the machines that a program keeps beside its session.

From messages alone it is made out what a session told its user at the time: that it was logged on, that it
ended, that messages were missing, which message a reject answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from typing import Any, Final

import attrs

from kalshi_fix_adapters.logs import read_log
from kalshi_fix_adapters.recording.file import Kind, Recording, is_recording
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
from kalshi_fix_sansio.base import Message, values_of
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.classes.fast_init import fast_init
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import (
    CloseReason,
    LoggedOn,
    MessageReceived,
    MessagesLost,
    RejectReceived,
    SessionEnded,
)
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.trading import DropCopy

MAX_SENT: Final = 10_000
"""Messages of a connection that are remembered, for rejects that answer them."""
MAX_MISSING: Final = 1_000
"""Ranges of numbers that have not come, of a connection."""
MAX_CONNECTIONS: Final = 1_000
"""Connections that are followed at a time; the oldest is taken for ended."""
_NOBODY: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECRETS: Final = frozenset(field.attribute for field in DIALECT.fields.values() if field.secret)
_OF_SESSION: Final = frozenset((Heartbeat, TestRequest, ResendRequest, SequenceReset, Logon, Logout))

_received = fast_init(MessageReceived)


@explained
@attrs.frozen
class Happening:
    """What happened on one session, at one time."""

    time: datetime
    """UTC; 1970 where the log does not tell."""
    session_type: str
    """Such as KalshiMD; empty if the CompIDs are none of Kalshi's."""
    what: object
    """For `apply`: an event of a session, or a message that was sent."""


def replay(source: str | Path | Iterable[str | Path], *machines: Any, session_type: str | None = None) -> int:
    """Put a recording or log through machines; return how many of its messages and events there were.

    A machine is anything with `apply(happened)`, or `apply(happened, now)`. Each is also given what those in
    front of it returned: `Orders` before `Positions` and `Cash`, `DropCopy` before `Orders`.

    Args:
        source: a file, or several in their order; packed if the name ends with .gz.
        machines: what to put it through.
        session_type: only what passed on sessions of this type; everything by default. Give it where a file
            has several, since each ends for itself.

    Raises:
        RecordingError, OSError, EOFError: as from `Recording` and `read_log`.
    """
    steps = [_step(machine) for machine in machines]
    # One machine that does not ask for the time, as for books, is spared what the others need.
    alone = steps[0][0] if len(steps) == 1 and steps[0][1] is None else None
    count = 0
    for time, of_type, what in _passed(source):
        if session_type is not None and of_type != session_type:
            continue
        count += 1
        if alone is not None:
            try:  # noqa: SIM105 - a context manager would be entered for each message
                alone(what)
            except LocalProtocolError:
                pass  # as below
            continue
        items: list[object] = [what]
        for apply, timed, replaces in steps:
            told: list[object] = []
            for item in items:
                try:
                    found = apply(item, _now(timed, time)) if timed else apply(item)
                except LocalProtocolError:
                    continue  # the machine says: do not send it; but it was sent
                if found is not None:
                    told += found if isinstance(found, list) else [found]
            items = told if replaces else items + told
    return count


_Step = tuple[Any, type | None, bool]
"""`apply`, what it takes for the time (None if nothing), whether what it returns takes the place of what it
was given."""


def _step(machine: Any) -> _Step:
    parameters = list(signature(machine.apply).parameters.values())
    timed = None
    if len(parameters) > 1:
        timed = Instant if "Instant" in str(parameters[1].annotation) else datetime
    return machine.apply, timed, isinstance(machine, DropCopy)


def _now(timed: type, time: datetime) -> object:
    return Instant(time.timestamp(), time) if timed is Instant else time


def happenings(source: str | Path | Iterable[str | Path]) -> Iterator[Happening]:
    """Yield what happened, from recordings, wire logs and other logs, in their order.

    A message that is no sound FIX message is left out; of a log, also one whose direction is not told.

    Raises:
        RecordingError, OSError, EOFError: as from `Recording` and `read_log`.
    """
    for passed in _passed(source):
        yield Happening(*passed)


_Passed = tuple[datetime, str, object]
"""What a `Happening` has."""


def _passed(source: str | Path | Iterable[str | Path]) -> Iterator[_Passed]:
    paths = [source] if isinstance(source, str | Path) else list(source)
    sessions = _Sessions()
    for path in paths:
        yield from _recorded(Recording(path), sessions) if is_recording(path) else _logged(path, sessions)


def _recorded(recording: Recording, sessions: _Sessions) -> Iterator[_Passed]:
    decode = CODEC.decode
    for record in recording:
        session = sessions.of(record.connection)
        time = record.time
        if record.kind is Kind.RECEIVED:
            framer = session.framer
            framer.feed(record.data)
            take = session.received
            while (found := framer.next()) is not None:
                if found.__class__ is Frame:
                    for what in take(decode(found), found.data):
                        yield time, session.session_type, what
            continue
        if record.kind is Kind.SENT:
            told = session.sent(decode(record.data))
        elif record.kind is Kind.ENDED:
            told = sessions.end(record.connection)
        else:
            told = session.lose()
        for what in told:
            yield time, session.session_type, what


def _logged(path: str | Path, sessions: _Sessions) -> Iterator[_Passed]:
    for entry in read_log(path):
        message = entry.message
        if message is None or entry.direction is None:
            continue
        header = message.header
        ids = (header.sender_comp_id, header.target_comp_id)
        ids = ids if entry.direction == "sent" else ids[::-1]
        time = entry.time or _NOBODY
        for old in sessions.others(ids, entry.connection):
            for what in sessions.end(old):
                yield time, ids[1] or "", what
        session = sessions.of((ids, entry.connection))
        told = session.sent(message) if entry.direction == "sent" else session.received(message, entry.frame)
        for what in told:
            yield time, session.session_type, what


class _Sessions:
    """The connections that are open."""

    def __init__(self) -> None:
        self._open: dict[Any, _Session] = {}

    def of(self, key: Any) -> _Session:
        session = self._open.get(key)
        if session is None:
            if len(self._open) >= MAX_CONNECTIONS:
                del self._open[next(iter(self._open))]
            session = self._open[key] = _Session()
        return session

    def end(self, key: Any) -> list[object]:
        """Forget a connection; return what its end tells."""
        session = self._open.pop(key, None)
        return [] if session is None else session.end()

    def others(self, ids: Any, connection: int | None) -> list[Any]:
        """Return the keys of other connections between the same two: they are over when a new one begins."""
        if (ids, connection) in self._open:
            return []
        return [key for key in self._open if isinstance(key, tuple) and key[0] == ids]


class _Session:
    """Makes out what a session told, from the messages of one connection."""

    def __init__(self) -> None:
        self.framer = Framer()
        self.session_type = ""
        self._resend = False
        self._flags: dict[str, Any] = {}
        self._expected: int | None = None
        self._missing: list[range] = []
        self._sent: dict[int, Message] = {}
        self._on = False

    def sent(self, message: Message) -> list[object]:
        """A message was sent; return what is for `apply`."""
        self._place(message.header.target_comp_id)
        if isinstance(message, Logon):
            told = self.end()
            values = values_of(message).items()
            self._flags = {name: value for name, value in values if name not in _SECRETS | {"unknown"}}
            self._sent.clear()
            return told
        number = message.header.msg_seq_num
        if number:
            self._sent[number] = message
            if len(self._sent) > MAX_SENT:
                del self._sent[next(iter(self._sent))]
        return [] if message.__class__ in _OF_SESSION or isinstance(message, Reject) else [message]

    def received(self, message: Message, frame: bytes) -> list[object] | tuple[object, ...]:
        """A message came; return what is for `apply`."""
        header = message.header
        number = header.msg_seq_num
        if number == self._expected and message.__class__ not in _SPECIAL:
            self._expected = number + 1
            return (_received(message, header.poss_dup_flag is True, header.poss_resend is True, frame),)
        return self._received(message, number, frame)

    def _received(self, message: Message, number: int | None, frame: bytes) -> list[object]:
        told: list[object] = []
        header: Any = message.header
        self._place(header.sender_comp_id)
        again = header.poss_dup_flag is True
        if isinstance(message, Logon):
            told += self.end()
            self._on = True
            reset = message.reset_seq_num_flag is True
            if reset or not self._resend:
                self._expected = None
                self._missing.clear()
            told.append(LoggedOn(message, message.heart_bt_int or 0, reset, self._flags))
        if number is not None and not self._counts(number, again=again, told=told):
            return told
        match message:
            case Logout():
                told += self.end(CloseReason.LOGGED_OUT, message.text or "", clean=True)
            case Reject() | BusinessMessageReject():
                told.append(
                    RejectReceived(message, message.ref_seq_num, self._sent.get(message.ref_seq_num or 0))
                )
            case SequenceReset():
                after = message.new_seq_no
                if after is not None:
                    self._expected = after if self._expected is None else max(after, self._expected)
                    self._missing = [range(max(each.start, after), each.stop) for each in self._missing]
            case _ if message.__class__ not in _OF_SESSION:
                told.append(_received(message, again, header.poss_resend is True, frame))
        return told

    def _counts(self, number: int, *, again: bool, told: list[object]) -> bool:
        """Count a number; say whether its message is a new one."""
        expected = self._expected
        if expected is None or number == expected:
            self._expected = number + 1
            return True
        if number > expected:
            self._expected = number + 1
            if not self._resend:
                told.append(MessagesLost(expected, number - 1))
            elif len(self._missing) < MAX_MISSING:
                self._missing.append(range(expected, number))
            return True
        for place, missing in enumerate(self._missing):
            if number in missing:
                # They come in order; what is left out is told by a gap fill.
                self._missing[place] = range(number + 1, missing.stop)
                self._missing = [each for each in self._missing if each]
                return True
        return not again

    def lose(self) -> list[object]:
        """Something is not in the recording; return what that tells."""
        self.framer = Framer()
        expected, self._expected = self._expected, None
        return [MessagesLost(expected, expected)] if expected is not None else []

    def end(
        self,
        reason: CloseReason = CloseReason.CONNECTION_LOST,
        text: str = "",
        *,
        clean: bool = False,
    ) -> list[object]:
        """The connection is over; return what that tells, once."""
        on, self._on = self._on, False
        return [SessionEnded(reason, text, clean)] if on else []

    def _place(self, venue_id: str | None) -> None:
        if not self.session_type:
            kind = DIALECT.session_types.get(venue_id or "")
            if kind is not None:
                self.session_type, self._resend = kind.name, kind.resend


_SPECIAL: Final = _OF_SESSION | {Reject, BusinessMessageReject}
