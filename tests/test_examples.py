"""The examples, run as a reader runs them, against the simulated venue."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import attrs
import pytest

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_sansio import NewOrderSingle, OrdType, Side
from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.testing import MARKETS, Sandbox

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SYMBOL = MARKETS["prediction"][0].rules.ticker
LOOPS = ("blocking", "asyncio", "trio")
PATIENCE = 20.0
LONGER = {"anyio_client.py": 180, "fixt_peer.py": 170}


@attrs.define(eq=False)
class Script:
    """A running example whose output is read line by line."""

    process: subprocess.Popen[str]
    lines: queue.Queue[str]

    def expect(self, *words: str) -> str:
        """Return the next line that contains all these words."""
        seen: list[str] = []
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE)
            except queue.Empty:
                pytest.fail(f"no line with {words}, only {seen}")
            seen.append(line)
            if all(word in line for word in words):
                return line

    def interrupt(self) -> int:
        """Send SIGINT and return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@attrs.define(eq=False)
class Place:
    """The venue, and the settings that scripts need to find it."""

    sandbox: Sandbox
    environ: dict[str, str]
    second_key: tuple[str, Path]

    @contextmanager
    def run(self, name: str, *arguments: object) -> Iterator[Script]:
        # SIGINT must work even if this test runner was started with it ignored.
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(EXAMPLES / name), *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            env=self.environ,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        reader = threading.Thread(target=lambda stream: [*map(lines.put, stream)], args=(process.stdout,))
        reader.start()
        try:
            yield Script(process, lines)
        finally:
            process.kill()
            process.wait()
            reader.join()
            process.stdout.close()

    def levels(self, side: Side) -> tuple[tuple[Decimal, Decimal], ...]:
        """Return the resting quantity in the market, by price."""
        return self.sandbox.server.inspect(lambda venue: venue.exchange("prediction").levels(SYMBOL, side))

    def improve_bid(self, price: str) -> None:
        """Let another trader bid more."""
        with order_entry(**self.sandbox.options("other", "prediction", "KalshiNR")) as client:
            bid = NewOrderSingle(
                cl_ord_id="other-1",
                symbol=SYMBOL,
                side=Side.BUY,
                ord_type=OrdType.LIMIT,
                price=price,
                order_qty=1,
            )
            client.send(bid)
            next(client.messages(timeout=PATIENCE))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Sandbox(("you", "other")) as sandbox:
        [(key_id, path), second, *_] = sandbox.write_files(tmp_path, "you")["prediction"]
        environ = {
            "PATH": os.environ["PATH"],
            "KALSHI_KEY_ID": key_id,
            "KALSHI_PRIVATE_KEY_PATH": str(path),
            "KALSHI_FIX_ENDPOINTS": sandbox.endpoints("prediction"),
            "KALSHI_FIX_CA_FILE": str(sandbox.ca_path(tmp_path)),
        }
        yield Place(sandbox, environ, second)


def test_every_example_is_short_enough_to_be_read() -> None:
    for path in EXAMPLES.glob("*.py"):
        lines = len(path.read_text("utf-8").splitlines())
        assert lines <= LONGER.get(path.name, 80), (path.name, lines)


@pytest.mark.parametrize("name", ["fixt_acceptor.py", "fixt_initiator.py"])
def test_a_fixt_example_generates_its_dialect_when_it_is_run(name: str) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), "--help"]
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0
    assert (EXAMPLES / "fixt" / "dialect" / "__init__.py").is_file()


def test_the_clients_of_all_loops_have_the_same_examples() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    for loop in LOOPS:
        suffix = "" if loop == "blocking" else f"_{loop}"
        assert {f"first_order{suffix}.py", f"book_watcher_{loop}.py", f"market_maker_{loop}.py"} <= names


@pytest.mark.parametrize("name", ["first_order.py", "first_order_asyncio.py", "first_order_trio.py"])
def test_a_first_order(place: Place, name: str) -> None:
    with place.run(name, SYMBOL) as script:
        script.expect("ExecType.PENDING_NEW")
        script.expect("ExecType.NEW", f"symbol='{SYMBOL}'", "price=0.01")
        assert script.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_a_book_watcher(place: Place, loop: str) -> None:
    with place.run(f"book_watcher_{loop}.py", SYMBOL) as script:
        first = script.expect(SYMBOL, "LIVE")
        bid = Decimal(first.split()[2])
        place.improve_bid(str(bid + Decimal("0.01")))
        script.expect(SYMBOL, "LIVE", f"{bid + Decimal('0.01')} x 1")
        assert script.interrupt() == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_a_market_maker_follows_the_book_and_cancels_its_quotes(place: Place, loop: str) -> None:
    bids, offers = place.levels(Side.BUY), place.levels(Side.SELL)
    with place.run(f"market_maker_{loop}.py", SYMBOL, *place.second_key) as script:
        bid = script.expect("NewOrderSingle", "Side.BUY")
        script.expect("NewOrderSingle", "Side.SELL")
        price = Decimal(bid.split("price=")[1].partition(",")[0])
        place.improve_bid(str(price + Decimal("0.02")))
        script.expect("OrderCancelReplaceRequest", "Side.BUY", f"price={price + Decimal('0.01')}")
        # Without a connection no order rests; after reconnecting, the example quotes again.
        place.sandbox.server.perform(operation("cut", {"owner": "you"}))
        script.expect("NewOrderSingle", "Side.BUY", f"price={price + Decimal('0.01')}")
        script.expect("NewOrderSingle", "Side.SELL")
        assert script.interrupt() == 0
    assert place.levels(Side.SELL) == offers
    assert place.levels(Side.BUY) == ((price + Decimal("0.02"), 1), *bids)


def test_the_core_runs_in_a_custom_loop(place: Place) -> None:
    with place.run("own_loop.py", SYMBOL) as script:
        script.expect("ExecType.PENDING_NEW")
        script.expect("ExecType.NEW")
        script.expect("logged out")
        assert script.process.wait(PATIENCE) == 0


def answer(url: str) -> tuple[int, str]:
    """Return the status and the body of a page."""
    try:
        with urlopen(url, timeout=PATIENCE) as page:
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


def becomes(url: str, status: int) -> bool:
    """Request a page until it has the status; give up after some thousand requests."""
    return any(answer(url)[0] == status for _ in range(20_000))


def test_a_service_is_checked_and_logs_out_on_sigterm(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(SERVICE, encoding="utf-8")
    with place.run("service.py", path, 0) as script:
        url = script.expect("health checks").split()[-1]
        assert answer(f"{url}/live")[0] == answer(f"{url}/ready")[0] == 200
        assert answer(f"{url}/else")[0] == 503
        with place.sandbox.server.down():
            assert becomes(f"{url}/ready", 503)
            assert answer(f"{url}/live")[0] == 200
        assert becomes(f"{url}/ready", 200)
        status, metrics = answer(f"{url}/metrics")
        assert (status, 'fix_up{session="orders"} 1.0' in metrics) == (200, True)
        script.process.terminate()  # SIGTERM
        assert script.process.wait(PATIENCE) == 0
    frames = [line for line in (tmp_path / "wire.log").read_text("ascii").splitlines() if "|35=5|" in line]
    assert [line.split()[3] for line in frames] == ["sent", "received"]
