"""Positions computed from fills, by account and symbol.

Positions are sums over fills and settlements, so they do not depend on the order in which messages are
received. Contracts bought and sold are matched at their average prices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import attrs

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.trading.common.amounts import ZERO, add, divide, multiply, multiply_add, subtract
from kalshi_fix_sansio.trading.common.dumping import dump_state, loading
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.common.received import remember
from kalshi_fix_sansio.trading.common.uncertain_items import UncertainItem
from kalshi_fix_sansio.trading.money.settlements import Settlement, SettlementUpdate
from kalshi_fix_sansio.trading.orders.order import UNCERTAIN_STATES, Account, Fill, Order, OrderUpdate


class PositionKey(NamedTuple):
    """Key of a position.

    Attributes:
        account: Owner of the position.
        symbol: Ticker of the market.
    """

    account: Account
    symbol: str


@attrs.define(eq=False)
class Position:
    """The position of an account in a market, in contracts and dollars; read-only.

    Attributes:
        account: Owner of the position.
        symbol: Ticker of the market.
        bought: Contracts bought.
        sold: Contracts sold.
        bought_value: Sum of price times quantity of the contracts bought, in dollars.
        sold_value: Sum of price times quantity of the contracts sold, in dollars.
        fees: Fees of the fills, in dollars.
        settled_at: Settlement price of a contract of YES in dollars; None until the market is settled.
        reported_net: Key of the newest report that contains the position (704, 705), and that position: long
            minus short contracts.
        incomplete_orders: Numbers (`Order.number`) of the orders that may have fills that were not received.
    """

    account: Account
    symbol: str
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    bought_value: Decimal = ZERO
    sold_value: Decimal = ZERO
    fees: Decimal = ZERO
    settled_at: Decimal | None = None
    reported_net: tuple[ExecKey, Decimal] | None = None
    incomplete_orders: dict[int, None] = attrs.field(factory=dict)

    @property
    def counted(self) -> Decimal:
        """Contracts bought minus contracts sold, settled or not; negative if short."""
        return subtract(self.bought, self.sold)

    @property
    def net(self) -> Decimal:
        """Open contracts: positive if long (YES), negative if short (NO)."""
        return ZERO if self.settled_at is not None else self.counted

    @property
    def average_price(self) -> Decimal | None:
        """Average price of the open contracts in dollars, rounded to 28 digits; None if no contracts are
        open.
        """
        if not self.net:
            return None
        if self.net > 0:
            return divide(self.bought_value, self.bought)
        return divide(self.sold_value, self.sold)

    @property
    def realized(self) -> Decimal:
        """Profit or loss in dollars on closed contracts: those both bought and sold, or settled. Fees are not
        deducted.

        Exact when the position is closed; otherwise contracts are matched at average prices, which are
        rounded to 28 digits.
        """
        if not self.net:
            return self._gain(ZERO)
        matched = min(self.bought, self.sold)
        if not matched:
            return ZERO
        gain = subtract(divide(self.sold_value, self.sold), divide(self.bought_value, self.bought))
        return multiply(matched, gain)

    def unrealized(self, mark: Decimal) -> Decimal:
        """Return the profit or loss on the open contracts in dollars; 0 if no contracts are open. `mark` is
        the current price of YES, or of the perpetual, in dollars. Fees are not deducted.
        """
        return subtract(self._gain(mark), self.realized) if self.net else ZERO

    def profit(self, mark: Decimal) -> Decimal:
        """Return the total profit or loss on the position in dollars after the fees of its fills: `realized +
        unrealized(mark) - fees`, without rounding.

        Fees of a settlement, and of a trade that would close the open contracts, are not deducted.
        """
        return subtract(self._gain(mark), self.fees)

    def _gain(self, mark: Decimal) -> Decimal:
        """Return the profit or loss on all contracts before fees. Open contracts are valued at `mark`."""
        price = mark if self.settled_at is None else self.settled_at
        return multiply_add(self.counted, price, subtract(self.sold_value, self.bought_value))

    @property
    def unexplained(self) -> Decimal:
        """Position reported by the venue minus `counted`, in contracts; 0 if the venue has not reported a
        position.
        """
        return ZERO if self.reported_net is None else subtract(self.reported_net[1], self.counted)


@attrs.frozen
class PositionDiscrepancy:
    """A position reported by the venue that differs from the sum of the fills, although no fill is known to
    be missing.

    Attributes:
        account: Owner of the position.
        symbol: Ticker of the market.
        counted: Contracts according to the fills: long minus short.
        reported_net: Contracts according to the venue: long minus short.
        key: Key of the report that contains the venue's position.
    """

    account: Account
    symbol: str
    counted: Decimal
    reported_net: Decimal
    key: ExecKey


@attrs.frozen
class _State:
    """The layout of a dump."""

    refused: int
    settled: dict[str, tuple[date, Decimal]]
    positions: list[Position]


class Positions(Mapping[PositionKey, Position]):
    """Positions computed from the fills of `Orders`. Pass every update of `Orders` and `Settlements` to
    `apply`.
    """

    def __init__(self, *, max_positions: int = 100_000, max_settled: int = 100_000) -> None:
        """Start without positions; call `begin` for existing ones.

        Args:
            max_positions: maximum number of positions, about 1 KB each. Beyond it, a new position replaces
                the oldest one with no open contracts and no missing fills. If there is none, the fills of the
                new position are not counted.
            max_settled: maximum number of settled markets remembered, at most 1 KB each, to settle positions
                whose first fill is received later. Beyond it, the market whose settlement was received first
                is removed. If a fill of that market is received later, its position counts as open.
        """
        self._max_positions, self._max_settled = max_positions, max_settled
        self._settled: dict[str, tuple[date, Decimal]] = {}
        """ClearingBusinessDate and price of the latest settlement, by market."""
        self._positions: dict[PositionKey, Position] = {}
        self._lost: list[Mapping[str, Mapping[str, Mapping[int, Order]]]] = []
        """`OrderUpdate.lost` of each `Orders`. Orders that became uncertain because reports were lost have no
        separate updates.
        """
        self.refused: int = 0
        """Number of fills, and of calls to `begin`, that were refused for lack of room."""

    def __getitem__(self, key: PositionKey) -> Position:
        return self._positions[key]

    def __iter__(self) -> Iterator[PositionKey]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)

    def _repr_html_(self) -> str:
        from kalshi_fix_sansio.classes.display import table  # only in notebooks

        head = ("subaccount", "symbol", "net", "average price", "realized", "fees", "settled at")
        rows = (
            (
                key.account.customer or key.account.subaccount,
                key.symbol,
                position.net,
                position.average_price,
                position.realized,
                position.fees,
                position.settled_at,
            )
            for key, position in self._positions.items()
        )
        return table(f"Positions: {len(self)}", head, rows)

    def of(self, symbol: str, account: Account = Account()) -> Position:  # noqa: B008 it is a constant
        """Return the position of an account in a market; an empty one if it has no fills."""
        return self._positions.get(PositionKey(account, symbol)) or self._empty_position(account, symbol)

    def begin(
        self,
        symbol: str,
        net: Decimal,
        price: Decimal,
        account: Account = Account(),  # noqa: B008
    ) -> None:
        """Add contracts held before the first fill (`net` is negative if short), at their average price in
        dollars.
        """
        position = self._find_or_create(account, symbol)
        if position is None:
            self.refused += 1
        else:
            _trade(position, net, price)

    def apply(self, update: object) -> list[Position]:
        """Apply an update of `Orders`, or a settlement; return the changed positions.

        When a report moves an order to another account, the result includes the position from which its fills
        are moved. That position is removed if it has no other fills, but is still returned.
        """
        match update:
            case OrderUpdate(order=Order() as order):
                return self._apply_update(update, order)
            case OrderUpdate(lost=lost) if lost is not None:
                if not any(each is lost for each in self._lost):
                    self._lost.append(lost)
            case SettlementUpdate(settlement=Settlement() as settlement) | (Settlement() as settlement):
                return self._settle(settlement)
        return []

    def discrepancies(self) -> list[PositionDiscrepancy]:
        """Return the positions that differ from those reported by the venue, although no order of the account
        and symbol is uncertain or has missing fills.

        A difference may also be due to transfers, which are never counted, or to fills from other sessions,
        which are counted only with the `Orders` of a listener session.
        """
        return [
            PositionDiscrepancy(
                each.account, each.symbol, each.counted, each.reported_net[1], each.reported_net[0]
            )
            for each in self._positions.values()
            if each.reported_net is not None and each.unexplained and not self.may_miss_fills(each)
        ]

    def may_miss_fills(self, position: Position) -> bool:
        """Return whether fills of any order in the position's account and market may be missing."""
        return bool(position.incomplete_orders) or any(
            order.state in UNCERTAIN_STATES and order.account == position.account
            for lost in self._lost
            for orders in lost.get(position.symbol, {}).values()
            for order in orders.values()
        )

    def uncertain(self) -> list[UncertainItem]:
        """Return the positions that are uncertain although no order is uncertain. `Orders` lists uncertain
        orders.
        """
        items = [
            UncertainItem(
                what=(
                    f"the position is {each.counted:f} according to its fills, "
                    f"but {each.reported_net:f} according to the venue"
                ),
                about=each.symbol,
            )
            for each in self.discrepancies()
        ]
        if self.refused:
            about = "1 fill" if self.refused == 1 else f"{self.refused} fills"
            what = "the effect on positions is not tracked, because max_positions was reached"
            items.append(UncertainItem(what=what, about=about))
        return items

    def _apply_update(self, update: OrderUpdate, order: Order) -> list[Position]:
        fills = update.fills
        is_uncertain = order.cum_qty > order.filled_qty or order.state in UNCERTAIN_STATES
        changed: list[Position] = []
        if update.moved_from is not None:
            previous = self._subtract_fills(update, order, update.moved_from)
            if previous is not None and update.moved:
                changed, fills = [previous], [*update.moved, *fills]
        position = self._positions.get(PositionKey(order.account, order.symbol))
        if position is None:
            if not fills and not is_uncertain:
                return []
            position = self._find_or_create(order.account, order.symbol)
            if position is None:
                self.refused += len(fills)
                return changed
        if is_uncertain:
            position.incomplete_orders[order.number] = None
        elif not update.forgotten:
            position.incomplete_orders.pop(order.number, None)
        for fill in fills:
            _trade(position, _signed_quantity(order, fill), fill.price)
            position.fees = add(position.fees, fill.fee)
            if fill.long_qty is None or fill.short_qty is None:
                continue
            if position.reported_net is None or fill.key > position.reported_net[0]:
                position.reported_net = fill.key, subtract(fill.long_qty, fill.short_qty)
        return [*changed, position] if fills else []

    def _subtract_fills(self, update: OrderUpdate, order: Order, account: Account) -> Position | None:
        """Subtract an order's fills from the position of its previous account; return that position."""
        key = PositionKey(account, order.symbol)
        position = self._positions.get(key)
        if position is None:
            return None
        position.incomplete_orders.pop(order.number, None)
        for fill in update.moved:
            _trade(position, _signed_quantity(order, fill), fill.price, combine=subtract)
            position.fees = subtract(position.fees, fill.fee)
            if position.reported_net is not None and position.reported_net[0] == fill.key:
                position.reported_net = None
        if not (position.bought or position.sold or position.incomplete_orders or position.reported_net):
            del self._positions[key]
        return position

    def _settle(self, settlement: Settlement) -> list[Position]:
        symbol, day = settlement.symbol, settlement.clearing_business_date
        previous = self._settled.get(symbol)
        if previous is not None and day < previous[0]:
            return []
        # Recorded even if there is no position, because its fills may be received later.
        remember(self._settled, symbol, (day, settlement.price), self._max_settled)
        positions = [each for each in self._positions.values() if each.symbol == symbol]
        for position in positions:
            position.settled_at = settlement.price
        return positions

    def _find_or_create(self, account: Account, symbol: str) -> Position | None:
        """Return the position, which is created if there is none; None if there is no room for it."""
        key = PositionKey(account, symbol)
        position = self._positions.get(key)
        if position is None:
            if len(self._positions) >= self._max_positions:
                for other, each in self._positions.items():
                    if not (each.net or self.may_miss_fills(each)):
                        del self._positions[other]
                        break
                else:
                    return None
            position = self._positions[key] = self._empty_position(account, symbol)
        return position

    def _empty_position(self, account: Account, symbol: str) -> Position:
        settled = self._settled.get(symbol)
        return Position(account, symbol, settled_at=None if settled is None else settled[1])

    # --- dump and load --------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON values, for `load`. Dump `Orders` at the same time: after `load`, `Orders`
        reports only the fills that its dump does not contain.
        """
        return dump_state(_State(self.refused, self._settled, list(self._positions.values())))

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Replace the state with a dump. Call this before `Orders.load`, and pass the updates that
        `Orders.load` yields to `apply`: they contain the uncertain orders.

        Raises:
            ValueError: the dump was not produced by `dump` of this class and version; the state is unchanged.
        """
        with loading(dumped, _State, "Positions") as state:
            positions = {PositionKey(each.account, each.symbol): each for each in state.positions}
        self.refused, self._positions, self._settled = state.refused, positions, state.settled
        self._lost = []


def _signed_quantity(order: Order, fill: Fill) -> Decimal:
    return fill.quantity if order.side == Side.BUY else fill.quantity.copy_negate()


def _trade(
    position: Position,
    quantity: Decimal,
    price: Decimal,
    combine: Callable[[Decimal, Decimal], Decimal] = add,
) -> None:
    """Add a trade to a position; `quantity` is negative for a sale. If `combine` is `subtract`, remove the
    trade instead.
    """
    size = quantity.copy_abs()
    if quantity > ZERO:
        position.bought = combine(position.bought, size)
        position.bought_value = combine(position.bought_value, multiply(price, size))
    else:
        position.sold = combine(position.sold, size)
        position.sold_value = combine(position.sold_value, multiply(price, size))
