"""Quotes that were accepted and confirmed: their orders, and markets that are made for combinations."""

from __future__ import annotations

from kalshi_fix_adapters.venue.exchange.commands import ListMarket, TradeQuote
from kalshi_fix_adapters.venue.exchange.market import Market
from kalshi_fix_adapters.venue.exchange.placing import place
from kalshi_fix_adapters.venue.exchange.state import Batch, ExchangeState
from kalshi_fix_adapters.venue.exchange.terms import CancelCause


def trade_quote(state: ExchangeState, batch: Batch, command: TradeQuote) -> None:
    """Enter the maker's order and right after it the creator's: nothing comes between them, but what rests in
    the book already trades by its price and its place.

    Each is refused or cancelled as any order is, without the other being so.
    """
    # The maker's first, so that the creator's takes it: who was quoted to is the aggressor.
    place(state, batch, command.maker)
    place(state, batch, command.creator)
    if not command.maker_rests:
        # It may have traded or been refused, and its ClOrdID be that of another order of the owner.
        order = state.orders.find(command.maker.account.owner, command.maker.cl_ord_id)
        if order is not None and order.order_id == command.maker.order_id:
            state.cancel(batch, order, CancelCause.IMMEDIATE_OR_CANCELLED)


def check_listing(state: ExchangeState, command: ListMarket) -> None:
    """Make sure that a market can be listed.

    Raises:
        ValueError: there is one of this ticker.
    """
    if command.rules.ticker in state.markets:
        raise ValueError(f"there is a market {command.rules.ticker} already")


def list_market(state: ExchangeState, command: ListMarket) -> None:
    """Add a market that was checked; it trades at once."""
    state.markets[command.rules.ticker] = Market(command.rules)
