"""What was asked of the peer and not answered yet, and why an answer may never come.

An order that has left and has no answer is the one thing a trader must not guess about. The session records
every such request before it leaves (`MessageLayout.request`), settles it when its answer
(`MessageLayout.answers`) has been taken care of, and names those it cannot learn about.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum

import attrs

from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.classes.value import Value


@attrs.frozen(eq=False, repr=False)
class OpenRequest(Value):
    """A message that was sent, and whose outcome is not known."""

    request_id: str
    """What people know it by: the ClOrdID (11) of an order, a cancel, a replace; of a message that has no id
    of its own, such as an order group request, its MsgSeqNum. Not unique: a cancel may repeat the id of a
    quote, and nothing keeps a user from sending an id twice."""
    msg_type: str
    """MsgType (35), such as D."""
    seq_num: int
    """Its MsgSeqNum. 0 if it was found uncertain by a version whose store did not keep the number."""
    sent_at: datetime
    """Its SendingTime, in UTC."""
    frame: bytes = attrs.field(repr=False)
    """The whole message as it stood on the wire."""
    key: int
    """Tells it from every other open request of its store; later ones have larger keys."""
    uncertain: bool = False
    """Whether a process that finds it in the store is to name it (OutcomesUnknown) instead of waiting for its
    answer."""

    @property
    def label(self) -> str:
        """What it is called in a sentence: its id, or `MsgSeqNum 7` where that is all it has."""
        number = str(self.seq_num)
        return f"MsgSeqNum {number}" if self.request_id == number else self.request_id


@attrs.frozen(eq=False, repr=False)
class RestingOrder(Value):
    """An order that rested with the peer, by the last report about it."""

    order_id: str
    """OrderID (37), the peer's own."""
    cl_ord_id: str | None
    """ClOrdID (11) of the last request that changed it."""
    symbol: str | None
    """Symbol (55), the ticker of the market."""
    side: str | None
    """Side (54), as on the wire."""
    price: Decimal | None
    """In the unit of the session's prices."""
    leaves_qty: Decimal | None
    """LeavesQty (151), what was open of it."""


@explained
class Uncertainty(Enum):
    """Why the outcome of a request cannot be learnt from this session."""

    PEER_UNSURE = "the answer says that the peer does not know the outcome either"
    CONNECTION_ENDED = "the connection ended, and this session type has no resend"
    RESTARTED = "sent before the process started, and what came since cannot be asked for"
    NOT_RESENT = "the peer asked for it again, and it was not sent again"
    ANSWERS_LOST = "messages that may have answered it are lost, or were Rejects, which are never sent again"
    RESET = "the numbers were reset, and what came before cannot be asked for"
    STORE_FAILED = "the store failed, perhaps before it was sent"
