"""The venue for tests: connections from every kind of client, resets, queries and trades."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters import blocking
from kalshi_fix_adapters.errors import ConnectionFailedError, LogonRefusedError
from kalshi_fix_sansio import (
    ExecType,
    ExecutionReport,
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MarketDataSnapshotFullRefresh,
    OrdStatus,
    Side,
)
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import MessageReceived, SessionEnded
from kalshi_fix_venue.exchange import ExchangeOrderState, TimeInForce
from kalshi_fix_venue.identities import Authority, ClientKey
from kalshi_fix_venue.scenario.file import load_scenario
from kalshi_fix_venue.testing import MARKETS, SeqNums, Venue
from tests.adapters.conformance.loops import TIMEOUT, Loop
from tests.adapters.conformance.support import SYMBOL, order, wait_for_acknowledgement, wait_for_event


@pytest.fixture(scope="module", params=[False, True], ids=["in process", "TLS"])
def either(request: pytest.FixtureRequest) -> Iterator[Venue]:
    with Venue(tls=request.param) as running:
        yield running


@pytest.fixture
def venue(either: Venue) -> Iterator[Venue]:
    yield either
    either.reset()


def options(venue: Venue, session: str = "KalshiNR", owner: str = "me", **changes: Any) -> dict[str, Any]:
    return {**venue.options(owner, session), "reconnect": None, **changes}


async def wait_for_report(client: Any, exec_type: ExecType) -> ExecutionReport:
    async for message in client.messages(TIMEOUT):
        if isinstance(message, ExecutionReport) and message.exec_type == exec_type:
            return message
    raise AssertionError("no such report was received")


async def test_every_client_trades(loop: Loop, venue: Venue) -> None:
    mine = order(order_qty=10, price="0.40")
    async with loop.client("KalshiNR", **options(venue)) as client:
        await client.send(mine)
        # There is no need to wait for a report: earlier messages have been processed.
        (resting,) = venue.orders()
        assert (resting.cl_ord_id, resting.leaves, resting.side) == (mine.cl_ord_id, Decimal(10), Side.BUY)
        assert venue.logged_on() == ("KalshiNR",)
        assert venue.seq_nums() == SeqNums(incoming=3, outgoing=4)
        await wait_for_acknowledgement(client)

        venue.trader().fill(mine.cl_ord_id, 4)
        assert (await wait_for_report(client, ExecType.TRADE)).last_qty == 4
        assert venue.orders()[0].leaves == 6
        venue.trader().fill(mine.cl_ord_id)
        assert (await wait_for_report(client, ExecType.TRADE)).leaves_qty == 0
    assert venue.orders() == ()
    assert venue.positions() == {SYMBOL: 10}
    assert venue.positions("other") == {SYMBOL: -10}
    assert venue.cash() == Decimal(10_000) - 4
    assert venue.logged_on() == ()
    assert venue.seq_nums() is None


async def test_an_order_client_and_a_market_data_client_work_together(loop: Loop, venue: Venue) -> None:
    async with (
        loop.client("KalshiNR", **options(venue)) as orders,
        loop.client("KalshiMD", **options(venue, "KalshiMD")) as data,
    ):
        venue.rest_liquidity(levels=1)
        await data.send(MarketDataRequest.subscribe(SYMBOL))
        snapshot = (await wait_for_event(data, MessageReceived)).message
        assert isinstance(snapshot, MarketDataSnapshotFullRefresh)
        assert len(snapshot.md_entries or ()) == 2
        await orders.send(order())
        assert isinstance((await wait_for_event(data, MessageReceived)).message, MarketDataIncrementalRefresh)
        assert sorted(venue.logged_on()) == ["KalshiMD", "KalshiNR"]


async def test_a_key_has_only_one_connection(loop: Loop, venue: Venue) -> None:
    async with loop.client("KalshiNR", **options(venue)):
        shared = {**venue.options(session="KalshiMD", key="KalshiNR"), "reconnect": None}
        with pytest.raises(LogonRefusedError, match="already exists"):
            async with loop.client("KalshiMD", **shared):
                pass


async def test_a_reset_disconnects_without_raising(loop: Loop, venue: Venue) -> None:
    async with loop.client("KalshiNR", **options(venue)) as client:
        await client.send(order())
        venue.reset()
        ended = await wait_for_event(client, SessionEnded)
        assert not ended.clean
    assert venue.orders() == ()
    async with loop.client("KalshiNR", **options(venue)) as client:
        await client.send(order())
        assert len(venue.orders()) == 1


async def test_the_numbers_of_a_session_with_resend_are_kept_after_it_ends(loop: Loop, venue: Venue) -> None:
    assert venue.seq_nums(session="KalshiRT") is None
    mine = order()
    async with loop.client("KalshiRT", **options(venue, "KalshiRT")) as client:
        await client.send(mine)
        await wait_for_acknowledgement(client)
    before = venue.seq_nums(session="KalshiRT")
    assert before is not None
    venue.trader().fill(mine.cl_ord_id)
    after = venue.seq_nums(session="KalshiRT")
    assert after == SeqNums(before.incoming, before.outgoing + 1)
    assert venue.seq_nums() is None


def test_two_venues_are_independent() -> None:
    with (
        Venue() as one,
        Venue() as two,
        blocking.order_entry(**options(one)) as client,
        blocking.order_entry(**options(two)) as other,
    ):
        client.send(order())
        assert len(one.orders()) == 1
        assert two.orders() == ()
        other.send(order())
        assert len(two.orders()) == 1
        two.reset()
        assert len(one.orders()) == 1
        client.test_request()


def test_a_client_of_one_venue_is_refused_by_another() -> None:
    with Venue(seed=1) as one, Venue(seed=2) as two:
        mixed = options(one) | {"tls": options(two)["tls"]}
        with pytest.raises(LogonRefusedError, match="Unknown API key"):
            blocking.order_entry(**mixed).open()


def test_with_the_same_seed_only_the_keys_differ() -> None:
    with Venue() as one, Venue() as two:
        assert one.options()["key_id"] == two.options()["key_id"]
        assert one.options()["private_key"] != two.options()["private_key"]
        orders = [venue.trader().buy(SYMBOL, 1, "0.40") for venue in (one, two)]
        one.reset()
        after_reset = one.trader().buy(SYMBOL, 1, "0.40")
        assert orders[0] == orders[1] == after_reset


def test_a_closed_venue_accepts_no_connections() -> None:
    with Venue() as venue:
        chosen = options(venue)
    with pytest.raises(ConnectionFailedError):
        blocking.order_entry(**chosen).open()
    # The venue may be entered again, and keeps its previous trades.
    with venue, blocking.order_entry(**chosen) as client:
        client.send(order())
    with venue:
        assert len(venue.orders()) == 1
        venue.reset()
        assert venue.orders() == ()


def test_a_port_without_a_session_type_refuses_connections() -> None:
    with Venue() as venue, pytest.raises(ConnectionFailedError, match="refused"):
        blocking.order_entry(**options(venue, port=8233 + 1)).open()


def test_clients_may_use_margin_and_rsa_keys() -> None:
    with Venue(rsa_keys=True, owners=("ann",), balance="12.50") as venue:
        with blocking.order_entry(**venue.options("ann", product="margin")) as client:
            client.send(order(symbol="BTC-PERP", price="1.0001"))
            assert len(venue.orders("ann", product="margin")) == 1
        assert venue.cash("ann", product="margin") == Decimal("12.50")
        assert venue.orders("ann") == ()
        with pytest.raises(ConfigurationError, match="no owner 'bob'"):
            venue.trader("bob")


@pytest.mark.parametrize("tls", [False, True])
def test_a_reset_creates_no_keys_threads_or_connections(tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reset creates no keys, certificates, listeners, threads or connections: it is cheaper than a logon,
    which creates a thread and a connection, and creates and verifies a signature.
    """
    with Venue(tls=tls) as venue:
        port = venue.options()["port"]
        calls: list[str] = []

        def record_calls(owner: Any, name: str) -> None:
            original = getattr(owner, name)

            def record(*args: Any, **options: Any) -> Any:
                calls.append(name)
                return original(*args, **options)

            monkeypatch.setattr(owner, name, record)

        record_calls(ClientKey, "generate")
        record_calls(Authority, "__init__")
        record_calls(Authority, "issue")
        record_calls(threading.Thread, "start")
        record_calls(socket.socket, "listen")
        record_calls(socket, "socketpair")
        record_calls(asyncio.base_events.BaseEventLoop, "create_server")
        with blocking.order_entry(**options(venue)) as client:
            client.send(order())
        assert "start" in calls
        calls.clear()
        venue.reset()
        assert calls == []
        assert venue.options()["port"] == port
        assert venue.orders() == ()


