"""The main loop of the soak test: the turns of two traders, and the events between their turns."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, DecimalException
from random import Random

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_sansio.trading import OrderState, Remedy
from tests.trading.soak.ledger import WRONG_CONTEXT, Difference, order_groups
from tests.trading.soak.market import OWNERS, SoakVenue
from tests.trading.soak.trader import Counts, Trader

SETTLEMENT_INTERVAL = 60
"""Number of turns between two settlements."""


@attrs.define(eq=False)
class Tally(Counts):
    """The result of a soak."""

    differences: Counter[str] = attrs.field(factory=Counter)
    """Differences by kind. A difference ends a run, and the next seed begins another run."""
    first_differences: dict[str, str] = attrs.field(factory=dict)
    """Place and traceback of the first difference of each kind."""
    sizes: list[int] = attrs.field(factory=list)
    """Size of the traders' state in bytes, measured twenty times."""


class Run:
    """Two traders at one venue."""

    def __init__(self, seed: int, tally: Tally, faults: float) -> None:
        self.tally, self.faults, self.random = tally, faults, Random(seed)
        self.venue = SoakVenue(self.random)
        self.harness = self.venue.harness
        self.traders = [Trader(self.venue, owner, self.random, tally) for owner in OWNERS]
        self.turns = 0

    def play(self, events: int, report: Callable[[Tally], None]) -> None:
        """Play until the two traders have applied this many events, counted across all runs."""
        for trader in self.traders:
            trader.log_on()
            for symbol in self.venue.open:  # One report per shard defines the beginning of drop copy.
                trader.send(trader.order(symbol))
                self.wait(0.2)
        while self.tally.events < events:
            self.turn()
            report(self.tally)
            if self.tally.events * 20 >= events * (len(self.tally.sizes) + 1):
                self.tally.sizes.append(sum(len(item.machines.dump()) for item in self.traders))
        self.end()

    def turn(self) -> None:
        self.turns += 1
        random, trader = self.random, self.random.choice(self.traders)
        if self.turns % SETTLEMENT_INTERVAL == 0:
            self.settle(trader)
        elif trader.client is None:
            if random.random() < 0.2:
                self.log_on(trader)
        elif random.random() < self.faults and self.has_no_uncertainty(trader):
            self.lose_reports(trader)
        else:
            trader.act()
            if random.random() < 0.2:  # several requests before the first answer
                random.choice(self.traders).act()
                trader.act()
        self.wait(0.2)
        for item in self.traders:
            item.continue_drop_copy()
            item.compare_after_turn()

    def log_on(self, trader: Trader) -> None:
        trader.log_on()
        if trader.client is not None:
            trader.begin_drop_copy()

    def lose_reports(self, trader: Trader) -> None:
        """Lose reports: withhold them, or lose the connection or the process."""
        match self.random.choices(("withhold", "lose", "crash"), (4, 4, 2))[0]:
            case "withhold":
                trader.withhold_report()
            case "crash":
                trader.crash()
            case _:
                if self.random.random() < 0.7:
                    trader.act()  # If the request reaches the venue, its answer is lost.
                    if self.random.random() < 0.5:
                        trader.reach_venue()
                trader.break_connection()

    def settle(self, trader: Trader) -> None:
        """Settle a market. Sometimes a trader then has a fill that it does not know of, because the report is
        lost or arrives after the settlement.
        """
        venue = self.venue
        if self.random.random() < 0.5 and self.has_no_uncertainty(trader):
            other = next(item for item in self.traders if item is not trader)
            venue.list_next()
            trader.send(trader.order(venue.next_to_end, Side.BUY, Decimal("0.50")))
            if self.random.random() < 0.5:
                trader.reach_venue()
                trader.break_connection()
            else:
                self.wait(0.2)
            other.send(other.order(venue.next_to_end, Side.SELL, Decimal("0.01")))
            self.deliver()
            venue.settle()
            trader.counts.settled_first += 1
        else:
            venue.settle()
            venue.list_next()

    def wait(self, seconds: float) -> None:
        """Deliver all sent messages, let time pass, and apply the received messages."""
        self.deliver()
        self.harness.wait(seconds)
        for trader in self.traders:
            trader.apply_received()

    def deliver(self) -> None:
        """Deliver all sent messages without applying them."""
        for trader in self.traders:
            trader.in_transit = 0
        self.harness.run()

    def has_no_uncertainty(self, trader: Trader) -> bool:
        """Return whether nothing is uncertain for a trader."""
        return trader.is_quiet() and trader.machines.is_certain()

    def end(self) -> None:
        """Have the traders resolve the remaining uncertainty."""
        for _ in range(1_000):
            if all(map(self.has_no_uncertainty, self.traders)):
                break
            for trader in self.traders:
                if trader.client is None:
                    self.log_on(trader)
            self.wait(1)
            for trader in self.traders:
                trader.continue_drop_copy()
                trader.compare_after_turn()
                if trader.is_quiet():  # A group whose reset was lost stays uncertain until REST is queried.
                    trader.machines.learn_groups(list(order_groups(trader)))
        for trader in self.traders:
            if not self.has_no_uncertainty(trader):
                raise Difference("an uncertainty remains", *trader.machines.uncertain)
            if [order for order in trader.machines.orders if order.state is OrderState.UNKNOWN]:
                raise Difference("an order remains unknown", *trader.machines.orders.live())
            if trader.machines.uncertain.by_remedy(self.harness.utc) != {remedy: [] for remedy in Remedy}:
                raise Difference("an uncertainty remains", *trader.machines.uncertain)


def play(
    events: int,
    seed: int = 1,
    *,
    faults: float = 0.02,
    max_differences: int = 1,
    report: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Play until the two traders have applied `events` events in total, or `max_differences` differences were
    found.

    Args:
        events: the number of events to apply.
        seed: the seed of the first run; a difference ends a run and begins another one.
        faults: the share of turns in which reports are lost.
        max_differences: the number of differences that ends the soak test.
        report: called after every turn.
    """
    tally = Tally()
    while tally.events < events and tally.differences.total() < max_differences:
        before = tally.events
        try:
            Run(seed, tally, faults).play(events, report)
        except Exception as error:  # noqa: BLE001 - an exception raised by a machine is also a difference
            kind = f"raised {type(error).__name__}"
            if isinstance(error, Difference):
                kind = error.kind
            elif isinstance(error, DecimalException):
                kind = WRONG_CONTEXT
            tally.differences[kind] += 1
            where = f"seed {seed}, event {tally.events - before}: "
            tally.first_differences.setdefault(kind, where + "".join(traceback.format_exception(error)[-3:]))
            seed += 1
    return tally
