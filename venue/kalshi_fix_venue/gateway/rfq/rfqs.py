"""The RFQ gateway of one product: its message handlers and its reactions to other events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from kalshi_fix_sansio import (
    AcceptQuote,
    NewOrderSingle,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    QuoteRequest,
    RFQCancel,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.exchange import Exchange, MarketState
from kalshi_fix_venue.exchange.outcomes import MarketStateChanged, Outcome
from kalshi_fix_venue.gateway.logins import Delivery, Handler, Handlers, Login, Logins, Result
from kalshi_fix_venue.gateway.order_entry import OrderEntry
from kalshi_fix_venue.gateway.rfq import messages
from kalshi_fix_venue.gateway.rfq.book import RfqBook, RfqState
from kalshi_fix_venue.gateway.rfq.combos import ComboCollection, Combos
from kalshi_fix_venue.gateway.rfq.context import MAKER_SESSION, RfqContext
from kalshi_fix_venue.gateway.rfq.creators import Creators
from kalshi_fix_venue.gateway.rfq.lifecycle import Lifecycle
from kalshi_fix_venue.gateway.rfq.makers import Makers
from kalshi_fix_venue.gateway.rfq.settings import RfqSettings
from kalshi_fix_venue.gateway.rfq.texts import RefusalError
from kalshi_fix_venue.gateway.timers import Timers

_TRADING_STATES = (MarketState.ACTIVE, MarketState.INACTIVE)


class Rfqs:
    """Handles the messages of creators and makers."""

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
        """Create the RFQ gateway of an exchange.

        `new_id` generates pseudonyms and the ids of requests and orders. `orders` writes the reports of
        orders. `collections` are the collections available to combos, by ticker.
        """
        self._book = RfqBook(settings.retained, settings.max_quotes)
        context = RfqContext(exchange, logins, timers, settings, new_id, self._book)
        self._lifecycle = Lifecycle(context, orders)
        combos = Combos(exchange, collections, settings.max_combos)
        self._creators = Creators(context, self._lifecycle, combos, orders)
        self._makers = Makers(context, self._lifecycle)

    def handlers(self) -> Handlers:
        """Return the handler of each message class."""
        creators, makers = self._creators, self._makers
        return {
            QuoteRequest: partial(_handle, creators.request, messages.request_refusal),
            AcceptQuote: partial(_handle, creators.accept, messages.accept_refusal),
            RFQCancel: creators.cancel,
            Quote: partial(_handle, makers.quote, messages.quote_refusal),
            QuoteCancel: partial(_handle, makers.cancel, messages.cancel_answer),
            QuoteConfirm: partial(_handle, makers.confirm, messages.confirm_answer),
        }

    def accept_by_order(self, message: NewOrderSingle, login: Login, now: datetime) -> Result:
        """Handle an order that names a quote. The caller has checked the permissions."""
        return self._creators.accept_by_order(message, login, now)

    def close_rfqs_on_ended_markets(self, outcomes: Sequence[Outcome]) -> list[Delivery]:
        """Close the requests on markets whose trading has ended. Confirmed requests stay open; their orders
        are refused when they are placed."""
        return [
            delivery
            for outcome in outcomes
            if isinstance(outcome, MarketStateChanged) and outcome.state not in _TRADING_STATES
            for rfq in self._book.open_rfqs_on(outcome.market)
            if rfq.state is not RfqState.CONFIRMED
            for delivery in self._lifecycle.expire(rfq)
        ]

    def end_session(self, login: Login) -> None:
        """Cancel the open quotes of a session that has ended, without notice."""
        if login.session_type == MAKER_SESSION:
            self._makers.end_session(login)


def _handle(
    handler: Handler,
    refuse: Callable[[Any, RefusalError], Message],
    message: Message,
    login: Login,
    now: datetime,
) -> Result:
    """Handle a message, or answer it with its refusal."""
    try:
        return handler(message, login, now)
    except RefusalError as refusal:
        return [(login, refuse(message, refusal))], ()
