"""Requests whose outcome is unknown, as a client reports them in `OutcomesUnknown`.

After a restart, such a request may be missing from the loaded state, because it was sent after the state was
written. The client also reports the frame of the request, the bytes that were sent. A state machine such as
`Orders` decodes the request from the frame, and adds it as if it had been passed to `apply` before sending.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import attrs

from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.events import OpenRequest, OutcomesUnknown
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.trading.common.received import remember

MAX_LISTED_REQUESTS: Final = 10_000
"""Maximum number of requests from `OutcomesUnknown` events to remember, to recognize those reported again."""


@attrs.frozen
class UnattributedRequest:
    """A request with an unknown outcome that its state machine cannot attribute to any known order, group or
    quote.

    Attributes:
        msg_type: MsgType (35), such as F.
        request_id: Id of the request, such as its ClOrdID (11); MsgSeqNum (34) for messages without an id.
        seq_num: Its MsgSeqNum (34).
        sent_at: Its SendingTime (52), in UTC.
    """

    msg_type: str
    request_id: str
    seq_num: int
    sent_at: datetime


@attrs.define(eq=False, repr=False)
class UnattributedRequests:
    """The requests with an unknown outcome that one state machine could not decode, or cannot attribute to
    any known order, group or quote.

    Each remains until its answer is received, or until you have determined its outcome and call `resolve`.
    """

    _listed: dict[str, None] = attrs.field(factory=dict)
    """The machine's requests that `OutcomesUnknown` events have listed, the oldest first."""
    _kept: list[UnattributedRequest] = attrs.field(factory=list)

    def __iter__(self) -> Iterator[UnattributedRequest]:
        return iter(list(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def resolve(self, request: UnattributedRequest) -> None:
        """Remove a request whose outcome you have determined elsewhere. If its answer has been received
        in the meantime, this has no effect.
        """
        self._kept = [each for each in self._kept if each != request]

    # The machine calls the following methods.

    def read(self, event: OutcomesUnknown, *types: type[Message]) -> Iterator[tuple[OpenRequest, Any]]:
        """Yield each request of these types in an event, with its message, or with None if its frame cannot
        be decoded. Requests that an earlier event listed are left out.
        """
        classes = {each.MSG_TYPE: each for each in types}
        for request in event.requests:
            cls = classes.get(request.msg_type)
            sent_at = request.sent_at.isoformat(timespec="milliseconds")  # as on the wire
            key = f"{request.msg_type} {request.seq_num} {sent_at} {request.request_id}"
            if cls is not None and key not in self._listed:
                remember(self._listed, key, None, MAX_LISTED_REQUESTS)
                yield request, _read(request, cls)

    def keep(self, request: OpenRequest) -> None:
        """Keep a request that cannot be attributed to a known item."""
        self._kept.append(
            UnattributedRequest(request.msg_type, request.request_id, request.seq_num, request.sent_at)
        )

    def answer(self, request_id: str | None, *types: type[Message]) -> bool:
        """Remove the requests of these types with this id, because a message answers them. Return whether
        there were any.
        """
        msg_types = [each.MSG_TYPE for each in types]
        remaining = [
            each for each in self._kept if each.request_id != request_id or each.msg_type not in msg_types
        ]
        was_answered, self._kept = len(remaining) < len(self._kept), remaining
        return was_answered


def _read(request: OpenRequest, cls: type[Message]) -> Message | None:
    try:
        message = CODEC.decode(request.frame)
    except DecodeError:
        return None
    return message if isinstance(message, cls) and not message.problems else None
