"""Pauses of the exchange and the lifecycle of a market."""

from __future__ import annotations

from datetime import datetime, timedelta

from kalshi_fix_venue.exchange import settling
from kalshi_fix_venue.exchange.commands import SetMarketState, SetPause, SetSettlementBounds
from kalshi_fix_venue.exchange.market import Market
from kalshi_fix_venue.exchange.outcomes import MarketStateChanged
from kalshi_fix_venue.exchange.state import Batch, ExchangeState
from kalshi_fix_venue.exchange.terms import CancelCause, MarketState, PauseState

_PAUSE_CAUSES = {
    PauseState.TRADING_PAUSED: CancelCause.TRADING_PAUSED,
    PauseState.EXCHANGE_PAUSED: CancelCause.EXCHANGE_PAUSED,
}
_MARKET_CAUSES = {
    MarketState.ACTIVE: CancelCause.MARKET_REACTIVATED,
    MarketState.INACTIVE: CancelCause.TRADING_PAUSED,
}
"""Cancel causes by the new state of a market. The other states end trading, and their cause is
MARKET_CLOSED."""
CANCEL_DELAY = timedelta(seconds=5)
"""Time between the close of a market and the cancellation of its resting orders, which cannot be changed in
between."""
_NEXT_STATES = {
    MarketState.INITIALIZED: (MarketState.ACTIVE,),
    MarketState.ACTIVE: (MarketState.INACTIVE, MarketState.CLOSED, MarketState.DETERMINED),
    MarketState.INACTIVE: (MarketState.ACTIVE, MarketState.CLOSED, MarketState.DETERMINED),
    MarketState.CLOSED: (MarketState.ACTIVE, MarketState.DETERMINED),
    MarketState.DETERMINED: (MarketState.DISPUTED, MarketState.SETTLED),
    MarketState.DISPUTED: (MarketState.DETERMINED, MarketState.AMENDED),
    MarketState.AMENDED: (MarketState.DISPUTED, MarketState.SETTLED),
    MarketState.SETTLED: (),
}


def set_pause(state: ExchangeState, batch: Batch, command: SetPause) -> None:
    """Pause or resume; the start of a pause cancels the orders with CancelOrderOnPause."""
    state.pause = command.state
    cause = _PAUSE_CAUSES.get(command.state)
    if cause is not None:
        for order in state.orders:
            if order.cancel_on_pause:
                state.cancel(batch, order, cause)


def check_market_state(state: ExchangeState, command: SetMarketState) -> None:
    """Check that a market can change to the requested state.

    Raises:
        ValueError: the market does not exist, the transition is not allowed, or the result is missing or
            impossible.
    """
    market = state.markets.get(command.market)
    if market is None:
        raise ValueError(f"there is no market {command.market}")
    if command.state not in (market.state, *_NEXT_STATES[market.state]):
        raise ValueError(
            f"market {command.market} is {market.state.value} and cannot become {command.state.value}"
        )
    settling.check_result(state, market, command)


def set_settlement_bounds(state: ExchangeState, batch: Batch, command: SetSettlementBounds) -> None:
    """Set a market's settlement bounds, and cancel its orders with prices outside them."""
    market = state.markets[command.market]
    market.bounds = (command.lowest, command.highest)
    for order in state.orders:
        if order.market == market.ticker and not market.is_within_bounds(order.price):
            state.cancel(batch, order, CancelCause.SETTLEMENT_BOUNDS)


def check_settlement_bounds(state: ExchangeState, command: SetSettlementBounds) -> None:
    """Check the settlement bounds of a market.

    Raises:
        ValueError: the market does not exist, or the lower bound exceeds the upper one.
    """
    if command.market not in state.markets:
        raise ValueError(f"there is no market {command.market}")
    if not command.lowest <= command.highest:
        raise ValueError(
            f"the lowest price, {command.lowest}, must not be above the highest, {command.highest}"
        )


def set_market_state(state: ExchangeState, batch: Batch, command: SetMarketState) -> None:
    """Change a market's state after `check_market_state`.

    The start of a halt cancels the orders with CancelOrderOnPause, and its end cancels all orders. A close
    cancels all orders after `CANCEL_DELAY`. A settlement pays out the positions. Source: Kalshi's
    page on the lifecycle of markets.
    """
    market = state.markets[command.market]
    settling.store_result(market, command)
    previous_state = market.state
    if command.state is previous_state:
        return
    market.state = command.state
    batch.outcomes.append(
        MarketStateChanged(
            time=batch.now, market=market.ticker, state=command.state, previous_state=previous_state
        )
    )
    # If the market reopens or is determined before its scheduled cancels, its orders are cancelled now.
    state.cancel_times.pop(market.ticker, None)
    if command.state is MarketState.CLOSED:
        state.cancel_times[market.ticker] = batch.now + CANCEL_DELAY
        return
    # Before a settlement pays out the positions, the orders that could change them are cancelled.
    _cancel_orders(state, batch, market)
    if command.state is MarketState.SETTLED:
        settling.settle(state, batch, market)


def next_cancel_time(state: ExchangeState) -> datetime | None:
    """Return the next time at which the orders of a closed market are cancelled."""
    return min(state.cancel_times.values(), default=None)


def cancel_next_market(state: ExchangeState, batch: Batch) -> None:
    """Cancel the resting orders of the closed market whose cancel time is the earliest."""
    ticker = min(state.cancel_times, key=state.cancel_times.__getitem__)
    del state.cancel_times[ticker]
    _cancel_orders(state, batch, state.markets[ticker])


def _cancel_orders(state: ExchangeState, batch: Batch, market: Market) -> None:
    """Cancel the orders that do not survive the market's new state."""
    halted = market.state is MarketState.INACTIVE
    cause = _MARKET_CAUSES.get(market.state, CancelCause.MARKET_CLOSED)
    for order in state.orders:
        if order.market == market.ticker and (order.cancel_on_pause or not halted):
            state.cancel(batch, order, cause)
