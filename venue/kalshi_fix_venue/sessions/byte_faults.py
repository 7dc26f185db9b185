"""Faults in the bytes of one connection between the venue and its client."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import cast

import attrs

from kalshi_fix_sansio import SESSION_TYPES
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.framing import CHECK_SUM_SIZE, MAX_BODY_LENGTH, SOH, encode_frame
from kalshi_fix_venue.operations.base import ConnectionIdentity
from kalshi_fix_venue.operations.faults import (
    Cut,
    Delay,
    Duplicate,
    Gap,
    Garble,
    LateHeartbeats,
    Silence,
    WrongCompIds,
)
from kalshi_fix_venue.sessions.armed_faults import ArmedFaults

_HEAD = re.compile(rb"8=([^\x01]+)\x019=([0-9]+)\x0135=([^\x01]+)\x01")
_HEAD_SIZE = 40
"""Number of bytes within which `_HEAD` matches the beginning of a message."""
_HEARTBEAT = "0"
_SENDER, _TARGET, _SENDING_TIME, _POSS_DUP, _ORIG_SENDING_TIME = b"49=", b"56=", b"52=", b"43=", b"122="


@attrs.define
class _DelayedMessage:
    """A complete message, or the first half of a message that is cut, until it is released."""

    due: float
    """Time in seconds of `Instant.monotonic`."""
    data: bytes
    is_heartbeat: bool


class ByteFaults:
    """Applies faults to the bytes from and to one client: loss, connection cuts, garbling, wrong CompIDs,
    duplication, delay and silence."""

    def __init__(self, armed_faults: ArmedFaults, max_delayed: int) -> None:
        """Start without delayed messages; if they ever exceed `max_delayed` bytes, the connection is cut."""
        self._armed = armed_faults
        self._max_delayed = max_delayed
        self._delayed: deque[_DelayedMessage] = deque()
        self._delayed_bytes = 0
        self._incomplete_request = b""
        """The beginning of an incomplete request."""
        self.cut: Cut | None = None
        """The cut to apply once the released bytes are written; the caller applies it."""

    @property
    def has_delayed_messages(self) -> bool:
        """Whether messages are delayed."""
        return bool(self._delayed)

    def filter_output(self, data: bytes, identity: ConnectionIdentity, now: Instant) -> bytes:
        """Accept complete messages for the client; return the bytes to write now."""
        for frame, msg_type in _frames(data):
            if self.cut is not None:
                break
            self._apply_faults(frame, msg_type, identity, now)
        if self._delayed_bytes > self._max_delayed:
            self.cut = Cut()
            self._delayed.clear()
        return self._release_due(identity, now)

    def filter_input(self, data: bytes, identity: ConnectionIdentity, now: Instant) -> bytes:
        """Accept bytes from the client; return those that the venue receives."""
        if not self._armed.is_armed(Cut) and not self._incomplete_request:
            return data
        data, self._incomplete_request = self._incomplete_request + data, b""
        passed_size = 0
        for frame, msg_type in _frames(data):
            if not msg_type:
                # An incomplete message is kept until it is complete; bytes that cannot begin a message are
                # passed to the session.
                if len(frame) < _HEAD_SIZE or (_HEAD.match(frame) and len(frame) < MAX_BODY_LENGTH):
                    self._incomplete_request = frame
                    return data[:passed_size]
                return data
            self.cut = self._armed.trigger(Cut, identity, now, msg_type, at="request")
            if self.cut is not None:
                return data[:passed_size]
            passed_size += len(frame)
        return data

    def next_deadline(self, identity: ConnectionIdentity, now: Instant) -> float | None:
        """Return the time at which the next message is released; None if no message is delayed, or during a
        Silence.
        """
        if not self._delayed or self._armed.active(Silence, identity, now) is not None:
            return None
        return self._delayed[0].due

    def _apply_faults(self, frame: bytes, msg_type: str, identity: ConnectionIdentity, now: Instant) -> None:
        # Do not change the order of the calls to `trigger`. Each counts an occasion and may draw a random
        # number, so a seed would not reproduce the same run if the calls were reordered. A message that is
        # cut or lost is not counted by the faults below.
        trigger = self._armed.trigger
        self.cut = trigger(Cut, identity, now, msg_type, at="frame")
        if self.cut is not None:
            self._delay(frame[: len(frame) // 2], msg_type, identity, now)
            return
        if trigger(Gap, identity, now, msg_type) is not None:
            return
        # The faults below change only the first copy; the second is like a resent message, which is intact.
        copies = [frame]
        if SESSION_TYPES[identity.session].resend and trigger(Duplicate, identity, now, msg_type) is not None:
            copies.append(_as_resent(frame))
        wrong = trigger(WrongCompIds, identity, now, msg_type)
        if wrong is not None:
            copies[0] = _replace_comp_ids(frame, wrong.sender, wrong.target)
        garble = trigger(Garble, identity, now, msg_type)
        if garble is not None:
            copies[0] = _garble(copies[0], garble.how)
        for each in copies:
            self._delay(each, msg_type, identity, now)

    def _delay(self, frame: bytes, msg_type: str, identity: ConnectionIdentity, now: Instant) -> None:
        due = now.monotonic
        is_heartbeat = msg_type == _HEARTBEAT
        late = self._armed.active(LateHeartbeats, identity, now) if is_heartbeat else None
        delay = self._armed.active(Delay, identity, now)
        due += max(0.0 if late is None else late.by, 0.0 if delay is None else delay.by)
        if late is None:
            # A late heartbeat has a lower MsgSeqNum, so it must be sent before this message, and it must not
            # delay this message. So it is released together with this message at the latest.
            for delayed in self._delayed:
                if delayed.is_heartbeat:
                    delayed.due = min(delayed.due, due)
        # TCP preserves the order of bytes, so no message is released before an earlier one.
        if self._delayed:
            due = max(due, self._delayed[-1].due)
        self._delayed.append(_DelayedMessage(due, frame, is_heartbeat))
        self._delayed_bytes += len(frame)

    def _release_due(self, identity: ConnectionIdentity, now: Instant) -> bytes:
        is_cut = self.cut is not None
        if self._armed.active(Silence, identity, now) is not None and not is_cut:
            return b""
        released = bytearray()
        while self._delayed and (is_cut or self._delayed[0].due <= now.monotonic):
            released += self._delayed.popleft().data
        self._delayed_bytes -= len(released)
        return bytes(released)


def _frames(data: bytes) -> Iterator[tuple[bytes, str]]:
    """Split bytes into messages with their MsgTypes; other or incomplete bytes have an empty type."""
    position = 0
    while position < len(data):
        head = _HEAD.match(data, position)
        # BodyLength counts the bytes after its own SOH, which precedes `35=`.
        end = -1 if head is None else head.end(2) + 1 + int(head[2]) + CHECK_SUM_SIZE
        if head is None or end > len(data):
            yield data[position:], ""
            return
        yield data[position:end], head[3].decode("latin-1")
        position = end


def _head(frame: bytes) -> re.Match[bytes]:
    """Return the match of `_HEAD` at the beginning of a message."""
    return cast("re.Match[bytes]", _HEAD.match(frame))


def _rebuild(frame: bytes, fields: list[bytes]) -> bytes:
    return encode_frame(_head(frame)[1].decode("latin-1"), b"".join(fields))


def _body(frame: bytes) -> list[bytes]:
    """Return the fields from MsgType to the last before CheckSum, each with its SOH."""
    return [field + SOH for field in frame[: -CHECK_SUM_SIZE - 1].split(SOH)[2:]]


def _as_resent(frame: bytes) -> bytes:
    """Return a message in the form in which it is resent, with the same sequence number."""
    fields = _body(frame)
    index = next(i for i, field in enumerate(fields) if field.startswith(_SENDING_TIME))
    original = fields[index].removeprefix(_SENDING_TIME)
    fields.insert(index + 1, _ORIG_SENDING_TIME + original)
    fields.insert(index, _POSS_DUP + b"Y" + SOH)
    return _rebuild(frame, fields)


def _replace_comp_ids(frame: bytes, sender: str, target: str | None) -> bytes:
    """Return a message with other CompIDs. Only the first field with each tag is changed: the header precedes
    all other fields with these tags."""
    fields = _body(frame)
    for tag, name in ((_SENDER, sender), (_TARGET, target)):
        if name is not None:
            index = next(i for i, field in enumerate(fields) if field.startswith(tag))
            fields[index] = tag + name.encode("latin-1", "replace") + SOH
    return _rebuild(frame, fields)


def _garble(frame: bytes, how: str) -> bytes:
    if how == "cut-short":
        return frame[: -CHECK_SUM_SIZE * 2]
    if how == "body-length":
        head = _head(frame)
        return frame[: head.start(2)] + b"%d" % (int(head[2]) + 1) + frame[head.end(2) :]
    value = int(frame[-4:-1])
    return frame[:-4] + b"%03d" % ((value + 1) % 256) + SOH
