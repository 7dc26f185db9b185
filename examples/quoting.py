"""The quotes of a market maker, independent of the event loop: one bid and one offer, a fixed distance behind
the best prices. `Quoter` applies the sessions' events, and returns the requests to send."""

from decimal import Decimal
from uuid import uuid4

from kalshi_fix_sansio import NewOrderSingle, OrderCancelReplaceRequest, OrderCancelRequest, Side
from kalshi_fix_sansio.events import LoggedOn
from kalshi_fix_sansio.trading import OrderBooks, Orders, OrderState, Positions

Request = NewOrderSingle | OrderCancelReplaceRequest | OrderCancelRequest


class Quoter:
    """Quotes `size` contracts on each side, `distance` dollars behind other participants' best prices.

    A side is not quoted while the position on that side is `limit` contracts or more.
    """

    def __init__(self, symbol: str, *, size: int = 5, distance: str = "0.01", limit: int = 100) -> None:
        self.symbol, self.size, self.distance, self.limit = symbol, size, Decimal(distance), limit
        self.books, self.orders, self.positions = OrderBooks(), Orders(), Positions()

    def apply(self, event: object) -> None:
        """Apply an event of the order session; events of the market data session are applied to `books`."""
        updates = self.orders.apply(event)
        if isinstance(event, LoggedOn):
            # The venue cancelled the resting orders when the connection was lost, as requested in the Logon.
            for order in self.orders.live():
                updates += self.orders.resolve(order, is_open=False)
        for update in updates:
            self.positions.apply(update)

    def requests(self) -> list[Request]:
        """Return the requests to send now, and record them as sent."""
        requests = [request for side in Side if (request := self._request(side)) is not None]
        for request in requests:
            self.orders.apply(request)
        return requests

    def _target_price(self, side: Side) -> Decimal | None:
        book, net = self.books.get(self.symbol), self.positions.of(self.symbol).net
        if book is None or not book.is_live or (net if side is Side.BUY else -net) >= self.limit:
            return None
        mine = self.orders.working(self.symbol)
        others = book.without((each.side, each.price, each.leaves_qty) for each in mine if each.price)
        best = others.best_bid if side is Side.BUY else others.best_offer
        return best and best.price + (-self.distance if side is Side.BUY else self.distance)

    def _request(self, side: Side) -> Request | None:
        price, cl_ord_id = self._target_price(side), str(uuid4())
        for order in self.orders.live(self.symbol, side):
            if order.price == price or order.pending or order.state is not OrderState.OPEN:
                return None  # the price is right, or an answer is pending
            if price is None:
                return self.orders.cancel(order, cl_ord_id)
            return self.orders.replace(order, cl_ord_id, price=price, leaves_qty=self.size)
        return None if price is None else self.orders.new(cl_ord_id, self.symbol, side, self.size, price)
