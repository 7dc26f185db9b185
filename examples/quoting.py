"""What a market maker wants in the market, whatever loop it runs in: one bid and one offer, a fixed distance
behind the best prices. It is given the book and what the venue answers, and says what to send."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import attrs

from kalshi_fix_sansio import (
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
    Side,
)
from kalshi_fix_sansio.trading import OrderBook

OPEN = {OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED, OrdStatus.REPLACED}
WAITING = {OrdStatus.PENDING_NEW, OrdStatus.PENDING_CANCEL, OrdStatus.PENDING_REPLACE}
Request = NewOrderSingle | OrderCancelReplaceRequest | OrderCancelRequest


@attrs.define
class Quote:
    """One side. While `asked` is set, the venue has not answered yet, and nothing more is sent."""

    side: Side
    order: str | None = None
    price: Decimal | None = None
    asked: str | None = None


class Quoter:
    """Quotes `size` contracts on each side, `distance` dollars behind the best prices of the others."""

    def __init__(self, symbol: str, *, size: int = 5, distance: str = "0.01") -> None:
        self.symbol, self.size, self.distance = symbol, size, Decimal(distance)
        self.restart()

    def _wanted(self, book: OrderBook, side: Side) -> Decimal | None:
        best = book.best_bid if side is Side.BUY else book.best_offer
        if not book.is_live or best is None:
            return None
        return best.price + (-self.distance if side is Side.BUY else self.distance)

    def react(self, book: OrderBook) -> list[Request]:
        """Return what to send now."""
        due = [q for q in self.quotes if not q.asked and q.price != self._wanted(book, q.side)]
        for quote in due:
            quote.asked, quote.price = str(uuid4()), self._wanted(book, quote.side)
        return [self._request(quote) for quote in due]

    def _request(self, quote: Quote) -> Request:
        about: Any = {"cl_ord_id": quote.asked, "symbol": self.symbol, "side": quote.side}
        terms: Any = {"price": quote.price, "order_qty": self.size}
        if quote.order is None:
            return NewOrderSingle(**about, **terms)
        if quote.price is None:
            return OrderCancelRequest(**about, orig_cl_ord_id=quote.order)
        return OrderCancelReplaceRequest(**about, **terms, orig_cl_ord_id=quote.order)

    def heard(self, message: object) -> None:
        """Take note of what the venue says about the orders."""
        if not isinstance(message, ExecutionReport | OrderCancelReject):
            return
        for quote in self.quotes:
            if message.cl_ord_id == quote.asked and message.ord_status not in WAITING:
                quote.order, quote.asked = (message.cl_ord_id if message.ord_status in OPEN else None), None
            elif message.cl_ord_id == quote.order and message.ord_status not in OPEN | WAITING:
                quote.order = None
            if not quote.order and not quote.asked:
                quote.price = None

    def restart(self) -> None:
        """Begin afresh: the connection was lost, and the venue has cancelled what rested."""
        self.quotes = [Quote(Side.BUY), Quote(Side.SELL)]
