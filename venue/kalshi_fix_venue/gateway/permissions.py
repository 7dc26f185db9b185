"""Permissions of sessions and keys to send application messages."""

from __future__ import annotations

from kalshi_fix_sansio import (
    AcceptQuote,
    EventResendRequest,
    MarketDataRequest,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    QuoteRequest,
    RFQCancel,
    SecurityStatusRequest,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.trading.rate_budget import accepts_quote
from kalshi_fix_venue.exchange import Exchange
from kalshi_fix_venue.gateway.clearing import operator_of
from kalshi_fix_venue.gateway.logins import Login

_READ_REQUESTS = (MarketDataRequest, SecurityStatusRequest, EventResendRequest)
"""Messages that every session may send."""
_CREATOR_MESSAGES = (QuoteRequest, AcceptQuote, RFQCancel)
"""Messages from the creators of RFQs."""


def permission_refusal(message: Message, login: Login, exchange: Exchange) -> str | None:
    """Return why a session or its key may not send a message, or None if it may."""
    if isinstance(message, _READ_REQUESTS):
        return None
    if login.flags.listener_session:
        return "Listener sessions are read-only"
    if not login.may_write:
        return "The API key has no write scope"
    if (
        isinstance(message, NewOrderSingle | OrderCancelRequest | OrderCancelReplaceRequest)
        and operator_of(message) is not None
        and not accepts_quote(message)  # such an order ignores the operator
        and not exchange.is_clearing_member(login.owner)
    ):
        return "SenderSubID is for clearing members"
    # In RFQs, a key that is restricted to one subaccount can only act as a maker.
    is_acceptance = isinstance(message, NewOrderSingle) and (message.quote_id or message.rfq_id) is not None
    if login.restricted_to is not None and (is_acceptance or isinstance(message, _CREATOR_MESSAGES)):
        return "The API key is restricted to one subaccount"
    return None
