"""The faults that explain the end of a session. An end that no fault of the run explains is a violation."""

from __future__ import annotations

from kalshi_fix_sansio.events import CloseReason, SessionEnded
from tests.simulation.schedule import Kind, Schedule, Side

_LATE = frozenset({Kind.STALL, Kind.FREEZE, Kind.SUSPEND, Kind.SLOW, Kind.FULL, Kind.DELAY, Kind.MERGE})
_LOST = frozenset({Kind.FLIP, Kind.GARBAGE, Kind.REPEAT, Kind.HUGE})
_DEAD = frozenset({Kind.VANISH, Kind.POWER})
_GONE = frozenset({Kind.CUT, Kind.CRASH, Kind.MAINTENANCE, Kind.DISK, Kind.ISOLATE})

_HELD_UP = frozenset({Kind.FREEZE})
"""Faults that a session always notices. A sleep shorter than the tolerance shows only on the wall clock,
where it is too short to be noticed; if the clocks of both sides differ, messages that waited may then be too
old."""
TOO_OLD = "SendingTime is more than"

_BY_TEXT: dict[str, frozenset[Kind]] = {
    TOO_OLD: _LATE | {Kind.CLOCK},
    "already exists": _LATE
    | _LOST
    | _DEAD
    | _GONE
    | {Kind.REFUSE, Kind.CLOCK, Kind.RESET, Kind.ABORT, Kind.LOGOUT},
    "was received before the answer to the Logon": _LOST,
    "the first message was not a Logon": _LOST,
    "the peer has stopped reading": _LATE | {Kind.HUGE},
    "the bytes received instead of a Logon are not a message": _LOST,
    "the answer to a reset may have been garbled": _LOST,
    "Too much unread data": _LATE | _DEAD | {Kind.BURST, Kind.PAUSE, Kind.HUGE},
    "MsgSeqNum too high": _LOST | {Kind.CUT},
    "MsgSeqNum too low": frozenset({Kind.RESET}),
    "MsgSeqNum must be 1": frozenset({Kind.RESET}),
}
"""Faults by a substring of the end's text; at least one of them is required."""
_BY_REASON: dict[CloseReason, frozenset[Kind]] = {
    CloseReason.PEER_SILENT: _LATE | _LOST | _DEAD,
    CloseReason.LOGON_TIMEOUT: _LATE | _LOST | _DEAD | {Kind.RESET, Kind.CRASH, Kind.DISK, Kind.ISOLATE},
    CloseReason.CONNECTION_LOST: _LATE
    | _LOST
    | _DEAD
    | _GONE
    | {Kind.RESET, Kind.CLOCK, Kind.LOGOUT, Kind.ABORT},
    CloseReason.STORE_FAILED: frozenset({Kind.DISK, Kind.ISOLATE}),
    CloseReason.SEQUENCE_GAP: _LATE | _LOST | _DEAD | _GONE,
    CloseReason.SEQUENCE_TOO_LOW: frozenset({Kind.RESET}),
}
_OPERATOR_TEXTS = frozenset({"enough", "maintenance"})
"""Texts with which an operator logs out or aborts."""


def is_explained(event: SessionEnded, schedule: Schedule, side: Side, *, logged_on: bool) -> bool:
    """Return whether a fault of this run could have ended a session of this side with this event.

    A session that was frozen after its logon must not end because messages are too old: it must notice that
    it reads them late.
    """
    faults = schedule.faults
    if logged_on and event.text.startswith(TOO_OLD):
        reader = side if event.reason is CloseReason.PROTOCOL_ERROR else side.other
        faults = tuple(fault for fault in faults if fault.kind not in _HELD_UP or fault.side is not reader)
    kinds = {fault.kind for fault in faults}
    if schedule.pace:
        kinds.add(Kind.SLOW)
    if schedule.standby and kinds & {Kind.FREEZE, Kind.SUSPEND}:
        kinds.add(Kind.ISOLATE)  # the lease may end in the meantime
    for text, causes in _BY_TEXT.items():
        if text in event.text:
            return bool(kinds & causes)
    if event.reason in _BY_REASON:
        return bool(kinds & _BY_REASON[event.reason])
    if event.text in _OPERATOR_TEXTS:
        return bool(kinds & {Kind.LOGOUT, Kind.ABORT, Kind.MAINTENANCE})
    return event.reason is not CloseReason.PROTOCOL_ERROR
