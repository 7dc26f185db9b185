"""Cash flows of fills and settlements, by account and by shard, because each shard has separate balances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import Side
from kalshi_fix_sansio.trading.common.amounts import ZERO, add, multiply, subtract
from kalshi_fix_sansio.trading.common.dumping import dump_state, loading
from kalshi_fix_sansio.trading.common.received import remember
from kalshi_fix_sansio.trading.common.uncertain_items import UncertainItem
from kalshi_fix_sansio.trading.money.fees import revenue
from kalshi_fix_sansio.trading.money.settlements import Settlement, SettlementUpdate
from kalshi_fix_sansio.trading.orders.order import Account, Fill, Order, OrderUpdate

NO_SHARD: Final = -1
"""Placeholder for the unknown shard of a payout. Settlement reports do not contain the shard, so it is known
only from a fill of the same market.
"""


class BalanceKey(NamedTuple):
    """Key of a balance.

    Attributes:
        account: Owner of the balance.
        shard: Index of the exchange shard.
    """

    account: Account
    shard: int


@attrs.define(eq=False)
class Balance:
    """Changes that fills and settlements made to the balance of one account on one shard, in dollars;
    read-only. FIX does not report deposits and transfers.

    Attributes:
        account: Owner of the balance.
        shard: Index of the exchange shard.
        change: Sum of the reported balance changes (CollateralAmountChange, 1704, of type BALANCE), net of
            fees.
        fees: Sum of the reported fees of fills (MiscFeeAmt, 137).
        paid: Value of the contracts bought minus the value of the contracts sold.
        unexplained: The part of `change` that price, position and fee do not explain, such as collateral
            released by offsetting positions in other markets. Computed for the prediction product, from fills
            whose reports contain both the balance change and the position.
        payouts: Sum of settlement payouts (CollateralAmountChange, 1704, of type PAYOUT), net of fees.
        settlement_fees: Sum of the fees of settlements (137).
        fills: Number of fills counted.
        unreported_changes: Number of fills whose reports do not contain a balance change. While it is 0,
            `change` is complete.
        settlements: Number of payouts counted.
    """

    account: Account
    shard: int
    change: Decimal = ZERO
    fees: Decimal = ZERO
    paid: Decimal = ZERO
    unexplained: Decimal = ZERO
    payouts: Decimal = ZERO
    settlement_fees: Decimal = ZERO
    fills: int = 0
    unreported_changes: int = 0
    settlements: int = 0


@attrs.define(eq=False)
class _Payout:
    """The payout of one settlement to one party, and the balance in which it is counted."""

    account: Account
    shard: int
    amount: Decimal
    fee: Decimal

    @property
    def key(self) -> BalanceKey:
        return BalanceKey(self.account, self.shard)


@attrs.frozen
class _State:
    """The layout of a dump."""

    refused: int
    payouts: dict[str, dict[tuple[str, str], _Payout]]
    shards: dict[str, int]
    balances: list[Balance]


class Cash(Mapping[BalanceKey, Balance]):
    """Cash flows of fills and settlements. Pass every update of `Orders` and `Settlements` to `apply`.

    The sequence of the updates does not matter. If a payout is received before the fills of its market, it is
    moved to the shard of those fills (the highest shard, if there are several).
    """

    def __init__(
        self,
        *,
        product: str = "prediction",
        parties: Mapping[str, Account] | None = None,
        max_balances: int = 10_000,
        max_paid: int = 100_000,
    ) -> None:
        """Start without balances.

        Args:
            product: prediction or margin. For margin, the balance change of a fill cannot be computed from
                its price.
            parties: account of each party of settlements, by MarketSettlementPartyID. Other parties are
                treated as customers of a clearing member.
            max_balances: maximum number of balances, about 1 KB each. Fills and payouts for further balances
                are not counted; `refused` is their number.
            max_paid: maximum number of payouts kept, at most 2 KB each, and of markets whose shard is kept,
                at most 0.5 KB each. Beyond it, the oldest entry is removed. Payouts are kept to recognize
                redelivered ones, and to move them to the right shard when fills of their markets are received
                later.
        """
        self._parties = dict(parties or {})
        self._payouts: dict[str, dict[tuple[str, str], _Payout]] = {}
        """The counted payouts, by market, then by date and party."""
        self._remembered = 0
        """The number of payouts in `_payouts`."""
        self._shards: dict[str, int] = {}
        """The shard of each market's fills; the highest if there are several."""
        self._max_paid = max_paid
        self._prediction, self._max_balances = product == "prediction", max_balances
        self._balances: dict[BalanceKey, Balance] = {}
        self.refused: int = 0
        """Number of fills and payouts not counted for lack of room."""

    def __getitem__(self, key: BalanceKey) -> Balance:
        return self._balances[key]

    def __iter__(self) -> Iterator[BalanceKey]:
        return iter(self._balances)

    def __len__(self) -> int:
        return len(self._balances)

    def _repr_html_(self) -> str:
        from kalshi_fix_sansio.classes.display import table  # only in notebooks

        head = ("subaccount", "shard", "change", "payouts", "fees", "settlement fees", "fills")
        rows = (
            (
                key.account.customer or key.account.subaccount,
                key.shard,
                balance.change,
                balance.payouts,
                balance.fees,
                balance.settlement_fees,
                balance.fills,
            )
            for key, balance in self._balances.items()
        )
        return table(f"Balances: {len(self)}, in dollars", head, rows)

    def of(self, shard: int = 0, account: Account = Account()) -> Balance:  # noqa: B008 it is a constant
        """Return the balance of an account on a shard; an empty one if no fill or payout was counted."""
        return self._balances.get(BalanceKey(account, shard)) or Balance(account, shard)

    def apply(self, update: object) -> list[Balance]:
        """Apply an update of `Orders`, or a settlement; return the changed balances.

        They include balances from which fills or payouts were moved to another account or shard. Such a
        balance is removed if it is empty now, but is still returned.
        """
        changed: list[Balance] = []
        match update:
            case OrderUpdate(order=Order() as order, fills=fills):
                if update.moved_from is not None:
                    fills = [*self._subtract_fills(update, order, update.moved_from, changed), *fills]
                for fill in fills:
                    shard = fill.key.shard
                    if shard > self._shards.get(order.symbol, NO_SHARD):
                        changed += self._move_payouts(order.symbol, shard)
                    balance = self._balance(BalanceKey(order.account, shard))
                    if balance is None:
                        self.refused += 1
                    else:
                        changed.append(balance)
                        self._count_fill(balance, order, fill)
            case SettlementUpdate(settlement=Settlement() as settlement) | (Settlement() as settlement):
                changed += self._count_payouts(settlement)
        return list(dict.fromkeys(changed))

    def _subtract_fills(
        self, update: OrderUpdate, order: Order, account: Account, changed: list[Balance]
    ) -> list[Fill]:
        """Subtract an order's fills from the balances of its previous account, which are added to `changed`;
        return the subtracted fills."""
        subtracted: list[Fill] = []
        for fill in update.moved:
            key = BalanceKey(account, fill.key.shard)
            balance = self._balances.get(key)
            if balance is None:
                continue
            subtracted.append(fill)
            changed.append(balance)
            effect = Balance(*key)  # of this fill alone
            self._count_fill(effect, order, fill)
            for name in _SUMS:
                setattr(balance, name, subtract(getattr(balance, name), getattr(effect, name)))
            balance.fills -= effect.fills
            balance.unreported_changes -= effect.unreported_changes
            if not (balance.fills or balance.settlements):
                del self._balances[key]
        return subtracted

    def _balance(self, key: BalanceKey) -> Balance | None:
        balance = self._balances.get(key)
        if balance is None and len(self._balances) < self._max_balances:
            balance = self._balances[key] = Balance(*key)
        return balance

    def _count_payouts(self, settlement: Settlement) -> Iterator[Balance]:
        """Count the payouts of a settlement report that are new or changed; yield the changed balances."""
        symbol, day = settlement.symbol, settlement.clearing_business_date.isoformat()
        shard = self._shards.get(symbol, NO_SHARD)
        totals: dict[str, tuple[Decimal, Decimal]] = {}
        for party in settlement.parties:  # if a party is listed twice, both amounts count
            amount, fee = totals.get(party.party_id, (ZERO, ZERO))
            totals[party.party_id] = add(amount, party.payout), add(fee, party.fee)
        for party_id, (amount, fee) in totals.items():
            payout = self._payouts.get(symbol, {}).get((day, party_id))
            if payout is None:
                account = self._parties.get(party_id) or Account(customer=party_id)
                payout = _Payout(account, shard, amount, fee)
                balance = self._balance(payout.key)
                if balance is None:
                    self.refused += 1
                    continue
                self._remember(symbol, (day, party_id), payout)
                _add_payout(balance, amount, fee, 1)
            elif (payout.amount, payout.fee) == (amount, fee):
                continue
            else:  # a later page of the settlement report changed the amount
                balance = self._balances[payout.key]
                _add_payout(balance, subtract(amount, payout.amount), subtract(fee, payout.fee), 0)
                payout.amount, payout.fee = amount, fee
            yield balance

    def _remember(self, symbol: str, date_and_party: tuple[str, str], payout: _Payout) -> None:
        if self._remembered >= self._max_paid:
            oldest = next(iter(self._payouts))
            payouts = self._payouts[oldest]
            del payouts[next(iter(payouts))]
            if not payouts:
                del self._payouts[oldest]
            self._remembered -= 1
        self._payouts.setdefault(symbol, {})[date_and_party] = payout
        self._remembered += 1

    def _move_payouts(self, symbol: str, shard: int) -> Iterator[Balance]:
        """Record the shard of a market, known from a fill; move earlier payouts of the market to that
        shard.
        """
        remember(self._shards, symbol, shard, self._max_paid)
        for payout in self._payouts.get(symbol, {}).values():
            previous = self._balances[payout.key]
            _add_payout(previous, payout.amount.copy_negate(), payout.fee.copy_negate(), -1)
            if not (previous.fills or previous.settlements):
                del self._balances[payout.key]
            balance = self._balance(BalanceKey(payout.account, shard))
            if balance is None:  # no room, so the payout stays in its previous balance
                _add_payout(previous, payout.amount, payout.fee, 1)
                self._balances[payout.key] = previous
                continue
            payout.shard = shard
            _add_payout(balance, payout.amount, payout.fee, 1)
            yield previous
            yield balance

    def uncertain(self) -> list[UncertainItem]:
        """Return the parts of the cash flows that the received reports do not determine."""
        items = []
        for key, balance in self._balances.items():
            count = balance.unreported_changes
            if count:
                changes = "change of 1 fill is" if count == 1 else f"changes of {count} fills are"
                owner = key.account.customer or key.account.subaccount
                items.append(
                    UncertainItem(
                        what=f"the balance {changes} unknown",
                        about=f"balance of account {owner} on shard {key.shard}",
                    )
                )
        if self.refused:
            about = "1 fill or payout" if self.refused == 1 else f"{self.refused} fills or payouts"
            what = "the effect on balances is not tracked, because max_balances was reached"
            items.append(UncertainItem(what=what, about=about))
        return items

    def _count_fill(self, balance: Balance, order: Order, fill: Any) -> None:
        balance.fills += 1
        balance.fees = add(balance.fees, fill.fee)
        value = multiply(fill.price, fill.quantity)
        balance.paid = add(balance.paid, value if order.side == Side.BUY else value.copy_negate())
        if fill.balance_change is None:
            balance.unreported_changes += 1
            return
        balance.change = add(balance.change, fill.balance_change)
        explained = revenue(order.side, fill) if self._prediction else None
        if explained is not None:
            unexplained = subtract(add(fill.balance_change, fill.fee), explained)
            balance.unexplained = add(balance.unexplained, unexplained)

    # --- dump and load --------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON values, for `load`. Dump `Orders` at the same time: after `load`, `Orders`
        reports only the fills that its dump does not contain.
        """
        return dump_state(_State(self.refused, self._payouts, self._shards, list(self._balances.values())))

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Replace the state with a dump.

        Raises:
            ValueError: the dump was not produced by `dump` of this class and version; the state is unchanged.
        """
        with loading(dumped, _State, "Cash") as state:
            balances = {BalanceKey(each.account, each.shard): each for each in state.balances}
            for payouts in state.payouts.values():
                for payout in payouts.values():
                    balances[payout.key]  # KeyError if its balance is missing
        self.refused, self._balances = state.refused, balances
        self._payouts, self._shards = state.payouts, state.shards
        self._remembered = sum(map(len, state.payouts.values()))


_SUMS: Final = ("change", "fees", "paid", "unexplained", "payouts", "settlement_fees")


def _add_payout(balance: Balance, amount: Decimal, fee: Decimal, count: int) -> None:
    """Add a payout and its fee, or changes to them, to a balance."""
    balance.payouts = add(balance.payouts, amount)
    balance.settlement_fees = add(balance.settlement_fees, fee)
    balance.settlements += count
