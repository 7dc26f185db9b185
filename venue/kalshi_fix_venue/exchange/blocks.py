"""Block trades: agreed on outside the book and printed by the operator."""

from __future__ import annotations

from collections.abc import Iterator

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange.commands import PlaceOrder, PrintBlockTrade
from kalshi_fix_venue.exchange.outcomes import TradePrinted
from kalshi_fix_venue.exchange.placing import add_within_limits, create_order
from kalshi_fix_venue.exchange.state import Batch, ExchangeState
from kalshi_fix_venue.exchange.terms import AccountId, MarketState, TimeInForce


def check_block_trade(state: ExchangeState, command: PrintBlockTrade) -> None:
    """Check that a block trade can be printed.

    Raises:
        ValueError: the trade is not possible, for instance because the market is not open yet, or because an
            account cannot afford it.
    """
    market = state.markets.get(command.market)
    if market is None:
        raise ValueError(f"there is no market {command.market}")
    if market.state.is_decided or market.state is MarketState.INITIALIZED:
        raise ValueError(f"market {command.market} is {market.state.value}")
    if not market.rules.accepts_price(command.price):
        raise ValueError(f"market {command.market} does not accept the price {command.price}")
    if not market.rules.accepts_quantity(command.quantity):
        raise ValueError(f"market {command.market} does not accept the quantity {command.quantity}")
    if command.buyer.trader == command.seller.trader:
        raise ValueError(f"{command.buyer.trader} cannot trade with itself")
    for side, account_id in _sides(command):
        account = state.accounts.get(account_id)
        if account is None or account_id.shard != market.rules.shard:
            raise ValueError(
                f"there is no account {account_id.subaccount} of {account_id.trader} on shard "
                f"{market.rules.shard}"
            )
        # The trade is added as an order and removed again; this checks the limits.
        exceeded = add_within_limits(state, account, market, side, (command.price, command.quantity))
        if exceeded is not None:
            raise ValueError(f"{account_id.trader} cannot {side.name.lower()}: {exceeded.value}")
        account.add_open_quantity(command.market, side, command.price, -command.quantity)


def print_block_trade(state: ExchangeState, batch: Batch, command: PrintBlockTrade) -> None:
    """Execute a checked block trade; each account gets a filled order that never entered the book."""
    trade = TradePrinted(
        time=batch.now,
        market=command.market,
        trade_id=state.new_id(),
        price=command.price,
        quantity=command.quantity,
        aggressor=None,
    )
    for side, account in _sides(command):
        order_command = PlaceOrder(
            order_id=state.new_id(),
            cl_ord_id=state.new_id(),
            account=account,
            origin=f"block trade {trade.trade_id}",
            market=command.market,
            side=side,
            price=command.price,
            quantity=command.quantity,
            time_in_force=TimeInForce.FILL_OR_KILL,
        )
        order = create_order(order_command, None)
        # Each side needs an order, because a Trade report is about an order, and `fill` reduces its open
        # quantity.
        state.orders.add(order)
        state.accounts[account].add_open_quantity(command.market, side, command.price, command.quantity)
        state.fill(batch, order, trade)
    batch.outcomes.append(trade)


def _sides(command: PrintBlockTrade) -> Iterator[tuple[Side, AccountId]]:
    yield Side.BUY, command.buyer
    yield Side.SELL, command.seller