def test_a_reset_is_possible_from_an_event_loop_that_has_clients() -> None:
    async def main(venue: Venue) -> None:
        from kalshi_fix_adapters.asyncio import order_entry

        for _ in range(3):
            async with order_entry(**options(venue)) as client:
                await client.send(order())
                assert len(venue.orders()) == 1
            venue.reset()
            assert venue.orders() == ()

    with Venue() as venue:
        asyncio.run(main(venue))


def test_time_can_be_skipped() -> None:
    with Venue(settings={"sending_time_tolerance": 7200.0}) as venue:
        expire = datetime.now(UTC) + timedelta(seconds=600)
        mine = order(time_in_force="6", expire_time=expire)
        settings = {**options(venue, heart_bt_int=3600), "session": {"sending_time_tolerance": None}}
        with blocking.order_entry(**settings) as client:
            client.send(mine)
            venue.skip(590)
            assert len(venue.orders()) == 1
            with venue.server.down():
                pass
            venue.skip(20)
            assert venue.orders() == ()
        with blocking.order_entry(**settings) as client:
            client.send(order(time_in_force="6", expire_time=datetime.now(UTC) + timedelta(seconds=700)))
            venue.skip(4000)
            reports = (each for each in client.messages(TIMEOUT) if isinstance(each, ExecutionReport))
            assert any(each.ord_status == OrdStatus.CANCELED for each in reports)
        venue.reset()
        # The clocks show the real time again.
        with blocking.order_entry(**options(venue)) as client:
            client.test_request()


