"""The faults that explain the end of a session. An end that no fault of the run explains is a violation."""

from __future__ import annotations

from kalshi_fix_sansio.events import CloseReason, SessionEnded
from tests.simulation.schedule import Kind, Schedule, Side

_DELAYS = frozenset({Kind.STALL, Kind.FREEZE, Kind.SUSPEND, Kind.SLOW, Kind.FULL, Kind.DELAY, Kind.MERGE})
_CORRUPTIONS = frozenset({Kind.FLIP, Kind.GARBAGE, Kind.REPEAT, Kind.HUGE})
_SILENT_LOSSES = frozenset({Kind.VANISH, Kind.POWER})
_DISCONNECTS = frozenset({Kind.CUT, Kind.CRASH, Kind.MAINTENANCE, Kind.DISK, Kind.ISOLATE})

_NOTICED_DELAYS = frozenset({Kind.FREEZE})
"""Delays that a session always notices. SUSPEND is not one of them: only the wall clock shows it, and the
session does not notice one that is shorter than its tolerance. If the clocks of the two sides also differ,
messages that arrived in the meantime may be too old."""
TOO_OLD_TEXT = "SendingTime is more than"

_FAULTS_BY_TEXT: dict[str, frozenset[Kind]] = {
    TOO_OLD_TEXT: _DELAYS | {Kind.CLOCK},
    "already exists": _DELAYS
    | _CORRUPTIONS
    | _SILENT_LOSSES
    | _DISCONNECTS
    | {Kind.REFUSE, Kind.CLOCK, Kind.RESET, Kind.ABORT, Kind.LOGOUT},
    "was received before the answer to the Logon": _CORRUPTIONS,
    "the first message was not a Logon": _CORRUPTIONS,
    "the peer has stopped reading": _DELAYS | {Kind.HUGE},
    "the bytes received instead of a Logon are not a message": _CORRUPTIONS,
    "the answer to a reset may have been garbled": _CORRUPTIONS,
    "Too much unread data": _DELAYS | _SILENT_LOSSES | {Kind.BURST, Kind.PAUSE, Kind.HUGE},
    "MsgSeqNum too high": _CORRUPTIONS | {Kind.CUT},
    "MsgSeqNum too low": frozenset({Kind.RESET}),
    "MsgSeqNum must be 1": frozenset({Kind.RESET}),
}
"""Faults by a substring of the end's text; at least one of them is required."""
_FAULTS_BY_REASON: dict[CloseReason, frozenset[Kind]] = {
    CloseReason.PEER_SILENT: _DELAYS | _CORRUPTIONS | _SILENT_LOSSES,
    CloseReason.LOGON_TIMEOUT: _DELAYS
    | _CORRUPTIONS
    | _SILENT_LOSSES
    | {Kind.RESET, Kind.CRASH, Kind.DISK, Kind.ISOLATE},
    CloseReason.CONNECTION_LOST: _DELAYS
    | _CORRUPTIONS
    | _SILENT_LOSSES
    | _DISCONNECTS
    | {Kind.RESET, Kind.CLOCK, Kind.LOGOUT, Kind.ABORT},
    CloseReason.STORE_FAILED: frozenset({Kind.DISK, Kind.ISOLATE}),
    CloseReason.SEQUENCE_GAP: _DELAYS | _CORRUPTIONS | _SILENT_LOSSES | _DISCONNECTS,
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
    if logged_on and event.text.startswith(TOO_OLD_TEXT):
        reader = side if event.reason is CloseReason.PROTOCOL_ERROR else side.other
        faults = tuple(
            fault for fault in faults if fault.kind not in _NOTICED_DELAYS or fault.side is not reader
        )
    kinds = {fault.kind for fault in faults}
    if schedule.pace:
        kinds.add(Kind.SLOW)
    if schedule.standby and kinds & {Kind.FREEZE, Kind.SUSPEND}:
        kinds.add(Kind.ISOLATE)  # the lease may expire in the meantime
    for text, causes in _FAULTS_BY_TEXT.items():
        if text in event.text:
            return bool(kinds & causes)
    if event.reason in _FAULTS_BY_REASON:
        return bool(kinds & _FAULTS_BY_REASON[event.reason])
    if event.text in _OPERATOR_TEXTS:
        return bool(kinds & {Kind.LOGOUT, Kind.ABORT, Kind.MAINTENANCE})
    return event.reason is not CloseReason.PROTOCOL_ERROR
