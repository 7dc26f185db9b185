"""Tests of the ported programs against the simulated venue and its faults."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sdk_recorder_after import run as record
from sdk_rfq_after import make_maker
from sdk_rfq_after import run as quote

from kalshi_fix_adapters.asyncio import market_data, rfq
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.logs import Recorder, replay
from kalshi_fix_sansio import Quote, Side
from kalshi_fix_sansio.trading import OrderBooks, QuoteState
from kalshi_fix_venue.testing import MARKETS, Venue

SYMBOL = MARKETS["prediction"][0].rules.ticker
FAST_RECONNECT = ReconnectPolicy(initial=0.001, cap=0.001)


async def until(done: Callable[[], bool]) -> None:
    """Wait until `done()` is true."""
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110 - `done` observes a file or another thread
            await asyncio.sleep(0.001)


def test_the_recorder_continues_after_a_lost_connection(kalshi_venue: Venue, tmp_path: Path) -> None:
    other, path, recording = kalshi_venue.trader(), tmp_path / "prices.csv", tmp_path / "prices.rec"

    def rows() -> list[str]:
        return path.read_text().splitlines() if path.exists() else []

    async def program() -> None:
        with Recorder(recording) as recorder:
            other.buy(SYMBOL, 5, "0.40")
            options = kalshi_venue.options(session="KalshiMD")
            client = market_data(**options, observer=recorder, reconnect=FAST_RECONNECT)
            task = asyncio.create_task(record(client, [SYMBOL], path))
            await until(lambda: rows() == [f"{SYMBOL},0.4000,"])
            kalshi_venue.do("cut")
            other.sell(SYMBOL, 5, "0.45")
            await until(lambda: rows()[-1] == f"{SYMBOL},0.4000,0.4500")
            await client.logout()
            await task

    asyncio.run(program())
    # The recording of one run can serve as a fixture for later tests.
    books = OrderBooks()
    assert replay(recording, books, session_type="KalshiMD") > 2
    assert set(books) == {SYMBOL}


@pytest.mark.parametrize(
    ("size", "state", "position"),
    [(100, QuoteState.CONFIRMED, {SYMBOL: 100}), (101, QuoteState.ACCEPTED, {})],
)
def test_the_maker_confirms_up_to_its_limit(
    kalshi_venue: Venue, size: int, state: QuoteState, position: dict[str, int]
) -> None:
    creator, maker = kalshi_venue.trader("other"), make_maker("0.40", "0.55", limit=100)

    async def program() -> None:
        client = rfq(**kalshi_venue.options(session="KalshiRFQ"))
        task = asyncio.create_task(quote(client, maker))
        await until(lambda: client.is_logged_on)
        request = creator.request_quotes(SYMBOL, size)
        quotes: list[Quote] = []
        while not quotes:
            await asyncio.sleep(0.001)
            quotes += creator.quotes()
        creator.accept(quotes[0], Side.SELL)
        mine = maker.rfq(request)
        assert mine is not None
        await until(lambda: mine.quote is not None and mine.quote.state is state)
        kalshi_venue.skip(60)
        await client.logout()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(program())
    assert kalshi_venue.positions() == position
