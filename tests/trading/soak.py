"""Orders, positions, money and drop copy of two traders against the ledger of the simulated venue, for long.

After everything that happens, what a trader keeps is what the venue has, or is among his doubts. Connections
break with reports and requests on their way, reports are withheld, drop copy is asked on KalshiDC and on
KalshiNR, between live reports, and is refused at times; and what is kept does not grow.

`python -m tests.trading.soak --events 1000000` plays longer than the tests do.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import attrs

from kalshi_fix_adapters.venue.config import AccountConfig
from kalshi_fix_adapters.venue.exchange import AccountId, prediction_market
from kalshi_fix_adapters.venue.exchange.accounts import AccountTerms
from kalshi_fix_sansio import EventResendRejectReason, ExecType, ExecutionReport, Side, TimeInForce
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, SessionEnded
from kalshi_fix_sansio.trading import (
    Cash,
    Copied,
    DropCopy,
    Order,
    OrderDiscrepancyKind,
    OrderRequestError,
    Orders,
    OrderState,
    Positions,
    Remedy,
)
from kalshi_fix_sansio.trading.doubts import Doubts
from tests.adapters.venue.town import Client, Town, config

SHARDS = {"HIGHNY-26AUG20": 0, "KXBTC-26AUG20": 2}
SYMBOLS = tuple(SHARDS)
START = Decimal(10) ** 9
REFUSALS = (EventResendRejectReason.TOO_MANY_REQUESTS, EventResendRejectReason.SERVER_ERROR)
MAX_ORDERS = 500
"""Orders that a trader keeps: many times fewer than he has in all."""


def town(seed: int) -> Town:
    """A venue with two shards, where two owners may ask for past reports."""
    terms = AccountTerms(direct_member=True)
    accounts = tuple(
        AccountConfig(
            owner=owner,
            product="prediction",
            balance=START,
            on_shards={2: {0: START}},
            drop_copy=True,
            terms=terms,
        )
        for owner in ("ann", "bob")
    )
    perp = next(each for each in config().accounts if each.owner == "perp")
    markets = tuple(prediction_market(symbol, shard=shard) for symbol, shard in SHARDS.items())
    there = {"prediction": markets, "margin": config().markets["margin"]}
    return Town(seed, accounts=(*accounts, perp), markets=there)


@attrs.define(eq=False)
class Tally:
    """What has happened, and the most that was ever kept."""

    events: int = 0
    cuts: int = 0
    withheld: int = 0
    doubted: int = 0
    copied: int = 0
    events_compared: int = 0
    compared: int = 0
    whole: int = 0
    refused: int = 0
    on_own_session: int = 0
    dumps: list[int] = attrs.field(factory=list)
    """Bytes of what the traders keep, measured now and then."""


class Trader:
    """One owner, with what he keeps beside his sessions."""

    def __init__(self, town: Town, name: str, random: Random, tally: Tally) -> None:
        self.town, self.name, self.random, self.tally = town, name, random, tally
        self.orders = Orders("KalshiNR", max_orders=MAX_ORDERS)
        self.positions, self.cash = Positions(), Cash()
        self.copies = DropCopy("KalshiDC", logon={"use_dollars": True})
        self.client: Client | None = None
        self.copier: Client | None = None
        """The session of drop copy, where it is another one."""
        self.blind = False
        """Whether a report was withheld, and the session has not noticed yet."""
        self.count = 0

    @property
    def doubts(self) -> Doubts:
        return Doubts(self.orders, self.positions, self.cash, self.copies)

    # --- what he does -----------------------------------------------------------------------------

    def id(self) -> str:
        self.count += 1
        return f"{self.name}{self.count}"

    def log_on(self) -> None:
        self.client = self.town.connect(self.name)
        self.follow()

    def send(self, request: Any) -> None:
        if self.client is not None:
            self.take(request)
            try:
                self.client.session.send(request, self.town.now)
            except LocalProtocolError:  # it is logging out
                self.orders.withdraw(request)

    def act(self) -> None:
        """Something that a trader may do next, right or wrong."""
        random, live = self.random, self.orders.live()
        try:
            match random.choices(("new", "replace", "cancel", "late", "all"), (12, 6, 5, 2, 1))[0]:
                case "replace" if live:
                    price = random.choice([None, f"0.{random.randint(40, 60)}"])
                    chosen = random.choice(live)
                    self.send(
                        self.orders.replace(chosen, self.id(), price=price, remaining=random.randint(0, 15))
                    )
                case "cancel" if live:
                    self.send(self.orders.cancel(random.choice(live), self.id()))
                case "late" if live:  # two about one order, of which the second comes too late
                    chosen = random.choice(live)
                    self.send(self.orders.cancel(chosen, self.id()))
                    self.send(self.orders.replace(chosen, self.id(), remaining=5))
                case "all":
                    self.send(self.orders.cancel_all(self.id()))
                case _:
                    self.send(self.order())
        except OrderRequestError:
            return

    def order(self, symbol: str | None = None) -> Any:
        random = self.random
        side = random.choice((Side.BUY, Side.SELL))
        # Apart by a little, so that some rest.
        price = random.randint(40, 52) if side is Side.BUY else random.randint(48, 60)
        kinds = [TimeInForce.GOOD_TILL_CANCEL] * 4 + [TimeInForce.IMMEDIATE_OR_CANCEL]
        quantity = Decimal(random.randint(1, 1500)) / 100
        if random.random() < 0.02:
            quantity = START * 3  # more than he can pay
        symbol = symbol or random.choice(SYMBOLS)
        kind = random.choice(kinds)
        return self.orders.new(self.id(), symbol, side, quantity, f"0.{price}", time_in_force=kind)

    def lose(self) -> None:
        """The connection breaks; what is on its way to this side is lost."""
        client, self.client = self.client, None
        assert client is not None
        client.events.clear()
        client.drop()
        client.session.receive_eof(self.town.now)
        for event in client.session.events():
            self.take(event)
        self.note_cut()

    def note_cut(self) -> None:
        self.tally.cuts += 1
        self.tally.doubted += len(self.orders.doubts())

    def withhold(self) -> None:
        """What the venue says next is lost; the session notices by the number of what comes after."""
        assert self.client is not None
        self.act()
        venue, conn = self.town.venue, self.client.conn
        venue.receive_data(conn, self.client.session.data_to_send(), self.town.now)
        self.blind = bool(venue.data_to_send(conn))
        self.tally.withheld += self.blind

    def begin_copy(self) -> None:
        """Ask for what is in doubt: on a session of its own, or on that of the orders."""
        dump = self.copies.dump()
        kind = self.random.choice(("KalshiDC", "KalshiNR"))
        self.copies = DropCopy(kind)
        self.copies.load(dump)
        if kind == "KalshiDC":
            self.copier = self.town.connect(f"{self.name}-md" if self.name == "bob" else "ann-2", kind)
        else:
            assert self.client is not None
            self.tally.on_own_session += 1
            self.copies.apply(self.logged_on, self.town.now)
        moment = self.orders.moment
        self.copies.ask(self.orders.copy_from(self.copies.forgotten), moment, self.town.now)
        if self.random.random() < 0.3:
            self.tally.refused += 1
            venue = self.town.venue.drop_copy("prediction")
            venue.refuse_next(self.random.choice(REFUSALS), self.name, count=self.random.randint(1, 3))

    def go_on(self) -> None:
        """Send the request of drop copy that is due."""
        session = self.copier or self.client
        if session is None:
            return
        for request in self.copies.handle_timer(self.town.now):
            self.copies.apply(request, self.town.now)
            try:  # it leaves with whatever is sent before `run`
                session.session.send(request, self.town.now)
            except LocalProtocolError:
                self.copies.withdraw(request)
        if self.copier is not None and not self.copies.wanted:
            self.copier.logout()
            self.follow()
            self.copier = None

    # --- what he hears ----------------------------------------------------------------------------

    def follow(self) -> None:
        """Take what has come on both sessions."""
        if self.client is not None:
            events, self.client.events[:] = list(self.client.events), []
            self.client.wire.clear()
            on = self.client
            for event in events:
                if isinstance(event, LoggedOn):
                    self.logged_on = event
                elif isinstance(event, SessionEnded):
                    self.client, self.blind = None, False
                if self.copier is not None or not self.copies.wanted:
                    self.take(event)
                    continue
                for told in self.copies.apply(event, self.town.now):
                    self.take(told)
            if self.client is not on:
                self.note_cut()
        if self.copier is not None:
            events, self.copier.events[:] = list(self.copier.events), []
            for event in events:
                for told in self.copies.apply(event, self.town.now):
                    self.take(told)

    def take(self, happened: object) -> None:
        self.tally.events += 1
        self.tally.copied += isinstance(happened, Copied)
        for told in self.orders.apply(happened):
            # A copy may tell of an order that has made room for others; it was over then.
            kinds = {each.kind for each in told.discrepancies} - {OrderDiscrepancyKind.FORGOTTEN}
            assert not kinds, [str(each) for each in told.discrepancies]
            self.positions.apply(told)
            self.cash.apply(told)
        if isinstance(happened, MessageReceived) and isinstance(happened.message, ExecutionReport):
            self.check_report(happened.message)

    # --- what is true -----------------------------------------------------------------------------

    def check_report(self, report: Any) -> None:
        """Compare with the ledger as it was at this very event, which the report repeats."""
        order = self.orders.by_order_id(report.order_id)
        if self.blind or self.copier is not None or self.copies.wanted or order is None:
            return  # a copy, perhaps; or what came before it is still missing
        if order.state is OrderState.UNVERIFIED or order.unseen:
            return
        self.tally.events_compared += 1
        assert (order.filled, order.remaining) == (report.cum_qty, report.leaves_qty), (order, report)
        if report.exec_type is ExecType.TRADE:
            held = self.positions.of(report.symbol)
            if not held.holes:
                assert held.net == report.long_qty - report.short_qty, (held, report)

    def check(self) -> None:
        """Compare with the ledger of the venue what is not in doubt."""
        if self.blind:  # nobody can know
            return
        exchange = self.town.venue.exchange("prediction")
        theirs = {
            each.order_id: (each.cl_ord_id, each.filled, each.leaves, each.price, each.filled_value)
            for each in exchange.open_orders()
            if each.account.owner == self.name
        }
        mine = {each.order_id or "": seen(each) for each in self.orders.live()}
        self.tally.compared += 1
        doubts = self.orders.doubts()
        if not doubts:
            assert mine == theirs
            for symbol, shard in SHARDS.items():
                account = AccountId(self.name, shard=shard)
                assert self.positions.of(symbol).net == exchange.position(account, symbol).net
                assert START + self.cash.of(shard).change == exchange.account(account).balance
            assert not self.positions.discrepancies()
            assert self.copies.wanted or not len(self.doubts)
            self.tally.whole += 1
            return
        doubted = {doubt.order.order_id for doubt in doubts if doubt.order is not None}
        names = {doubt.order.cl_ord_id for doubt in doubts if doubt.order is not None}
        names |= {doubt.request.cl_ord_id for doubt in doubts if doubt.request is not None}
        for order_id in {*mine, *theirs} - {""}:
            if mine.get(order_id) != theirs.get(order_id) and order_id not in doubted:
                # An order that is not known by its OrderID may be one that was sent and has no answer.
                assert order_id not in mine
                assert theirs[order_id][0] in names
        for each in self.orders.live():
            assert each.order_id is not None or each.number in {
                doubt.order.number for doubt in doubts if doubt.order is not None
            }

    def size(self) -> int:
        """Bytes of all that is kept, as text."""
        machines: tuple[Any, ...] = (self.orders, self.positions, self.cash, self.copies)
        return sum(len(json.dumps(each.dump())) for each in machines)


def seen(order: Order) -> tuple[str, Decimal, Decimal, Decimal | None, Decimal]:
    return order.cl_ord_id, order.filled, order.remaining, order.price, order.value


def settled(trader: Trader) -> bool:
    """Say whether nothing is open but what the trader does next."""
    idle = trader.copier is None and not trader.copies.wanted and not trader.blind
    return trader.client is not None and idle and not trader.orders.doubts()


def play(events: int, seed: int = 1, *, faults: float = 0.02, report: Any = None) -> Tally:
    """Play until as many events have been taken, by both traders together; a turn in `faults` breaks a
    connection or withholds a report."""
    tally, random, venue = Tally(), Random(seed), town(seed)
    traders = [Trader(venue, name, random, tally) for name in ("ann", "bob")]
    for trader in traders:
        trader.log_on()
        for symbol in SYMBOLS:  # of every shard something has come, so that drop copy knows where to begin
            trader.send(trader.order(symbol))
            venue.wait(0.2)
            trader.follow()
    steps = tenth = 0
    while tally.events < events:
        steps += 1
        trader = random.choice(traders)
        if trader.client is None:
            if random.random() < 0.2:
                trader.log_on()
                trader.begin_copy()
        elif random.random() < faults and settled(trader):
            if random.random() < 0.4:
                trader.withhold()
            else:
                if random.random() < 0.7:
                    trader.act()  # nobody hears what comes of it, if it arrives
                    if random.random() < 0.5:
                        venue.run()
                trader.lose()
        else:
            trader.act()
        for each in random.sample(traders, 2):
            each.go_on()
            if random.random() < 0.5:
                each.act()
        venue.wait(0.2)
        for each in traders:
            each.follow()
        for each in traders:
            each.check()
        if tally.events * 20 >= events * (tenth + 1):
            tenth += 1
            tally.dumps.append(sum(each.size() for each in traders))
            if report is not None:
                report(f"{tally.events} events: {tally.dumps[-1]} bytes kept")
    while not all(map(settled, traders)):  # what is still in doubt is found out
        for each in traders:
            if each.client is None:
                each.log_on()
                each.begin_copy()
            each.go_on()
        venue.wait(1)
        for each in traders:
            each.follow()
            each.check()
    for each in traders:
        assert list(each.doubts) == []
        assert not [order for order in each.orders if order.state is OrderState.UNKNOWN]
        assert each.doubts.by_remedy(venue.utc) == {remedy: [] for remedy in Remedy}
    return tally


def main() -> None:
    """Play for long, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    tally = play(given.events, given.seed, report=lambda line: print(line, flush=True))
    counts = Counter({name: value for name, value in attrs.asdict(tally).items() if isinstance(value, int)})
    first, last = tally.dumps[: len(tally.dumps) // 2], tally.dumps[len(tally.dumps) // 2 :]
    print(
        f"seed {given.seed}:",
        ", ".join(f"{value} {name}" for name, value in counts.items()),
        f"; kept at most {max(first)} bytes in the first half and {max(last)} in the second; 0 differences",
    )


if __name__ == "__main__":
    main()