# --- the counterparty -----------------------------------------------------------------------------------


@pytest.fixture
def plain_venue(shared: Venue) -> Iterator[Venue]:
    yield shared
    shared.reset()


def test_a_trader_buys_sells_and_cancels(plain_venue: Venue) -> None:
    other = plain_venue.trader("other")
    resting = other.buy(SYMBOL, 10, "0.40")
    assert (resting.leaves, resting.state) == (Decimal(10), ExchangeOrderState.OPEN)
    sold = plain_venue.trader("me").sell(SYMBOL, 4, Decimal("0.40"))
    assert (sold.filled_qty, sold.state) == (Decimal(4), ExchangeOrderState.FILLED)
    assert plain_venue.positions("other") == {SYMBOL: 4}
    assert other.cancel(resting).state is ExchangeOrderState.CANCELED
    with pytest.raises(LookupError):
        other.cancel(resting)
    for price in ("0.10", "0.11"):
        other.buy(SYMBOL, 1, price)
    other.cancel_all()
    assert plain_venue.orders("other") == ()
    gone = other.buy(SYMBOL, 1, "0.10", time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)
    assert gone.state is ExchangeOrderState.CANCELED


def test_orders_ahead_in_the_queue_are_filled_first(plain_venue: Venue) -> None:
    me = plain_venue.trader("me")
    me.buy(SYMBOL, 3, "0.42")
    me.buy(SYMBOL, 5, "0.40")
    last = me.buy(SYMBOL, 2, "0.40")
    plain_venue.trader().fill(last.cl_ord_id, 1)
    assert [(each.price, each.leaves) for each in plain_venue.orders()] == [(Decimal("0.40"), Decimal(1))]
    assert plain_venue.positions() == {SYMBOL: 9}


