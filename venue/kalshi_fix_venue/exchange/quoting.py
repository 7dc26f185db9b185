"""The orders of accepted and confirmed quotes, and markets created for combinations."""

from __future__ import annotations

from kalshi_fix_venue.exchange.commands import ListMarket, TradeQuote
from kalshi_fix_venue.exchange.market import Market
from kalshi_fix_venue.exchange.placing import place
from kalshi_fix_venue.exchange.state import Batch, ExchangeState
from kalshi_fix_venue.exchange.terms import CancelCause


def trade_quote(state: ExchangeState, batch: Batch, command: TradeQuote) -> None:
    """Enter the maker's order and, immediately afterwards, the creator's. No order is entered in between, but
    orders already in the book trade according to price-time priority.

    Each of the two may be refused or cancelled like any order, independently of the other.
    """
    # The maker's order is first, so the creator's order trades with it as the aggressor.
    place(state, batch, command.maker)
    place(state, batch, command.creator)
    if not command.maker_rests:
        # The maker's order may have traded or been refused, and its ClOrdID may belong to another order of
        # the owner.
        order = state.orders.find(command.maker.account.owner, command.maker.cl_ord_id)
        if order is not None and order.order_id == command.maker.order_id:
            state.cancel(batch, order, CancelCause.IMMEDIATE_OR_CANCELLED)


def check_listing(state: ExchangeState, command: ListMarket) -> None:
    """Check that a market can be listed.

    Raises:
        ValueError: a market with this ticker already exists.
    """
    if command.rules.ticker in state.markets:
        raise ValueError(f"market {command.rules.ticker} already exists")


def list_market(state: ExchangeState, batch: Batch, command: ListMarket) -> None:  # noqa: ARG001 - all commands have the same signature
    """Add a market that `check_listing` has accepted. Trading begins immediately."""
    state.markets[command.rules.ticker] = Market(command.rules)
