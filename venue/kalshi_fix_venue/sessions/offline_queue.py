"""Message queue of one API key on one session type with resend: it is kept across connections, and filled
while the client is disconnected."""

from __future__ import annotations

from datetime import timedelta

from kalshi_fix_sansio import Header
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.session import MemoryStore, StoredMessage


class OfflineQueue:
    """The message store of one API key on KalshiRT or KalshiPT."""

    def __init__(self, session_type: str, key_id: str, *, max_messages: int, max_bytes: int) -> None:
        """Start both directions at number 1. Beyond the bounds the oldest messages are dropped."""
        self.store: MemoryStore = MemoryStore(max_messages=max_messages, max_bytes=max_bytes)
        self._session_type = session_type
        self._key_id = key_id

    def set_retention(self, hours: int, now: Instant) -> None:
        """Set the retention period of messages (MessageRetentionPeriod), and drop older ones."""
        self.store.max_age = timedelta(hours=hours)
        self.forget(now)

    def forget(self, now: Instant) -> None:
        """Drop messages older than the retention period."""
        self.store.forget_before(now.utc - self.store.max_age)

    def post(self, message: Message, now: Instant) -> None:
        """Store a message under the next number while the client is disconnected, for a later resend.

        The next session on this store continues after this number. The client detects the gap and fills it
        with a ResendRequest.
        """
        seq_num = self.store.next_outgoing
        header = Header(
            msg_type=message.MSG_TYPE,
            msg_seq_num=seq_num,
            sender_comp_id=self._session_type,
            target_comp_id=self._key_id,
            sending_time=now.utc,
        )
        frame = CODEC.encode(message, header)
        self.store.record_sent(seq_num, StoredMessage(seq_num, now.utc, frame))
