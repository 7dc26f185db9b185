"""Our pytest plugin together with pytest-asyncio."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TEST = """
import pytest_asyncio

from kalshi_fix_adapters.asyncio import order_entry
from kalshi_fix_sansio import NewOrderSingle

SYMBOL = "KXHIGHNY-26DEC31-B50"

@pytest_asyncio.fixture
async def client(kalshi_venue):
    async with order_entry(**kalshi_venue.options()) as client:
        yield client

async def trade(client, venue):
    await client.send(
        NewOrderSingle(cl_ord_id="o-1", symbol=SYMBOL, side="1", ord_type="2", order_qty=3, price="0.40")
    )
    venue.trader().fill("o-1")
    async for message in client.messages(20):
        if message.exec_type == "F":
            break
    assert venue.positions() == {SYMBOL: 3}

async def test_one(kalshi_venue, client):
    await trade(client, kalshi_venue)

async def test_another(kalshi_venue, client):
    await trade(client, kalshi_venue)
"""


@pytest.mark.parametrize("mode", ["in-process", "tls"])
def test_asynchronous_tests_and_fixtures_work(tmp_path: Path, mode: str) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\nasyncio_mode = auto\n"
        f"asyncio_default_fixture_loop_scope = function\nkalshi_venue = {mode}\n"
    )
    (tmp_path / "test_it.py").write_text(TEST)
    command = (sys.executable, "-bb", "-m", "pytest", "-p", "no:cacheprovider", "-q")
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert "2 passed" in result.stdout, result.stdout + result.stderr
