"""Money from fills and settlements, by account and shard: each shard keeps balances of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.trading.amounts import ZERO, add, multiply, subtract
from kalshi_fix_sansio.trading.doubts import Doubt
from kalshi_fix_sansio.trading.dumping import VERSION, dump_fields, reading_dump
from kalshi_fix_sansio.trading.fees import revenue
from kalshi_fix_sansio.trading.order import Account, Order, OrderUpdate
from kalshi_fix_sansio.trading.order_dump import load_account
from kalshi_fix_sansio.trading.settlements import Settlement, SettlementUpdate

NO_SHARD: Final = -1
"""The shard of payouts for markets in which nothing was traded: reports do not say theirs."""


@explained
class PurseKey(NamedTuple):
    """Whose money, and on which shard."""

    account: Account
    """Whose money."""
    shard: int
    """Index of the exchange shard."""


@explained
@attrs.define(eq=False)
class Purse:
    """What fills and settlements did to the money of one account on one shard, in dollars; to be read alone.

    Deposits and transfers are not told by FIX.
    """

    account: Account
    """Whose money."""
    shard: int
    """Index of the exchange shard."""
    change: Decimal = ZERO
    """What reports said that the balance changed by (1704 of type BALANCE), fees taken off."""
    fees: Decimal = ZERO
    """What reports said was taken (137)."""
    paid: Decimal = ZERO
    """The price of what was bought, less that of what was sold."""
    unexplained: Decimal = ZERO
    """What of the change neither price and position nor the fee explain: collateral that the positions of a
    group of markets gave back or took. On prediction; of fills that tell all of it."""
    payouts: Decimal = ZERO
    """What settlements paid (1704 of type PAYOUT), their fees taken off."""
    settlement_fees: Decimal = ZERO
    """What was taken of it (137)."""
    fills: int = 0
    """How many fills were counted."""
    untold: int = 0
    """Fills whose reports did not say what the balance changed by: as long as it is 0, `change` is whole."""


class Cash(Mapping[PurseKey, Purse]):
    """The money that fills and settlements moved. Give `apply` every update of `Orders` and `Settlements`."""

    __slots__ = (
        "_max_paid",
        "_max_purses",
        "_paid",
        "_parties",
        "_prediction",
        "_purses",
        "_shards",
        "refused",
    )

    def __init__(
        self,
        *,
        product: str = "prediction",
        parties: Mapping[str, Account] | None = None,
        max_purses: int = 10_000,
        max_paid: int = 100_000,
    ) -> None:
        """Start without money.

        Args:
            product: on margin, what a fill does to the balance does not follow from its price.
            parties: whose account each party of settlements is (MarketSettlementPartyID). Others are taken
                for a clearing member's customers.
            max_purses: accounts and shards that are kept, about 1 KB each. Fills of a further one are not
                counted.
            max_paid: payouts that are known again if they are told again, and markets whose shard is
                remembered, about 300 bytes each; the oldest is forgotten.
        """
        self._parties = dict(parties or {})
        self._paid: dict[tuple[str, str, str], None] = {}
        """Market, date and party of payouts that were counted."""
        self._shards: dict[str, int] = {}
        """By market: the shard that its fills come from."""
        self._max_paid = max_paid
        self._prediction, self._max_purses = product == "prediction", max_purses
        self._purses: dict[PurseKey, Purse] = {}
        self.refused: int = 0
        """Fills and payouts that were not counted, because there was no room."""

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
        """Take an update of `Orders`, or a settlement; return the purses that it changed."""
        changed: dict[PurseKey, Purse] = {}
        match told:
            case OrderUpdate(order=Order() as order, fills=fills):
                for fill in fills:
                    _remember(self._shards, order.symbol, fill.key.shard, self._max_paid)
                    key = PurseKey(order.account, fill.key.shard)
                    purse = self._purse(key)
                    if purse is not None:
                        changed[key] = purse
                        self._take(purse, order, fill)
            case SettlementUpdate(settlement=Settlement() as settlement) | (Settlement() as settlement):
                for purse in self._pay(settlement):
                    changed[PurseKey(purse.account, purse.shard)] = purse
        return list(changed.values())

    def _purse(self, key: PurseKey) -> Purse | None:
        purse = self._purses.get(key)
        if purse is None:
            if len(self._purses) >= self._max_purses:
                self.refused += 1
                return None
            purse = self._purses[key] = Purse(*key)
        return purse

    def _pay(self, settlement: Settlement) -> Iterator[Purse]:
        shard = self._shards.get(settlement.symbol, NO_SHARD)
        for party in settlement.parties:
            known = (settlement.symbol, settlement.clearing_business_date.isoformat(), party.party_id)
            if known in self._paid:
                continue
            account = self._parties.get(party.party_id) or Account(customer=party.party_id)
            purse = self._purse(PurseKey(account, shard))
            if purse is not None:
                _remember(self._paid, known, None, self._max_paid)
                purse.payouts = add(purse.payouts, party.payout)
                purse.settlement_fees = add(purse.settlement_fees, party.fee)
                yield purse

    def doubts(self) -> list[Doubt]:
        """Return what the reports that have come do not tell of the money."""
        found = [
            Doubt(
                what=f"what {each.untold} fills changed the balance by",
                about=f"balance of {each.account.customer or each.account.subaccount} on shard {each.shard}",
            )
            for each in self._purses.values()
            if each.untold
        ]
        if self.refused:
            about = f"{self.refused} fills or payouts"
            found.append(Doubt(what="the money of what there was no room for", about=about))
        return found

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
            "paid": [list(each) for each in self._paid],
            "shards": dict(self._shards),
            "purses": list(map(dump_fields, self._purses.values())),
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take the place of what is known by what `dump` gave.

        Raises:
            ValueError: it was given by another version, or not by `dump`; then nothing has changed.
        """
        with reading_dump(dumped, "cash", "Cash"):
            refused = int(dumped["refused"])
            paid = {(str(market), str(day), str(party)): None for market, day, party in dumped["paid"]}
            shards = {str(symbol): int(shard) for symbol, shard in dumped["shards"].items()}
            purses = {PurseKey(each.account, each.shard): each for each in map(_loaded, dumped["purses"])}
        self.refused, self._purses, self._paid, self._shards = refused, purses, paid, shards


_SUMS: Final = ("change", "fees", "paid", "unexplained", "payouts", "settlement_fees")


def _remember(known: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    if key not in known and len(known) >= most:
        del known[next(iter(known))]
    known[key] = value


def _loaded(row: Mapping[str, Any]) -> Purse:
    purse = Purse(load_account(row["account"]), int(row["shard"]))
    for name in _SUMS:
        setattr(purse, name, Decimal(row[name]))
    purse.fills, purse.untold = int(row["fills"]), int(row["untold"])
    return purse
