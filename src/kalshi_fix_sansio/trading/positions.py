"""Positions from fills alone, by account and symbol.

All of it is sums over the set of fills, so it does not depend on the order in which they come: what was
bought and what was sold is set off at their average prices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.trading.amounts import ZERO, add, divide, multiply, multiply_add, subtract
from kalshi_fix_sansio.trading.doubts import Doubt
from kalshi_fix_sansio.trading.dumping import VERSION, dump_fields, load_key, load_number, reading_dump
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.order import Account, Order, OrderState, OrderUpdate
from kalshi_fix_sansio.trading.order_dump import load_account
from kalshi_fix_sansio.trading.settlements import Settlement, SettlementUpdate

_DOUBTFUL: Final = frozenset((OrderState.UNKNOWN, OrderState.UNVERIFIED))


@explained
class PositionKey(NamedTuple):
    """Whose position in what."""

    account: Account
    """Whose position."""
    symbol: str
    """Ticker of the market."""


@explained
@attrs.define(eq=False)
class Position:
    """What an account holds of a market. Contracts, and dollars; to be read alone."""

    account: Account
    """Whose position."""
    symbol: str
    """Ticker of the market."""
    bought: Decimal = ZERO
    """Contracts that were bought."""
    sold: Decimal = ZERO
    """Contracts that were sold."""
    bought_value: Decimal = ZERO
    """The sum of price times quantity."""
    sold_value: Decimal = ZERO
    """The same, of what was sold."""
    fees: Decimal = ZERO
    """Dollars: what fills cost beside their price."""
    settled_at: Decimal | None = None
    """Dollars for a contract of YES, once the market is settled."""
    told: tuple[ExecKey, Decimal] | None = None
    """The newest report that tells the position (704, 705), and what it tells: long less short."""
    holes: dict[int, None] = attrs.field(factory=dict)
    """Numbers of the orders whose fills may not all have come."""

    @property
    def counted(self) -> Decimal:
        """Contracts bought less contracts sold, whether settled or not; below zero it is short."""
        return subtract(self.bought, self.sold)

    @property
    def net(self) -> Decimal:
        """Contracts that are held: above zero long (YES), below zero short (NO)."""
        return ZERO if self.settled_at is not None else self.counted

    @property
    def average_price(self) -> Decimal | None:
        """Dollars that a contract of the open position has cost on average, with 28 digits; None without."""
        if not self.net:
            return None
        if self.net > 0:
            return divide(self.bought_value, self.bought)
        return divide(self.sold_value, self.sold)

    @property
    def realised(self) -> Decimal:
        """Dollars gained (or lost) by what was bought and sold again, and by settlement; fees not taken off.

        Exact where all is closed; else contracts are set off at average prices, with 28 digits.
        """
        counted = self.counted
        if self.settled_at is not None or not counted:
            worth = ZERO if self.settled_at is None else multiply(counted, self.settled_at)
            return add(subtract(self.sold_value, self.bought_value), worth)
        matched = min(self.bought, self.sold)
        if not matched:
            return ZERO
        gain = subtract(divide(self.sold_value, self.sold), divide(self.bought_value, self.bought))
        return multiply(matched, gain)

    def worth(self, price: Decimal) -> Decimal:
        """Return gain and loss in dollars if the open position were closed at a price; fees not taken off."""
        at = price if self.settled_at is None else self.settled_at
        return add(subtract(self.sold_value, self.bought_value), multiply(self.counted, at))

    @property
    def unexplained(self) -> Decimal:
        """Contracts that the venue tells of beyond those counted; 0 where it has told none."""
        return ZERO if self.told is None else subtract(self.told[1], self.counted)


@explained
@attrs.frozen
class PositionDiscrepancy:
    """The venue tells another position than the fills come to, and no fill is known to be missing."""

    account: Account
    """Whose position."""
    symbol: str
    """Ticker of the market."""
    counted: Decimal
    """Contracts by the fills: long less short."""
    told: Decimal
    """Contracts by the venue: long less short."""
    key: ExecKey
    """The report that tells it."""


class Positions(Mapping[PositionKey, Position]):
    """The positions of what `Orders` follows. Give `apply` every update of it."""

    __slots__ = ("_max_positions", "_positions", "refused")

    def __init__(self, *, max_positions: int = 100_000) -> None:
        """Start without positions; `begin` says what is held already.

        Args:
            max_positions: positions that are kept, about 1 KB each. One more takes the place of the oldest
                that is flat, without doubt; where none is, its fills are not counted.
        """
        self._max_positions = max_positions
        self._positions: dict[PositionKey, Position] = {}
        self.refused: int = 0
        """Fills that were not counted, because there was no room."""

    def __getitem__(self, key: PositionKey) -> Position:
        return self._positions[key]

    def __iter__(self) -> Iterator[PositionKey]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)

    def of(self, symbol: str, account: Account = Account()) -> Position:  # noqa: B008 it is a constant
        """Return a position; an empty one where nothing is known of it."""
        return self._positions.get(PositionKey(account, symbol)) or Position(account, symbol)

    def begin(
        self,
        symbol: str,
        net: Decimal,
        price: Decimal,
        account: Account = Account(),  # noqa: B008
    ) -> None:
        """Count what was held before the first fill: contracts, below zero if short, and the average price
        in dollars that they have cost."""
        position = self._position(account, symbol)
        if position is not None:
            _trade(position, net, price)

    def apply(self, told: object) -> list[Position]:
        """Take an update of `Orders`, or a settlement; return the positions that it changed."""
        match told:
            case OrderUpdate(order=Order() as order):
                return self._take(told, order)
            case SettlementUpdate(settlement=Settlement() as settlement) | (Settlement() as settlement):
                return self._settle(settlement)
        return []

    def discrepancies(self) -> list[PositionDiscrepancy]:
        """Return the positions of which the venue tells another quantity, where no hole is known: no order
        of that account and symbol is in doubt or has fills that have not come.

        Fills of other sessions are not seen unless a listener follows them, and neither are transfers.
        """
        return [
            PositionDiscrepancy(each.account, each.symbol, each.counted, each.told[1], each.told[0])
            for each in self._positions.values()
            if each.told is not None and each.unexplained and not each.holes
        ]

    def doubts(self) -> list[Doubt]:
        """Return the positions that are not known though no order is in doubt: `Orders` tells the others."""
        found = [
            Doubt(
                what=f"the position: fills come to {each.counted:f}, and the venue told {each.told:f}",
                about=each.symbol,
            )
            for each in self.discrepancies()
        ]
        if self.refused:
            found.append(
                Doubt(
                    what="the positions of fills for which there was no room", about=f"{self.refused} fills"
                )
            )
        return found

    def _take(self, update: OrderUpdate, order: Order) -> list[Position]:
        fills, in_doubt = update.fills, order.told > order.filled or order.state in _DOUBTFUL
        position = self._positions.get(PositionKey(order.account, order.symbol))
        if position is None:
            if not fills and not in_doubt:
                return []
            position = self._position(order.account, order.symbol)
            if position is None:
                self.refused += len(fills)
                return []
        if in_doubt:
            position.holes[order.number] = None
        elif not update.forgotten:
            position.holes.pop(order.number, None)
        for fill in fills:
            bought = order.side == Side.BUY
            _trade(position, fill.quantity if bought else fill.quantity.copy_negate(), fill.price)
            position.fees = add(position.fees, fill.fee)
            if fill.long_qty is None or fill.short_qty is None:
                continue
            if position.told is None or fill.key > position.told[0]:
                position.told = fill.key, subtract(fill.long_qty, fill.short_qty)
        return [position] if fills else []

    def _settle(self, settlement: Settlement) -> list[Position]:
        found = [each for each in self._positions.values() if each.symbol == settlement.symbol]
        for position in found:
            position.settled_at = settlement.price
        return found

    def _position(self, account: Account, symbol: str) -> Position | None:
        key = PositionKey(account, symbol)
        position = self._positions.get(key)
        if position is None:
            if len(self._positions) >= self._max_positions:
                idle = (key for key, each in self._positions.items() if not (each.net or each.holes))
                flat = next(idle, None)
                if flat is None:
                    return None
                del self._positions[flat]
            position = self._positions[key] = Position(account, symbol)
        return position

    # To be kept by the user

    def dump(self) -> dict[str, Any]:
        """Return everything that is known, as values that JSON has; `load` takes it. `Orders` is to be dumped
        at the same time: it knows which fills have been counted."""
        return {
            "version": VERSION,
            "refused": self.refused,
            "positions": [
                {**dump_fields(each), "holes": list(each.holes)} for each in self._positions.values()
            ],
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take the place of what is known by what `dump` gave.

        Raises:
            ValueError: it was given by another version, or not by `dump`; then nothing has changed.
        """
        with reading_dump(dumped, "positions", "Positions"):
            refused = int(dumped["refused"])
            positions = {
                PositionKey(each.account, each.symbol): each for each in map(_loaded, dumped["positions"])
            }
        self.refused, self._positions = refused, positions


_SUMS: Final = ("bought", "sold", "bought_value", "sold_value", "fees")


def _trade(position: Position, quantity: Decimal, price: Decimal) -> None:
    if quantity > ZERO:
        position.bought = add(position.bought, quantity)
        position.bought_value = multiply_add(price, quantity, position.bought_value)
    else:
        position.sold = subtract(position.sold, quantity)
        position.sold_value = multiply_add(price, quantity.copy_negate(), position.sold_value)


def _loaded(row: Mapping[str, Any]) -> Position:
    position = Position(load_account(row["account"]), str(row["symbol"]))
    for name in _SUMS:
        setattr(position, name, Decimal(row[name]))
    position.settled_at = load_number(row["settled_at"])
    if row["told"] is not None:
        key, told = row["told"]
        position.told = load_key(key), Decimal(told)
    position.holes = dict.fromkeys(map(int, row["holes"]))
    return position
