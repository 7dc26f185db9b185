"""The exchange of one product: commands in, outcomes out; no I/O, no clock, no randomness."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, time, tzinfo
from decimal import Decimal

import attrs

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.exchange import (
    blocks,
    changing,
    grouping,
    pausing,
    placing,
    quoting,
    transferring,
)
from kalshi_fix_adapters.venue.exchange.accounts import Account, AccountTerms
from kalshi_fix_adapters.venue.exchange.caps import DailyCap
from kalshi_fix_adapters.venue.exchange.commands import (
    Advance,
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
from kalshi_fix_adapters.venue.exchange.fees import EXACT, MARGIN_FEES, PREDICTION_FEES, FeeSchedule, floor
from kalshi_fix_adapters.venue.exchange.groups import OrderGroup, OrderGroups
from kalshi_fix_adapters.venue.exchange.market import Market, MarketRules
from kalshi_fix_adapters.venue.exchange.money import (
    Collateral,
    MarginCollateral,
    Position,
    PredictionCollateral,
)
from kalshi_fix_adapters.venue.exchange.netting import GroupResults, MarketGroup
from kalshi_fix_adapters.venue.exchange.orders import OrderSnapshot
from kalshi_fix_adapters.venue.exchange.outcomes import Outcome
from kalshi_fix_adapters.venue.exchange.registry import OrderRegistry
from kalshi_fix_adapters.venue.exchange.state import Batch, ExchangeState
from kalshi_fix_adapters.venue.exchange.terms import (
    MARGIN,
    AccountId,
    CancelCause,
    ExecId,
    PauseState,
    RejectCause,
    Side,
)
from kalshi_fix_sansio._generated.limits import ORDER_GROUPS

_MARGIN_DATE_FROM = time(16)
"""When the clearing date of margin becomes the next one (Kalshi's page on margin order entry, 715)."""


class Exchange:
    """A matching exchange with price-time priority.

    Each market is on a shard, and each shard has balances of its own. An account needs an entry in
    `balances` for every shard that it trades on.

    It is told everything: commands with the time at which they happen (aware, in UTC and not
    going back), and ids from `new_id`. The same calls give the same outcomes.
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
        """Open an exchange with these markets and these accounts, funded in dollars.

        `zone` is where the trading day ends (US Eastern), `new_id` draws trade ids, `fees` default to those
        of the product, `terms` are of owners whose terms are not the usual ones, `market_groups` say which
        markets net with one another, `daily_caps` are those of customer accounts (on all shards together),
        `retained_orders` is how many finished orders are remembered for cancels that come too late.
        """
        self.product = product
        self.assumptions: Assumptions = assumptions or Assumptions()
        margin = product == MARGIN
        groups = [GroupResults(group) for group in market_groups]
        results = {market: each for each in groups for market in each.group.markets}
        collateral: Collateral = (
            MarginCollateral(self.assumptions.initial_margin) if margin else PredictionCollateral()
        )
        if fees is None:
            fees = MARGIN_FEES if margin else PREDICTION_FEES
        exact = margin and not self.assumptions.margin_balances_are_rounded

        def open_account(key: AccountId, balance: Decimal) -> Account:
            own = (terms or {}).get(key.owner, AccountTerms())
            netted = {} if key.subaccount in own.without_netting else results
            return Account(key, collateral, balance, EXACT if exact else own.precision, results=netted)

        self._state = ExchangeState(
            product=product,
            markets={rules.ticker: Market(rules) for rules in markets},
            accounts={key: open_account(key, balance) for key, balance in balances.items()},
            results=results,
            fees=fees,
            zone=zone,
            next_date_from=_MARGIN_DATE_FROM if margin else None,
            new_id=new_id,
            orders=OrderRegistry(retained_orders),
            assumptions=self.assumptions,
            groups=OrderGroups(ORDER_GROUPS[product]),
            caps={customer: DailyCap(limit) for customer, limit in (daily_caps or {}).items()},
        )
        self._customers = {account.customer: account.owner for account in balances if account.customer}
        self._members = frozenset(self._customers.values())
        # Clients may name any number as a shard; those that are none have no clock.
        self._clocks = dict.fromkeys({0, *(account.shard for account in balances)}, 0)
        self._latest = {shard: ExecId(0, 0, shard) for shard in self._clocks}

    def apply(self, command: Command, now: datetime) -> tuple[Outcome, ...]:
        """Carry out a command, after cancelling the orders whose time, or whose market's, was up by then.

        Raises:
            ValueError: a SetMarketState that names no market or an impossible step, a ListMarket of a market
                that there is, or a MoveCash of what is not there; then nothing changed.
        """
        # Before anything else, so that what raises has changed nothing.
        if isinstance(command, SetMarketState):
            pausing.check_market_state(self._state, command)
        elif isinstance(command, ListMarket):
            quoting.check_listing(self._state, command)
        elif isinstance(command, PrintBlockTrade):
            blocks.check_block_trade(self._state, command)
        elif isinstance(command, SetSettlementBounds):
            pausing.check_settlement_bounds(self._state, command)
        elif isinstance(command, MoveCash):
            transferring.check_transfer(self._state, command)
        batch = Batch(self._clocks, now)
        # Time first: fills that are too old no longer count against an order group, and orders that are due
        # end before the command can meet them. Their reports are numbered with those of the command.
        self._state.groups.advance(now)
        self._expire(batch)
        self._dispatch(batch, command)
        # What the command has filled may trigger groups, whose cancels change the books too: so these are
        # read last, and each level is told once for a command, whatever happened to it in between.
        self._state.trigger_exceeded(batch)
        self._state.publish(batch)
        # A shard's clock counts the commands that had an event there (ExecID 17 is clock;event;shard).
        for shard, events in batch.events.items():
            self._clocks[shard] += 1
            self._latest[shard] = ExecId(self._clocks[shard], events, shard)
        return tuple(batch.outcomes)

    def draw_exec_id(self, shard: int = 0) -> ExecId:
        """Return the identity for a report about something that never reached the book; of shard 0 if the
        shard is none."""
        shard = shard if shard in self._clocks else 0
        self._clocks[shard] += 1
        drawn = self._latest[shard] = ExecId(self._clocks[shard], 1, shard)
        return drawn

    def latest_exec_id(self, shard: int) -> ExecId | None:
        """Return the identity of the last event on a shard; None if there is no such shard."""
        return self._latest.get(shard)

    def shard_of(self, market: str) -> int:
        """Return the shard of a market; 0 for an unknown one."""
        found = self._state.markets.get(market)
        return 0 if found is None else found.rules.shard

    def has_account(self, account: AccountId) -> bool:
        """Say whether there is such an account on that shard."""
        return account in self._state.accounts

    def would_refuse(self, command: PlaceOrder) -> RejectCause | None:
        """Return why an order would be refused now, if so; nothing changes."""
        return placing.try_out(self._state, command)

    def cost(self, account: AccountId, market: str, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        """Return the dollars that opening a position takes in one fill, with the fees of the one who comes
        second.

        Raises:
            KeyError: there is no such account or no such market.
        """
        found = self.account(account)
        schedule = self._state.fee_schedule(self._state.markets[market])
        whole = quantity * found.collateral.opening(side, price) + schedule.fee(
            price, quantity, aggressor=True
        )
        # The balance is rounded down after the trade, which the owner pays as rounding fee.
        return -floor(-whole, found.precision)

    def find(self, owner: str, cl_ord_id: str) -> OrderSnapshot | None:
        """Return the open order of this owner with this ClOrdID."""
        order = self._state.orders.find(owner, cl_ord_id)
        return None if order is None else order.snapshot()

    @property
    def fees_kept(self) -> Decimal:
        """Dollars that the exchange has taken as fees from all accounts and not given back."""
        return self._state.fees_kept

    def next_expiry(self) -> datetime | None:
        """Return when an order expires next, or what rests in a closed market is cancelled."""
        moments = (self._state.orders.next_expiry(), pausing.next_clearing(self._state))
        return min((moment for moment in moments if moment is not None), default=None)

    def market_refusal(self, ticker: str) -> RejectCause | None:
        """Return why a market takes no new orders, if so.

        Raises:
            KeyError: there is no such market.
        """
        return placing.market_refusal(self._state, self._state.markets[ticker])

    @property
    def clearings(self) -> Mapping[str, datetime]:
        """When what rests in closed markets is cancelled, by ticker; to be looked at."""
        return self._state.clearings

    @property
    def pause(self) -> PauseState:
        """What the exchange takes at present."""
        return self._state.pause

    def daily_cap(self, customer: str) -> DailyCap | None:
        """Return the daily cap of a customer account, to be looked at; None if it has none."""
        return self._state.caps.get(customer)

    def is_clearing_member(self, owner: str) -> bool:
        """Say whether an owner has customer accounts."""
        return owner in self._members

    @property
    def customers(self) -> Mapping[str, str]:
        """The clearing member of each customer account."""
        return self._customers

    @property
    def markets(self) -> Mapping[str, Market]:
        """The markets by ticker; to be looked at, not changed."""
        return self._state.markets

    def account(self, account_id: AccountId) -> Account:
        """Return an account, to be looked at.

        Raises:
            KeyError: there is none of this id.
        """
        return self._state.accounts[account_id]

    def accounts(self) -> tuple[Account, ...]:
        """Return all accounts, to be looked at."""
        return tuple(self._state.accounts.values())

    def preset_position(
        self, buyer: AccountId, seller: AccountId, market: str, price: Decimal, quantity: Decimal
    ) -> None:
        """Let two accounts have traded with each other before the beginning, at a price in dollars.

        No cash moves: the balances that the exchange was opened with are what that has left.

        Raises:
            KeyError: there is no such account or market.
        """
        ticker = self._state.markets[market].ticker
        for account, side in ((buyer, Side.BUY), (seller, Side.SELL)):
            self.account(account).preset_position(ticker, side, price, quantity)

    def order_groups(self) -> tuple[OrderGroup, ...]:
        """Return the order groups, oldest first, to be looked at."""
        return self._state.groups.all()

    def open_orders(self) -> tuple[OrderSnapshot, ...]:
        """Return the open orders, oldest first."""
        return tuple(order.snapshot() for order in self._state.orders)

    def position(self, account_id: AccountId, market: str) -> Position:
        """Return what an account holds in a market, on the market's shard.

        Raises:
            KeyError: there is no such account on that shard.
        """
        on_shard = attrs.evolve(account_id, shard=self.shard_of(market))
        return self.account(on_shard).holding(market).position

    def levels(self, market: str, side: Side) -> tuple[tuple[Decimal, Decimal], ...]:
        """Return price and size of each level of a side, the best first; none for an unknown market."""
        found = self._state.markets.get(market)
        if found is None:
            return ()
        return tuple((level.price, level.size) for level in found.book.side(side))

    def _expire(self, batch: Batch) -> None:
        while (moment := self.next_expiry()) is not None and moment <= batch.now:
            # Of the same time, orders expire before their market is cleared.
            order = self._state.orders.pop_expired(moment)
            if order is not None:
                self._state.cancel(batch, order, CancelCause.EXPIRED)
            else:
                pausing.clear_next(self._state, batch)

    def _dispatch(self, batch: Batch, command: Command) -> None:
        match command:
            case PlaceOrder():
                placing.place(self._state, batch, command)
            case CancelOrder():
                changing.cancel(self._state, batch, command)
            case AmendOrder():
                changing.amend(self._state, batch, command)
            case CancelAll():
                changing.cancel_all(self._state, batch, command)
            case ChangeGroup():
                grouping.change_group(self._state, batch, command)
            case SetPause():
                pausing.set_pause(self._state, batch, command)
            case SetMarketState():
                pausing.set_market_state(self._state, batch, command)
            case TradeQuote():
                quoting.trade_quote(self._state, batch, command)
            case ListMarket():
                quoting.list_market(self._state, command)
            case PrintBlockTrade():
                blocks.print_block_trade(self._state, batch, command)
            case SetSettlementBounds():
                pausing.set_settlement_bounds(self._state, batch, command)
            case MoveCash():
                transferring.transfer(self._state, command)
            case Advance():
                return
