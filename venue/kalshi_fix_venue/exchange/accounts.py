"""Accounts: balances, positions and the reserves of open orders. All amounts are in dollars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_sansio.trading.money.fees import CENT, CENTICENT, floor
from kalshi_fix_venue.exchange.money import ONE, CashFlow, Collateral, Position
from kalshi_fix_venue.exchange.netting import GroupResults, GroupShare
from kalshi_fix_venue.exchange.orders import ZERO
from kalshi_fix_venue.exchange.terms import AccountId


@attrs.define
class WorkingSide:
    """The open orders of one account on one side of one market, totalled by price."""

    side: Side
    quantity: Decimal = ZERO
    value: Decimal = ZERO
    """The cost of opening the whole quantity."""
    by_price: dict[Decimal, Decimal] = attrs.field(factory=dict)

    def add(self, collateral: Collateral, price: Decimal, quantity: Decimal) -> None:
        """Add an order's quantity; a negative quantity removes it."""
        self.quantity += quantity
        self.value += quantity * collateral.opening_cost(self.side, price)
        total = self.by_price.get(price, ZERO) + quantity
        if total:
            self.by_price[price] = total
        else:
            del self.by_price[price]

    def reserve(self, collateral: Collateral, position: Position) -> Decimal:
        """Return the dollars to reserve. Contracts that close a position cost nothing."""
        reserve = self.value
        for cost, quantity in self.closing_contracts(collateral, position):
            reserve -= quantity * cost
        return reserve

    def closing_contracts(
        self, collateral: Collateral, position: Position
    ) -> Iterator[tuple[Decimal, Decimal]]:
        """Iterate over the contracts that close a position, as pairs of opening cost and quantity.

        The orders with the best prices close first, because they trade first.
        """
        closing = min(position.closable(self.side), self.quantity)
        if not closing:
            return
        for price in sorted(self.by_price, reverse=self.side is Side.BUY):
            quantity = min(closing, self.by_price[price])
            yield collateral.opening_cost(self.side, price), quantity
            closing -= quantity
            if not closing:
                return


@attrs.define
class Holding:
    """The position, open orders and reserve of one account in one market."""

    position: Position = attrs.field(factory=Position)
    buys: WorkingSide = attrs.field(factory=lambda: WorkingSide(Side.BUY))
    sells: WorkingSide = attrs.field(factory=lambda: WorkingSide(Side.SELL))
    reserved: Decimal = ZERO

    def working(self, side: Side) -> WorkingSide:
        """Return the open orders on a side."""
        return self.buys if side is Side.BUY else self.sells

    def potential_position(self, side: Side) -> Decimal:
        """Return the position that would result if all orders on a side filled. A positive number is a
        long position for buys, and a short one for sells."""
        if side is Side.BUY:
            return self.position.net + self.buys.quantity
        return self.sells.quantity - self.position.net


@attrs.frozen(kw_only=True)
class AccountTerms:
    """Account settings of one owner."""

    direct_member: bool = True
    """Whether the balances are multiples of 0.0001 dollars, rather than of whole cents."""
    without_netting: frozenset[int] = frozenset()
    """Numbers of the subaccounts (0 is the primary account) without collateral return for market groups."""

    @property
    def precision(self) -> Decimal:
        """The unit of balances in dollars; a balance is a multiple of it."""
        return CENTICENT if self.direct_member else CENT


