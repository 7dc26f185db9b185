"""In random histories, a listener receives the same reports live, from drop copy afterwards, and after a
reconnect on a session with resend."""

from __future__ import annotations

from random import Random

import pytest

from kalshi_fix_sansio import (
    EventResendComplete,
    EventResendRequest,
    ExecutionReport,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_venue.exchange import (
    AccountId,
    MarketState,
    PauseState,
    PrintBlockTrade,
    SetMarketState,
    SetPause,
)
from tests.venue.exchange_harness import MARKET, d
from tests.venue.venue_harness import Client, VenueHarness, accounts, amend, cancel, mass_cancel, order

BUY, SELL = Side.BUY, Side.SELL
ACCOUNTS = accounts(
    ann={"balance": d(500), "subaccounts": {3: d(100)}, "drop_copy": True}, bob={"balance": d(500)}
)


def body_of(report: Message) -> str:
    report.header = report.trailer = None
    return repr(report)


def reports(messages: list[Message]) -> list[ExecutionReport]:
    """Return the execution reports, except those of refused orders, which drop copy does not contain."""
    return [m for m in messages if isinstance(m, ExecutionReport) and m.exec_type != "8"]


class Day:
    """A random history in which Ann and Bob trade."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.harness = VenueHarness(seed, accounts=ACCOUNTS)
        self.traders = [self.harness.connect("ann"), self.harness.connect("bob")]
        self.names: dict[str, list[tuple[str, str]]] = {"ann": [], "bob": []}

    def step(self, number: int) -> None:
        random, harness = self.random, self.harness
        trader = random.choice(self.traders)
        names = self.names[trader.name]
        kind = random.randrange(20)
        if kind == 0:
            pause = random.choice([PauseState.TRADING_PAUSED, PauseState.EXCHANGE_PAUSED])
            harness.execute(SetPause(pause))
            harness.execute(SetPause(PauseState.OPEN))
        elif kind == 1:
            for state in (MarketState.INACTIVE, MarketState.ACTIVE):
                harness.execute(SetMarketState(MARKET, state))
        elif kind == 2:
            buyer, seller = random.sample([AccountId("ann"), AccountId("bob")], 2)
            block = PrintBlockTrade(
                market=MARKET, buyer=buyer, seller=seller, price=d("0.50"), quantity=d(number % 5 + 1)
            )
            harness.execute(block)
        elif kind == 3:
            trader.send(mass_cancel(f"m{number}"))
        elif kind < 11 and names:
            index = -1 - random.randrange(min(3, len(names)))
            name, side = names[index]
            if kind < 5:
                trader.send(cancel(f"c{number}", name, side=side))
            else:
                trader.send(amend(f"g{number}", name, random.randint(1, 9), side=side))
                if harness.venue.exchange("prediction").find(trader.name.partition("-")[0], f"g{number}"):
                    names[index] = (f"g{number}", side)
        else:
            side = random.choice([BUY, SELL])
            names.append((f"o{number}", side))
            trader.send(
                order(
                    f"o{number}",
                    side,
                    random.randint(1, 9),
                    f"0.{random.randint(47, 53)}",
                    time_in_force=random.choice(
                        [
                            *[TimeInForce.GOOD_TILL_CANCEL] * 4,
                            TimeInForce.IMMEDIATE_OR_CANCEL,
                            TimeInForce.FILL_OR_KILL,
                        ]
                    ),
                    cancel_order_on_pause=random.randrange(3) == 0,
                    alloc_account=3 if trader.name == "ann" and random.randrange(4) == 0 else None,
                )
            )
        harness.run()

    def past(self, client: Client, begin: str, end: str | None = None) -> list[ExecutionReport]:
        client.take()
        client.send(EventResendRequest(begin_exec_id=begin, end_exec_id=end))
        self.harness.wait(0.5)
        *found, complete = client.take()
        assert isinstance(complete, EventResendComplete)
        assert complete.resend_event_count == len(found)
        return reports(found)


@pytest.mark.parametrize("seed", range(6))
def test_live_reports_equal_those_from_drop_copy_and_those_resent_after_a_reconnect(seed: int) -> None:
    day = Day(seed)
    listener = day.harness.connect("ann-reader", listener_session=True)
    listener.take()
    store = MemoryStore()
    offline = day.harness.connect("ann-2", "KalshiRT", listener_session=True, store=store)
    offline.drop()
    for number in range(200):
        day.step(number)
    live = reports(listener.take())
    kinds = {report.exec_type for report in live}
    assert len(live) > 60
    assert {"0", "4", "5", "F"} <= kinds
    live_bodies = [body_of(report) for report in live]
    ids = [report.exec_id for report in live]
    assert len(set(ids)) == len(ids)
    # Compare all past reports, and any range of them.
    listener.logout()
    dc = day.harness.connect("ann-reader", "KalshiDC")
    assert [body_of(report) for report in day.past(dc, "0;0")] == live_bodies
    for _ in range(10):
        first, last = sorted(day.random.sample(range(len(ids)), 2))
        part = day.past(dc, ids[first], ids[last])
        assert [body_of(report) for report in part] == live_bodies[first : last + 1]
    # Compare the queued reports.
    reconnected = day.harness.connect("ann-2", "KalshiRT", listener_session=True, store=store)
    day.harness.wait(0.5)
    assert [body_of(report) for report in reports(reconnected.take())] == live_bodies


@pytest.mark.parametrize("seed", range(3))
def test_cash_and_positions_follow_from_past_reports_alone(seed: int) -> None:
    day = Day(seed)
    for number in range(150):
        day.step(number)
    cash = {0: d(500), 3: d(100)}
    net = {0: d(0), 3: d(0)}
    for report in day.past(day.harness.connect("ann-reader", "KalshiDC"), "0;0"):
        if report.exec_type == "F":
            (change,) = report.collateral_amount_changes
            assert change.collateral_amount_change is not None
            cash[report.alloc_account or 0] += change.collateral_amount_change
            assert report.long_qty is not None
            assert report.short_qty is not None
            net[report.alloc_account or 0] = report.long_qty - report.short_qty
    exchange = day.harness.venue.exchange("prediction")
    for number in (0, 3):
        account = AccountId("ann", number)
        assert exchange.account(account).balance == cash[number]
        assert exchange.position(account, MARKET).net == net[number]