@pytest.mark.parametrize(
    ("act", "error", "match"),
    [
        (lambda trader: trader.buy(SYMBOL, 1, "1.50"), ValueError, "INVALID_ORDER"),
        (lambda trader: trader.buy("NONE", 1, "0.50"), ValueError, "NONE at 0.50"),
        (lambda trader: trader.buy(SYMBOL, 10**6, "0.50"), ValueError, "INSUFFICIENT"),
        (lambda trader: trader.buy(SYMBOL, 1, 0.5), ValueError, "not exact"),
        (lambda trader: trader.fill("nothing"), LookupError, "me has no open order nothing"),
    ],
)
def test_impossible_actions_raise(plain_venue: Venue, act: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        act(plain_venue.trader())
    assert plain_venue.cash("other") == 10_000
    assert plain_venue.orders("other") == ()


def test_an_order_cannot_be_filled_by_its_owner_or_during_a_pause(plain_venue: Venue) -> None:
    mine = plain_venue.trader("me").buy(SYMBOL, 2, "0.40")
    with pytest.raises(ValueError, match="was not filled"):
        plain_venue.trader("me").fill(mine.cl_ord_id)
    plain_venue.do("pause", what="exchange")
    with pytest.raises(ValueError, match="rejected other's order"):
        plain_venue.trader().fill(mine.cl_ord_id)
    assert plain_venue.positions("other") == {}


def test_liquidity_is_placed_on_every_market(plain_venue: Venue) -> None:
    plain_venue.rest_liquidity(levels=3)
    for product, markets in MARKETS.items():
        exchange = plain_venue.server.inspect(lambda model, product=product: model.exchange(product))  # type: ignore[misc]
        for market in markets:
            for side in Side:
                assert len(exchange.levels(market.rules.ticker, side)) == 3


# --- from a scenario ------------------------------------------------------------------------------------


def test_a_scenario_file_may_be_combined_with_additional_owners() -> None:
    example = Path(__file__).resolve().parents[3] / "examples" / "scenario.yaml"
    with Venue(scenario=example, owners=("me",)) as venue:
        assert venue.orders() == ()
        scenario = load_scenario(example)
        account = scenario.accounts[0]
        assert venue.cash(account.owner, product=account.product) == account.balance  # type: ignore[arg-type]
        product, owner = account.product, account.owner
        with blocking.order_entry(**venue.options(owner, product=product)):  # type: ignore[arg-type]
            assert venue.logged_on(owner, product=product) == ("KalshiNR",)  # type: ignore[arg-type]


def test_the_error_for_an_invalid_scenario_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("markets:\n  nonsense: []\n")
    with pytest.raises(ConfigurationError, match=r"bad\.yaml"):
        Venue(scenario=tmp_path / "bad.yaml")


def test_an_unknown_owner_is_reported() -> None:
    with Venue(owners=("ann", "bob")) as venue:
        for query in (venue.options, venue.cash, venue.orders, venue.positions, venue.trader, venue.seq_nums):
            with pytest.raises(ConfigurationError, match="no owner 'anne' on prediction; did you mean `ann`"):
                query("anne")
        with pytest.raises(ConfigurationError, match="has no key for 'KalshiXX'"):
            venue.options("ann", "KalshiXX")
        with pytest.raises(ConfigurationError, match="'ann' has no subaccount 7"):
            venue.cash("ann", subaccount=7)
        with pytest.raises(ConfigurationError, match="there is no owner 'bop'; did you mean `bob`"):
            venue.do("cut", owner="bop")
        with pytest.raises(ConfigurationError, match="there is no API key 'none'"):
            venue.do("delay", by=1, key="none")


def test_an_operator_can_trade_for_another_participant(venue: Venue) -> None:
    with pytest.raises(
        ConfigurationError,
        match=f"the book of {SYMBOL} has no resting orders against which the participant could sell",
    ):
        venue.do("trade", market=SYMBOL, side="sell", quantity=1)
    me = venue.trader("me")
    me.buy(SYMBOL, 5, "0.40")
    second = me.buy(SYMBOL, "5.00", "0.3800")
    assert [each["leaves"] for each in venue.do("status")["products"]["prediction"]["orders"]] == ["5", "5"]
    answer = venue.do("trade", market=SYMBOL, side="sell", quantity="7.0")
    assert answer["text"] == f"{SYMBOL}: 7 traded at 0.38 to 0.40"
    assert answer["trades"] == [{"quantity": "5", "price": "0.40"}, {"quantity": "2", "price": "0.38"}]
    assert venue.positions("me") == {SYMBOL: Decimal(7)}
    [remaining] = venue.orders("me")
    assert (remaining.cl_ord_id, remaining.leaves) == (second.cl_ord_id, Decimal(3))
    # Quantity that the book does not have is cancelled, and the price is never worse than the limit.
    answer = venue.do("trade", market=SYMBOL, side="sell", quantity=9, price="0.39")
    assert (answer["text"], answer["trades"]) == (f"{SYMBOL}: 0 traded", [])
    assert len(venue.do("trade", market=SYMBOL, side="sell", quantity=9)["trades"]) == 1
    assert venue.orders("me") == ()
    with pytest.raises(ConfigurationError, match="the exchange rejected the order: "):
        venue.do("trade", market=SYMBOL, side="buy", quantity=1, price="0.12345")
