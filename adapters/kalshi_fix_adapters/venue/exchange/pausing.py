"""Pauses of the exchange and the life of a market."""

from __future__ import annotations

from kalshi_fix_adapters.venue.exchange import settling
from kalshi_fix_adapters.venue.exchange.commands import SetMarketState, SetPause, SetSettlementBounds
from kalshi_fix_adapters.venue.exchange.outcomes import MarketStateChanged
from kalshi_fix_adapters.venue.exchange.state import Batch, ExchangeState
from kalshi_fix_adapters.venue.exchange.terms import CancelCause, MarketState, PauseState

_PAUSE_CAUSES = {
    PauseState.TRADING_PAUSED: CancelCause.TRADING_PAUSED,
    PauseState.EXCHANGE_PAUSED: CancelCause.EXCHANGE_PAUSED,
}
_MARKET_CAUSES = {
    MarketState.ACTIVE: CancelCause.MARKET_REACTIVATED,
    MarketState.INACTIVE: CancelCause.TRADING_PAUSED,
}
"""Why orders are cancelled when a market comes to a state; other states end its trading."""
_NEXT_STATES = {
    MarketState.ACTIVE: (MarketState.INACTIVE, MarketState.CLOSED, MarketState.DETERMINED),
    MarketState.INACTIVE: (MarketState.ACTIVE, MarketState.CLOSED, MarketState.DETERMINED),
    MarketState.CLOSED: (MarketState.DETERMINED,),
    MarketState.DETERMINED: (MarketState.SETTLED,),
    MarketState.SETTLED: (),
}


def set_pause(state: ExchangeState, batch: Batch, command: SetPause) -> None:
    """Pause or resume; where a pause begins, orders that asked for it are cancelled."""
    state.pause = command.state
    cause = _PAUSE_CAUSES.get(command.state)
    if cause is not None:
        for order in state.orders:
            if order.cancel_on_pause:
                state.cancel(batch, order, cause)


def check_market_state(state: ExchangeState, command: SetMarketState) -> None:
    """Make sure that a market can make a step in its life.

    Raises:
        ValueError: there is no such market, or it cannot go from its state to that one, or a result is
            missing or cannot be.
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
    """Cancel the orders of a market whose prices it cannot settle at, now and from now on."""
    market = state.markets[command.market]
    market.bounds = (command.lowest, command.highest)
    for order in state.orders:
        if order.market == market.ticker and not market.within_bounds(order.price):
            state.cancel(batch, order, CancelCause.SETTLEMENT_BOUNDS)


def check_settlement_bounds(state: ExchangeState, command: SetSettlementBounds) -> None:
    """Make sure that a market can have these bounds.

    Raises:
        ValueError: there is no such market, or the bounds are the wrong way round.
    """
    if command.market not in state.markets:
        raise ValueError(f"there is no market {command.market}")
    if not command.lowest <= command.highest:
        raise ValueError(f"the lowest price {command.lowest} is above the highest, {command.highest}")


def set_market_state(state: ExchangeState, batch: Batch, command: SetMarketState) -> None:
    """Move a market on in its life, by a step that was checked.

    A halt cancels the orders that asked to be cancelled on a pause; its end and the end of trading cancel
    all of them (Kalshi's page on the life of markets); a settlement pays out the positions.
    """
    market = state.markets[command.market]
    settling.decide(market, command)
    if command.state is market.state:
        return
    market.state = command.state
    batch.outcomes.append(MarketStateChanged(time=batch.now, market=market.ticker, state=command.state))
    halted = command.state is MarketState.INACTIVE
    cause = _MARKET_CAUSES.get(command.state, CancelCause.MARKET_CLOSED)
    for order in state.orders:
        if order.market == market.ticker and (order.cancel_on_pause or not halted):
            state.cancel(batch, order, cause)
    if command.state is MarketState.SETTLED:
        settling.settle(state, batch, market)
