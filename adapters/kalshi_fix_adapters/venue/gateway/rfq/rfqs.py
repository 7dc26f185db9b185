"""The RFQ gateway of one product: which message goes where, and what else reaches requests and quotes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from kalshi_fix_adapters.venue.exchange import Exchange, MarketState
from kalshi_fix_adapters.venue.exchange.outcomes import MarketStateChanged, Outcome
from kalshi_fix_adapters.venue.gateway.logins import Delivery, Handler, Handlers, Login, Logins, Result
from kalshi_fix_adapters.venue.gateway.order_entry import OrderEntry
from kalshi_fix_adapters.venue.gateway.permissions import permitted
from kalshi_fix_adapters.venue.gateway.refusals import not_authorized
from kalshi_fix_adapters.venue.gateway.rfq.book import RfqBook, RfqState
from kalshi_fix_adapters.venue.gateway.rfq.combos import ComboCollection, Combos
from kalshi_fix_adapters.venue.gateway.rfq.context import CREATORS, MAKERS, RfqContext
from kalshi_fix_adapters.venue.gateway.rfq.creators import Creators
from kalshi_fix_adapters.venue.gateway.rfq.lifecycle import Lifecycle
from kalshi_fix_adapters.venue.gateway.rfq.makers import Makers
from kalshi_fix_adapters.venue.gateway.rfq.settings import RfqSettings
from kalshi_fix_adapters.venue.gateway.timers import Timers
from kalshi_fix_sansio import (
    AcceptQuote,
    NewOrderSingle,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    QuoteRequest,
    RFQCancel,
)
from kalshi_fix_sansio.base import Message

_TRADES = (MarketState.ACTIVE, MarketState.INACTIVE)


class Rfqs:
    """Takes the messages of creators and makers."""

    def __init__(
        self,
        exchange: Exchange,
        logins: Logins,
        timers: Timers,
        new_id: Callable[[], str],
        orders: OrderEntry,
        settings: RfqSettings,
        collections: Mapping[str, ComboCollection],
    ) -> None:
        """Stand before an exchange.

        `new_id` draws the ids of requests, orders and pseudonyms, `orders` writes the reports of what
        happened to orders, `collections` are those that combos can be made of, by ticker.
        """
        self._book = RfqBook(settings.retained, settings.max_quotes)
        context = RfqContext(exchange, logins, timers, settings, new_id, self._book)
        self._lifecycle = Lifecycle(context, orders)
        combos = Combos(exchange, collections, settings.max_combos)
        self._creators = Creators(context, self._lifecycle, combos, orders)
        self._makers = Makers(context, self._lifecycle)

    def handlers(self) -> Handlers:
        """Return what takes each message, by session type and class."""
        handlers: Handlers = {
            (CREATORS, QuoteRequest): partial(_unrestricted, self._creators.request),
            (CREATORS, AcceptQuote): partial(_unrestricted, self._creators.accept),
            (CREATORS, RFQCancel): partial(_unrestricted, self._creators.cancel),
            (MAKERS, Quote): self._makers.quote,
            (MAKERS, QuoteCancel): self._makers.cancel,
            (MAKERS, QuoteConfirm): self._makers.confirm,
        }
        return {place: partial(permitted, handler) for place, handler in handlers.items()}

    def accept_by_order(self, message: NewOrderSingle, login: Login, now: datetime) -> Result:
        """Take an order that names a quote. Whether the login may place orders is known."""
        return _unrestricted(self._creators.accept_by_order, message, login, now)

    def follow(self, outcomes: Sequence[Outcome]) -> list[Delivery]:
        """Close the requests on markets whose trading has ended, but those that are confirmed: their orders
        are refused when their time comes."""
        return [
            delivery
            for outcome in outcomes
            if isinstance(outcome, MarketStateChanged) and outcome.state not in _TRADES
            for rfq in self._book.open_on(outcome.market)
            if rfq.state is not RfqState.CONFIRMED
            for delivery in self._lifecycle.expire(rfq)
        ]

    def leave(self, login: Login) -> None:
        """Take note that a session has ended: its open quotes are cancelled, which tells nobody anything."""
        if login.session_type == MAKERS:
            self._makers.leave(login)


def _unrestricted(handler: Handler, message: Message, login: Login, now: datetime) -> Result:
    """Handle a message if its key is not restricted to a subaccount: those keys are makers alone."""
    if login.restricted_to is not None:
        return [(login, not_authorized(message, "The API key is restricted to one subaccount"))], ()
    return handler(message, login, now)
