"""The programs in examples/moving that users migrate from, run against the simulated venue."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kalshi.fix import FixClient
from kalshi.fix.auth import FixSigner
from kalshi.fix.config import FixConfig

from interop.peer import PATIENCE
from kalshi_fix_adapters.asyncio import market_data
from kalshi_fix_sansio import Quote, Side
from kalshi_fix_venue.testing import Venue
from tests.adapters.cli.pipes import PipedProcess, started
from tests.moving import (
    EXAMPLES,
    SESSIONS,
    SYMBOL,
    finish,
    ported_gateway,
    reports_of,
    wait_until_logged_on,
    write_keys,
    write_order,
    write_settings,
)
from tests.relay import Relay


@pytest.fixture(scope="module")
def shared() -> Iterator[Venue]:
    with Venue(tls=True) as running:
        yield running


@pytest.fixture
def venue(shared: Venue) -> Iterator[Venue]:
    yield shared
    shared.reset()


@contextmanager
def gateway_before(venue: Venue, folder: Path, dictionary: Path) -> Iterator[PipedProcess]:
    """Run the gateway on QuickFIX, with a relay instead of stunnel."""
    ids = write_keys(venue, folder)
    with contextlib.ExitStack() as stack:
        ports = {
            name: stack.enter_context(Relay(partial(venue.server.connect, "prediction", name))).port
            for name in SESSIONS
        }
        changes = {
            "0e4f1c52-7d0b-4b6e-9d55-1f6a0c1d2e3f": ids["KalshiRT"],
            "9d3c6b0c-5d1a-4f5e-8a43-6f0e2b7c9d10": ids["KalshiPT"],
            "SocketConnectPort=8230": f"SocketConnectPort={ports['KalshiRT']}",
            "SocketConnectPort=8231": f"SocketConnectPort={ports['KalshiPT']}",
            "=dictionary/": f"={dictionary}/",
            "=filestore": f"={folder / 'filestore'}",
            "=log": f"={folder / 'log'}",
            "=orders.pem": f"={folder / 'orders.pem'}",
            "=settlements.pem": f"={folder / 'settlements.pem'}",
        }
        path = write_settings("quickfix_before.cfg", folder, changes)
        program = (str(EXAMPLES / "quickfix_before.py"), str(path))
        process = stack.enter_context(started(str(folder / "journal"), program=program))
        yield process


def test_a_gateway_moves_from_quickfix_and_misses_no_report(
    venue: Venue, tmp_path: Path, dictionaries: dict[str, Path]
) -> None:
    with gateway_before(venue, tmp_path, dictionaries["prediction"]) as before:
        lines = wait_until_logged_on(before)
        assert {line.split()[1] for line in lines if line.startswith("created")} == set(SESSIONS)
        write_order(before, "moved-1")
        assert [report[1:] for report in reports_of(before, [], 2)] == [["moved-1", "A"], ["moved-1", "0"]]
        assert "logged out KalshiRT" in finish(before)
    # These reports are sent while neither program runs.
    venue.trader().fill("moved-1", 4)
    venue.do("settle", market=SYMBOL, result="yes")
    with ported_gateway(venue, tmp_path) as after:
        lines = wait_until_logged_on(after)
        assert not {"created KalshiRT 1", "created KalshiPT 1"} & set(lines)
        reports = reports_of(after, lines, 3)
        finish(after)
    assert [report[1:] for report in reports if report[0] != SYMBOL] == [["moved-1", "F"], ["moved-1", "4"]]
    assert [report[1:] for report in reports if report[0] == SYMBOL] == [["yes"]]


# --- kalshi-sdk, which supports only RSA keys


@pytest.fixture(scope="module")
def shared_rsa() -> Iterator[Venue]:
    with Venue(tls=True, rsa_keys=True) as running:
        yield running


@pytest.fixture
def rsa_venue(shared_rsa: Venue) -> Iterator[Venue]:
    yield shared_rsa
    shared_rsa.reset()


def sdk_client(venue: Venue, session: str) -> FixClient:
    options: Any = venue.options(session=session)
    return FixClient(
        FixSigner.from_pem(options["key_id"], options["private_key"]),
        config=FixConfig.prediction(
            host=options["host"],
            port=options["port"],
            use_dollars=True,
        ),
        ssl_context=ssl.create_default_context(cadata=venue.ca_pem),
    )


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not done():  # noqa: ASYNC110 - a file or another thread is watched
            await asyncio.sleep(0.001)


def test_the_recorder_on_kalshi_sdk_writes_the_same_rows_as_the_new_one(
    rsa_venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    before = importlib.import_module("sdk_recorder_before")
    after = importlib.import_module("sdk_recorder_after")
    paths = [tmp_path / "before.csv", tmp_path / "after.csv"]
    other = rsa_venue.trader()
    other.buy(SYMBOL, 5, "0.40")

    def rows(path: Path) -> list[str]:
        return path.read_text().splitlines() if path.exists() else []

    async def run_both() -> None:
        done = asyncio.Event()
        ours = market_data(**rsa_venue.options("other", session="KalshiMD"))
        async with asyncio.TaskGroup() as tasks:
            client = sdk_client(rsa_venue, "KalshiMD")
            tasks.create_task(before.run(client, [SYMBOL], paths[0], done.wait()))
            tasks.create_task(after.run(ours, [SYMBOL], paths[1]))
            await until(lambda: all(rows(path) == [f"{SYMBOL},0.4000,"] for path in paths))
            rsa_venue.do("settle", market=SYMBOL, result="yes")
            await until(lambda: all(rows(path)[-1] == f"{SYMBOL},," for path in paths))
            done.set()
            await ours.logout()

    asyncio.run(run_both())
    assert rows(paths[0]) == rows(paths[1])


def test_the_rfq_maker_on_kalshi_sdk_trades(rsa_venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    before: Any = importlib.import_module("sdk_rfq_before")
    creator = rsa_venue.trader("other")

    class RecordingMaker(before.Maker):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.received: list[str] = []

        async def on_message(self, raw: Any) -> None:
            await super().on_message(raw)
            self.received.append(raw.msg_type)

    async def run_maker() -> None:
        done = asyncio.Event()
        maker = RecordingMaker(Decimal("0.40"), Decimal("0.55"), limit=100)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(before.run(sdk_client(rsa_venue, "KalshiRFQ"), maker, done.wait()))
            await until(lambda: rsa_venue.logged_on() == ("KalshiRFQ",))
            creator.request_quotes(SYMBOL, 100)
            quotes: list[Quote] = []
            while not quotes:
                await asyncio.sleep(0.001)
                quotes += creator.quotes()
            creator.accept(quotes[0], Side.SELL)
            await until(lambda: "U8" in maker.received)  # QuoteConfirmStatus
            rsa_venue.skip(20)
            await until(lambda: bool(maker.fills))
            done.set()

    asyncio.run(run_maker())
    assert rsa_venue.positions() == {SYMBOL: Decimal(100)}


def test_the_programs_on_kalshi_sdk_pass_their_own_tests() -> None:
    command = [sys.executable, "-bb", "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(EXAMPLES), str(EXAMPLES / "test_sdk_before.py")]
    result = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, check=False)
    assert "4 passed" in result.stdout, result.stdout + result.stderr
