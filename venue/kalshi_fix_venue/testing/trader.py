"""A trader that serves as the counterparty in a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from kalshi_fix_sansio import (
    AcceptQuote,
    AcceptQuoteStatus,
    Quote,
    QuoteConfirm,
    QuoteConfirmStatus,
    QuoteRequest,
    QuoteRequestAck,
    QuoteRequestReject,
    QuoteRequestSymbol,
    QuoteStatusReport,
    Side,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.exchange import (
    AccountId,
    CancelAll,
    CancelCause,
    CancelOrder,
    PlaceOrder,
    TimeInForce,
)
from kalshi_fix_venue.exchange.orders import OrderSnapshot
from kalshi_fix_venue.exchange.outcomes import (
    OrderOutcome,
    OrderRejected,
    OrderTraded,
    Outcome,
    RequestRefused,
)
from kalshi_fix_venue.exchange.terms import opposite
from kalshi_fix_venue.server import VenueServer
from kalshi_fix_venue.testing.options import VenueOptions
from kalshi_fix_venue.testing.trader_session import TraderSession
from kalshi_fix_venue.venue import VenueModel

Number = Decimal | int | str
"""An exact price in dollars, or number of contracts: `"0.45"`, not the float 0.45."""
T = TypeVar("T")


class Trader:
    """An owner who trades on the exchange without a FIX session. Only RFQs use sessions.

    Orders rest until they are cancelled, unless `time_in_force` is given. They are reported like any other
    order: in market data, to the counterparty and to the owner's listeners. A call returns when the exchange
    has processed the order, and does not wait for clients.
    """

    def __init__(
        self, server: VenueServer, product: str, owner: str, options: Callable[[str], VenueOptions]
    ) -> None:
        """Trade on a server's venue for an owner; `options` returns the connection options for a session
        type."""
        self.owner = owner
        self.product = product
        self._server = server
        self._options = options
        self._sessions: dict[str, TraderSession] = {}
        self._origin = f"trader {owner}"

    def buy(
        self,
        market: str,
        quantity: Number,
        price: Number,
        *,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCEL,
        **attributes: Any,
    ) -> OrderSnapshot:
        """Place an order to buy (Yes); return its state afterwards.

        Args:
            market: Symbol (55).
            quantity: contracts.
            price: dollars.
            time_in_force: how long the order may rest.
            **attributes: further attributes of `PlaceOrder`, such as `post_only=True`.

        Raises:
            ValueError: the exchange rejects the order, or a number is not exact.
        """
        return self._place(market, Side.BUY, quantity, price, time_in_force=time_in_force, **attributes)

    def sell(
        self,
        market: str,
        quantity: Number,
        price: Number,
        *,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCEL,
        **attributes: Any,
    ) -> OrderSnapshot:
        """Place an order to sell (buy No); otherwise like `buy`."""
        return self._place(market, Side.SELL, quantity, price, time_in_force=time_in_force, **attributes)

    def fill(
        self, cl_ord_id: str, quantity: Number | None = None, *, owner: str = "me"
    ) -> tuple[OrderSnapshot, ...]:
        """Trade against an owner's open order at its price: all of its LeavesQty, or `quantity` contracts.

        Orders with priority over it in the book are filled first, as in any market. Returns the orders that
        this trader placed.

        Raises:
            LookupError: the owner has no such open order.
            ValueError: the order was not filled, because the exchange rejects this trader's orders
                (for insufficient funds, or during a pause), or because the order is this trader's own. Or
                `quantity` is not exact.
        """
        size = None if quantity is None else _exact(quantity)

        def trade(venue: VenueModel, now: Instant) -> tuple[OrderSnapshot, ...]:
            order = venue.exchange(self.product).find(owner, cl_ord_id)
            if order is None:
                raise LookupError(f"{owner} has no open order {cl_ord_id}")
            remaining = order.leaves if size is None else size
            side = opposite(order.side)
            placed: list[OrderSnapshot] = []
            while remaining > 0:
                outcomes = self._execute(
                    *(venue, now, order.market, side),
                    quantity=remaining,
                    price=order.price,
                    time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
                )
                trades = [each for each in outcomes if isinstance(each, OrderTraded)]
                if not trades:
                    raise ValueError(f"{cl_ord_id} of {owner} was not filled: the book has no matching order")
                placed.append(_last(outcomes, self.owner))
                remaining -= sum(
                    (each.quantity for each in trades if each.order.order_id == order.order_id), Decimal(0)
                )
            return tuple(placed)

        return self._server.run(trade)

    def cancel(self, order: OrderSnapshot) -> OrderSnapshot:
        """Cancel an order of this trader; return its state afterwards.

        Raises:
            LookupError: the order is no longer open.
        """
        command = CancelOrder(
            cl_ord_id=f"cancel {order.cl_ord_id}",
            orig_cl_ord_id=order.cl_ord_id,
            account=order.account,
            origin=self._origin,
            market=order.market,
            side=order.side,
        )
        outcomes = self._server.execute(self.product, command)
        if any(isinstance(outcome, RequestRefused) for outcome in outcomes):
            raise LookupError(f"{self.owner} has no open order {order.cl_ord_id}")
        return _last(outcomes, self.owner)

    def cancel_all(self) -> None:
        """Cancel all open orders of this trader."""
        self._server.execute(self.product, CancelAll(origin=self._origin, cause=CancelCause.MASS_CANCELED))

    # RFQs

    def session(self, name: str) -> TraderSession:
        """Return this trader's FIX session of a session type, for requests that have no method here."""
        if name not in self._sessions:
            self._sessions[name] = TraderSession(self._server, name, self._options(name))
        return self._sessions[name]

    def rfqs(self) -> list[QuoteRequest]:
        """Return the requests for quotes received since the last call; log on as a maker (KalshiRFQ) if
        necessary.

        Raises:
            ValueError: the venue rejects the logon.
        """
        return self.session(_MAKER_SESSION).take(QuoteRequest)

    def quote(self, rfq: QuoteRequest, *, bid: Number | None = None, offer: Number | None = None) -> str:
        """Quote on a request from `rfqs`: the price this trader pays for Yes (bid) and for No (offer), in
        dollars. Returns the QuoteID (117).

        Raises:
            ValueError: the venue rejects the quote or the logon, or a price is not exact.
        """
        [entry] = rfq.related_sym
        quote_id = self._server.inspect(VenueModel.new_id)
        maker = self.session(_MAKER_SESSION)
        maker.send(
            Quote(
                quote_id=quote_id,
                quote_req_id=rfq.quote_req_id,
                symbol=entry.symbol or "",
                bid_px=None if bid is None else _exact(bid),
                offer_px=None if offer is None else _exact(offer),
            )
        )
        self._require_accepted("quote", maker.take(QuoteStatusReport), quote_id)
        return quote_id

    def confirm(self, quote_id: str) -> None:
        """Confirm a quote that the creator has accepted; the trade follows after the venue's execution delay.

        Raises:
            ValueError: the venue rejects the confirmation, for example because the quote was not accepted,
                or rejects the logon.
        """
        maker = self.session(_MAKER_SESSION)
        maker.send(QuoteConfirm(quote_id=quote_id))
        self._require_accepted("confirmation", maker.take(QuoteConfirmStatus), quote_id)

    def request_quotes(self, market: str, quantity: Number) -> str:
        """Request quotes from the makers (KalshiRT); return the venue's id of the request.

        Raises:
            ValueError: the venue rejects the request or the logon, or `quantity` is not exact.
        """
        creator, quote_req_id = self.session(_CREATOR_SESSION), self._server.inspect(VenueModel.new_id)
        entry = QuoteRequestSymbol(symbol=market, order_qty=_exact(quantity))
        creator.send(QuoteRequest(quote_req_id=quote_req_id, related_sym=[entry]))
        for refusal in creator.take(QuoteRequestReject):
            raise ValueError(f"the venue rejected {self.owner}'s request for quotes: {refusal.text}")
        [ack] = creator.take(QuoteRequestAck)
        return str(ack.rfq_id)

    def quotes(self) -> list[Quote]:
        """Return the quotes on this trader's requests received since the last call; log on (KalshiRT) if
        necessary.

        Raises:
            ValueError: the venue rejects the logon.
        """
        return self.session(_CREATOR_SESSION).take(Quote)

    def accept(self, quote: Quote | str, side: Side) -> None:
        """Accept a quote from `quotes`, or the one with this QuoteID (117). The trade follows once the maker
        has confirmed the quote.

        Raises:
            ValueError: the venue rejects the acceptance or the logon.
        """
        creator = self.session(_CREATOR_SESSION)
        quote_id = quote if isinstance(quote, str) else quote.quote_id
        creator.send(AcceptQuote(quote_id=quote_id, side=side))
        self._require_accepted("acceptance", creator.take(AcceptQuoteStatus), quote_id)

    def _place(
        self, market: str, side: Side, quantity: Number, price: Number, **attributes: Any
    ) -> OrderSnapshot:
        exact = {"quantity": _exact(quantity), "price": _exact(price)}

        def place(venue: VenueModel, now: Instant) -> OrderSnapshot:
            return _last(self._execute(venue, now, market, side, **exact, **attributes), self.owner)

        return self._server.run(place)

    def _execute(
        self, venue: VenueModel, now: Instant, market: str, side: Side, **attributes: Any
    ) -> Sequence[Outcome]:
        command = PlaceOrder(
            order_id=venue.new_id(),
            cl_ord_id=venue.new_id(),
            account=AccountId(self.owner, shard=venue.exchange(self.product).shard_of(market)),
            origin=self._origin,
            market=market,
            side=side,
            **attributes,
        )
        outcomes = venue.execute(self.product, command, now)
        for outcome in outcomes:
            if isinstance(outcome, OrderRejected):
                raise ValueError(
                    f"the exchange rejected {self.owner}'s order, {command.side.name} {command.quantity} "
                    f"{command.market} at {command.price}: {outcome.cause.name}"
                )
        return outcomes

    def _require_accepted(self, request: str, statuses: Sequence[Any], quote_id: str) -> None:
        """Raise ValueError if one of the `statuses` is the rejection of a request about this quote."""
        for status in statuses:
            # Only refusals have a Text.
            if status.quote_id == quote_id and status.text is not None:
                raise ValueError(f"the venue rejected {self.owner}'s {request}: {status.text}")


_CREATOR_SESSION, _MAKER_SESSION = "KalshiRT", "KalshiRFQ"


def _exact(number: Number) -> Decimal:
    if isinstance(number, float):
        raise ValueError(f"{number!r} is not exact; pass a string such as '{number}'")
    return Decimal(number)


def _last(outcomes: Sequence[Outcome], owner: str) -> OrderSnapshot:
    """Return the last state of an owner's order."""
    orders = [
        outcome.order
        for outcome in outcomes
        if isinstance(outcome, OrderOutcome) and outcome.order.account.owner == owner
    ]
    return orders[-1]
