"""The other side of a test's trades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from kalshi_fix_adapters.config.plan import Options
from kalshi_fix_adapters.testing.trader_session import TraderSession
from kalshi_fix_adapters.venue.exchange import (
    AccountId,
    CancelAll,
    CancelCause,
    CancelOrder,
    Exchange,
    OrderState,
    PlaceOrder,
    Side,
    TimeInForce,
)
from kalshi_fix_adapters.venue.exchange.orders import OrderSnapshot
from kalshi_fix_adapters.venue.exchange.outcomes import (
    OrderOutcome,
    OrderRejected,
    OrderTraded,
    Outcome,
    RequestRefused,
)
from kalshi_fix_adapters.venue.server import VenueServer
from kalshi_fix_adapters.venue.venue import Venue
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
    QuoteStatus,
    QuoteStatusReport,
)
from kalshi_fix_sansio import Side as FixSide
from kalshi_fix_sansio.clock import Instant

Number = Decimal | int | str
"""A price in dollars or a number of contracts, exactly: `"0.45"`, not 0.45."""
T = TypeVar("T")


class Trader:
    """An owner who trades at the exchange without a FIX session, but for RFQs.

    Orders rest until they are cancelled, unless `time_in_force` says otherwise. Everybody concerned is told
    of them as of any other order: the market, the other side, the listeners of the owner. The calls return
    when it is done, and wait for no client.
    """

    def __init__(
        self, server: VenueServer, product: str, owner: str, options: Callable[[str], Options]
    ) -> None:
        """Trade at a server's venue for an owner; `options` are those of a client on a session type."""
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
        **more: Any,
    ) -> OrderSnapshot:
        """Place an order to buy (Yes); return it as it stands afterwards.

        Args:
            market: Symbol (55).
            quantity: contracts.
            price: dollars.
            time_in_force: how long it may rest.
            **more: further attributes of `PlaceOrder`, such as `post_only=True`.

        Raises:
            ValueError: the exchange rejects it, or a number is not exact.
        """
        return self._place(market, Side.BUY, quantity, price, time_in_force, more)

    def sell(
        self,
        market: str,
        quantity: Number,
        price: Number,
        *,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCEL,
        **more: Any,
    ) -> OrderSnapshot:
        """Place an order to sell (buy No); as `buy`."""
        return self._place(market, Side.SELL, quantity, price, time_in_force, more)

    def fill(
        self, cl_ord_id: str, quantity: Number | None = None, *, owner: str = "me"
    ) -> tuple[OrderSnapshot, ...]:
        """Trade against an owner's open order at its price: all that is left of it, or so many contracts.

        What stands before it in the book is traded against first, as in any market. Returns this trader's
        orders that did it.

        Raises:
            LookupError: the owner has no such open order.
            ValueError: it was not filled, because the exchange rejects the orders (no money, a pause), or
                the order is this trader's own.
        """
        wanted = None if quantity is None else _exact(quantity)

        def act(venue: Venue, now: Instant) -> tuple[OrderSnapshot, ...]:
            exchange = venue.exchange(self.product)
            order = _open_order(exchange, owner, cl_ord_id)
            missing = order.leaves if wanted is None else wanted
            side = order.side.opposite
            done: list[OrderSnapshot] = []
            while missing > 0:
                outcomes = self._execute(
                    venue, self._order(order.market, side, missing, order.price, _AT_ONCE, {}), now
                )
                trades = [each for each in outcomes if isinstance(each, OrderTraded)]
                if not trades:
                    raise ValueError(f"{cl_ord_id} of {owner} was not filled: nothing trades with it")
                done.append(_last(outcomes, self.owner))
                missing -= sum(
                    (each.quantity for each in trades if each.order.order_id == order.order_id), Decimal(0)
                )
            return tuple(done)

        return self._server.run(act)

    def cancel(self, order: OrderSnapshot) -> OrderSnapshot:
        """Cancel an order of this trader's; return it as it stands afterwards.

        Raises:
            LookupError: it is not open any more.
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
        """Cancel what rests of this trader's orders."""
        self._server.execute(self.product, CancelAll(origin=self._origin, cause=CancelCause.MASS_CANCELED))

    # RFQs

    def session(self, name: str) -> TraderSession:
        """Return a FIX session of this trader's on a session type, for what there is no method for."""
        if name not in self._sessions:
            self._sessions[name] = TraderSession(self._server, name, self._options(name))
        return self._sessions[name]

    def rfqs(self) -> list[QuoteRequest]:
        """Log on as a maker (KalshiRFQ), or else return the requests for quotes that came since the last
        call."""
        return self.session(_MAKERS).take(QuoteRequest)

    def quote(self, rfq: QuoteRequest, *, bid: Number | None = None, offer: Number | None = None) -> str:
        """Quote on a request of `rfqs`: what this trader pays for Yes (bid) and for No (offer), in dollars.
        Returns the QuoteID (117).

        Raises:
            ValueError: the venue rejects it.
        """
        [entry] = rfq.related_sym
        quote_id = self._server.inspect(Venue.new_id)
        maker = self.session(_MAKERS)
        maker.send(
            Quote(
                quote_id=quote_id,
                quote_req_id=rfq.quote_req_id,
                symbol=entry.symbol or "",
                bid_px=None if bid is None else _exact(bid),
                offer_px=None if offer is None else _exact(offer),
            )
        )
        for status in maker.take(QuoteStatusReport):
            if status.quote_id == quote_id and status.quote_status == QuoteStatus.REJECTED:
                raise ValueError(f"the venue rejects {self.owner}'s quote: {status.text}")
        return quote_id

    def confirm(self, quote_id: str) -> None:
        """Confirm a quote that its creator has accepted; the trade follows after the venue's pause for it.

        Raises:
            ValueError: the venue rejects it, such as because nobody has accepted the quote.
        """
        maker = self.session(_MAKERS)
        maker.send(QuoteConfirm(quote_id=quote_id))
        for status in maker.take(QuoteConfirmStatus):
            if status.quote_id == quote_id and status.text is not None:
                raise ValueError(f"the venue rejects {self.owner}'s confirmation: {status.text}")

    def request_quotes(self, market: str, quantity: Number) -> str:
        """Ask the makers for quotes (KalshiRT); return the venue's id of the request.

        Raises:
            ValueError: the venue rejects it.
        """
        creator, own_id = self.session(_CREATORS), self._server.inspect(Venue.new_id)
        entry = QuoteRequestSymbol(symbol=market, order_qty=_exact(quantity))
        creator.send(QuoteRequest(quote_req_id=own_id, related_sym=[entry]))
        for refusal in creator.take(QuoteRequestReject):
            raise ValueError(f"the venue rejects {self.owner}'s request for quotes: {refusal.text}")
        [ack] = creator.take(QuoteRequestAck)
        return str(ack.rfq_id)

    def quotes(self) -> list[Quote]:
        """Return the quotes on this trader's requests that came since the last call."""
        return self.session(_CREATORS).take(Quote)

    def accept(self, quote: Quote, side: Side) -> None:
        """Accept a quote of `quotes`; the trade follows when its maker has confirmed.

        Raises:
            ValueError: the venue rejects it.
        """
        creator = self.session(_CREATORS)
        creator.send(AcceptQuote(quote_id=quote.quote_id, side=_SIDES[side]))
        for status in creator.take(AcceptQuoteStatus):
            if status.quote_id == quote.quote_id and status.text is not None:
                raise ValueError(f"the venue rejects {self.owner}'s acceptance: {status.text}")

    def _place(
        self,
        market: str,
        side: Side,
        quantity: Number,
        price: Number,
        time_in_force: TimeInForce,
        more: dict[str, Any],
    ) -> OrderSnapshot:
        command = self._order(market, side, _exact(quantity), _exact(price), time_in_force, more)
        return self._server.run(lambda venue, now: _last(self._execute(venue, command, now), self.owner))

    def _order(
        self,
        market: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        time_in_force: TimeInForce,
        more: dict[str, Any],
    ) -> Callable[[Venue], PlaceOrder]:
        return lambda venue: PlaceOrder(
            order_id=venue.new_id(),
            cl_ord_id=venue.new_id(),
            account=AccountId(self.owner, shard=venue.exchange(self.product).shard_of(market)),
            origin=self._origin,
            market=market,
            side=side,
            quantity=quantity,
            price=price,
            time_in_force=time_in_force,
            **more,
        )

    def _execute(self, venue: Venue, order: Callable[[Venue], PlaceOrder], now: Instant) -> Sequence[Outcome]:
        command = order(venue)
        outcomes = venue.execute(self.product, command, now)
        for outcome in outcomes:
            if isinstance(outcome, OrderRejected):
                raise ValueError(
                    f"the exchange rejects {self.owner}'s order, {command.side.name} {command.quantity} "
                    f"{command.market} at {command.price}: {outcome.cause.name}"
                )
        return outcomes


_CREATORS, _MAKERS = "KalshiRT", "KalshiRFQ"
_SIDES = {Side.BUY: FixSide.BUY, Side.SELL: FixSide.SELL}
_AT_ONCE = TimeInForce.IMMEDIATE_OR_CANCEL


def _exact(number: Number) -> Decimal:
    if isinstance(number, float):
        raise ValueError(f"{number!r} is not exact; give a string such as '{number}'")
    return Decimal(number)


def _open_order(exchange: Exchange, owner: str, cl_ord_id: str) -> OrderSnapshot:
    order = exchange.find(owner, cl_ord_id)
    if order is None or order.state is not OrderState.OPEN:
        raise LookupError(f"{owner} has no open order {cl_ord_id}")
    return order


def _last(outcomes: Sequence[Outcome], owner: str) -> OrderSnapshot:
    """Return how an owner's order stood at last."""
    mine = [
        outcome.order
        for outcome in outcomes
        if isinstance(outcome, OrderOutcome) and outcome.order.account.owner == owner
    ]
    return mine[-1]
