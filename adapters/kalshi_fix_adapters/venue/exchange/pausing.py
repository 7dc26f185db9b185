"""Pauses of the exchange and the life of a market."""

from __future__ import annotations

from datetime import datetime, timedelta

from kalshi_fix_adapters.venue.exchange import settling
from kalshi_fix_adapters.venue.exchange.commands import SetMarketState, SetPause, SetSettlementBounds
from kalshi_fix_adapters.venue.exchange.market import Market
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

    A halt cancels the orders that asked to be cancelled on a pause. Its end cancels all of them; so does a
    close, some time later (Kalshi's page on the life of markets). A settlement pays out the positions.
    """
    market = state.markets[command.market]
    settling.decide(market, command)
    before = market.state
    if command.state is before:
        return
    market.state = command.state
    batch.outcomes.append(
        MarketStateChanged(time=batch.now, market=market.ticker, state=command.state, before=before)
    )
    # A market that opens again, or is determined, before its orders were cancelled: `_clear` does that now,
    # or lets them rest on.
    state.clearings.pop(market.ticker, None)
    rests = state.assumptions.orders_rest_after_close
    if command.state is MarketState.CLOSED and rests:
        state.clearings[market.ticker] = batch.now + timedelta(seconds=rests)
        return
    # A settlement pays positions, so that nothing may be open by then which could still change them.
    _clear(state, batch, market, before)
    if command.state is MarketState.SETTLED:
        settling.settle(state, batch, market)


def next_clearing(state: ExchangeState) -> datetime | None:
    """Return when what rests in a closed market is cancelled next."""
    return min(state.clearings.values(), default=None)


def clear_next(state: ExchangeState, batch: Batch) -> None:
    """Cancel what rests in the closed market whose time comes first."""
    ticker = min(state.clearings, key=state.clearings.__getitem__)
    del state.clearings[ticker]
    _clear(state, batch, state.markets[ticker], MarketState.ACTIVE)


def _clear(state: ExchangeState, batch: Batch, market: Market, before: MarketState) -> None:
    """Cancel the orders that do not outlast the state to which a market has come."""
    reopened = market.state is MarketState.ACTIVE and before is MarketState.CLOSED
    if reopened and not state.assumptions.reopening_cancels_orders:
        return
    halted = market.state is MarketState.INACTIVE
    if halted and not state.assumptions.halts_cancel_on_pause:
        return
    cause = _MARKET_CAUSES.get(market.state, CancelCause.MARKET_CLOSED)
    for order in state.orders:
        if order.market == market.ticker and (order.cancel_on_pause or not halted):
            state.cancel(batch, order, cause)
