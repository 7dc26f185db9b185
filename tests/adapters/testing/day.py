"""A day at the venue: simulated traders, three clients of different kinds, faults in between.

`python -m tests.adapters.testing.day --rounds 2000 --seed 7` plays a longer one than the test does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import queue
import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import attrs
import trio

from kalshi_fix_adapters.reconnect import ReconnectPolicy
from kalshi_fix_adapters.testing import MARKETS, Venue
from kalshi_fix_adapters.venue.exchange import Side as ExchangeSide
from kalshi_fix_adapters.venue.flow import FlowConfig
from kalshi_fix_sansio import (
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdType,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.session import MemoryStore
from tests.adapters.conformance.loops import LONG, LOOPS, Asyncio, Blocking, Loop, Trio

A_DAY = 24 * 3600.0
MOST_WAITS = 600
ONE, BALANCE = Decimal(1), Decimal(10_000)
SESSION = "KalshiRT"
PLAYERS: dict[str, Loop] = {loop.name: loop for loop in LOOPS if isinstance(loop, Blocking | Asyncio | Trio)}
SYMBOLS = tuple(market.rules.ticker for market in MARKETS["prediction"])
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
    # What such a message says is lost: FIX has its number count, and nobody sends it again.
    ("wrong-comp-ids", {"message": "9"}),
    ("reject", {"text": "INTERNAL_ERROR"}),
    ("unavailable", {"applied": False}),
    ("throttle", {}),
    ("late-heartbeats", {"by": 60, "lasting": 600}),
    ("busy", {}),
    ("hold-key", {"times": 1}),
)


@attrs.define
class Ledger:
    """What a client knows of its money, counted from the reports that it has received and nothing else."""

    cash: Decimal = BALANCE
    positions: dict[str, Decimal] = attrs.field(factory=dict)
    fills: set[str] = attrs.field(factory=set)
    """ExecIDs (17)."""
    told: Counter[str] = attrs.field(factory=Counter)

    def take(self, report: ExecutionReport) -> None:
        """Count a report. An event contract is paid in full, and a pair of Yes and No is worth a dollar."""
        self.told[str(report.exec_type)] += 1
        if report.exec_type != ExecType.TRADE:
            return
        assert report.exec_id not in self.fills, f"a fill was told twice: {report.exec_id}"
        self.fills.add(report.exec_id)
        symbol, quantity, price = report.symbol, report.last_qty, report.last_px
        assert symbol is not None
        assert quantity is not None
        assert price is not None
        buys = report.side == Side.BUY
        held = self.positions.get(symbol, Decimal(0))
        closing = min(quantity, max(-held if buys else held, Decimal(0)))
        cost = price if buys else ONE - price
        self.cash += closing * (ONE - cost) - (quantity - closing) * cost
        self.cash -= sum((fee.misc_fee_amt for fee in report.misc_fees), Decimal(0))
        self.positions[symbol] = held + (quantity if buys else -quantity)


@attrs.define(eq=False)
class Player:
    """A client with a plan of its own. It is told when to act, and tells when it has."""

    loop: Loop
    venue: Venue
    random: Random
    ledger: Ledger = attrs.field(factory=Ledger)
    resting: list[ExecutionReport] = attrs.field(factory=list)
    store: MemoryStore = attrs.field(factory=MemoryStore)
    turns: queue.Queue[str] = attrs.field(factory=queue.Queue)
    done: queue.Queue[BaseException | None] = attrs.field(factory=queue.Queue)
    sent: int = 0
    failed: int = 0
    """Turns in a row that have ended by an error."""
    trouble: Counter[str] = attrs.field(factory=Counter)
    """What its calls have raised."""

    @property
    def owner(self) -> str:
        return self.loop.name

    def play(self) -> None:
        """Play in a thread of its own."""
        try:
            if isinstance(self.loop, Asyncio):
                asyncio.run(self._play())
            elif isinstance(self.loop, Trio):
                trio.run(self._play)
            else:
                self.loop.run(self._play)
        except BaseException as error:  # noqa: BLE001 - it is raised where the turn is waited for
            self.done.put(error)

    def turn(self, what: str) -> None:
        self.turns.put(what)

    def wait(self) -> None:
        """Wait until it has acted. It may wait for the venue, which is silent for a while: time goes on."""
        for _ in range(MOST_WAITS):
            with contextlib.suppress(queue.Empty):
                error = self.done.get(timeout=0.1)
                if error is not None:
                    raise error
                return
            self.venue.skip(10.0)
        raise AssertionError(f"{self.owner} has stopped")

    async def _play(self) -> None:
        options: dict[str, Any] = {
            **self.venue.options(self.owner, SESSION),
            "heart_bt_int": 3600,
            "reconnect": ReconnectPolicy(initial=1e-3, cap=1e-2, maintenance=None),
            "store": self.store,
            "session": {"sending_time_tolerance": None},
        }
        client = self.loop.client(SESSION, **options)
        while True:
            # A client that has given up is opened again, as its user would.
            self.failed = 0
            try:
                async with client:
                    while await self._take_turn(client):
                        pass
                    return
            except KalshiFixError as error:
                self.trouble[type(error).__name__] += 1

    async def _take_turn(self, client: Any) -> bool:
        what = await self.loop.in_thread(lambda: self.turns.get(timeout=4 * LONG))
        if what == "end":
            return False
        try:
            if what == "act":
                for _ in range(self.random.randint(1, 3)):
                    await self._act(client)
                await self._listen(client, 0.0)
            elif what == "settle":
                await client.test_request(LONG)
                while self._has_more_to_come():
                    await self._listen(client, 0.1)
        except KalshiFixError as error:
            self.trouble[type(error).__name__] += 1
            self.failed += 1
            # It may be over, or wait for hours, such as for a key that somebody seems to hold.
            if what == "settle" or self.failed == 3:
                self.turns.put(what)
                raise
        else:
            self.failed = 0
        self.done.put(None)
        return True

    def _has_more_to_come(self) -> bool:
        """Say whether the venue has sent more than was taken, such as what was asked for again."""
        numbers = self.venue.seq_nums(self.owner, SESSION)
        assert numbers is not None
        return self.store.next_incoming < numbers.outgoing

    async def _listen(self, client: Any, seconds: float) -> None:
        async for event in client.events(seconds):
            if isinstance(event, MessageReceived) and isinstance(event.message, ExecutionReport):
                self.ledger.take(event.message)
                self._note(event.message)

    def _note(self, report: ExecutionReport) -> None:
        self.resting = [each for each in self.resting if each.order_id != report.order_id]
        if report.leaves_qty and report.exec_type in (ExecType.NEW, ExecType.TRADE, ExecType.REPLACED):
            self.resting.append(report)

    async def _act(self, client: Any) -> None:
        random = self.random
        self.sent += 1
        name = f"{self.owner}-{self.sent}"
        chosen = random.choice(self.resting) if self.resting and random.random() < 0.4 else None
        if chosen is None:
            symbol, buys = random.choice(SYMBOLS), random.random() < 0.5
            await client.send(
                NewOrderSingle(
                    cl_ord_id=name,
                    symbol=symbol,
                    side=Side.BUY if buys else Side.SELL,
                    ord_type=OrdType.LIMIT,
                    order_qty=random.randint(1, 20),
                    price=self._price(symbol, buys=buys),
                    time_in_force=random.choice(
                        (TimeInForce.GOOD_TILL_CANCEL, TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.DAY)
                    ),
                )
            )
        elif random.random() < 0.5:
            await client.send(
                OrderCancelRequest(
                    cl_ord_id=name,
                    orig_cl_ord_id=chosen.cl_ord_id or "",
                    symbol=chosen.symbol or "",
                    side=chosen.side,
                )
            )
        else:
            await client.send(
                OrderCancelReplaceRequest(
                    cl_ord_id=name,
                    orig_cl_ord_id=chosen.cl_ord_id or "",
                    symbol=chosen.symbol or "",
                    side=chosen.side,
                    ord_type=OrdType.LIMIT,
                    order_qty=(chosen.cum_qty or 0) + random.randint(1, 20),
                    price=self._price(chosen.symbol or "", buys=chosen.side == Side.BUY),
                )
            )

    def _price(self, symbol: str, *, buys: bool) -> Decimal:
        """A price that trades, or one that rests near the others."""
        side = ExchangeSide.SELL if buys else ExchangeSide.BUY
        levels = self.venue.server.inspect(lambda model: model.exchange("prediction").levels(symbol, side))
        best = levels[0][0] if levels else Decimal("0.50")
        price = best + Decimal(self.random.randint(-4, 2)) / 100 * (1 if buys else -1)
        return min(max(price, Decimal("0.01")), Decimal("0.99"))


@attrs.frozen
class Outcome:
    """How a day has ended."""

    players: tuple[Player, ...]
    faults: Counter[str]
    events: int
    """Actions of the simulated traders and requests of the clients."""


def play(*, rounds: int, seed: int, rate: float, check: Callable[[Venue, Player], None]) -> Outcome:
    """Play a day of so many rounds, then let `check` compare each client with the exchange."""
    random = Random(seed)
    flow = FlowConfig(
        seed=seed, rate=rate, middles={SYMBOLS[0]: Decimal("0.45"), SYMBOLS[1]: Decimal("0.30")}
    )
    faults: Counter[str] = Counter()
    with (
        contextlib.ExitStack() as stack,
        Venue(
            owners=tuple(PLAYERS),
            balance=BALANCE,
            seed=seed,
            settings={"flow": flow, "sending_time_tolerance": 100 * A_DAY, "logon_timeout": A_DAY},
        ) as venue,
    ):
        players = tuple(Player(loop, venue, Random(random.random())) for loop in PLAYERS.values())
        threads = [threading.Thread(target=player.play, daemon=True) for player in players]
        for player in players:
            stack.callback(player.turn, "end")
        for thread in threads:
            thread.start()
        for _ in range(rounds):
            venue.skip(A_DAY / rounds)
            if random.random() < 0.5:
                name, parameters = random.choice(FAULTS)
                owner = random.choice(players).owner
                # Who opens a client, and is refused so, waits for hours; who has one open opens it again.
                if name != "hold-key" or venue.logged_on(owner):
                    venue.do(name, owner=owner, **parameters)
                    faults[name] += 1
                if name == "hold-key":
                    venue.do("cut", owner=owner)
            if random.random() < 0.02:
                venue.do(random.choice(("pause", "resume")))
            for player in players:
                player.turn("act")
            for player in players:
                player.wait()
        # Nobody trades any more; what was kept back leaves, and everybody hears all there is.
        venue.do("pause", what="exchange")
        venue.do("release")
        for player in players:
            player.turn("settle")
        for player in players:
            player.wait()
        for player in players:
            check(venue, player)
        for player in players:
            player.turn("end")
        for thread in threads:
            thread.join(LONG)
            assert not thread.is_alive()
    sent = sum(player.sent for player in players)
    return Outcome(players, faults, round(rate * A_DAY) + sent)


def compare(venue: Venue, player: Player) -> None:
    """Compare what a client has counted with what the exchange knows."""
    counted = {symbol: net for symbol, net in player.ledger.positions.items() if net}
    assert counted == venue.positions(player.owner), player.owner
    assert player.ledger.cash == venue.cash(player.owner), player.owner


def main() -> None:
    """Play one day and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=1.0, help="actions of simulated traders a second")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    outcome = play(rounds=given.rounds, seed=given.seed, rate=given.rate, check=compare)
    print(f"{outcome.events} events, {sum(outcome.faults.values())} faults: {dict(outcome.faults)}")
    for player in outcome.players:
        ledger = player.ledger
        print(
            f"{player.owner}: {player.sent} requests, {len(ledger.fills)} fills, {ledger.cash} dollars, "
            f"{dict(ledger.positions)}, as the exchange has it; raised on the way: {dict(player.trouble)}"
        )


if __name__ == "__main__":
    main()
