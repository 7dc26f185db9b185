"""Cash and contracts in long random histories with every feature: two shards, subaccounts, customers, whole
cents and fractions of cents, daily caps, market groups, order groups, quotes, block trades, transfers, halts,
pauses, settlements. Each amount is computed from the outcomes, independently of the exchange.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from itertools import count
from random import Random

import attrs
import pytest

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange import (
    MARGIN,
    PREDICTION,
    AccountId,
    AmendOrder,
    CancelAll,
    CancelCause,
    CancelOrder,
    ChangeGroup,
    Command,
    Exchange,
    GroupAction,
    MarketGroup,
    MarketResult,
    MarketState,
    MoveCash,
    PauseState,
    PlaceOrder,
    PrintBlockTrade,
    SelfTradePrevention,
    SetMarketState,
    SetPause,
    SetSettlementBounds,
    TimeInForce,
    TradeQuote,
    margin_market,
    prediction_market,
)
from kalshi_fix_venue.exchange.accounts import AccountTerms
from kalshi_fix_venue.exchange.groups import WINDOW_LENGTH
from kalshi_fix_venue.exchange.market import MarketRules
from kalshi_fix_venue.exchange.money import MarginCollateral
from kalshi_fix_venue.exchange.outcomes import (
    MarketSettled,
    OrderAccepted,
    OrderCanceled,
    OrderOutcome,
    OrderRejected,
    OrderReplaced,
    OrderTraded,
    Outcome,
)
from kalshi_fix_venue.exchange.terms import opposite
from tests.venue.exchange_harness import BUY, EASTERN, PERP, SELL, START, d

CUSTOMER = "550e8400-e29b-41d4-a716-446655440000_one"
RACE = ("RACE-A", "RACE-B", "RACE-C")
WHOLE, FINE, OTHER_SHARD = "WHOLE", "FINE", "OTHER"
PREDICTIONS = (
    prediction_market(WHOLE),
    prediction_market(FINE, tick=d("0.0001")),
    *(prediction_market(ticker) for ticker in RACE),
    prediction_market(OTHER_SHARD, shard=2),
)
OWNERS = ("ann", "bob", "cat", "dee")
FUNDS, CAP = Decimal(60), Decimal(20)
WINDOW_THIRD = WINDOW_LENGTH / 3
"""A third of the time window of order groups."""


def balances(product: str) -> dict[AccountId, Decimal]:
    shards = (0,) if product == MARGIN else (0, 2)
    found = [AccountId(owner, 0, shard) for owner in OWNERS for shard in shards]
    if product == PREDICTION:
        found += [AccountId("ann", 3), AccountId("cat", customer=CUSTOMER)]
    return dict.fromkeys(found, FUNDS)


class History:
    """A random history on an exchange, with independent totals."""

    def __init__(self, product: str, seed: int) -> None:
        self.random = Random(seed)
        self.product = product
        self.rules = (margin_market(PERP),) if product == MARGIN else PREDICTIONS
        self.funded = balances(product)
        numbers = count(1)
        self.exchange = Exchange(
            product,
            self.rules,
            self.funded,
            zone=EASTERN,
            new_id=lambda: f"id-{next(numbers)}",
            terms={"bob": AccountTerms(direct_member=False)},
            market_groups=() if product == MARGIN else (MarketGroup(name="race", markets=RACE),),
            daily_caps={} if product == MARGIN else {CUSTOMER: CAP},
        )
        self.now = START
        self.numbers = count(1)
        self.cash = dict(self.funded)
        self.nets: dict[tuple[AccountId, str], Decimal] = defaultdict(Decimal)
        self.fees = Decimal(0)
        self.open: dict[str, PlaceOrder] = {}
        """Open orders by OrderID, as the requests that placed them."""
        self.quoted: set[str] = set()
        """OrderIDs of orders created from quotes, which reserve nothing under a daily cap."""
        self.groups: list[tuple[AccountId, str]] = []
        self.seen: Counter[str] = Counter()
        winner = self.random.choice([*RACE, None])
        self.results = {ticker: MarketResult.YES if ticker == winner else MarketResult.NO for ticker in RACE}

    # --- commands ---------------------------------------------------------------------------------------

    def play_random(self) -> None:
        steps = (
            0 * WINDOW_THIRD,
            0 * WINDOW_THIRD,
            timedelta(milliseconds=1),
            WINDOW_THIRD / 5,
            WINDOW_THIRD,
            120 * WINDOW_THIRD,
        )
        self.now += self.random.choice(steps)
        command = self._command()
        if command is not None:
            self.play(command)

    def play(self, command: Command) -> None:
        try:
            outcomes = self.exchange.apply(command, self.now)
        except ValueError:  # a refused command has no effect
            self.seen[f"{type(command).__name__} refused"] += 1
            outcomes = ()
        else:
            self.seen[type(command).__name__] += 1
            if isinstance(command, MoveCash):
                self.cash[command.source] -= command.amount
                self.cash[command.target] += command.amount
        for outcome in outcomes:
            self._record(outcome)
        self.check()

    def _command(self) -> Command | None:
        if self.exchange.pause is not PauseState.OPEN and self.random.randrange(3) == 0:
            return SetPause(PauseState.OPEN)
        kind = self.random.randrange(100)
        if kind < 62 or not self.open:
            return self._place()
        if kind < 68:
            return self._cancel()
        if kind < 76:
            return self._amend()
        if kind < 82 and self.product == PREDICTION:
            return self._quote()
        if kind < 89:
            return self._operate()
        if kind < 90:
            return CancelAll(origin=self.random.choice(OWNERS), cause=CancelCause.MASS_CANCELED)
        if kind < 92:
            return SetPause(self.random.choice(list(PauseState)))
        if kind < 95:
            return self._group()
        return self._market()

    def _place(self, **fields: object) -> PlaceOrder:
        random = self.random
        rules = random.choice(self.rules)
        accounts = [each for each in self.funded if each.shard == rules.shard]
        account = random.choice(accounts)
        number = next(self.numbers)
        groups = [group for owner, group in self.groups if owner == account]
        values: dict[str, object] = {
            "order_id": f"order-{number}",
            "cl_ord_id": f"o{number}",
            "account": account,
            "origin": account.owner,
            "market": rules.ticker,
            "side": random.choice([BUY, SELL]),
            "quantity": self._quantity(rules),
            "price": self._price(rules),
            "time_in_force": random.choice(
                [TimeInForce.GOOD_TILL_CANCEL] * 5
                + [TimeInForce.DAY, TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL]
            ),
            "post_only": random.randrange(12) == 0,
            "reduce_only": False,
            "self_trade_prevention": random.choice(list(SelfTradePrevention)),
            "cancel_on_pause": random.randrange(4) == 0,
            "group": random.choice(groups) if groups and random.randrange(2) else None,
            "max_execution_cost": d(3) if random.randrange(20) == 0 else None,
            "reserves_cap": account.customer == CUSTOMER,
        }
        if values["time_in_force"] is TimeInForce.IMMEDIATE_OR_CANCEL:
            values["post_only"], values["reduce_only"] = False, random.randrange(3) == 0
        return PlaceOrder(**(values | fields))  # type: ignore[arg-type]

    def _quantity(self, rules: MarketRules) -> Decimal:
        return rules.quantity_step * self.random.randint(1, 2000 if rules.quantity_step < 1 else 20)

    def _price(self, rules: MarketRules) -> Decimal:
        if self.product == MARGIN:
            return Decimal(self.random.randint(180_000, 220_000)) / 10_000
        if rules.ticker == FINE:
            return Decimal(self.random.randint(4_950, 5_050)) / 10_000
        return (
            Decimal(self.random.randint(30, 36) if rules.ticker in RACE else self.random.randint(47, 53))
            / 100
        )

    def _cancel(self) -> CancelOrder:
        placed = self.random.choice(list(self.open.values()))
        return CancelOrder(
            cl_ord_id=f"c{next(self.numbers)}",
            orig_cl_ord_id=placed.cl_ord_id,
            account=placed.account,
            origin=placed.origin,
            market=placed.market,
            side=placed.side,
            order_id=placed.order_id,
            reserves_cap=placed.reserves_cap,
        )

    def _amend(self) -> AmendOrder:
        placed = self.random.choice(list(self.open.values()))
        (rules,) = (rules for rules in self.rules if rules.ticker == placed.market)
        return AmendOrder(
            cl_ord_id=f"g{next(self.numbers)}",
            orig_cl_ord_id=placed.cl_ord_id,
            account=placed.account,
            origin=placed.origin,
            market=placed.market,
            side=placed.side,
            quantity=self._quantity(rules),
            price=self.random.choice([None, self._price(rules)]),
            order_id=placed.order_id,
            reserves_cap=placed.reserves_cap,
        )

    def _quote(self) -> TradeQuote:
        plain: dict[str, object] = dict.fromkeys(("post_only", "reduce_only", "reserves_cap"), False)
        plain |= {"group": None, "max_execution_cost": None}
        maker = self._place(time_in_force=TimeInForce.GOOD_TILL_CANCEL, **plain)
        takers = [
            each
            for each in self.funded
            if each.shard == maker.account.shard and each.trader != maker.account.trader
        ]
        creator = self._place(
            account=self.random.choice(takers),
            market=maker.market,
            side=opposite(maker.side),
            quantity=maker.quantity,
            price=maker.price,
            time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            **plain,
        )
        self.quoted |= {maker.order_id, creator.order_id}
        return TradeQuote(maker=maker, maker_rests=self.random.randrange(2) == 0, creator=creator)

    def _operate(self) -> Command:
        """Return an operator's command: a block trade, a transfer or settlement bounds."""
        random = self.random
        rules = random.choice(self.rules)
        accounts = [each for each in self.funded if each.shard == rules.shard]
        kind = random.randrange(3)
        if kind == 0:
            source = random.choice(list(self.funded))
            targets = [each for each in self.funded if each.trader == source.trader]
            amount = Decimal(random.randint(1, 5000)) / 100
            return MoveCash(source=source, target=random.choice(targets), amount=amount)
        if kind == 1 and self.product == PREDICTION:
            lowest = Decimal(random.randint(0, 48)) / 100
            return SetSettlementBounds(rules.ticker, lowest, Decimal(1) - lowest)
        return PrintBlockTrade(
            market=rules.ticker,
            buyer=random.choice(accounts),
            seller=random.choice(accounts),
            price=self._price(rules),
            quantity=self._quantity(rules),
        )

    def _group(self) -> ChangeGroup:
        random = self.random
        if not self.groups or random.randrange(2):
            account = random.choice(list(self.funded))
            self.groups.append((account, f"{next(self.numbers):08}-0000-0000-0000-000000000000"))
            return ChangeGroup(
                action=GroupAction.CREATE,
                group_id=self.groups[-1][1],
                account=account,
                limit=random.randint(3, 20),
            )
        account, group_id = random.choice(self.groups)
        action = random.choice(
            [GroupAction.RESET] * 3 + [GroupAction.TRIGGER, GroupAction.UPDATE, GroupAction.DELETE]
        )
        if action is GroupAction.DELETE:
            self.groups.remove((account, group_id))
        limit = random.randint(1, 20) if action is GroupAction.UPDATE else None
        return ChangeGroup(action=action, group_id=group_id, account=account, limit=limit)

    def _market(self) -> SetMarketState | None:
        if self.product == MARGIN:
            return None
        markets = self.exchange.markets
        inactive = [
            item for item in markets.values() if item.state in (MarketState.INACTIVE, MarketState.CLOSED)
        ]
        if inactive:
            return SetMarketState(self.random.choice(inactive).ticker, MarketState.ACTIVE)
        market = markets[self.random.choice(self.rules).ticker]
        if market.state is MarketState.ACTIVE and self.random.randrange(12):
            return SetMarketState(
                market.ticker, self.random.choice([MarketState.INACTIVE] * 3 + [MarketState.CLOSED])
            )
        if market.state is MarketState.DETERMINED and self.random.randrange(2):
            return SetMarketState(market.ticker, MarketState.DISPUTED)
        return self._next_final_state(market.ticker)

    def _next_final_state(self, ticker: str) -> SetMarketState:
        if self.exchange.markets[ticker].state is MarketState.DISPUTED:
            return SetMarketState(ticker, MarketState.AMENDED)
        if self.exchange.markets[ticker].result is not None:
            return SetMarketState(ticker, MarketState.SETTLED)
        result = self.results.get(ticker, self.random.choice(list(MarketResult)))
        price = Decimal(self.random.randint(0, 10_000)) / 10_000 if result is MarketResult.SCALAR else None
        return SetMarketState(ticker, MarketState.DETERMINED, result, price)

    # --- independent totals -----------------------------------------------------------------------------

    def _record(self, outcome: Outcome) -> None:
        self.seen[type(outcome).__name__] += 1
        if isinstance(outcome, OrderRejected | OrderCanceled):
            self.seen[outcome.cause.name] += 1
        if isinstance(outcome, MarketSettled):
            assert sum(p.long_quantity - p.short_quantity for p in outcome.positions) == 0
            for paid in outcome.positions:
                self.cash[paid.account] += paid.payout
                self.fees += paid.fee
                held = self.nets.pop((paid.account, outcome.market))
                assert paid.long_quantity - paid.short_quantity == held
        if not isinstance(outcome, OrderOutcome):
            return
        order = outcome.order
        if isinstance(outcome, OrderTraded):
            key = (order.account, order.market)
            self.nets[key] += outcome.quantity if order.side is BUY else -outcome.quantity
            assert outcome.long_quantity - outcome.short_quantity == self.nets[key]
            self.cash[order.account] += outcome.balance_change
            self.fees += outcome.fee
        if isinstance(outcome, OrderCanceled) or not order.leaves:
            self.open.pop(order.order_id, None)
        elif isinstance(outcome, OrderReplaced):
            self.open[order.order_id] = attrs.evolve(self.open[order.order_id], cl_ord_id=order.cl_ord_id)
        elif isinstance(outcome, OrderAccepted):
            self.open[order.order_id] = PlaceOrder(
                order_id=order.order_id,
                cl_ord_id=order.cl_ord_id,
                account=order.account,
                origin=order.origin,
                market=order.market,
                side=order.side,
                quantity=order.quantity,
                price=order.price,
                reserves_cap=order.account.customer == CUSTOMER and order.order_id not in self.quoted,
            )

    def check(self) -> None:
        exchange = self.exchange
        accounts = {account.id: account for account in exchange.accounts()}
        assert {key: account.balance for key, account in accounts.items()} == self.cash
        if self.product == PREDICTION:  # On margin a loss may exceed the balance.
            assert all(account.available >= 0 for account in accounts.values())
        held: dict[tuple[AccountId, str], Decimal] = {
            (key, ticker): holding.position.net
            for key, account in accounts.items()
            for ticker, holding in account.holdings.items()
            if holding.position.net
        }
        assert held == {key: net for key, net in self.nets.items() if net}
        assert exchange.fees_collected == self.fees
        assert self.total() == sum(self.funded.values())
        self.check_orders()

    def check_orders(self) -> None:
        """Check that every ended order was reported, and that the books, the accounts and the daily cap agree
        about the open orders."""
        orders = self.exchange.open_orders()
        assert self.open.keys() == {order.order_id for order in orders}
        working: dict[tuple[AccountId, str, Side], Decimal] = defaultdict(Decimal)
        in_books: dict[tuple[str, Side], Decimal] = defaultdict(Decimal)
        reserved = Decimal(0)
        for order in orders:
            working[order.account, order.market, order.side] += order.leaves
            in_books[order.market, order.side] += order.leaves
            if self.open[order.order_id].reserves_cap:
                reserved += order.leaves * (order.price if order.side is BUY else 1 - order.price)
        assert working == {
            (account.id, ticker, side): quantity
            for account in self.exchange.accounts()
            for ticker, holding in account.holdings.items()
            for side in Side
            if (quantity := holding.working(side).quantity)
        }
        for rules in self.rules:
            for side in Side:
                levels = self.exchange.levels(rules.ticker, side)
                assert sum((size for _, size in levels), Decimal(0)) == in_books[rules.ticker, side]
        cap = self.exchange.daily_cap(CUSTOMER)
        assert (Decimal(0) if cap is None else cap.reserved) == reserved

    def total(self) -> Decimal:
        """Return the total value of all accounts and of the fees kept by the exchange."""
        accounts = self.exchange.accounts()
        total = sum((account.balance for account in accounts), Decimal(0)) + self.exchange.fees_collected
        for account in accounts:
            total -= account.collateral_advance
            for holding in account.holdings.values():
                position = holding.position
                if isinstance(account.collateral, MarginCollateral):
                    # The posted collateral, plus the gain or loss at a common price. That price cancels out,
                    # because the net positions of all accounts add up to 0.
                    total += position.entry_value * account.collateral.rate
                    total += position.entry_value * (1 if position.net < 0 else -1)
                else:
                    # A pair of a YES and a NO contract pays 1 dollar.
                    total += position.long
        return total

    def finish(self) -> None:
        """End the pause, cancel all orders, and settle all markets."""
        self.play(SetPause(PauseState.OPEN))
        for owner in OWNERS:
            self.play(CancelAll(origin=owner, cause=CancelCause.DISCONNECTED))
        assert all(account.reserved == 0 for account in self.exchange.accounts())
        if self.product == PREDICTION:
            for rules in self.rules:
                while self.exchange.markets[rules.ticker].state is not MarketState.SETTLED:
                    self.play(self._next_final_state(rules.ticker))
        # After the window, any command removes the expired fills of order groups.
        self.now += WINDOW_LENGTH
        self.play(CancelAll(origin="nobody", cause=CancelCause.MASS_CANCELED))
        assert not self.exchange._state.groups._fills


