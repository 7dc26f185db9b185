"""The orders that rest with the peer, as far as its reports on this connection say.

Without resend, nobody tells what happens to them while the connection is down. So they are named when it
ends, and the user knows which of them to look up. Which messages say that an order rests, and by what, is
data of the dialect (`MessageLayout.tracks`).
"""

from __future__ import annotations

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.conditions import Choice, terms
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.events import OrdersUnverified
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.outcomes import RestingOrder


class RestingOrders:
    """The last report of each order that rests, within `max_resting_orders` and `max_resting_order_bytes`."""

    __slots__ = ("_complete", "_max_bytes", "_max_orders", "_reports", "_size", "_tracked", "tracks")

    def __init__(self, config: SessionConfig) -> None:
        self._max_orders, self._max_bytes = config.max_resting_orders, config.max_resting_order_bytes
        self._tracked: dict[type[Message], tuple[str, Choice[bool]]] = {}
        """By class of message: the attribute with the id of the order, and whether it rests (True) or no
        longer does (False)."""
        for layout in config.dialect.messages.values():
            if layout.tracks is not None and _is_tracked(config, layout.tracks.sessions):
                resting = terms(layout.tracks.resting, layout.body)
                done = terms(layout.tracks.done, layout.body)
                self._tracked[layout.cls] = (
                    layout.tracks.attribute,
                    Choice([(True, resting, ()), (False, done, ())]),
                )
        self.tracks: bool = bool(self._tracked)
        """Whether there is anything to be followed on this session type."""
        self._reports: dict[str, bytes] = {}
        """By id, the last report of each order, as it came. It is decoded only if it is to be told."""
        self._size = 0
        """Bytes of all reports."""
        self._complete = True
        """Whether every order that rests is followed."""

    def __len__(self) -> int:
        return len(self._reports)

    def note(self, message: Message, frame: bytes) -> None:
        """Take what a message that was delivered says of an order."""
        tracked = self._tracked.get(message.__class__)
        if tracked is None:
            return
        attribute, rests = tracked
        order_id = getattr(message, attribute)
        if not order_id:
            return
        said = rests.of(message)
        if True in said:
            before = self._reports.get(order_id)
            size = self._size + len(frame) - (0 if before is None else len(before))
            if size > self._max_bytes or (before is None and len(self._reports) >= self._max_orders):
                # An order that is followed already stays, by its report of before; a new one is missing.
                self._complete = self._complete and before is not None
                return
            self._reports[order_id] = frame
            self._size = size
        elif said:
            before = self._reports.pop(order_id, None)
            if before is not None:
                self._size -= len(before)

    def unverified(self, codec: Codec) -> OrdersUnverified | None:
        """Return what is to be told of them at the end, if there are any; they are forgotten with it."""
        if not self._reports and self._complete:
            return None
        orders = tuple(
            _order(order_id, codec.decode(Frame(data))) for order_id, data in self._reports.items()
        )
        complete, self._complete = self._complete, True
        self._reports, self._size = {}, 0
        return OrdersUnverified(orders, complete)


def _is_tracked(config: SessionConfig, sessions: tuple[str, ...]) -> bool:
    session_type = config.session_type
    return config.role is Role.INITIATOR and not session_type.resend and session_type.name in sessions


def _order(order_id: str, report: Message) -> RestingOrder:
    names = ("cl_ord_id", "symbol", "side", "price", "leaves_qty")
    return RestingOrder(order_id, *(getattr(report, name, None) for name in names))
