"""The orders, positions and money of a trader's state machines, compared with the venue's ledger over real
sessions."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from kalshi_fix_sansio import Side, TimeInForce
from kalshi_fix_sansio.trading import (
    Cash,
    DropCopy,
    FeeTerms,
    OrderRequestError,
    Orders,
    OrderState,
    Positions,
    check_fees,
)
from kalshi_fix_venue.config import AccountConfig
from kalshi_fix_venue.exchange import AccountId
from kalshi_fix_venue.exchange.accounts import AccountTerms
from tests.venue.exchange_harness import MARKET
from tests.venue.venue_harness import Client, VenueHarness, accounts, order

BUY, SELL = Side.BUY, Side.SELL
START = Decimal(1000)


def accounts_with_terms(*, direct: bool = True) -> tuple[AccountConfig, ...]:
    changes = {"balance": START, "drop_copy": True, "terms": AccountTerms(direct_member=direct)}
    return accounts(ann=changes, bob=changes)


Row = dict[str, Any]


class Trader:
    """One owner, with a session and state machines."""

    precision = Decimal("0.0001")

    def __init__(self, harness: VenueHarness, name: str, **logon: Any) -> None:
        self.harness, self.name, self.logon = harness, name, logon
        self.orders, self.positions, self.cash = Orders("KalshiNR"), Positions(), Cash()
        self.client: Client | None = None
        self.count = 0

    def next_id(self) -> str:
        self.count += 1
        return f"{self.name}{self.count}"

    def log_on(self) -> None:
        self.client = self.harness.connect(self.name, **self.logon)
        self.apply_events()

    def apply_events(self) -> None:
        if self.client is not None:
            events = list(self.client.events)
            self.client.events.clear()
            for event in events:
                self.apply(event)

    def apply(self, event: object) -> None:
        for received in self.orders.apply(event):
            assert not received.discrepancies, [str(discrepancy) for discrepancy in received.discrepancies]
            self.positions.apply(received)
            self.cash.apply(received)

    def send(self, request: Any) -> None:
        if self.client is not None:
            self.apply(request)
            self.client.session.send(request, self.harness.now)

    def lose_connection(self) -> None:
        """Break the connection; messages in transit to this side are lost."""
        client, self.client = self.client, None
        if client is not None:
            client.events.clear()
            client.drop()
            client.session.receive_eof(self.harness.now)
            for event in client.session.events():
                self.apply(event)

    def request_drop_copy(self) -> None:
        copies = DropCopy("KalshiDC")
        client = self.harness.connect("ann-2" if self.name == "ann" else "bob-md", "KalshiDC")
        copies.request(self.orders.drop_copy_start(), self.orders.epoch, self.harness.now)
        while True:
            events, client.events[:] = list(client.events), []
            for event in events:
                for received in copies.apply(event, self.harness.now):
                    self.apply(received)
            requests = copies.handle_timer(self.harness.now)
            if not requests:
                break
            copies.apply(requests[0], self.harness.now)
            client.send(requests[0])
        assert not copies.pending
        client.logout()

    def ledger(self) -> tuple[list[Row], Decimal, Decimal]:
        """Return the venue's state: open orders, position, balance."""
        exchange = self.harness.venue.exchange("prediction")
        account = AccountId(self.name)
        found = [
            {
                "order_id": order.order_id,
                "cl_ord_id": order.cl_ord_id,
                "filled_qty": order.filled_qty,
                "leaves_qty": order.leaves,
                "price": order.price,
                "value": order.filled_value,
            }
            for order in exchange.open_orders()
            if order.account == account
        ]
        balance = exchange.account(account).balance
        return sorted(found, key=by_id), exchange.position(account, MARKET).net, balance

    def machine_state(self) -> tuple[list[Row], Decimal, Decimal]:
        """Return the state of the trader's machines in the same form as `ledger`."""
        names = ("order_id", "cl_ord_id", "filled_qty", "leaves_qty", "price", "value")
        found = [{name: getattr(item, name) for name in names} for item in self.orders.live()]
        return sorted(found, key=by_id), self.positions.of(MARKET).net, START + self.cash.of().change

    def check(self) -> None:
        assert self.machine_state() == self.ledger()
        assert not self.orders.uncertain()
        assert not self.positions.discrepancies()
        fees = FeeTerms(taker_rate=Decimal("0.07"), precision=self.precision)
        for item in self.orders:
            assert check_fees(item, fees) == []


def by_id(row: Row) -> str:
    return str(row["order_id"])


