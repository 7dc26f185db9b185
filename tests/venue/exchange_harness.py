"""Short methods for the commands of the exchange model, with a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from kalshi_fix_sansio import Side
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.exchange import (
    MARGIN,
    PREDICTION,
    AccountId,
    AmendOrder,
    CancelAll,
    CancelCause,
    CancelOrder,
    Exchange,
    MarketResult,
    MarketRules,
    MarketState,
    PlaceOrder,
    SelfTradePrevention,
    SetMarketState,
    TimeInForce,
    margin_market,
    prediction_market,
)
from kalshi_fix_venue.exchange.accounts import AccountTerms
from kalshi_fix_venue.exchange.fees import FeeSchedule
from kalshi_fix_venue.exchange.netting import MarketGroup
from kalshi_fix_venue.exchange.outcomes import (
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
    OrderReplaced,
    OrderTraded,
    Outcome,
    RequestRefused,
)

BUY, SELL = Side.BUY, Side.SELL
START = datetime(2026, 8, 20, 15, 0, tzinfo=UTC)
NO_FEES = FeeSchedule(taker_rate=Decimal(0), maker_rate=Decimal(0), variance=True)
EASTERN = ZoneInfo("America/New_York")
MARKET = "HIGHNY-26AUG20"
PERP = "BTC-PERP"


def d(text: str | int) -> Decimal:
    return Decimal(text)


def ds(*texts: str | int) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in texts)


class ExchangeHarness:
    """An exchange and the owners who trade on it. The `owner` passed to a method is `name` or
    `name/subaccount`.
    """

    def __init__(
        self,
        *,
        product: str = PREDICTION,
        markets: tuple[MarketRules, ...] | None = None,
        balances: dict[str, str] | None = None,
        fees: FeeSchedule | None = NO_FEES,
        retained_orders: int = 10_000,
        terms: dict[str, AccountTerms] | None = None,
        assumptions: Assumptions | None = None,
        market_groups: tuple[MarketGroup, ...] = (),
    ) -> None:
        numbers = count(1)
        if markets is None:
            rules = margin_market(PERP) if product == MARGIN else prediction_market(MARKET)
            markets = (rules,)
        self.market = markets[0].ticker
        funded = balances or dict.fromkeys(("ann", "bob", "cat"), "10000")
        self.exchange = Exchange(
            product,
            markets,
            {account(name): Decimal(amount) for name, amount in funded.items()},
            zone=EASTERN,
            new_id=lambda: f"trade-{next(numbers)}",
            fees=fees,
            terms=terms,
            assumptions=assumptions,
            market_groups=market_groups,
            retained_orders=retained_orders,
        )
        self.now = START

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def place(
        self,
        owner: str,
        cl_ord_id: str,
        side: Side,
        quantity: str | int,
        price: str,
        *,
        tif: TimeInForce = TimeInForce.GOOD_TILL_CANCEL,
        expire: datetime | None = None,
        post_only: bool = False,
        stp: SelfTradePrevention = SelfTradePrevention.TAKER_AT_CROSS,
        max_cost: str | None = None,
        market: str | None = None,
    ) -> tuple[Outcome, ...]:
        return self.exchange.apply(
            PlaceOrder(
                order_id=f"order-{cl_ord_id}",
                cl_ord_id=cl_ord_id,
                account=account(owner),
                origin=owner,
                market=market or self.market,
                side=side,
                quantity=Decimal(quantity),
                price=Decimal(price),
                time_in_force=tif,
                expire_time=expire,
                post_only=post_only,
                self_trade_prevention=stp,
                cancel_on_pause=False,
                max_execution_cost=None if max_cost is None else Decimal(max_cost),
            ),
            self.now,
        )

    def cancel(
        self, owner: str, cl_ord_id: str, orig: str, side: Side = BUY, **more: Any
    ) -> tuple[Outcome, ...]:
        return self._request(CancelOrder, owner, cl_ord_id, orig, side, **more)

    def amend(
        self,
        owner: str,
        cl_ord_id: str,
        orig: str,
        quantity: str | int,
        price: str | None = None,
        side: Side = BUY,
        **more: Any,
    ) -> tuple[Outcome, ...]:
        more |= {"quantity": Decimal(quantity), "price": None if price is None else Decimal(price)}
        return self._request(AmendOrder, owner, cl_ord_id, orig, side, **more)

    def _request(
        self,
        kind: Callable[..., CancelOrder | AmendOrder],
        owner: str,
        cl_ord_id: str,
        orig: str,
        side: Side,
        *,
        market: str | None = None,
        **more: Any,
    ) -> tuple[Outcome, ...]:
        request = kind(
            cl_ord_id=cl_ord_id,
            orig_cl_ord_id=orig,
            account=account(owner),
            origin=owner,
            market=market or self.market,
            side=side,
            **more,
        )
        return self.exchange.apply(request, self.now)

    def mass_cancel(self, owner: str) -> tuple[Outcome, ...]:
        return self.exchange.apply(CancelAll(origin=owner, cause=CancelCause.MASS_CANCELED), self.now)

    def market_state(
        self,
        state: MarketState,
        result: MarketResult | None = None,
        price: str | None = None,
        *,
        market: str | None = None,
    ) -> tuple[Outcome, ...]:
        dollars = None if price is None else Decimal(price)
        return self.exchange.apply(SetMarketState(market or self.market, state, result, dollars), self.now)

    def net(self, owner: str) -> Decimal:
        return self.exchange.position(account(owner), self.market).net

    def balance(self, owner: str) -> Decimal:
        return self.exchange.account(account(owner)).balance

    def available(self, owner: str) -> Decimal:
        return self.exchange.account(account(owner)).available


def account(name: str) -> AccountId:
    owner, _, number = name.partition("/")
    return AccountId(owner, int(number or 0))


def summary(outcomes: tuple[Outcome, ...]) -> list[str]:
    """Return one line for each event of an order: the ClOrdID, a verb, and the relevant values."""
    return [line for outcome in outcomes if (line := _line(outcome)) is not None]


def trades(outcomes: tuple[Outcome, ...]) -> list[OrderTraded]:
    return [o for o in outcomes if isinstance(o, OrderTraded)]


def _line(outcome: Outcome) -> str | None:
    match outcome:
        case OrderAccepted():
            return f"{outcome.order.cl_ord_id} accepted"
        case OrderTraded():
            role = "takes" if outcome.aggressor else "makes"
            return f"{outcome.order.cl_ord_id} {role} {outcome.quantity} at {outcome.price}"
        case OrderCanceled():
            return f"{outcome.order.cl_ord_id} canceled {outcome.cause.name}"
        case OrderReplaced():
            replaced = "" if outcome.request is None else outcome.request.orig_cl_ord_id
            return f"{outcome.order.cl_ord_id} replaces {replaced}"
        case OrderRejected():
            return f"{outcome.request.cl_ord_id} rejected {outcome.cause.name}"
        case RequestRefused():
            return f"{outcome.request.cl_ord_id} refused {outcome.cause.name}"
    return None
