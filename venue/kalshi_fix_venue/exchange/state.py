"""The exchange's state, and the steps that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_sansio._generated.limits import QUOTER_FEE_SWAP
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.exchange.accounts import Account
from kalshi_fix_venue.exchange.caps import DailyCap
from kalshi_fix_venue.exchange.commands import OrderRequest
from kalshi_fix_venue.exchange.fees import FeeSchedule
from kalshi_fix_venue.exchange.groups import OrderGroup, OrderGroups
from kalshi_fix_venue.exchange.market import Market
from kalshi_fix_venue.exchange.netting import GroupResults
from kalshi_fix_venue.exchange.orders import ZERO, Order
from kalshi_fix_venue.exchange.outcomes import (
    BookChanged,
    OrderCanceled,
    OrderTraded,
    Outcome,
    TradePrinted,
)
from kalshi_fix_venue.exchange.registry import OrderRegistry
from kalshi_fix_venue.exchange.terms import AccountId, CancelCause, ExchangeOrderState, ExecId, PauseState

_QUOTER_FEE_SWAP = timedelta(seconds=QUOTER_FEE_SWAP)


@attrs.define(eq=False)
class Batch:
    """The outcomes of one command so far."""

    clocks: Mapping[int, int]
    """The clock of each shard before the command."""
    now: datetime
    outcomes: list[Outcome] = attrs.field(factory=list)
    touched_markets: dict[str, Market] = attrs.field(factory=dict)
    """Markets whose book may have changed."""
    events: dict[int, int] = attrs.field(factory=dict)
    """The number of events of the command on each shard."""

    def exec_id(self, shard: int) -> ExecId:
        """Return the ExecID of the next event on a shard, and count that event."""
        # A request refused because its shard does not exist gets an ExecID of shard 0.
        shard = shard if shard in self.clocks else 0
        event = self.events[shard] = self.events.get(shard, 0) + 1
        return ExecId(self.clocks[shard] + 1, event, shard)


@attrs.define(eq=False, kw_only=True)
class ExchangeState:
    """Markets, accounts and orders of one product."""

    product: str
    markets: dict[str, Market]
    accounts: dict[AccountId, Account]
    fees: FeeSchedule
    zone: tzinfo
    """The time zone in which the trading day ends at midnight."""
    date_change: time | None
    """Local time from which trades clear on the next date; None for midnight."""
    new_id: Callable[[], str]
    orders: OrderRegistry
    assumptions: Assumptions
    groups: OrderGroups
    results: Mapping[str, GroupResults]
    """The group of each grouped market, with the results of the group's settled markets, by ticker."""
    caps: dict[str, DailyCap]
    """The daily caps, by customer account."""
    fees_collected: Decimal = ZERO
    """Fees in dollars charged to all accounts, less rebates."""
    pause: PauseState = PauseState.OPEN
    cancel_times: dict[str, datetime] = attrs.field(factory=dict)
    """Times at which the resting orders of closed markets are cancelled, by ticker."""

    def clearing_date(self, now: datetime) -> date:
        """Return the clearing date of a trade at `now`."""
        local = now.astimezone(self.zone)
        late = self.date_change is not None and local.time() >= self.date_change
        return local.date() + timedelta(days=late)

    def market_on(self, account: AccountId, ticker: str) -> Market | None:
        """Return a market if it is on the account's shard, else None."""
        market = self.markets.get(ticker)
        return market if market is not None and market.rules.shard == account.shard else None

    def fee_schedule(self, market: Market) -> FeeSchedule:
        """Return the trade fees of a market."""
        return market.rules.fees or self.fees

    def account(self, order: Order) -> Account:
        """Return the account of an open order."""
        return self.accounts[order.account]

    def weight(self, account: AccountId, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        """Return the amount in dollars by which an order counts toward a daily cap."""
        return quantity * self.accounts[account].collateral.opening_cost(side, price)

    def reserve(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Reserve part of a daily cap for a quantity of an order; a negative quantity releases it."""
        if order.reserves_cap:
            weight = self.weight(order.account, order.side, price, quantity)
            self.caps[order.account.customer].reserved += weight

    def add_to_book(self, batch: Batch, order: Order) -> None:
        """Add an open order to its book."""
        market = self.markets[order.market]
        market.book.add(order)
        order.resting, order.rested_at = True, batch.now
        batch.touched_markets[market.ticker] = market

    def remove_from_book(self, batch: Batch, order: Order) -> None:
        """Remove an open order from its book, if it is resting; it stays open."""
        if order.resting:
            market = self.markets[order.market]
            market.book.remove(order)
            order.resting = False
            batch.touched_markets[market.ticker] = market

    def cancel(
        self, batch: Batch, order: Order, cause: CancelCause, request: OrderRequest | None = None
    ) -> None:
        """Cancel an open order on its owner's `request` or, without one, on the exchange's own initiative."""
        # `leaves` is subtracted from the book, the account and the cap before it is set to 0.
        self.remove_from_book(batch, order)
        self.account(order).add_open_quantity(order.market, order.side, order.price, -order.leaves)
        self.reserve(order, order.price, -order.leaves)
        order.leaves = ZERO
        order.state = ExchangeOrderState.CANCELED
        self.orders.finish(order, None if request is None else request.cl_ord_id)
        batch.outcomes.append(
            OrderCanceled(
                exec_id=batch.exec_id(order.account.shard),
                time=batch.now,
                order=order.snapshot(),
                request=request,
                cause=cause,
            )
        )

    def trade(self, batch: Batch, taker: Order, maker: Order, quantity: Decimal) -> None:
        """Execute a trade between two open orders at the price of the resting one."""
        market = self.markets[maker.market]
        batch.touched_markets[market.ticker] = market
        trade = TradePrinted(
            time=batch.now,
            market=market.ticker,
            trade_id=self.new_id(),
            price=maker.price,
            quantity=quantity,
            aggressor=taker.side,
        )
        # The book is reduced before the fill: afterwards `leaves` no longer includes the traded quantity, and
        # `remove_from_book` would leave that quantity in the book.
        market.book.reduce(maker, quantity, taker)
        swapped = _fees_are_swapped(market, taker, maker, batch.now)
        for order in (taker, maker):
            self.fill(batch, order, trade, swapped=swapped)
        batch.outcomes.append(trade)

    def fill(self, batch: Batch, order: Order, trade: TradePrinted, *, swapped: bool = False) -> None:
        """Fill an open order in a trade. With `swapped`, each side pays the other side's fee."""
        market, price, quantity = self.markets[trade.market], trade.price, trade.quantity
        is_taker = None if trade.aggressor is None else order.side is trade.aggressor
        # Both sides of a block trade pay the aggressor's fee: neither has rested in the book.
        pays_as_taker = is_taker is None or is_taker != swapped
        account = self.account(order)
        # The account releases the reserve at the order's limit price, and pays the price of the trade.
        flow = account.fill(market.ticker, order.side, order.price, price, quantity)
        # The fee is computed after the payment, because its rounding depends on how much the payment changes
        # the balance.
        charge = order.fees.charge(
            flow.change,
            self.fee_schedule(market).fee(price, quantity, aggressor=pays_as_taker),
            account.precision,
            rebate_waits=self.assumptions.rebate_waits_for_a_fee,
        )
        account.balance -= charge.net
        self.fees_collected += charge.net
        # Done before the outcome is created, because the outcome contains a snapshot of the order.
        order.fill(price, quantity)
        position = account.holding(market.ticker).position
        batch.outcomes.append(
            OrderTraded(
                exec_id=batch.exec_id(order.account.shard),
                time=batch.now,
                clearing_date=self.clearing_date(batch.now),
                order=order.snapshot(),
                trade_id=trade.trade_id,
                price=price,
                quantity=quantity,
                aggressor=is_taker,
                charge=charge,
                balance_change=flow.change - charge.net,
                rebate_reported=self.assumptions.balance_change_includes_rebate,
                collateral_return=flow.collateral_return,
                ranged_return=flow.ranged_return,
                long_quantity=position.long,
                short_quantity=position.short,
            )
        )
        # The cap was reserved at the order's price, but is used at the price of the trade.
        if order.reserves_cap:
            self.reserve(order, order.price, -quantity)
            weight = self.weight(order.account, order.side, price, quantity)
            self.caps[order.account.customer].use(weight, self.clearing_date(batch.now))
        if order.group is not None:
            self.groups.record_fill(order.group, quantity, batch.now)
        if order.state is ExchangeOrderState.FILLED:
            self.remove_from_book(batch, order)
            self.orders.finish(order)

    def trigger(self, batch: Batch, group: OrderGroup) -> None:
        """Cancel the orders of an order group and close it to new ones."""
        group.triggered = True
        for order in self.orders.orders_of_group(group.id):
            self.cancel(batch, order, CancelCause.ORDER_GROUP)

    def trigger_exceeded(self, batch: Batch) -> None:
        """Trigger the order groups that have exceeded their limits."""
        while (group := self.groups.pop_exceeded()) is not None:
            self.trigger(batch, group)

    def publish(self, batch: Batch) -> None:
        """Add the changes to the books to the batch's outcomes."""
        for ticker, market in batch.touched_markets.items():
            changes = market.book.drain_changes()
            if changes:
                batch.outcomes.append(BookChanged(time=batch.now, market=ticker, changes=changes))


def _fees_are_swapped(market: Market, taker: Order, maker: Order, now: datetime) -> bool:
    """Return whether the two sides pay each other's fees. On a combo market they do if the taker's
    order comes from an accepted quote and the maker's order gained its time priority less than
    `_QUOTER_FEE_SWAP` ago."""
    return (
        market.rules.combo
        and taker.from_quote
        and maker.rested_at is not None
        and now - maker.rested_at < _QUOTER_FEE_SWAP
    )