def act(trader: Trader, random: Random) -> None:
    """Perform a random next action, valid or not."""
    orders = trader.orders
    live = list(orders.live())
    try:
        match random.choice(["new", "new", "new", "replace", "replace", "cancel", "late"]):
            case "replace" if live:
                chosen = random.choice(live)
                price = random.choice([None, f"0.{random.randint(40, 60)}"])
                trader.send(
                    orders.replace(chosen, trader.next_id(), price=price, leaves_qty=random.randint(0, 15))
                )
            case "cancel" if live:
                trader.send(orders.cancel(random.choice(live), trader.next_id()))
            case "late" if live:  # two requests for the same order; the second one arrives too late
                chosen = random.choice(live)
                trader.send(orders.cancel(chosen, trader.next_id()))
                trader.send(orders.replace(chosen, trader.next_id(), leaves_qty=5))
            case _:
                tif = random.choice([TimeInForce.GOOD_TILL_CANCEL] * 3 + [TimeInForce.IMMEDIATE_OR_CANCEL])
                price = f"0.{random.randint(40, 60)}"
                side, quantity = random.choice((BUY, SELL)), Decimal(random.randint(1, 1500)) / 100
                if random.random() < 0.05:
                    quantity = Decimal(50_000)  # more than the account can pay
                made = orders.new(trader.next_id(), MARKET, side, quantity, price, time_in_force=tif)
                trader.send(made)
    except OrderRequestError:
        return


@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_the_state_kept_by_a_trader_equals_the_venues_ledger(seed: int, direct: bool, pending: bool) -> None:
    harness, random = VenueHarness(seed, accounts=accounts_with_terms(direct=direct)), Random(seed)
    traders = [Trader(harness, name, skip_pending_exec_reports=not pending) for name in ("ann", "bob")]
    for trader in traders:
        trader.precision = Decimal("0.0001" if direct else "0.01")
        trader.log_on()
    for _ in range(250):
        act(random.choice(traders), random)
        harness.wait(0.2)
        for trader in traders:
            trader.apply_events()
        for trader in traders:
            trader.check()
    assert sum(len(order.fills) for trader in traders for order in trader.orders) > 30


@pytest.mark.parametrize("cancel_on_disconnect", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_orders_with_lost_reports_are_uncertain_until_drop_copy_delivers_the_reports(
    seed: int, cancel_on_disconnect: bool
) -> None:
    harness, random = VenueHarness(seed, accounts=accounts_with_terms()), Random(seed)
    ann = Trader(harness, "ann", cancel_orders_on_disconnect=cancel_on_disconnect)
    bob = Trader(harness, "bob")
    unverified = 0
    for _ in range(12):
        ann.log_on()
        if bob.client is None:
            bob.log_on()
        for _ in range(random.randint(1, 25)):
            act(random.choice((ann, bob)), random)
            harness.wait(0.2)
            ann.apply_events()
            bob.apply_events()
        if ann.orders.live():
            act(ann, random)  # If the request reaches the venue, its answer is lost.
            if random.random() < 0.7:
                harness.run()
        ann.lose_connection()
        assert not any(order.state in (OrderState.OPEN, OrderState.SENT) for order in ann.orders)
        unverified += len(list(ann.orders.live()))
        for _ in range(10):
            act(bob, random)
            harness.wait(0.2)
            bob.apply_events()
        ann.request_drop_copy()
        ann.check()
        bob.check()
        if cancel_on_disconnect:
            assert not ann.orders.live()
    assert unverified > 10


def test_the_orders_of_the_previous_process_are_loaded_from_its_dump() -> None:
    harness = VenueHarness(accounts=accounts_with_terms())
    ann, bob = Trader(harness, "ann"), Trader(harness, "bob")
    ann.log_on()
    bob.log_on()
    ann.send(order("a", BUY, 10, "0.40"))
    harness.run()
    ann.apply_events()
    dumped = dict(ann.orders.dump()), ann.positions.dump(), ann.cash.dump()
    ann.lose_connection()
    bob.send(order("b", SELL, 4, "0.40"))
    harness.run()
    restarted = Trader(harness, "ann")
    for _ in restarted.orders.load(dumped[0]):
        pass
    restarted.positions.load(dumped[1])
    restarted.cash.load(dumped[2])
    assert [item.state for item in restarted.orders] == [OrderState.UNVERIFIED]
    restarted.request_drop_copy()
    restarted.check()
    assert restarted.positions.of(MARKET).net == 4
