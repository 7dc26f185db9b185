"""The orders that rest with the peer, as far as its reports on this connection say.

Without resend, nobody tells what happens to them while the connection is down. So they are named when it
ends, and the user knows which of them to look up. Which messages say that an order rests, and by what, is
data of the dialect (`MessageLayout.tracks`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import CodeType
from typing import Any

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.conditions import expression, terms
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.events import OrdersUnverified
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.layout import BlockLayout, Tracks
from kalshi_fix_sansio.outcomes import RestingOrder

Follow = Callable[[Message, bytes], None]
"""Takes a message that was delivered, and the bytes it came in."""
_FOLLOW = """\
def follow(message, frame):
    order_id = message.{attribute}
    if not order_id:
        return
    if {resting}:
        before = reports.get(order_id)
        size = orders._size + len(frame) - (0 if before is None else len(before))
        if size > max_bytes or (before is None and len(reports) >= max_orders):
            # An order that is followed already stays, by its report of before; a new one is missing.
            orders._complete = orders._complete and before is not None
            return
        reports[order_id] = frame
        orders._size = size
    elif {done}:
        before = reports.pop(order_id, None)
        if before is not None:
            orders._size -= len(before)
"""


@cache
def _compiled(source: str) -> CodeType:
    """Compile it once for all sessions."""
    return compile(source, "<follow>", "exec")


class RestingOrders:
    """The last report of each order that rests, within `max_resting_orders` and `max_resting_order_bytes`."""

    __slots__ = ("_complete", "_max_bytes", "_max_orders", "_reports", "_size", "follow")

    def __init__(self, config: SessionConfig) -> None:
        self._max_orders, self._max_bytes = config.max_resting_orders, config.max_resting_order_bytes
        self.follow: dict[type[Message], Follow] = {}
        """By class of message, what takes what such a message says of an order. Empty on a session type where
        nothing is followed."""
        self._reports: dict[str, bytes] = {}
        """By id, the last report of each order, as it came. It is decoded only if it is to be told."""
        self._size = 0
        """Bytes of all reports."""
        self._complete = True
        """Whether every order that rests is followed."""
        for layout in config.dialect.messages.values():
            if layout.tracks is not None and _is_tracked(config, layout.tracks.sessions):
                self.follow[layout.cls] = self._follower(layout.tracks, layout.body)

    def __len__(self) -> int:
        return len(self._reports)

    def _follower(self, tracks: Tracks, body: BlockLayout) -> Follow:
        """Write what follows the orders in messages of one class; it is called for each report."""
        names: dict[str, Any] = {
            "orders": self,
            "reports": self._reports,
            "max_orders": self._max_orders,
            "max_bytes": self._max_bytes,
        }
        source = _FOLLOW.format(
            attribute=tracks.attribute,
            resting=expression(terms(tracks.resting, body), "message", names),
            done=expression(terms(tracks.done, body), "message", names),
        )
        exec(_compiled(source), names)  # noqa: S102 - from the layout alone
        follow: Follow = names["follow"]
        return follow

    def note(self, message: Message, frame: bytes) -> None:
        """Take what a message that was delivered says of an order, if its class does."""
        follow = self.follow.get(message.__class__)
        if follow is not None:
            follow(message, frame)

    def unverified(self, codec: Codec) -> OrdersUnverified | None:
        """Return what is to be told of them at the end, if there are any; they are forgotten with it."""
        if not self._reports and self._complete:
            return None
        orders = tuple(
            _order(order_id, codec.decode(Frame(data))) for order_id, data in self._reports.items()
        )
        complete, self._complete = self._complete, True
        self._reports.clear()
        self._size = 0
        return OrdersUnverified(orders, complete)


def _is_tracked(config: SessionConfig, sessions: tuple[str, ...]) -> bool:
    session_type = config.session_type
    return config.role is Role.INITIATOR and not session_type.resend and session_type.name in sessions


def _order(order_id: str, report: Message) -> RestingOrder:
    names = ("cl_ord_id", "symbol", "side", "price", "leaves_qty")
    return RestingOrder(order_id, *(getattr(report, name, None) for name in names))
