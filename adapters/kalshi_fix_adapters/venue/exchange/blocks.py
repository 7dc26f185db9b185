"""Block trades: agreed on outside of the book, and printed by the operator."""

from __future__ import annotations

from collections.abc import Iterator

from kalshi_fix_adapters.venue.exchange.commands import PlaceOrder, PrintBlockTrade
from kalshi_fix_adapters.venue.exchange.outcomes import TradePrinted
from kalshi_fix_adapters.venue.exchange.placing import affordability_refusal, open_order
from kalshi_fix_adapters.venue.exchange.state import Batch, ExchangeState
from kalshi_fix_adapters.venue.exchange.terms import AccountId, MarketState, Side, TimeInForce


def check_block_trade(state: ExchangeState, command: PrintBlockTrade) -> None:
    """Make sure that a block trade can be printed.

    Raises:
        ValueError: there is no such market or account on its shard, the market has been decided or is not
            open yet, does not take the price or the quantity, the two are one trader, or one of them cannot
            afford it.
    """
    market = state.markets.get(command.market)
    if market is None:
        raise ValueError(f"there is no market {command.market}")
    if market.state.is_decided or market.state is MarketState.INITIALIZED:
        raise ValueError(f"market {command.market} is {market.state.value}")
    if not market.rules.accepts_price(command.price):
        raise ValueError(f"market {command.market} does not take the price {command.price}")
    if not market.rules.accepts_quantity(command.quantity):
        raise ValueError(f"market {command.market} does not take the quantity {command.quantity}")
    if command.buyer.trader == command.seller.trader:
        raise ValueError(f"{command.buyer.trader} cannot trade with itself")
    for side, account_id in _sides(command):
        account = state.accounts.get(account_id)
        if account is None or account_id.shard != market.rules.shard:
            raise ValueError(f"there is no account {account_id} on shard {market.rules.shard}")
        fee = state.fee_schedule(market).fee(
            command.price, command.quantity, aggressor=state.assumptions.block_trades_pay_taker_fees
        )
        # Counted in and out again, to see what it would hold back; see `placing`.
        reserved = account.reserved
        account.work(command.market, side, command.price, command.quantity)
        exceeded = affordability_refusal(account, market, side, reserved, fee)
        account.work(command.market, side, command.price, -command.quantity)
        if exceeded is not None:
            raise ValueError(f"{account_id.trader} cannot {side.value}: {exceeded.value}")


def print_block_trade(state: ExchangeState, batch: Batch, command: PrintBlockTrade) -> None:
    """Let two accounts trade as was checked; each has an order that is filled and was in no book."""
    market = state.markets[command.market]
    trade_id = state.new_id()
    for side, account in _sides(command):
        agreed = PlaceOrder(
            order_id=state.new_id(),
            cl_ord_id=state.new_id(),
            account=account,
            origin=f"block trade {trade_id}",
            market=command.market,
            side=side,
            price=command.price,
            quantity=command.quantity,
            time_in_force=TimeInForce.FILL_OR_KILL,
        )
        order = open_order(agreed, None)
        # An order of its own for each side, since a Trade is reported of an order, and `fill` counts one out.
        state.orders.add(order)
        state.accounts[account].work(command.market, side, command.price, command.quantity)
        state.fill(batch, order, market, command.price, command.quantity, trade_id, aggressor=None)
    batch.outcomes.append(
        TradePrinted(
            time=batch.now,
            market=command.market,
            trade_id=trade_id,
            price=command.price,
            quantity=command.quantity,
            aggressor=None,
        )
    )


def _sides(command: PrintBlockTrade) -> Iterator[tuple[Side, AccountId]]:
    yield Side.BUY, command.buyer
    yield Side.SELL, command.seller
