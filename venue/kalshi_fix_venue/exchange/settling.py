"""The end of a market: its result and the payout of positions (Kalshi's pages on market settlement)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from kalshi_fix_venue.exchange.commands import SetMarketState
from kalshi_fix_venue.exchange.market import Market
from kalshi_fix_venue.exchange.money import ONE
from kalshi_fix_venue.exchange.netting import GroupKind
from kalshi_fix_venue.exchange.orders import ZERO
from kalshi_fix_venue.exchange.outcomes import MarketSettled, PositionSettled
from kalshi_fix_venue.exchange.state import Batch, ExchangeState
from kalshi_fix_venue.exchange.terms import MARGIN, MarketResult, MarketState

PRICE_STEP = Decimal("0.0001")
"""Dollars: SettlementPrice (730) is in cents with two decimals."""
_PRICES = {MarketResult.YES: ONE, MarketResult.NO: ZERO}
_DECIDED_STATES = (MarketState.DETERMINED, MarketState.AMENDED, MarketState.SETTLED)
"""States that require a result."""


def check_result(state: ExchangeState, market: Market, command: SetMarketState) -> None:
    """Check that a command's result is possible for a market.

    Raises:
        ValueError: the result contradicts the market, its state or its group, or is missing.
    """
    if command.state in _DECIDED_STATES and state.product == MARGIN:
        raise ValueError(f"market {market.ticker} is a perpetual, which is never {command.state.value}")
    if command.result is None:
        if command.price is not None:
            raise ValueError("a price needs a result; specify both")
        if command.state in _DECIDED_STATES and market.result is None:
            raise ValueError(
                f"market {market.ticker} has no result; specify yes, no, or scalar with its price"
            )
        return
    if command.state not in _DECIDED_STATES:
        raise ValueError(f"a market that is {command.state.value} has no result; leave the result out")
    if market.state is MarketState.SETTLED:
        raise ValueError(f"market {market.ticker} is settled; its result cannot change")
    fixed_price = _PRICES.get(command.result)
    if command.price is None:
        if fixed_price is None:
            raise ValueError("a scalar result needs its price; specify dollars from 0 to 1")
    elif fixed_price is not None and command.price != fixed_price:
        raise ValueError(
            f"the result {command.result.value} fixes the price at {fixed_price}; leave the price out"
        )
    elif not (command.price.is_finite() and ZERO <= command.price <= ONE and command.price % PRICE_STEP == 0):
        raise ValueError(
            f"a settlement price must be from 0 to 1 dollar in steps of {PRICE_STEP}, not {command.price}"
        )
    _check_group(state, market, command.result)


def _check_group(state: ExchangeState, market: Market, result: MarketResult) -> None:
    """Check that a result does not contradict the results of the other markets of its group, because the
    collateral returned for the group relies on them. Raises ValueError."""
    results = state.results.get(market.ticker)
    if results is None:
        return
    group = results.group
    result_by_ticker = {ticker: state.markets[ticker].result for ticker in group.markets} | {
        market.ticker: result
    }
    yes = [ticker for ticker in group.markets if result_by_ticker[ticker] is MarketResult.YES]
    no = [ticker for ticker in group.markets if result_by_ticker[ticker] is MarketResult.NO]
    if group.kind is GroupKind.DIRECTIONAL:
        indexes = {ticker: index for index, ticker in enumerate(group.markets)}
        if yes and no and indexes[yes[-1]] > indexes[no[0]]:
            raise ValueError(f"{yes[-1]} cannot be yes if {no[0]} is no: group {group.name} is directional")
    elif len(yes) > 1:
        raise ValueError(
            f"{yes[0]} and {yes[1]} cannot both be yes: group {group.name} is mutually exclusive"
        )
    elif group.exhaustive and len(no) == len(group.markets):
        raise ValueError(f"not all markets of group {group.name} can be no: it is exhaustive")


def store_result(market: Market, command: SetMarketState) -> None:
    """Store the checked result of a market, if the command has one."""
    if command.result is not None:
        market.result = command.result
        market.settlement_price = _PRICES.get(command.result, command.price)


def settle(state: ExchangeState, batch: Batch, market: Market) -> None:
    """Pay out all positions in a determined market, which must have no open orders."""
    result, price = market.result, market.settlement_price
    if result is None or price is None:  # excluded by `check_result`
        raise AssertionError(f"market {market.ticker} is settled without a result")
    # The result is stored before any payout, because the collateral that is returned for a group, and the
    # part of it that is taken back, depend on the results of its markets.
    group = state.results.get(market.ticker)
    if group is not None:
        group.settled[market.ticker] = price
    batch.outcomes.append(
        MarketSettled(
            time=batch.now,
            market=market.ticker,
            result=result,
            price=price,
            clearing_date=state.clearing_date(batch.now),
            positions=tuple(_payouts(state, market.ticker, price)),
        )
    )


def _payouts(state: ExchangeState, ticker: str, price: Decimal) -> Iterator[PositionSettled]:
    """Settle the position of each account that has one, and yield the settlement."""
    for account in state.accounts.values():
        settlement = account.settle(ticker, price)
        if settlement is not None:
            # The reported payout is the change in the balance after the fee; SettlementPrice (730) is not
            # reduced by the fee.
            position, payout, fee = settlement
            state.fees_collected += fee
            yield PositionSettled(
                account=account.id,
                long_quantity=position.long,
                short_quantity=position.short,
                payout=payout - fee,
                fee=fee,
            )
