"""The ids of sent requests, which a store keeps longer than the requests and their messages.

A command that is delivered again after a crash or a takeover is recognised by its ClOrdID, also on session
types that keep no messages, and after a reset has dropped them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

import attrs


@attrs.frozen
class SentRequest:
    """A request that was sent, or may have been.

    Attributes:
        request_id: The ClOrdID or other id by which answers name it.
        msg_type: Its MsgType.
        seq_num: Its MsgSeqNum.
        generation: The number of resets before it, which makes `seq_num` unique.
        sent_at: Its SendingTime, in UTC.
    """

    request_id: str
    msg_type: str
    seq_num: int
    generation: int
    sent_at: datetime


@runtime_checkable
class SentRequestStore(Protocol):
    """A `MessageStore` that keeps the ids of sent requests; `store_sqlite.SqliteStore` is one."""

    def sent_request(self, request_id: str) -> SentRequest | None:
        """Return the last request sent with this id, whether it is answered or not; None if there was none
        within the limits of the store."""
