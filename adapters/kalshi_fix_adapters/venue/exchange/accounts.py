"""Accounts: balance, positions, and what open orders hold back. All amounts in dollars."""

from __future__ import annotations

from decimal import Decimal

import attrs

from kalshi_fix_adapters.venue.exchange.fees import CENT, CENTICENT, floor
from kalshi_fix_adapters.venue.exchange.money import CashFlow, Collateral, Position
from kalshi_fix_adapters.venue.exchange.orders import ZERO
from kalshi_fix_adapters.venue.exchange.terms import AccountId, Side


@attrs.define
class WorkingSide:
    """The open orders of one account on one side of one market, added up by price."""

    side: Side
    quantity: Decimal = ZERO
    value: Decimal = ZERO
    """What all of it would cost to open."""
    by_price: dict[Decimal, Decimal] = attrs.field(factory=dict)

    def add(self, collateral: Collateral, price: Decimal, quantity: Decimal) -> None:
        """Count an order's quantity in, or with a negative one out again."""
        self.quantity += quantity
        self.value += quantity * collateral.opening(self.side, price)
        total = self.by_price.get(price, ZERO) + quantity
        if total:
            self.by_price[price] = total
        else:
            del self.by_price[price]

    def reserve(self, collateral: Collateral, position: Position) -> Decimal:
        """Return the dollars to hold back. Contracts that close a position cost nothing, and the orders with
        the best prices close first, because they trade first."""
        closing = min(position.closable(self.side), self.quantity)
        reserve = self.value
        if closing:
            for price in sorted(self.by_price, reverse=self.side is Side.BUY):
                taken = min(closing, self.by_price[price])
                reserve -= taken * collateral.opening(self.side, price)
                closing -= taken
                if not closing:
                    break
        return reserve


@attrs.define
class Holding:
    """One account in one market: its position, its open orders, what they hold back."""

    position: Position = attrs.field(factory=Position)
    buys: WorkingSide = attrs.field(factory=lambda: WorkingSide(Side.BUY))
    sells: WorkingSide = attrs.field(factory=lambda: WorkingSide(Side.SELL))
    reserved: Decimal = ZERO

    def working(self, side: Side) -> WorkingSide:
        """Return the open orders of a side."""
        return self.buys if side is Side.BUY else self.sells

    def reach(self, side: Side) -> Decimal:
        """Return the position, counted in the side's direction, once all its orders have filled."""
        if side is Side.BUY:
            return self.position.net + self.buys.quantity
        return self.sells.quantity - self.position.net


@attrs.frozen(kw_only=True)
class AccountTerms:
    """What differs from owner to owner."""

    direct_member: bool = True
    """Whether the balances are kept to 0.0001 dollars, rather than to whole cents."""

    @property
    def precision(self) -> Decimal:
        """What balances are multiples of, in dollars."""
        return CENTICENT if self.direct_member else CENT


@attrs.define
class Account:
    """A purse with positions. What it may spend is its balance less what open orders hold back;
    fees are taken as trades happen and not held back.

    The balance is a multiple of the member's precision, as long as it was one at first."""

    id: AccountId
    collateral: Collateral
    balance: Decimal
    precision: Decimal = CENTICENT
    """Dollars, a power of ten."""
    reserved: Decimal = ZERO
    holdings: dict[str, Holding] = attrs.field(factory=dict)

    @property
    def available(self) -> Decimal:
        """What new orders may hold back."""
        return self.balance - self.reserved

    def holding(self, market: str) -> Holding:
        """Return what the account has in a market."""
        return self.holdings.setdefault(market, Holding())

    def work(self, market: str, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Count an open order's quantity in, or with a negative one out."""
        if not quantity:
            return
        holding = self.holding(market)
        holding.working(side).add(self.collateral, price, quantity)
        self._hold(holding)

    def fill(self, market: str, side: Side, limit: Decimal, price: Decimal, quantity: Decimal) -> CashFlow:
        """Take a fill, at `price`, of an open order with the price `limit`; its fees come on top."""
        holding = self.holding(market)
        flow = self.collateral.fill(holding.position, side, price, quantity)
        self.balance += flow.change
        holding.working(side).add(self.collateral, limit, -quantity)
        self._hold(holding)
        return flow

    def pay_in(self, payout: Decimal) -> Decimal:
        """Take what a position paid at the end of its market; return the fee, which is what rounding the
        balance down takes."""
        unrounded = self.balance + payout
        self.balance = floor(unrounded, self.precision)
        return unrounded - self.balance

    def _hold(self, holding: Holding) -> None:
        reserved = holding.buys.reserve(self.collateral, holding.position) + holding.sells.reserve(
            self.collateral, holding.position
        )
        self.reserved += reserved - holding.reserved
        holding.reserved = reserved
