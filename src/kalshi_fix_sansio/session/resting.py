"""The orders that rest with the peer, as far as its reports on this connection say.

Without resend, nobody tells what happens to them while the connection is down. So they are named when it
ends, and the user knows which of them to look up. Which messages say that an order rests, and by what, is
data of the dialect (`MessageLayout.tracks`).
"""

from __future__ import annotations

import attrs

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.conditions import Terms, holds, terms
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.events import OrdersUnverified
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.outcomes import RestingOrder


@attrs.frozen
class TrackingRule:
    """`layout.Tracks`, ready for use."""

    attribute: str
    """The attribute of the report with the venue's id of the order."""
    resting: Terms
    done: Terms


class RestingOrders:
    """The last report of each order that rests, within `max_resting_orders` and `max_resting_order_bytes`."""

    __slots__ = ("_complete", "_max_bytes", "_max_orders", "_reports", "_size", "rules")

    def __init__(self, config: SessionConfig) -> None:
        self._max_orders, self._max_bytes = config.max_resting_orders, config.max_resting_order_bytes
        self.rules: dict[type[Message], TrackingRule] = {}
        """By class of the messages that say something of an order; none where nothing is to be followed."""
        self._reports: dict[str, bytes] = {}
        """By the venue's id, the last report of each order, as it came. It is decoded only if it is to be
        told, because decoded it takes many times the memory of its bytes."""
        self._size = 0
        """Bytes of all reports."""
        self._complete = True
        """Whether every order that rests is followed."""
        for layout in config.dialect.messages.values():
            tracks, body = layout.tracks, layout.body
            if tracks is not None and _is_tracked(config, tracks.sessions):
                resting, done = terms(tracks.resting, body), terms(tracks.done, body)
                self.rules[layout.cls] = TrackingRule(tracks.attribute, resting, done)

    def __len__(self) -> int:
        return len(self._reports)

    def note(self, message: Message, frame: bytes) -> None:
        """Take what a message that was delivered says of an order, if its class does."""
        rule = self.rules.get(message.__class__)
        order_id = None if rule is None else getattr(message, rule.attribute)
        if rule is None or not order_id:
            return
        reports = self._reports
        if holds(rule.resting, message):
            before = reports.get(order_id)
            size = self._size + len(frame) - (0 if before is None else len(before))
            if size > self._max_bytes or (before is None and len(reports) >= self._max_orders):
                # An order that is followed already stays, by its report of before; a new one is missing.
                self._complete = self._complete and before is not None
                return
            reports[order_id] = frame
            self._size = size
        elif holds(rule.done, message):
            before = reports.pop(order_id, None)
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
        self._reports.clear()
        self._size = 0
        return OrdersUnverified(orders, complete)


def _is_tracked(config: SessionConfig, sessions: tuple[str, ...]) -> bool:
    session_type = config.session_type
    return config.role is Role.INITIATOR and not session_type.resend and session_type.name in sessions


def _order(order_id: str, report: Message) -> RestingOrder:
    names = ("cl_ord_id", "symbol", "side", "price", "leaves_qty")
    return RestingOrder(order_id, *(getattr(report, name, None) for name in names))
