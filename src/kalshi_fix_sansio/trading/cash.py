"""Money from fills alone, by account and shard: each shard keeps balances of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.trading.amounts import ZERO, add, multiply, subtract
from kalshi_fix_sansio.trading.dumping import UNREADABLE, VERSION, check_version
from kalshi_fix_sansio.trading.fees import revenue
from kalshi_fix_sansio.trading.order import Account, Order
from kalshi_fix_sansio.trading.order_updates import OrderUpdate


class PurseKey(NamedTuple):
    """Whose money, and on which shard."""

    account: Account
    shard: int


@attrs.define(eq=False)
class Purse:
    """What fills did to the money of one account on one shard, in dollars; to be read alone."""

    account: Account
    shard: int
    change: Decimal = ZERO
    """What reports said that the balance changed by (1704 of type BALANCE), fees taken off."""
    fees: Decimal = ZERO
    """What reports said was taken (137)."""
    paid: Decimal = ZERO
    """The price of what was bought, less that of what was sold."""
    unexplained: Decimal = ZERO
    """What of the change neither price and position nor the fee explain: collateral that the positions of a
    group of markets gave back or took. On prediction; of fills that tell all of it."""
    fills: int = 0
    untold: int = 0
    """Fills whose reports did not say what the balance changed by: as long as it is 0, `change` is whole."""


class Cash(Mapping[PurseKey, Purse]):
    """The money that the fills of `Orders` moved. Give `apply` every update of it."""

    __slots__ = ("_max_purses", "_prediction", "_purses", "refused")

    def __init__(self, *, product: str = "prediction", max_purses: int = 10_000) -> None:
        """Start without money.

        Args:
            product: on margin, what a fill does to the balance does not follow from its price.
            max_purses: accounts and shards that are kept, about 1 KB each. Fills of a further one are not
                counted.
        """
        self._prediction, self._max_purses = product == "prediction", max_purses
        self._purses: dict[PurseKey, Purse] = {}
        self.refused = 0
        """Fills that were not counted, because there was no room."""

    def __getitem__(self, key: PurseKey) -> Purse:
        return self._purses[key]

    def __iter__(self) -> Iterator[PurseKey]:
        return iter(self._purses)

    def __len__(self) -> int:
        return len(self._purses)

    def of(self, shard: int = 0, account: Account = Account()) -> Purse:  # noqa: B008 it is a constant
        """Return what is known of an account's money on a shard; an empty purse where that is nothing."""
        return self._purses.get(PurseKey(account, shard)) or Purse(account, shard)

    def apply(self, told: object) -> list[Purse]:
        """Take an update of `Orders`; return the purses that it changed."""
        if not isinstance(told, OrderUpdate) or told.order is None:
            return []
        changed: dict[PurseKey, Purse] = {}
        for fill in told.fills:
            key = PurseKey(told.order.account, fill.key.shard)
            purse = self._purses.get(key)
            if purse is None:
                if len(self._purses) >= self._max_purses:
                    self.refused += 1
                    continue
                purse = self._purses[key] = Purse(*key)
            changed[key] = purse
            self._take(purse, told.order, fill)
        return list(changed.values())

    def _take(self, purse: Purse, order: Order, fill: Any) -> None:
        purse.fills += 1
        purse.fees = add(purse.fees, fill.fee)
        value = multiply(fill.price, fill.quantity)
        purse.paid = add(purse.paid, value if order.side == Side.BUY else value.copy_negate())
        if fill.balance_change is None:
            purse.untold += 1
            return
        purse.change = add(purse.change, fill.balance_change)
        explained = revenue(order.side, fill) if self._prediction else None
        if explained is not None:
            left = subtract(add(fill.balance_change, fill.fee), explained)
            purse.unexplained = add(purse.unexplained, left)

    # To be kept by the user

    def dump(self) -> dict[str, Any]:
        """Return everything that is known, as values that JSON has; `load` takes it. `Orders` is to be dumped
        at the same time: it knows which fills have been counted."""
        return {
            "version": VERSION,
            "refused": self.refused,
            "purses": [
                {
                    "account": list(each.account),
                    "shard": each.shard,
                    **{name: str(getattr(each, name)) for name in _SUMS},
                    "fills": each.fills,
                    "untold": each.untold,
                }
                for each in self._purses.values()
            ],
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take the place of what is known by what `dump` gave.

        Raises:
            ValueError: it was given by another version, or not by `dump`; then nothing has changed.
        """
        check_version(dumped, "cash")
        try:
            refused = int(dumped["refused"])
            purses = {PurseKey(each.account, each.shard): each for each in map(_loaded, dumped["purses"])}
        except UNREADABLE as error:
            raise ValueError(f"this was not given by Cash.dump: {error!r}") from error
        self.refused, self._purses = refused, purses


_SUMS: Final = ("change", "fees", "paid", "unexplained")


def _loaded(row: Mapping[str, Any]) -> Purse:
    subaccount, customer = row["account"]
    purse = Purse(Account(int(subaccount), customer), int(row["shard"]))
    for name in _SUMS:
        setattr(purse, name, Decimal(row[name]))
    purse.fills, purse.untold = int(row["fills"]), int(row["untold"])
    return purse
