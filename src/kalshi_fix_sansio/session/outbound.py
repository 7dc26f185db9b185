"""Outgoing messages: their headers, numbers and bytes, and the record of sent messages.

Each message is first encoded, then recorded in the store with its number, then added to the buffer.
`Outbound.release` returns its bytes only when the record is durable.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from datetime import UTC
from types import MappingProxyType
from typing import Any

from kalshi_fix_sansio import scalars
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.session.checks import checked_number
from kalshi_fix_sansio.session.ledger import Ledger
from kalshi_fix_sansio.session.open_requests import Names
from kalshi_fix_sansio.session.store import StoredMessage
from kalshi_fix_sansio.session.timers import Timers

MAX_TEXT = 200
"""Maximum length of a Text (58) that the session generates."""


_ROUTING_TAGS = ((115, 128), (116, 129), (144, 145))
"""Tags of OnBehalfOfCompID and DeliverToCompID, of their SubIDs, and of their LocationIDs."""
REVERSE_TAGS: Mapping[int, int] = MappingProxyType(
    {**dict(_ROUTING_TAGS), **{reverse: tag for tag, reverse in _ROUTING_TAGS}}
)
"""For each of these tags, the tag that contains its value in an answer (`reply_route`)."""


def plain_text(text: str) -> str:
    """Convert any text to a valid Text (58): printable ASCII, at most `MAX_TEXT` characters, and not empty,
    because FIX has no empty fields.
    """
    return "".join(c if " " <= c <= "~" else "?" for c in text[:MAX_TEXT]) or "?"


class Outbound:
    """The outgoing side of one connection."""

    def __init__(self, config: SessionConfig, codec: Codec, ledger: Ledger, timers: Timers) -> None:
        self._config = config
        self._codec = codec
        self._timers = timers
        self._header_class = config.dialect.header.cls
        self._reused_header: Any = None
        """The header of the last message, reused for the next message and never passed to the caller. With a
        new header for each message, the session needs 1.3 times as long to send an order.
        `tests/session/test_send.py` checks that a reused header and a new one produce the same bytes.
        """
        self._record: dict[int, bytes] = {}
        """The latest sent messages by MsgSeqNum, so that RejectReceived can contain the rejected message."""
        self._record_numbers: deque[int] = deque()
        """The numbers that were added to `_record`, oldest first. `find_sent` may have removed their messages
        since.
        """
        self._record_bytes = 0
        self._max_record = config.max_sent_record
        self._max_record_bytes = config.max_sent_record_bytes
        self._send_last_processed = config.send_last_processed
        self._ledger = ledger
        self.buffer: bytearray = bytearray()
        """Bytes that `release` has not returned, oldest first."""
        self._ready_bytes = 0
        """The number of bytes at the beginning of the buffer whose records are durable."""
        self._waiting: deque[tuple[int, int, float]] = deque()
        """The parts of the buffer after `_ready_bytes`. For each: the ticket of the commit for which it
        waits, its number of bytes, and the time at which its last byte was queued.
        """
        self._waiting_bytes = 0
        """The total number of bytes in `_waiting`."""
        self.largest_message: int = 0
        """Size of the largest message in the buffer."""
        self.peer_comp_id: str | None = config.target_comp_id
        """TargetCompID of outgoing messages. On an acceptor without `target_comp_id`, None until the peer's
        Logon is received.
        """
        self.took_number: bool = False
        """Whether a number was used, or the store failed to record it, since the session last set this to
        False.
        """

    def admin(self, msg_type: str, **fields: Any) -> Message:
        """Build a session message of the dialect from attributes; None values are left out."""
        message: Message = self._config.dialect.messages[msg_type].cls(
            **{name: value for name, value in fields.items() if value is not None}
        )
        return message

    def header(
        self, msg_type: str, seq_num: int, now: Instant, *, fields: Mapping[str, Any] | None = None
    ) -> Any:
        """Build the header of a message that is about to be sent."""
        header = self._header_class(
            msg_type=msg_type,
            msg_seq_num=seq_num,
            sender_comp_id=self._config.sender_comp_id,
            target_comp_id=self.peer_comp_id,
            sending_time=now.utc,
            **(fields or {}),
        )
        self.set_last_processed(header)
        return header

    def set_last_processed(self, header: Any) -> None:
        """Set LastMsgSeqNumProcessed (369) in a header, if this session sends it."""
        if self._send_last_processed:
            header.last_msg_seq_num_processed = self._ledger.expected - 1

    def post(
        self,
        message: Message,
        now: Instant,
        *,
        header_fields: Mapping[str, Any] | None = None,
        keep: bool,
        names: Names | None = None,
        received: Frame | None = None,
    ) -> int:
        """Send a message with the next number; with `keep` it can be resent later. Return the number.

        For a request, `names` contains the names by which answers refer to it, and the session tracks its
        outcome. If `message` was decoded from a received message, `received` is that message, and its body is
        sent unchanged.
        """
        seq_num, msg_type, sending_time = (
            checked_number(self._ledger.store.next_outgoing),
            message.MSG_TYPE,
            now.utc,
        )
        header = self._reused_header
        # A header with `header_fields` is not reused: the next message would contain them too. Only the
        # constructor converts times to UTC, so a header is not reused for a time in another zone.
        if (
            header_fields
            or header is None
            or self._send_last_processed
            or sending_time.tzinfo is not UTC
            or header.target_comp_id is not self.peer_comp_id
        ):
            header = self.header(msg_type, seq_num, now, fields=header_fields)
            if not header_fields:
                self._reused_header = header
        else:
            header.msg_type, header.msg_seq_num, header.sending_time = msg_type, seq_num, sending_time
        # Encode before the number is recorded: if encoding raises, no number is used.
        codec = self._codec
        frame = codec.encode(message, header) if received is None else codec.with_header(received, header)
        self.record_and_queue(
            seq_num,
            frame,
            now,
            stored=StoredMessage(seq_num, sending_time, frame) if keep else None,
            msg_type=msg_type,
            names=names,
        )
        return seq_num

    def record_and_queue(
        self,
        seq_num: int,
        frame: bytes,
        now: Instant,
        *,
        stored: StoredMessage | None = None,
        msg_type: str = "",
        names: Names | None = None,
    ) -> None:
        """Use a number: record the encoded message in the store, then append it to the buffer."""
        ledger, recorded = self._ledger, self._record_numbers
        self.took_number = True
        # Record in the store first: if the store fails, the message is not in the buffer.
        if names is None:
            ledger.use_number(seq_num, stored, None, ())
        else:
            request_id = names[0][1] or str(seq_num)  # no id: the number identifies the request
            request = OpenRequest(request_id, msg_type, seq_num, now.utc, frame, ledger.next_key)
            ledger.use_number(seq_num, stored, request, names)
        self._record[seq_num] = frame
        recorded.append(seq_num)
        self._record_bytes += len(frame)
        # `find_sent` may have removed a message from the record; dropping its number then frees no bytes.
        while len(recorded) > self._max_record or self._record_bytes > self._max_record_bytes:
            self._record_bytes -= len(self._record.pop(recorded.popleft(), b""))
        self.buffer += frame
        if len(frame) > self.largest_message:
            self.largest_message = len(frame)
        self._timers.last_sent = now.monotonic  # any message replaces a Heartbeat

    def write(self, frame: bytes, now: Instant) -> None:
        """Queue a message that uses no new number: a resent message or a gap fill.

        The store needs no record, because it recorded the number when the number was first used.
        """
        self.buffer += frame
        if len(frame) > self.largest_message:
            self.largest_message = len(frame)
        self._timers.last_sent = now.monotonic

    def release(self, ticket: int, durable: int) -> bytes:
        """Remove and return the bytes whose records are durable. `ticket` is the commit of all queued bytes;
        `durable` is the last durable commit.
        """
        buffer = self.buffer
        self._ledger.released = durable
        if ticket <= durable:
            data = bytes(buffer)
            buffer.clear()
            self.largest_message = 0
            if self._waiting or self._ready_bytes:
                self.drop()
            return data
        self.assign(ticket, durable)
        ready, self._ready_bytes = self._ready_bytes, 0
        data = bytes(buffer[:ready])
        del buffer[:ready]
        return data

    def assign(self, ticket: int, durable: int) -> None:
        """Assign this ticket to the bytes queued since the last call, then update the number of bytes that
        are ready because their commit is durable.

        Call this whenever a commit is begun, even if the transport accepts no bytes. Otherwise the bytes
        would be assigned to a later commit than the one that makes their records durable.
        """
        waiting, timers = self._waiting, self._timers
        new_bytes = len(self.buffer) - self._ready_bytes - self._waiting_bytes
        if new_bytes:
            waiting.append((ticket, new_bytes, timers.last_sent))
            self._waiting_bytes += new_bytes
        while waiting and waiting[0][0] <= durable:
            size = waiting.popleft()[1]
            self._ready_bytes += size
            self._waiting_bytes -= size
        timers.commit_at = max(waiting[0][2], timers.resumed_at) + timers.commit_limit if waiting else None

    @property
    def oldest_ticket(self) -> float:
        """The ticket of the oldest bytes that wait for a commit; infinite if there are none."""
        return self._waiting[0][0] if self._waiting else math.inf

    def drop(self) -> None:
        """Empty the buffer."""
        self.buffer.clear()
        self._waiting.clear()
        self._ready_bytes = self._waiting_bytes = self.largest_message = 0
        self._timers.commit_at = None

    def restart(self, *, unanswered: bool) -> None:
        """Restart the numbers in the store at 1, and clear the record of sent messages.

        With `unanswered`, the peer has not answered the reset yet.
        """
        self._ledger.reset(unanswered=unanswered)
        self._record.clear()
        self._record_numbers.clear()
        self._record_bytes = 0

    def find_sent(self, seq_num: int | None) -> Message | None:
        """Return the message that was sent with this number, from the record, the open requests, or the
        store; None if none of them has it.

        The message is removed from the record, so repeated Rejects of one number do not decode it again. If
        it is kept for resend, it remains in the store.
        """
        if seq_num is None:
            return None
        frame = self._record.pop(seq_num, None)
        if frame is not None:
            self._record_bytes -= len(frame)
        else:
            record = self._ledger.open_requests.find_by_number(seq_num) or self._ledger.store.find(seq_num)
            if record is None:
                return None
            frame = record.frame
        return self._codec.decode(Frame(frame))


def reply_route(header: Any) -> dict[str, str]:
    """Return the header attributes for an answer to a message with this header, with the routing reversed.

    FIXT 1.1, "Standard message header": a message forwarded by a third party contains the CompIDs of the
    originating and the receiving firm. In the answer, the two are swapped.

    The result is empty for a message that was not forwarded, and for a dialect whose header has no routing
    fields. Values that can be received but not sent, such as text with NUL, are left out.
    """
    members = header.LAYOUT.by_tag
    route = {}
    for tag, reverse in REVERSE_TAGS.items():
        if tag in members and reverse in members:
            value = getattr(header, members[tag].attribute)
            if value is not None and _can_be_sent(value):
                route[members[reverse].attribute] = value
    return route


def _can_be_sent(value: str) -> bool:
    try:
        scalars.format_string(value)
    except EncodeError:
        return False
    return True
