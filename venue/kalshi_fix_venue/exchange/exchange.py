"""The exchange of one product: executes commands and returns their outcomes. It has no I/O, no clock and no
randomness."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, time, tzinfo
from decimal import Decimal
from typing import Any

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_sansio._generated.limits import ORDER_GROUPS
from kalshi_fix_sansio.trading.money.fees import floor
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.exchange import (
    blocks,
    changing,
    grouping,
    pausing,
    placing,
    quoting,
    transferring,
)
from kalshi_fix_venue.exchange.accounts import Account, AccountTerms
from kalshi_fix_venue.exchange.caps import DailyCap
from kalshi_fix_venue.exchange.commands import (
    AmendOrder,
    CancelAll,
    CancelOrder,
    ChangeGroup,
    Command,
    ListMarket,
    MoveCash,
    PlaceOrder,
    PrintBlockTrade,
    SetMarketState,
    SetPause,
    SetSettlementBounds,
    TradeQuote,
)
from kalshi_fix_venue.exchange.fees import MARGIN_FEES, PREDICTION_FEES, FeeSchedule
from kalshi_fix_venue.exchange.groups import OrderGroup, OrderGroups
from kalshi_fix_venue.exchange.market import Market, MarketRules
from kalshi_fix_venue.exchange.money import (
    Collateral,
    MarginCollateral,
    Position,
    PredictionCollateral,
)
from kalshi_fix_venue.exchange.netting import GroupResults, MarketGroup
from kalshi_fix_venue.exchange.orders import OrderSnapshot
from kalshi_fix_venue.exchange.outcomes import Outcome
from kalshi_fix_venue.exchange.registry import OrderRegistry
from kalshi_fix_venue.exchange.state import Batch, ExchangeState
from kalshi_fix_venue.exchange.terms import (
    MARGIN,
    AccountId,
    CancelCause,
    ExecId,
    PauseState,
    RejectCause,
)

_MARGIN_DATE_CHANGE = time(16)
"""Time at which the clearing date of margin changes to the next day (Kalshi's page on margin order entry,
ClearingBusinessDate 715)."""

_CHECKS: Mapping[type[Command], Callable[[ExchangeState, Any], None]] = {
    SetMarketState: pausing.check_market_state,
    ListMarket: quoting.check_listing,
    PrintBlockTrade: blocks.check_block_trade,
    SetSettlementBounds: pausing.check_settlement_bounds,
    MoveCash: transferring.check_transfer,
}
"""The checks by command type; they raise for commands that cannot be executed."""
_EXECUTORS: Mapping[type[Command], Callable[[ExchangeState, Batch, Any], None]] = {
    PlaceOrder: placing.place,
    CancelOrder: changing.cancel,
    AmendOrder: changing.amend,
    CancelAll: changing.cancel_all,
    ChangeGroup: grouping.change_group,
    SetPause: pausing.set_pause,
    SetMarketState: pausing.set_market_state,
    TradeQuote: quoting.trade_quote,
    ListMarket: quoting.list_market,
    PrintBlockTrade: blocks.print_block_trade,
    SetSettlementBounds: pausing.set_settlement_bounds,
    MoveCash: transferring.transfer,
}
"""The function that executes each command type. `Advance` has none; it only advances the time."""


class Exchange:
    """A matching exchange with price-time priority.

    Each market is on a shard, and each shard has separate balances. An owner needs an entry in `balances` for
    every shard on which it trades.

    All inputs are explicit: commands with their times (aware, UTC, never decreasing), and ids from `new_id`.
    The same calls return the same outcomes.
    """

    def __init__(
        self,
        product: str,
        markets: Iterable[MarketRules],
        balances: Mapping[AccountId, Decimal],
        *,
        zone: tzinfo,
        new_id: Callable[[], str],
        fees: FeeSchedule | None = None,
        terms: Mapping[str, AccountTerms] | None = None,
        market_groups: Iterable[MarketGroup] = (),
        daily_caps: Mapping[str, Decimal] | None = None,
        retained_orders: int = 10_000,
        assumptions: Assumptions | None = None,
    ) -> None:
        """Open an exchange with these markets, and with accounts that have these balances in dollars.

        `zone` is the time zone of the trading day (US Eastern). `new_id` generates ids, such as those of
        trades. `fees` default to those of the product. `terms` are the account settings by owner.
        `market_groups` lists the markets that net with one another. `daily_caps` are the caps by customer
        account, across all shards. `retained_orders` is the number of ended orders kept for late cancels.
        """
        self.product = product
        self.assumptions: Assumptions = assumptions or Assumptions()
        is_margin = product == MARGIN
        groups = [GroupResults(group) for group in market_groups]
        results = {market: each for each in groups for market in each.group.markets}
        collateral: Collateral = (
            MarginCollateral(self.assumptions.initial_margin) if is_margin else PredictionCollateral()
        )
        if fees is None:
            fees = MARGIN_FEES if is_margin else PREDICTION_FEES

        def open_account(key: AccountId, balance: Decimal) -> Account:
            account_terms = (terms or {}).get(key.owner, AccountTerms())
            netted = {} if key.subaccount in account_terms.without_netting else results
            return Account(key, collateral, balance, account_terms.precision, results=netted)

        self._state = ExchangeState(
            product=product,
            markets={rules.ticker: Market(rules) for rules in markets},
            accounts={key: open_account(key, balance) for key, balance in balances.items()},
            results=results,
            fees=fees,
            zone=zone,
            date_change=_MARGIN_DATE_CHANGE if is_margin else None,
            new_id=new_id,
            orders=OrderRegistry(retained_orders),
            assumptions=self.assumptions,
            groups=OrderGroups(ORDER_GROUPS[product]),
            caps={customer: DailyCap(limit) for customer, limit in (daily_caps or {}).items()},
        )
        self.markets: Mapping[str, Market] = self._state.markets
        """The markets by ticker; read-only."""
        self.cancel_times: Mapping[str, datetime] = self._state.cancel_times
        """Times at which the resting orders of closed markets are cancelled, by ticker; read-only."""
        self.customers: Mapping[str, str] = {
            account.customer: account.owner for account in balances if account.customer
        }
        """The clearing member of each customer account."""
        self._members = frozenset(self.customers.values())
        # By shard. A client may name any number as a shard, but only these shards have ExecIDs.
        self._clocks = dict.fromkeys({0, *(account.shard for account in balances)}, 0)
        self._latest_exec_ids = {shard: ExecId(0, 0, shard) for shard in self._clocks}

    def apply(self, command: Command, now: datetime) -> tuple[Outcome, ...]:
        """Cancel the orders that have expired by `now`, and the orders of closed markets whose cancel time
        has passed, then execute a command.

        Raises:
            ValueError: the command cannot be executed, such as a SetMarketState with an impossible
                transition, a ListMarket of an existing market, or a MoveCash of unavailable cash. The state
                is then unchanged.
        """
        # Checked first, because a command that raises must not change the state.
        check = _CHECKS.get(type(command))
        if check is not None:
            check(self._state, command)
        batch = Batch(self._clocks, now)
        # The time is advanced first: old fills leave the windows of order groups, and due orders expire
        # before the command can trade with them. Their reports are numbered with those of the command.
        self._state.groups.advance(now)
        self._expire(batch)
        executor = _EXECUTORS.get(type(command))
        if executor is not None:
            executor(self._state, batch, command)
        # The command's fills may trigger groups, whose cancels change the books too. Therefore the changes to
        # the books are published last, and each level is reported once per command, with its final size.
        self._state.trigger_exceeded(batch)
        self._state.publish(batch)
        # A shard's clock counts the commands that had an event there (ExecID 17 is clock;event;shard).
        for shard, events in batch.events.items():
            self._clocks[shard] += 1
            self._latest_exec_ids[shard] = ExecId(self._clocks[shard], events, shard)
        return tuple(batch.outcomes)

    def next_exec_id(self, shard: int = 0) -> ExecId:
        """Advance the shard's clock, and return the ExecID for a report about a request that never
        reached the book. If the shard does not exist, shard 0 is used.
        """
        shard = shard if shard in self._clocks else 0
        self._clocks[shard] += 1
        exec_id = self._latest_exec_ids[shard] = ExecId(self._clocks[shard], 1, shard)
        return exec_id

    def latest_exec_id(self, shard: int) -> ExecId | None:
        """Return the ExecID of the last event on a shard; None if the shard does not exist."""
        return self._latest_exec_ids.get(shard)

    def shard_of(self, market: str) -> int:
        """Return the shard of a market; 0 for an unknown market."""
        listing = self._state.markets.get(market)
        return 0 if listing is None else listing.rules.shard

    def has_account(self, account: AccountId) -> bool:
        """Return whether the account exists on its shard."""
        return account in self._state.accounts

    def order_refusal(self, command: PlaceOrder) -> RejectCause | None:
        """Return why an order would be refused now, or None if it would be accepted. Changes no state."""
        return placing.order_refusal(self._state, command)

    def cost(self, account: AccountId, market: str, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        """Return the dollars needed to open a position in one fill, including the fees of the aggressor.

        Raises:
            KeyError: the account or the market does not exist.
        """
        payer = self.account(account)
        cost = quantity * payer.collateral.opening_cost(side, price)
        fee = self._state.fee_schedule(self._state.markets[market]).fee(price, quantity, aggressor=True)
        # The balance is rounded down after the trade; the owner pays the difference as a rounding fee.
        return -floor(-cost - fee, payer.precision)

    def find(self, owner: str, cl_ord_id: str) -> OrderSnapshot | None:
        """Return the open order of this owner with this ClOrdID."""
        order = self._state.orders.find(owner, cl_ord_id)
        return None if order is None else order.snapshot()

    @property
    def fees_collected(self) -> Decimal:
        """Fees in dollars charged to all accounts, less rebates."""
        return self._state.fees_collected

    def next_expiry(self) -> datetime | None:
        """Return the next time at which an order expires or the orders of a closed market are cancelled."""
        times = (self._state.orders.next_expiry(), pausing.next_cancel_time(self._state))
        return min((expiry for expiry in times if expiry is not None), default=None)

    def market_refusal(self, ticker: str) -> RejectCause | None:
        """Return why a market refuses new orders, or None if it does not.

        Raises:
            KeyError: the market does not exist.
        """
        return placing.market_refusal(self._state, self._state.markets[ticker])

    @property
    def pause(self) -> PauseState:
        """The current pause state."""
        return self._state.pause

    def daily_cap(self, customer: str) -> DailyCap | None:
        """Return the daily cap of a customer account (read-only); None if it has none."""
        return self._state.caps.get(customer)

    def is_clearing_member(self, owner: str) -> bool:
        """Return whether an owner has customer accounts."""
        return owner in self._members

    def account(self, account_id: AccountId) -> Account:
        """Return an account; read-only.

        Raises:
            KeyError: the account does not exist.
        """
        return self._state.accounts[account_id]

    def accounts(self) -> tuple[Account, ...]:
        """Return all accounts; read-only."""
        return tuple(self._state.accounts.values())

    def preset_position(
        self, buyer: AccountId, seller: AccountId, market: str, price: Decimal, quantity: Decimal
    ) -> None:
        """Record a trade between two accounts before the exchange starts, at a price in dollars.

        No cash is moved: the initial balances are those after the trade.

        Raises:
            KeyError: an account or the market does not exist.
        """
        ticker = self._state.markets[market].ticker
        for account, side in ((buyer, Side.BUY), (seller, Side.SELL)):
            self.account(account).preset_position(ticker, side, price, quantity)

    def order_groups(self) -> tuple[OrderGroup, ...]:
        """Return the order groups, oldest first; read-only."""
        return self._state.groups.all()

    def open_orders(self, select: Callable[[str], bool] | None = None) -> tuple[OrderSnapshot, ...]:
        """Return the open orders, oldest first; if `select` is given, only those whose owner it accepts."""
        orders = self._state.orders
        return tuple(order.snapshot() for order in orders if select is None or select(order.account.owner))

    def position(self, account_id: AccountId, market: str) -> Position:
        """Return an account's position in a market, on the market's shard.

        Raises:
            KeyError: the account does not exist on that shard.
        """
        on_shard = attrs.evolve(account_id, shard=self.shard_of(market))
        return self.account(on_shard).holding(market).position

    def levels(self, market: str, side: Side) -> tuple[tuple[Decimal, Decimal], ...]:
        """Return the price and the size of each level of a side, best first; empty for an unknown market."""
        listing = self._state.markets.get(market)
        if listing is None:
            return ()
        return tuple((level.price, level.size) for level in listing.book.side(side))

    def _expire(self, batch: Batch) -> None:
        while (due := self.next_expiry()) is not None and due <= batch.now:
            # An order that expires just when its market's orders are cancelled is reported as expired.
            order = self._state.orders.pop_expired(due)
            if order is not None:
                self._state.cancel(batch, order, CancelCause.EXPIRED)
            else:
                pausing.cancel_next_market(self._state, batch)