@pytest.mark.parametrize("seed", range(0, 12, 3))
def test_value_is_conserved_on_prediction(seed: int) -> None:
    seen = Counter[str]()
    for item in range(seed, seed + 3):
        history = History(PREDICTION, item)
        for _ in range(1000):
            history.play_random()
        history.finish()
        accounts = history.exchange.accounts()
        assert not any(
            account.holdings[ticker].position.net for account in accounts for ticker in account.holdings
        )
        assert not any(account.reserved or account.collateral_advance for account in accounts)
        balances = sum(account.balance for account in accounts)
        assert balances + history.exchange.fees_collected == FUNDS * len(accounts)
        assert history.seen["OrderTraded"] > 50
        assert history.seen["MarketSettled"] == len(PREDICTIONS)
        seen.update(history.seen)
    # Every kind of event must occur; otherwise the other checks prove nothing.
    for kind in (
        "PrintBlockTrade",
        "ORDER_GROUP",
        "REDUCE_ONLY",
        "EXCEEDED_ORDER_GROUP_RISK_LIMIT",
        "INSUFFICIENT_BALANCE",
        "EVENT_CONTRACT_DAILY_CAP_EXCEEDED",
    ):
        assert seen[kind], seen


@pytest.mark.parametrize("seed", range(4))
def test_value_is_conserved_on_margin(seed: int) -> None:
    history = History(MARGIN, seed)
    for _ in range(1000):
        history.play_random()
    history.finish()
    assert history.seen["OrderTraded"] > 50


def test_the_conservation_check_detects_a_hundredth_of_a_cent() -> None:
    history = History(PREDICTION, 1)
    for _ in range(50):
        history.play_random()
    next(iter(history.exchange.accounts())).balance += d("0.0001")
    with pytest.raises(AssertionError):
        history.check()
