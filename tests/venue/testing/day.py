"""A simulated day on the venue: traders, clients of three kinds on both products, faults, and a settlement.

`python -m tests.venue.testing.day --rounds 2000 --seed 7` simulates a longer day than the test.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import queue
import threading
from collections import Counter, defaultdict
from decimal import ROUND_FLOOR, Decimal
from random import Random
from typing import Any

import attrs
import trio

from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_sansio import (
    ExecType,
    ExecutionReport,
    LogonFields,
    MarketSettlementReport,
    OrderGroupRequest,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.trading import Account, ExecKey, GroupDiscrepancy, GroupState
from kalshi_fix_venue.flow import FlowConfig
from kalshi_fix_venue.testing import MARKETS, Venue
from tests.adapters.conformance.loops import LOOPS, TIMEOUT, Asyncio, Blocking, Loop, Trio
from tests.venue.testing.machines import Machines

DAY = 24 * 3600.0
MAX_WAITS = 600
ONE, CENTICENT, BALANCE = Decimal(1), Decimal("0.0001"), Decimal(10_000)
SESSION = "KalshiRT"
LOOKUPS_PER_DAY = 24
"""Number of drop copy requests per client. Drop copy keeps reports for three hours, and the venue's clock
also advances while clients wait, which can take long on a busy machine.
"""
LOOPS_BY_OWNER: dict[str, Loop] = {
    loop.name: loop for loop in LOOPS if isinstance(loop, Blocking | Asyncio | Trio)
}
DAY_PRODUCTS: tuple[Product, ...] = ("prediction", "margin")
MIDDLES = {market.rules.ticker: market.middle for product in DAY_PRODUCTS for market in MARKETS[product]}
SYMBOLS = {product: tuple(market.rules.ticker for market in MARKETS[product]) for product in DAY_PRODUCTS}
SETTLED, SETTLED_AT = SYMBOLS["prediction"][1], Decimal("0.3060")
"""The market that is settled within the day, and its settlement price."""
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("cut", {}),
    ("cut", {"at": "frame"}),
    ("cut", {"at": "request"}),
    ("cut", {"at": "reply"}),
    ("delay", {"by": 30, "lasting": 600}),
    ("silence", {"lasting": 300}),
    ("withhold", {"lasting": 600}),
    ("gap", {"times": 2}),
    ("garble", {}),
    ("garble", {"how": "body-length"}),
    ("garble", {"how": "cut-short"}),
    ("duplicate", {"times": 2}),
    # A message with wrong CompIDs is lost, because its number is counted and it is not resent. The
    # outcome of a request is lost if the venue executes the request, but answers that the outcome is
    # unknown. Drop copy reports the events in both cases.
    ("wrong-comp-ids", {"message": "8"}),
    ("wrong-comp-ids", {"message": "9", "sender": "KalshiRT", "target": "Nobody"}),
    ("unavailable", {"applied": True, "times": 2}),
    ("reject", {"text": "INTERNAL_ERROR"}),
    ("unavailable", {"applied": False}),
    ("throttle", {}),
    ("late-heartbeats", {"by": 60, "lasting": 600}),
    ("busy", {}),
    ("hold-key", {"times": 1}),
)


@attrs.define
class Ledger:
    """A client's balance and positions, computed independently, from the reports that it received.

    Late reports are counted in the order of events: fills by their ExecIDs (17), then the settlement, because
    trading ends before it."""

    product: str
    fills: dict[ExecKey, ExecutionReport] = attrs.field(factory=dict)
    settled: dict[str, Decimal] = attrs.field(factory=dict)
    """Dollars paid per contract, by market."""
    live: set[ExecKey] = attrs.field(factory=set)
    """The fills that were reported live or resent."""
    counts: Counter[str] = attrs.field(factory=Counter)

    @property
    def missed(self) -> int:
        """The number of fills that only drop copy reported."""
        return len(self.fills) - len(self.live)

    def record(self, report: ExecutionReport, *, live: bool = True) -> None:
        """Record a report. Each report is received once, apart from drop copy."""
        self.counts[str(report.exec_type)] += 1
        key = ExecKey.parse(report.exec_id)
        if key is None:
            return
        if report.exec_type == ExecType.TRADE:
            assert not live or key not in self.live, f"a fill was reported twice: {key}"
            self.fills[key] = report
            if live:
                self.live.add(key)

    def record_settlement(self, report: MarketSettlementReport) -> None:
        """Record the settlement of a market."""
        assert report.symbol not in self.settled, f"a settlement was reported twice: {report.symbol}"
        self.settled[report.symbol] = report.settlement_price / 100

    def totals(self) -> tuple[Decimal, dict[str, Decimal]]:
        """Return the resulting cash, and the contracts by market."""
        cash = BALANCE
        held: defaultdict[str, Decimal] = defaultdict(Decimal)
        posted_value: defaultdict[str, Decimal] = defaultdict(Decimal)
        for key in sorted(self.fills):
            fill = self.fills[key]
            symbol, quantity, price = fill.symbol, fill.last_qty, fill.last_px
            assert symbol is not None
            assert quantity is not None
            assert price is not None
            cash -= sum((fee.misc_fee_amt for fee in fill.misc_fees), Decimal(0))
            signed = quantity if fill.side == Side.BUY else -quantity
            before = held[symbol]
            held[symbol] += signed
            closing = min(quantity, abs(before)) if before * signed < 0 else Decimal(0)
            if self.product == "prediction":
                # Contracts are paid in full, and a pair of YES and NO is worth a dollar.
                cost = price if signed > 0 else ONE - price
                cash += closing * (ONE - cost) - (quantity - closing) * cost
                continue
            # A tenth of the value is posted as margin. Closing contracts returns their share of the margin
            # and their profit.
            if closing:
                share = (posted_value[symbol] * closing / abs(before)).quantize(CENTICENT)
                posted_value[symbol] -= share
                profit = closing * price - share if before > 0 else share - closing * price
                cash += share / 10 + profit
            posted_value[symbol] += (quantity - closing) * price
            cash -= (quantity - closing) * price / 10
        for symbol, price in self.settled.items():
            contracts = held.pop(symbol, Decimal(0))
            # The fee of a settlement is the amount below the precision of a balance.
            paid = contracts * price if contracts > 0 else -contracts * (ONE - price)
            cash += paid.quantize(CENTICENT, ROUND_FLOOR)
        return cash, {symbol: net for symbol, net in held.items() if net}


@attrs.define(eq=False)
class Player:
    """A client in a separate thread. `start` starts an action, `wait` returns when the action has ended."""

    loop: Loop
    product: Product
    venue: Venue
    random: Random
    symbols: list[str]
    """The open markets of the client's product."""
    ledger: Ledger = attrs.field(init=False)
    machines: Machines = attrs.field(init=False)
    store: MemoryStore = attrs.field(factory=MemoryStore)
    actions: queue.Queue[str] = attrs.field(factory=queue.Queue)
    done: queue.Queue[BaseException | None] = attrs.field(factory=queue.Queue)
    sent: int = 0
    failed: int = 0
    """The number of consecutive actions that ended with an error."""
    journal: str = attrs.field(init=False)
    """The dump of the state machines after the last confirmed event."""
    restarts: int = 0
    unjournaled: set[str] = attrs.field(factory=set)
    """ClOrdIDs of requests that are in no journal because the process was stopped after sending them."""
    exceptions: Counter[str] = attrs.field(factory=Counter)
    """Number of exceptions raised by its calls, by class."""

    def __attrs_post_init__(self) -> None:
        self.ledger = Ledger(self.product)
        self.machines = Machines.of(SESSION, self.product)
        self.journal = self.machines.dump()

    @property
    def owner(self) -> str:
        return self.loop.name

    @property
    def name(self) -> str:
        return f"{self.owner} on {self.product}"

    def play(self) -> None:
        """Run the client in this thread until the action `end`."""
        try:
            if isinstance(self.loop, Asyncio):
                asyncio.run(self._play())
            elif isinstance(self.loop, Trio):
                trio.run(self._play)
            else:
                self.loop.run(self._play)
        except BaseException as error:  # noqa: BLE001 - `wait` raises it
            self.done.put(error)

    def start(self, action: str) -> None:
        self.actions.put(action)

    def wait(self) -> float:
        """Wait until the client's action has ended; return its duration in seconds by the venue's clock. The
        clock advances meanwhile, because the client may be waiting for a silent venue."""
        for skipped in range(MAX_WAITS):
            with contextlib.suppress(queue.Empty):
                error = self.done.get(timeout=0.1)
                if error is not None:
                    raise error
                return skipped * 10.0
            self.venue.skip(10.0)
        raise AssertionError(f"{self.name} has stopped")

    def _options(self, session: str) -> dict[str, Any]:
        return {
            **self.venue.options(self.owner, session, product=self.product),
            "heart_bt_int": 3600,
            "reconnect": ReconnectPolicy(initial=1e-3, cap=1e-2, maintenance=None),
            "session": {"sending_time_tolerance": None},
        }

    async def _play(self) -> None:
        settlements = LogonFields(receive_settlement_reports=True if self.product == "prediction" else None)
        options = {**self._options(SESSION), "store": self.store, "logon_fields": settlements}
        client = self.loop.client(SESSION, **options)
        while True:
            # A client that has given up or was stopped is opened again, as its user would do.
            self.failed = 0
            try:
                async with client:
                    while (action := await self._perform_next(client)) == "continue":
                        pass
                if action == "end":
                    return
                # A new process loads the state in the journal; requests sent later are only in the store.
                self.restarts += 1
                self.machines = self.machines.restarted(SESSION, self.product, self.journal)
            except KalshiFixError as error:
                self.exceptions[type(error).__name__] += 1

    async def _perform_next(self, client: Any) -> str:
        action = await self.loop.in_thread(lambda: self.actions.get(timeout=4 * TIMEOUT))
        if action == "end":
            return action
        try:
            if action == "act":
                for _ in range(self.random.randint(1, 3)):
                    await self._act(client)
                await self._listen(client, 0.0)
            elif action == "restart":
                await self._listen(client, 0.0)
                self.journal = self.machines.dump()
                request = await self._act(client)
                self.unjournaled.add(getattr(request, "cl_ord_id", ""))
                self.done.put(None)
                return action
            elif action == "look up":
                await self._look_up()
            elif action == "drain":
                await client.test_request(TIMEOUT)
                while self._has_unreceived_messages():
                    await self._listen(client, 0.1)
                # The number of a rejected message is counted before its event is emitted.
                await self._listen(client, 0.0)
        except KalshiFixError as error:
            self.exceptions[type(error).__name__] += 1
            self.failed += 1
            # The client may have ended or may wait for hours, for example because its key seems to be in use.
            if action == "drain" or self.failed == 3:
                self.actions.put(action)
                with contextlib.suppress(KalshiFixError):
                    await self._listen(client, 0.0)
                raise
        else:
            self.failed = 0
        self.done.put(None)
        return "continue"

    def _has_unreceived_messages(self) -> bool:
        """Return whether the venue has sent messages that have not been received yet, such as resent ones."""
        numbers = self.venue.seq_nums(self.owner, SESSION, product=self.product)
        assert numbers is not None
        return self.store.next_incoming < numbers.outgoing

    async def _listen(self, client: Any, seconds: float) -> None:
        async for event in client.events(seconds):
            self.machines.apply(event)
            message = event.message if isinstance(event, MessageReceived) else None
            if isinstance(message, ExecutionReport):
                self.ledger.record(message)
            elif isinstance(message, MarketSettlementReport):
                self.ledger.record_settlement(message)

    async def _look_up(self) -> None:
        """Request from drop copy all reports since the last request."""
        last = self.venue.server.inspect(lambda model: model.exchange(self.product).latest_exec_id(0))
        assert last is not None
        async with self.loop.client("KalshiDC", **self._options("KalshiDC")) as client:
            latest = ExecKey(0, last.clock, last.event)
            for event in await self.machines.look_up(client, TIMEOUT, latest):
                message = event.message if isinstance(event, MessageReceived) else None
                if isinstance(message, ExecutionReport):
                    self.ledger.record(message, live=False)
        pending = self.machines.drop_copy.pending
        assert not pending, f"{self.name} did not receive all past reports: {pending}"

    async def _act(self, client: Any) -> Any:
        random, orders = self.random, self.machines.orders
        self.sent += 1
        name = f"{self.owner}-{self.sent}"
        resting = [order for order in orders.working() if order.symbol in self.symbols]
        chosen = random.choice(resting) if resting and random.random() < 0.4 else None
        groups = self.machines.groups
        request: Any
        if groups.in_flight is None and random.random() < 0.07:
            request = self._group_request()
        elif chosen is None:
            symbol, side = random.choice(self.symbols), random.choice((Side.BUY, Side.SELL))
            request = orders.new(
                name,
                symbol,
                side,
                quantity=random.randint(1, 20),
                price=self._price(symbol, buys=side is Side.BUY),
                time_in_force=random.choice(
                    (TimeInForce.GOOD_TILL_CANCEL, TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.DAY)
                ),
                secondary_cl_ord_id=random.choice([None, *groups]),
            )
        elif random.random() < 0.5:
            request = orders.cancel(chosen, name)
        else:
            price = self._price(chosen.symbol, buys=chosen.side == Side.BUY)
            cl_ord_id = random.choice((name, chosen.cl_ord_id))
            request = orders.replace(chosen, cl_ord_id, price=price, leaves_qty=random.randint(1, 20))
        self.machines.apply(request)
        try:
            await client.send(request)
        except KalshiFixError:
            self.machines.withdraw(request)
            raise
        return request

    def _group_request(self) -> OrderGroupRequest:
        """Return a request that creates one of two order groups, or changes one."""
        groups = list(self.machines.groups)
        if len(groups) < 2:
            return OrderGroupRequest.create(self.random.randint(5, 30))
        group_id = self.random.choice(groups)
        if self.random.random() < 0.3:
            limit = self.random.randint(5, 30)
            return OrderGroupRequest.update(group_id, order_group_contracts_limit=limit)
        return OrderGroupRequest.reset(group_id)

    def _price(self, symbol: str, *, buys: bool) -> Decimal:
        """Return a price that trades immediately, or one near the best price."""
        side = Side.SELL if buys else Side.BUY
        levels = self.venue.server.inspect(lambda model: model.exchange(self.product).levels(symbol, side))
        best = levels[0][0] if levels else MIDDLES[symbol]
        price = best + Decimal(self.random.randint(-4, 2)) / 100 * (1 if buys else -1)
        return min(max(price, Decimal("0.01")), Decimal("0.99") if self.product == "prediction" else price)


