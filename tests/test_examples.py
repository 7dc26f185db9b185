"""The examples, run as a reader would run them, against the simulated venue."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_adapters.logs import Kind, Recorder, Recording, replay
from kalshi_fix_sansio import NewOrderSingle, OrdType, Side
from kalshi_fix_sansio.trading import OrderBooks
from kalshi_fix_venue.operations import operation
from tests.example_programs import EXAMPLES, SYMBOL, TIMEOUT, ExampleEnvironment, example_environment
from tests.programs import run_program

LOOPS = ("blocking", "asyncio", "trio")
RECOVER_PAGE = EXAMPLES.parent / "docs" / "how-to" / "recover.md"
PARTS = ("reported", "listed as uncertain", "never sent", "lost")
"""Rows of the torture run's table whose values add up to the number of orders."""


@pytest.fixture
def examples(tmp_path: Path) -> Iterator[ExampleEnvironment]:
    with example_environment(tmp_path) as running:
        yield running


@pytest.mark.parametrize("name", ["fixt_acceptor.py", "fixt_initiator.py"])
def test_a_fixt_example_generates_its_dialect_when_it_is_run(name: str) -> None:
    assert run_program(sys.executable, "-W", "error", EXAMPLES / name, "--help").returncode == 0
    assert (EXAMPLES / "fixt" / "dialect" / "__init__.py").is_file()


@pytest.mark.parametrize("name", ["first_order.py", "first_order_asyncio.py", "first_order_trio.py"])
def test_the_first_order_example_runs(examples: ExampleEnvironment, name: str) -> None:
    with examples.run(name, SYMBOL) as script:
        script.expect("ExecType.PENDING_NEW")
        script.expect("ExecType.NEW", f"symbol='{SYMBOL}'", "price=0.01")
        assert script.process.wait(TIMEOUT) == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_the_book_watcher_example_runs(examples: ExampleEnvironment, loop: str) -> None:
    with examples.run(f"book_watcher_{loop}.py", SYMBOL) as script:
        first = script.expect(SYMBOL, "LIVE")
        bid = Decimal(first.split()[2])
        examples.improve_bid(str(bid + Decimal("0.01")))
        script.expect(SYMBOL, "LIVE", f"{bid + Decimal('0.01')} x 1")
        assert script.interrupt() == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_a_market_maker_follows_the_book_and_cancels_its_quotes(
    examples: ExampleEnvironment, loop: str
) -> None:
    bids, offers = examples.levels(Side.BUY), examples.levels(Side.SELL)
    with examples.run(f"market_maker_{loop}.py", SYMBOL, *examples.second_key) as script:
        bid = script.expect("NewOrderSingle", "Side.BUY")
        script.expect("NewOrderSingle", "Side.SELL")
        price = Decimal(bid.split("price=")[1].partition(",")[0])
        examples.improve_bid(str(price + Decimal("0.02")))
        script.expect("OrderCancelReplaceRequest", "Side.BUY", f"price={price + Decimal('0.01')}")
        # Without a connection no order rests; the example quotes again after it has reconnected.
        examples.sandbox.server.perform(operation("cut", {"owner": "you"}))
        script.expect("NewOrderSingle", "Side.BUY", f"price={price + Decimal('0.01')}")
        script.expect("NewOrderSingle", "Side.SELL")
        assert script.interrupt() == 0
    assert examples.levels(Side.SELL) == offers
    assert examples.levels(Side.BUY) == ((price + Decimal("0.02"), 1), *bids)


def test_the_core_runs_in_a_custom_loop(examples: ExampleEnvironment) -> None:
    with examples.run("own_loop.py", SYMBOL) as script:
        script.expect("ExecType.PENDING_NEW")
        script.expect("ExecType.NEW")
        script.expect("logged out")
        assert script.process.wait(TIMEOUT) == 0


def fetch(url: str) -> tuple[int, str]:
    """Return the status and the body of a page."""
    try:
        with urlopen(url, timeout=TIMEOUT) as page:
            return page.status, page.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


SERVICE = """
store = "stores"
wire_log = "wire.log"
reconnect = { initial = 0.01, cap = 0.05 }

[sessions.orders]
account = "desk"
"""


def reaches_status(url: str, status: int) -> bool:
    """Return whether a page gets this status within 20,000 requests."""
    return any(fetch(url)[0] == status for _ in range(20_000))


def test_a_service_answers_health_checks_and_logs_out_on_sigterm(
    examples: ExampleEnvironment, tmp_path: Path
) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(SERVICE, encoding="utf-8")
    with examples.run("service.py", path, 0) as script:
        url = script.expect("health checks").split()[-1]
        assert fetch(f"{url}/live")[0] == fetch(f"{url}/ready")[0] == 200
        assert fetch(f"{url}/else")[0] == 503
        with examples.sandbox.server.down():
            assert reaches_status(f"{url}/ready", 503)
            assert fetch(f"{url}/live")[0] == 200
        assert reaches_status(f"{url}/ready", 200)
        status, metrics = fetch(f"{url}/metrics")
        assert (status, 'fix_up{session="orders"} 1.0' in metrics) == (200, True)
        script.process.terminate()  # SIGTERM
        assert script.process.wait(TIMEOUT) == 0
    frames = [line for line in (tmp_path / "wire.log").read_text("ascii").splitlines() if "|35=5|" in line]
    assert [line.split()[3] for line in frames] == ["sent", "received"]


def test_a_short_torture_run_accounts_for_every_order() -> None:
    done = run_program(sys.executable, "-W", "error", EXAMPLES / "torture.py", 2, 1)
    assert done.returncode == 0, done.stdout + done.stderr
    table = dict(line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:])
    assert (table["kills"], table["cuts"], table["lost"]) == ("2", "1", "0")
    assert "kill 2 of 2, " in done.stderr
    published = dict(
        re.findall(r"^\| ([a-z ]+) \| ([0-9.-]+) \|$", RECOVER_PAGE.read_text("utf-8"), re.MULTILINE)
    )
    assert list(published) == list(table)
    # The sums are right for the run on the page, too.
    for run in (table, published):
        assert sum(int(run[name]) for name in PARTS) == int(run["orders"])
        assert Decimal(run["position in the reports"]) == Decimal(run["position at the venue"])
    assert int(table["reported"]) > 0


def test_a_recorder_writes_a_replayable_recording(examples: ExampleEnvironment, tmp_path: Path) -> None:
    path = tmp_path / "day.rec"
    with examples.run("recorder.py", path, SYMBOL) as script:
        script.expect("messages recorded: 1")
        assert script.interrupt() == 0
    assert [record.kind for record in Recording(path)][-1] is Kind.ENDED
    books = OrderBooks()
    assert replay(path, books) >= 3
    assert list(books) == [SYMBOL]


def test_a_reconciler_requests_unreported_orders(examples: ExampleEnvironment, tmp_path: Path) -> None:
    path, options = tmp_path / "orders.rec", examples.sandbox.options("you", "prediction", "KalshiNR")
    with (
        Recorder(path) as recorder,
        order_entry(**options, observer=recorder) as client,
    ):
        order = NewOrderSingle(
            cl_ord_id="a-1", symbol=SYMBOL, side=Side.BUY, ord_type=OrdType.LIMIT, price="0.01", order_qty=1
        )
        client.send(order)
        for message in client.messages(timeout=TIMEOUT):
            if getattr(message, "exec_type", None) == "0":
                break
    with examples.run("reconciler.py", path) as script:
        script.expect("orders: 1, uncertain items before drop copy: ")
        script.expect("orders: 1, uncertain items left: 0")
        assert script.process.wait(TIMEOUT) == 0
