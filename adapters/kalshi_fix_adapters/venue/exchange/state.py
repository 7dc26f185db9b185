"""The exchange's state, and the steps that every command is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal

import attrs

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.exchange.accounts import Account
from kalshi_fix_adapters.venue.exchange.caps import DailyCap
from kalshi_fix_adapters.venue.exchange.fees import FeeSchedule
from kalshi_fix_adapters.venue.exchange.groups import OrderGroup, OrderGroups
from kalshi_fix_adapters.venue.exchange.market import Market
from kalshi_fix_adapters.venue.exchange.netting import GroupResults
from kalshi_fix_adapters.venue.exchange.orders import ZERO, Order
from kalshi_fix_adapters.venue.exchange.outcomes import (
    BookChanged,
    OrderCanceled,
    OrderTraded,
    Outcome,
    TradePrinted,
)
from kalshi_fix_adapters.venue.exchange.registry import OrderRegistry
from kalshi_fix_adapters.venue.exchange.terms import (
    AccountId,
    CancelCause,
    ExecId,
    OrderState,
    PauseState,
    Side,
)
from kalshi_fix_sansio._generated.limits import QUOTER_FEE_SWAP

_QUOTER_FEE_SWAP = timedelta(seconds=QUOTER_FEE_SWAP)


@attrs.define(eq=False)
class Batch:
    """What one command has brought about so far."""

    clocks: Mapping[int, int]
    """The clock of each shard as it stands before the command."""
    now: datetime
    outcomes: list[Outcome] = attrs.field(factory=list)
    touched: dict[str, Market] = attrs.field(factory=dict)
    """Markets whose book may have changed."""
    events: dict[int, int] = attrs.field(factory=dict)
    """How many there are on each shard."""

    def exec_id(self, shard: int) -> ExecId:
        """Draw the identity of the next event on a shard."""
        # What is refused because it names a shard that is none gets an identity of shard 0.
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
    """Where the trading day ends at midnight."""
    next_date_from: time | None
    """Local time from which trades clear on the next date; None for midnight."""
    new_id: Callable[[], str]
    orders: OrderRegistry
    assumptions: Assumptions
    groups: OrderGroups
    results: Mapping[str, GroupResults]
    """The market group of each market that is in one."""
    caps: dict[str, DailyCap]
    """The daily caps of customer accounts that have one."""
    fees_kept: Decimal = ZERO
    """Dollars that the exchange has taken from all accounts and not given back."""
    pause: PauseState = PauseState.OPEN
    clearings: dict[str, datetime] = attrs.field(factory=dict)
    """When what rests in closed markets is cancelled, by ticker."""

    def clearing_date(self, now: datetime) -> date:
        """Return the date on which a trade of now clears."""
        local = now.astimezone(self.zone)
        late = self.next_date_from is not None and local.time() >= self.next_date_from
        return local.date() + timedelta(days=late)

    def market_on(self, account: AccountId, ticker: str) -> Market | None:
        """Return a market if it is on the shard of this account."""
        market = self.markets.get(ticker)
        return market if market is not None and market.rules.shard == account.shard else None

    def fee_schedule(self, market: Market) -> FeeSchedule:
        """Return the trade fees of a market."""
        return market.rules.fees or self.fees

    def account(self, order: Order) -> Account:
        """Return the purse of an open order."""
        return self.accounts[order.account]

    def weight(self, account: AccountId, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        """Return how much an order for this counts under a daily cap."""
        if not self.assumptions.daily_caps_are_in_dollars:
            return quantity
        return quantity * self.accounts[account].collateral.opening(side, price)

    def set_aside(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Keep room under a daily cap for what an order has left; a negative quantity gives it back."""
        if order.reserves_cap:
            weight = self.weight(order.account, order.side, price, quantity)
            self.caps[order.account.customer].reserve(weight)

    def rest(self, batch: Batch, order: Order) -> None:
        """Let an open order stand in its book."""
        market = self.markets[order.market]
        market.book.add(order)
        order.resting, order.rested_at = True, batch.now
        batch.touched[market.ticker] = market

    def lift(self, batch: Batch, order: Order) -> None:
        """Take an open order out of its book, if it stands there; it stays open."""
        if order.resting:
            market = self.markets[order.market]
            market.book.remove(order)
            order.resting = False
            batch.touched[market.ticker] = market

    def cancel(
        self,
        batch: Batch,
        order: Order,
        cause: CancelCause,
        *,
        requester: str | None = None,
        cl_ord_id: str | None = None,
        operator: str | None = None,
    ) -> None:
        """End an open order; a request that asks for it gives its session, its ClOrdID and who asks."""
        # While it still has its `leaves`: book, account and cap take that much off.
        self.lift(batch, order)
        self.account(order).work(order.market, order.side, order.price, -order.leaves)
        self.set_aside(order, order.price, -order.leaves)
        order.leaves = ZERO
        order.state = OrderState.CANCELED
        # Before `finish`, which gives the order the ClOrdID of the request that ends it.
        orig_cl_ord_id = order.cl_ord_id if cl_ord_id is not None else None
        self.orders.finish(order, cl_ord_id)
        batch.outcomes.append(
            OrderCanceled(
                exec_id=batch.exec_id(order.account.shard),
                time=batch.now,
                order=order.snapshot(),
                cause=cause,
                requester=requester,
                orig_cl_ord_id=orig_cl_ord_id,
                operator=operator,
            )
        )

    def trade(self, batch: Batch, taker: Order, maker: Order, quantity: Decimal) -> None:
        """Let two open orders trade at the price of the one that was there first."""
        market = self.markets[maker.market]
        batch.touched[market.ticker] = market
        trade_id = self.new_id()
        # Before the order is filled: `lift` takes off what it then has left, which is nothing.
        market.book.reduce(maker, quantity, taker if self.assumptions.takers_cause_level_changes else None)
        swapped = _fees_are_swapped(market, taker, maker, batch.now)
        for order, aggressor in ((taker, True), (maker, False)):
            self.fill(
                batch, order, market, maker.price, quantity, trade_id, aggressor=aggressor, swapped=swapped
            )
        batch.outcomes.append(
            TradePrinted(
                time=batch.now,
                market=market.ticker,
                trade_id=trade_id,
                price=maker.price,
                quantity=quantity,
                aggressor=taker.side,
            )
        )

    def fill(
        self,
        batch: Batch,
        order: Order,
        market: Market,
        price: Decimal,
        quantity: Decimal,
        trade_id: str,
        *,
        aggressor: bool | None,
        swapped: bool = False,
    ) -> None:
        """Give an open order its part in a trade; `aggressor` is None in a block trade. With `swapped`, each
        side pays the fee of the other."""
        pays_as_taker = (
            self.assumptions.block_trades_pay_taker_fees if aggressor is None else aggressor is not swapped
        )
        account = self.account(order)
        # The account counts the order out at its own price, at which it was counted in, and pays that of the
        # trade.
        flow = account.fill(market.ticker, order.side, order.price, price, quantity)
        # The fee after the money: rounding depends on what the fill has done to the balance.
        charge = order.fees.charge(
            flow.change,
            self.fee_schedule(market).fee(price, quantity, aggressor=pays_as_taker),
            account.precision,
            rebate_waits=self.assumptions.rebate_waits_for_a_fee,
        )
        account.balance -= charge.net
        self.fees_kept += charge.net
        # Before the picture of it that goes into the outcome.
        order.fill(price, quantity)
        position = account.holding(market.ticker).position
        batch.outcomes.append(
            OrderTraded(
                exec_id=batch.exec_id(order.account.shard),
                time=batch.now,
                clearing_date=self.clearing_date(batch.now),
                order=order.snapshot(),
                trade_id=trade_id,
                price=price,
                quantity=quantity,
                aggressor=aggressor,
                charge=charge,
                balance_change=flow.change - charge.net,
                rebate_told=self.assumptions.balance_change_includes_rebate,
                collateral_returned=flow.returned,
                ranged_return=flow.ranged,
                taking_back_told=self.assumptions.ranged_return_may_be_negative,
                long_quantity=position.long,
                short_quantity=position.short,
            )
        )
        # What was set aside at the order's price is used at that of the trade.
        if order.reserves_cap:
            self.set_aside(order, order.price, -quantity)
            weight = self.weight(order.account, order.side, price, quantity)
            self.caps[order.account.customer].use(weight, self.clearing_date(batch.now))
        if order.group is not None:
            self.groups.count(order.group, quantity, batch.now)
        if order.state is OrderState.FILLED:
            self.lift(batch, order)
            self.orders.finish(order)

    def trigger(self, batch: Batch, group: OrderGroup) -> None:
        """Cancel the orders of an order group, and let it take no more."""
        group.triggered = True
        for order in self.orders.of_group(group.id):
            self.cancel(batch, order, CancelCause.ORDER_GROUP)

    def trigger_exceeded(self, batch: Batch) -> None:
        """Trigger the order groups of which too much has filled."""
        while (group := self.groups.pop_exceeded()) is not None:
            self.trigger(batch, group)

    def publish(self, batch: Batch) -> None:
        """Say what the batch did to the books."""
        for ticker, market in batch.touched.items():
            changes = market.book.drain_changes()
            if changes:
                batch.outcomes.append(BookChanged(time=batch.now, market=ticker, changes=changes))


def _fees_are_swapped(market: Market, taker: Order, maker: Order, now: datetime) -> bool:
    """Say whether a quoter takes what has come into the book of a combo only now."""
    return (
        market.rules.combo
        and taker.quoted
        and maker.rested_at is not None
        and now - maker.rested_at < _QUOTER_FEE_SWAP
    )