@attrs.frozen
class Outcome:
    """The result of a day."""

    players: tuple[Player, ...]
    faults: Counter[str]
    events: int
    """Number of actions of the simulated traders and of requests of the clients."""


def play(*, rounds: int, seed: int, rate: float) -> Outcome:
    """Simulate a day of this many rounds, then compare each player with the exchange."""
    random = Random(seed)
    flow = FlowConfig(seed=seed, rate=rate, initial_prices=MIDDLES)
    faults: Counter[str] = Counter()
    remaining: list[tuple[str, dict[str, Any]]] = []
    with (
        contextlib.ExitStack() as stack,
        Venue(
            owners=tuple(LOOPS_BY_OWNER),
            balance=BALANCE,
            seed=seed,
            settings={"flow": flow, "sending_time_tolerance": 100 * DAY, "logon_timeout": DAY},
        ) as venue,
    ):
        symbols = {product: list(names) for product, names in SYMBOLS.items()}
        players = tuple(
            Player(loop, product, venue, Random(random.random()), symbols[product])
            for loop in LOOPS_BY_OWNER.values()
            for product in DAY_PRODUCTS
        )

        def perform(action: str) -> float:
            for player in players:
                player.start(action)
            return sum(player.wait() for player in players)

        threads = [threading.Thread(target=player.play, daemon=True) for player in players]
        for player in players:
            stack.callback(player.start, "end")
        for thread in threads:
            thread.start()
        since_lookup = DAY
        for number in range(rounds):
            venue.skip(DAY / rounds)
            if random.random() < 0.5:
                # Every fault is used once before any is repeated.
                remaining = remaining or random.sample(FAULTS, len(FAULTS))
                name, parameters = remaining.pop()
                player = random.choice(players)
                target = {
                    "owner": player.owner,
                    "product": player.product,
                    "session": SESSION,
                }
                # A client that is refused when it is opened would wait for hours; one that is logged on
                # reconnects.
                if name != "hold-key" or venue.logged_on(player.owner, product=player.product):
                    venue.do(name, **target, **parameters)
                    faults[name] += 1
                if name == "hold-key":
                    venue.do("cut", **target)
            if random.random() < 0.02:
                venue.do(random.choice(("pause", "resume")))
            if number == rounds // 2:
                symbols["prediction"].remove(SETTLED)
                venue.do("settle", market=SETTLED, result="scalar", price=SETTLED_AT)
            action = "act" if random.random() < 0.95 else "restart"
            since_lookup += DAY / rounds + perform(action)
            # `since_lookup` is measured by the venue's clock, which also advances during an action.
            if since_lookup >= DAY / LOOKUPS_PER_DAY:
                since_lookup = perform("look up")
        # Trading ends, withheld messages are released, and every client receives all remaining reports.
        venue.do("pause", what="exchange")
        venue.do("release")
        perform("drain")
        perform("look up")
        for player in players:
            compare(venue, player)
        for player in players:
            player.start("end")
        for thread in threads:
            thread.join(TIMEOUT)
            assert not thread.is_alive()
    sent = sum(player.sent for player in players)
    return Outcome(players, faults, round(rate * DAY) + sent)