@attrs.define
class Account:
    """A balance with positions. The available amount is the balance less the reserves of open orders;
    fees are charged on each trade and not reserved.

    If the initial balance is a multiple of `precision`, every later balance is one, too."""

    id: AccountId
    collateral: Collateral
    balance: Decimal
    precision: Decimal = CENTICENT
    """Dollars, a power of ten."""
    reserved: Decimal = ZERO
    holdings: dict[str, Holding] = attrs.field(factory=dict)
    results: Mapping[str, GroupResults] = attrs.field(factory=dict)
    """The results of the group to which a market belongs, by the market's ticker. Markets without a group are
    absent."""
    shares: dict[str, GroupShare] = attrs.field(factory=dict)
    """The advance and the reserve of this account in each market group, by the group's name."""

    @property
    def collateral_advance(self) -> Decimal:
        """The collateral already returned for the guaranteed payout of market groups."""
        return sum((share.collateral_advance for share in self.shares.values()), ZERO)

    @property
    def available(self) -> Decimal:
        """The amount that new orders may reserve."""
        return self.balance - self.reserved

    def holding(self, market: str) -> Holding:
        """Return the account's holding in a market."""
        return self.holdings.setdefault(market, Holding())

    def add_open_quantity(self, market: str, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Add an open order's quantity; a negative quantity removes it."""
        if not quantity:
            return
        holding = self.holding(market)
        holding.working(side).add(self.collateral, price, quantity)
        self._update_reserve(holding)
        if market in self.results:
            self._update_group_reserve(self._share(market))

    def fill(self, market: str, side: Side, limit: Decimal, price: Decimal, quantity: Decimal) -> CashFlow:
        """Apply a fill at `price` of an open order whose limit price is `limit`. Fees are charged
        separately.
        """
        holding = self.holding(market)
        flow = self.collateral.fill(holding.position, side, price, quantity)
        self.balance += flow.change
        holding.working(side).add(self.collateral, limit, -quantity)
        self._update_reserve(holding)
        if market not in self.results:
            return flow
        ranged_return = self._update_advance(self._share(market))
        self.balance += ranged_return
        return CashFlow(flow.change + ranged_return, flow.collateral_return, ranged_return)

    def preset_position(self, market: str, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Open a position before the exchange starts. The initial balance already includes its cost."""
        holding = self.holding(market)
        self.collateral.fill(holding.position, side, price, quantity)
        self._update_reserve(holding)
        if market in self.results:
            self._update_advance(self._share(market))

    def settle(self, market: str, price: Decimal) -> tuple[Position, Decimal, Decimal] | None:
        """Pay out the position in a market, which must have no open orders.

        Return the position, its payout less the collateral already returned for it, and the fee: the amount
        lost to rounding the balance down. Return None if there is no position. If the market is in a group,
        the group must already have the result.
        """
        holding = self.holdings.pop(market, None)
        if holding is None or not holding.position.net:
            return None
        position = holding.position
        payout = position.long * price + position.short * (ONE - price)
        if market in self.results:
            payout += self._update_advance(self._share(market))
        unrounded = self.balance + payout
        self.balance = floor(unrounded, self.precision)
        return position, payout, unrounded - self.balance

    def _update_reserve(self, holding: Holding) -> None:
        collateral, position = self.collateral, holding.position
        reserved = holding.buys.reserve(collateral, position) + holding.sells.reserve(collateral, position)
        self.reserved += reserved - holding.reserved
        holding.reserved = reserved

    def _share(self, market: str) -> GroupShare:
        # There is one share per group rather than per market: the markets of a group have a common advance.
        results = self.results[market]
        return self.shares.setdefault(results.group.name, GroupShare(results))

    def _update_advance(self, share: GroupShare) -> Decimal:
        """Set the advance to the guaranteed payout; return the difference in dollars.

        The difference is negative if closing a position revokes a collateral return of its group. The caller
        changes the balance."""
        markets = share.results.group.markets
        holdings = ((market, self.holdings.get(market)) for market in markets)
        nets = {
            market: holding.position.net for market, holding in holdings if holding and holding.position.net
        }
        guaranteed = share.results.guaranteed_payout(nets)
        change = guaranteed - share.collateral_advance
        share.collateral_advance = guaranteed
        self._update_group_reserve(share)
        return change

    def _update_group_reserve(self, share: GroupShare) -> None:
        reserved = share.reserve(self._closing_contracts(share)) if share.collateral_advance else ZERO
        self.reserved += reserved - share.reserved
        share.reserved = reserved

    def _closing_contracts(self, share: GroupShare) -> Iterator[tuple[Decimal, Decimal]]:
        for market in share.results.group.markets:
            holding = self.holdings.get(market)
            if holding is not None:
                yield from holding.buys.closing_contracts(self.collateral, holding.position)
                yield from holding.sells.closing_contracts(self.collateral, holding.position)
