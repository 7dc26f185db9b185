"""New orders: their checks and their immediate execution."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange.accounts import Account
from kalshi_fix_venue.exchange.commands import PlaceOrder
from kalshi_fix_venue.exchange.market import Market
from kalshi_fix_venue.exchange.matching import crosses, match, preview
from kalshi_fix_venue.exchange.orders import Order
from kalshi_fix_venue.exchange.outcomes import OrderAccepted, OrderRejected
from kalshi_fix_venue.exchange.state import Batch, ExchangeState
from kalshi_fix_venue.exchange.terms import (
    MARGIN,
    PREDICTION,
    CancelCause,
    MarketState,
    PauseState,
    RejectCause,
    SelfTradePrevention,
    TimeInForce,
)

_COPIED_ATTRIBUTES = attrs.fields_dict(PlaceOrder).keys() & attrs.fields_dict(Order).keys()
"""The attributes that an order copies from the command that places it."""
_IMMEDIATE_TIMES_IN_FORCE = (TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL)
_REDUCE_ONLY_TIMES_IN_FORCE = {
    PREDICTION: (TimeInForce.IMMEDIATE_OR_CANCEL,),
    MARGIN: _IMMEDIATE_TIMES_IN_FORCE,
}
"""The TimeInForce values allowed for reduce-only orders (Kalshi's pages on order entry)."""
_PAUSE_REFUSALS = {
    PauseState.TRADING_PAUSED: RejectCause.TRADING_PAUSED,
    PauseState.EXCHANGE_PAUSED: RejectCause.EXCHANGE_PAUSED,
}


def place(state: ExchangeState, batch: Batch, command: PlaceOrder) -> None:
    """Accept a new order, or refuse it without any change."""
    cause = _refusal(state, command)
    # The cap is checked last: `_refusal` adds an acceptable order to the account, and `_cap_refusal` removes
    # it again if it refuses the order.
    if cause is None and command.reserves_cap:
        cause = _cap_refusal(state, command, batch.now)
    if cause is not None:
        batch.outcomes.append(
            OrderRejected(
                exec_id=batch.exec_id(command.account.shard), time=batch.now, request=command, cause=cause
            )
        )
        return
    expiry = expire_time(command.time_in_force, command.expire_time, state.zone, batch.now)
    order = create_order(command, expiry)
    state.orders.add(order)
    state.reserve(order, order.price, order.leaves)
    batch.outcomes.append(
        OrderAccepted(exec_id=batch.exec_id(order.account.shard), time=batch.now, order=order.snapshot())
    )
    # An order that cannot be executed as required, such as a post-only order that would trade, is accepted
    # and then cancelled. The venue reports it as Canceled, not as Rejected (spec/kalshi/texts.yaml lists the
    # Text of each case).
    reducible = _reducible_quantity(state, command) if command.reduce_only else None
    cause_before_trading = _cancel_cause_before_trading(state, order, reducible)
    if cause_before_trading is not None:
        state.cancel(batch, order, cause_before_trading)
        return
    stopped_by_own_order = match(state, batch, order, reducible)
    if not order.leaves:
        return
    if reducible is not None and order.filled_qty == reducible:
        state.cancel(batch, order, CancelCause.REDUCE_ONLY)
    elif stopped_by_own_order:
        state.cancel(batch, order, self_cross_cause(order))
    elif order.time_in_force in _IMMEDIATE_TIMES_IN_FORCE or (expiry is not None and expiry <= batch.now):
        state.cancel(batch, order, CancelCause.IMMEDIATE_OR_CANCELLED)
    else:
        # Only resting orders can expire; an immediate trade is complete before time passes.
        state.add_to_book(batch, order)
        state.orders.schedule(order)


def order_refusal(state: ExchangeState, command: PlaceOrder) -> RejectCause | None:
    """Return why a new order would be refused now, or None if it would be accepted. Changes no state."""
    cause = _refusal(state, command)
    if cause is None:
        # Undo `_refusal`, which adds an acceptable order to the account.
        account = state.accounts[command.account]
        account.add_open_quantity(command.market, command.side, command.price, -command.quantity)
    return cause


def self_cross_cause(order: Order) -> CancelCause:
    """Return the cancel cause of an order that would have traded with an order of the same trader."""
    if order.time_in_force is not TimeInForce.FILL_OR_KILL:
        return CancelCause.SELF_TRADE_TAKER
    return CancelCause.SELF_CROSS_PARTIALLY_FILLED if order.filled_qty else CancelCause.SELF_CROSS


def market_refusal(state: ExchangeState, market: Market) -> RejectCause | None:
    """Return why a market refuses new orders and amends, or None if it does not."""
    match market.state:
        case MarketState.ACTIVE:
            return None
        case MarketState.CLOSED if not state.assumptions.closed_markets_are_inactive:
            return RejectCause.MARKET_ALREADY_CLOSED
        case MarketState.INITIALIZED | MarketState.INACTIVE | MarketState.CLOSED:
            return RejectCause.MARKET_INACTIVE
        case _:
            return RejectCause.MARKET_ALREADY_CLOSED


def cancel_refusal(state: ExchangeState, market: Market) -> RejectCause | None:
    """Return why a market refuses cancels, or None if it does not."""
    return None if market.state is MarketState.INACTIVE else market_refusal(state, market)


def pause_refusal(state: ExchangeState) -> RejectCause | None:
    """Return why the exchange refuses new orders and amends, or None if it does not."""
    return _PAUSE_REFUSALS.get(state.pause)


def add_within_limits(
    state: ExchangeState, account: Account, market: Market, side: Side, *changes: tuple[Decimal, Decimal]
) -> RejectCause | None:
    """Add an order's `changes`, which are pairs of price and quantity, to the account's open orders. If the
    open orders then exceed a limit, undo the changes and return the reject cause of this limit.

    The last pair is the part that may trade at once, so its fee is required in addition to the reserve. At a
    better price the fee may be higher, but the price improvement always exceeds the difference.
    """
    reserved = account.reserved
    for price, quantity in changes:
        account.add_open_quantity(market.ticker, side, price, quantity)
    price, quantity = changes[-1]
    fee = state.fee_schedule(market).fee(price, quantity, aggressor=True)
    limit_cause = _limit_cause(account, market, side, reserved, fee)
    if limit_cause is not None:
        for price, quantity in reversed(changes):
            account.add_open_quantity(market.ticker, side, price, -quantity)
    return limit_cause


def _limit_cause(
    account: Account, market: Market, side: Side, reserved_before: Decimal, fee: Decimal
) -> RejectCause | None:
    """Return the reject cause of the limit that the account's open orders now exceed, or None.

    A change that does not increase the reserve never exceeds the balance, so even an account in debt can
    close its positions.
    """
    limit, floor = market.rules.position_limit, market.rules.sell_position_floor
    if limit is not None or (floor is not None and side is Side.SELL):
        potential = account.holding(market.ticker).potential_position(side)
        if limit is not None and potential > limit:
            return RejectCause.EXCEEDED_PER_MARKET_RISK_LIMIT
        if floor is not None and side is Side.SELL and -potential < floor:
            return RejectCause.EXCEEDED_SELL_POSITION_FLOOR
    if account.available < fee and account.reserved > reserved_before:
        return RejectCause.INSUFFICIENT_BALANCE
    return None


def end_of_day(zone: tzinfo, now: datetime) -> datetime:
    """Return the expiry of a Day order placed now: 23:59:59.999 in the zone, as UTC."""
    local = now.astimezone(zone)
    end = local.replace(hour=23, minute=59, second=59, microsecond=999_000, fold=0)
    if local >= end:
        end += timedelta(days=1)
    return end.astimezone(now.tzinfo)


def expire_time(
    time_in_force: TimeInForce, requested: datetime | None, zone: tzinfo, now: datetime
) -> datetime | None:
    """Return an order's expiry: the end of the day for a Day order, else the one that its owner requested."""
    return end_of_day(zone, now) if time_in_force is TimeInForce.DAY else requested


def _refusal(state: ExchangeState, command: PlaceOrder) -> RejectCause | None:
    """Return why a new order is refused; None after adding it to the account's open orders."""
    # If several causes apply, the order of these checks decides which one is reported.
    account = state.accounts.get(command.account)
    market = state.market_on(command.account, command.market)
    # If the market is not on the account's shard, MARKET_NOT_FOUND is reported instead, below.
    if account is None and market is not None:
        return RejectCause.CUSTOMER_ACCOUNT_NOT_FOUND
    pause_cause = pause_refusal(state)
    if pause_cause is not None:
        return pause_cause
    if market is None or account is None:
        return RejectCause.MARKET_NOT_FOUND
    market_cause = market_refusal(state, market)
    if (
        market_cause is RejectCause.MARKET_ALREADY_CLOSED
        and state.assumptions.closed_markets_are_too_late_to_enter
    ):
        return RejectCause.TOO_LATE_TO_ENTER
    if market_cause is not None:
        return market_cause
    if state.orders.find(command.account.owner, command.cl_ord_id) is not None:
        return RejectCause.ORDER_ALREADY_EXISTS
    value_cause = _value_refusal(state, market, command)
    if value_cause is not None:
        return value_cause
    if command.group is not None:
        group = state.groups.find(command.group, command.account)
        if group is None:
            return RejectCause.ORDER_GROUP_NOT_FOUND
        if group.triggered:
            return RejectCause.EXCEEDED_ORDER_GROUP_RISK_LIMIT
    quantity = command.quantity
    if command.reduce_only:
        # The quantity that the order cannot trade is cancelled at once, so the check below ignores it.
        quantity = min(quantity, _reducible_quantity(state, command))
    # `add_within_limits` adds the order to the account. If the order is accepted, add the ignored quantity.
    limit_cause = add_within_limits(state, account, market, command.side, (command.price, quantity))
    if limit_cause is None:
        account.add_open_quantity(market.ticker, command.side, command.price, command.quantity - quantity)
    return limit_cause


def _cap_refusal(state: ExchangeState, command: PlaceOrder, now: datetime) -> RejectCause | None:
    """Check an order that passed `_refusal` against its customer's daily cap. If there is no cap, or the
    order would exceed it, remove the order from the account again and return the cause.
    """
    account, cap = state.accounts[command.account], state.caps.get(command.account.customer)
    if cap is not None:
        weight = state.weight(command.account, command.side, command.price, command.quantity)
        if weight <= cap.remaining(state.clearing_date(now)):
            return None
    # Undo `_refusal`, which adds an acceptable order to the account.
    account.add_open_quantity(command.market, command.side, command.price, -command.quantity)
    if cap is None:
        return RejectCause.EVENT_CONTRACT_DAILY_CAP_NOT_FOUND
    return RejectCause.EVENT_CONTRACT_DAILY_CAP_EXCEEDED


def _reducible_quantity(state: ExchangeState, command: PlaceOrder) -> Decimal:
    """Return the number of contracts that an order can close."""
    return state.accounts[command.account].holding(command.market).position.closable(command.side)


def _value_refusal(state: ExchangeState, market: Market, command: PlaceOrder) -> RejectCause | None:
    is_valid = (
        market.rules.accepts_quantity(command.quantity)
        and market.rules.accepts_price(command.price)
        and market.is_within_band(command.side, command.price)
        and not (command.post_only and command.time_in_force in _IMMEDIATE_TIMES_IN_FORCE)
        and not (
            command.reduce_only and command.time_in_force not in _REDUCE_ONLY_TIMES_IN_FORCE[state.product]
        )
        and (command.expire_time is not None) == (command.time_in_force is TimeInForce.GOOD_TILL_DATE)
        and (command.max_execution_cost is None or command.max_execution_cost > 0)
    )
    return None if is_valid else RejectCause.INVALID_ORDER


def create_order(command: PlaceOrder, expiry: datetime | None) -> Order:
    """Create the order that a command places, with this expiry."""
    copied = {name: getattr(command, name) for name in _COPIED_ATTRIBUTES}
    return Order(**(copied | {"leaves": command.quantity, "expire_time": expiry}))


def _cancel_cause_before_trading(
    state: ExchangeState, order: Order, reducible: Decimal | None
) -> CancelCause | None:
    """Return why the order is cancelled before it trades, or None if it is not."""
    # Causes in the order itself have priority over causes that depend on the book.
    market = state.markets[order.market]
    book = market.book
    if not market.is_within_bounds(order.price):
        return CancelCause.SETTLEMENT_BOUNDS
    fill_or_kill = order.time_in_force is TimeInForce.FILL_OR_KILL
    if reducible is not None and (not reducible or (fill_or_kill and reducible < order.leaves)):
        return CancelCause.REDUCE_ONLY
    if order.post_only:
        return CancelCause.POST_ONLY_CROSS if crosses(book, order) else None
    if order.max_execution_cost is None and not fill_or_kill:
        return None
    fills = preview(book, order)
    if fills.quantity < order.leaves:
        # A limit on the execution cost requires the whole quantity, whatever stops the order.
        only_fill_or_kill = fill_or_kill and order.max_execution_cost is None
        if not (only_fill_or_kill and fills.would_self_cross):
            return CancelCause.FOK_INSUFFICIENT_VOLUME
        # An order of the same trader would stop this fill-or-kill order. On prediction, the fill-or-kill
        # order keeps the fills up to that point (Kalshi's changelog, 25 September 2025).
        if state.product == PREDICTION:
            return None
        if order.self_trade_prevention is SelfTradePrevention.MAKER:
            return CancelCause.FOK_INSUFFICIENT_VOLUME
        return self_cross_cause(order)
    if order.max_execution_cost is not None:
        opening_cost = state.account(order).collateral.opening_cost
        cost = sum(quantity * opening_cost(order.side, price) for price, quantity in fills.fills)
        if cost > order.max_execution_cost:
            return CancelCause.MAX_EXECUTION_COST
    return None
