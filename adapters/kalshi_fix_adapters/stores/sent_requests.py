"""The ids of sent requests, which a store keeps longer than the requests and their messages.

If the user's own queue delivers a command again after a crash or a takeover, the ids show that the command
was already sent. They are also kept on session types that keep no messages, and after a reset, which drops
the messages.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

import attrs


@attrs.frozen
class SentRequest:
    """A request that was sent, or may have been.

    Attributes:
        request_id: The ClOrdID or other id by which answers refer to the request.
        msg_type: MsgType of the request.
        seq_num: MsgSeqNum of the request.
        generation: The store's `generation` when the request was sent. Together with `seq_num` it identifies
            the request.
        sent_at: SendingTime of the request, in UTC.
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
        """Return the last request sent with this id, whether it was answered or not; None if the store has
        none. The store deletes old ids; see its limits.
        """