def compare(venue: Venue, player: Player) -> None:
    """Compare a player's ledger and its state machines with the state of the exchange."""
    machines = player.machines
    held = venue.positions(player.owner, product=player.product)
    groups = venue.server.inspect(
        lambda model: [
            attrs.evolve(group)
            for group in model.exchange(player.product).order_groups()
            if group.account.owner == player.owner
        ]
    )
    balance = venue.cash(player.owner, product=player.product)
    resting = venue.orders(player.owner, product=player.product)
    assert player.ledger.totals() == (balance, held), player.name
    triggered = {group.id: group.triggered for group in groups}
    for group in machines.groups.values():
        if group.state is not GroupState.UNKNOWN:
            assert triggered[group.group_id] == (group.state is GroupState.TRIGGERED), (player.name, group)
    machines.learn_groups(groups)
    unresolved = machines.resolve({order.cl_ord_id for order in resting})
    assert unresolved == [], f"{player.name}: {[str(item) for item in unresolved]}"
    # A restarted process does not know requests that its journal does not contain.
    found = [
        discrepancy
        for discrepancy in machines.discrepancies
        if not isinstance(discrepancy, GroupDiscrepancy)
        and discrepancy.detail.split()[-1] not in player.unjournaled
    ]
    assert found == [], (player.name, found)
    assert machines.held() == {(Account(), symbol): net for symbol, net in held.items()}, player.name
    assert machines.balance(BALANCE) == balance, player.name
    assert machines.resting() == {
        item.order_id: (
            item.cl_ord_id,
            Account(),
            item.filled_qty,
            item.leaves,
            item.price,
            item.filled_value,
        )
        for item in resting
    }, player.name


def main() -> None:
    """Simulate one day and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=1.0, help="actions of simulated traders per second")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    outcome = play(rounds=given.rounds, seed=given.seed, rate=given.rate)
    print(f"{outcome.events} events, {sum(outcome.faults.values())} faults: {dict(outcome.faults)}")
    for player in outcome.players:
        cash, positions = player.ledger.totals()
        print(
            f"{player.name}: {player.sent} requests, {len(player.ledger.fills)} fills, "
            f"{player.ledger.missed} of them only from drop copy, {cash} dollars, {positions}, "
            f"{player.machines.looked_up} uncertain items looked up in drop copy, "
            f"{player.machines.resolved} resolved without it; equal to the exchange; "
            f"exceptions: {dict(player.exceptions)}"
        )


if __name__ == "__main__":
    main()
