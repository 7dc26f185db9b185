"""Sending from a thread other than the event loop's, as described on the documentation page about clients."""

from __future__ import annotations

import asyncio
from threading import Thread

import trio

from kalshi_fix_adapters import asyncio as asyncio_clients
from kalshi_fix_adapters import blocking as blocking_clients
from kalshi_fix_adapters import trio as trio_clients
from kalshi_fix_sansio import NewOrderSingle, Side
from kalshi_fix_venue.testing import MARKETS, Venue

ORDER = NewOrderSingle(
    cl_ord_id="a-1",
    symbol=MARKETS["prediction"][0].rules.ticker,
    side=Side.BUY,
    price="0.40",
    order_qty=1,
)


def resting(venue: Venue) -> list[str]:
    return [order.cl_ord_id for order in venue.orders("me")]


def test_a_blocking_client_sends_from_another_thread() -> None:
    with Venue() as venue, blocking_clients.order_entry(**venue.options("me")) as client:
        thread = Thread(target=client.send, args=(ORDER,))
        thread.start()
        thread.join()
        assert resting(venue) == ["a-1"]


def test_an_asyncio_client_sends_from_another_thread() -> None:
    async def main(venue: Venue) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio_clients.order_entry(**venue.options("me")) as client:

            def send_in_thread() -> int:
                return asyncio.run_coroutine_threadsafe(client.send(ORDER), loop).result()

            assert await asyncio.to_thread(send_in_thread) == 2
            assert resting(venue) == ["a-1"]

    with Venue() as venue:
        asyncio.run(main(venue))


def test_a_trio_client_sends_from_another_thread() -> None:
    async def main(venue: Venue) -> None:
        async with trio_clients.order_entry(**venue.options("me")) as client:

            def send_in_thread() -> int:
                return trio.from_thread.run(client.send, ORDER)

            assert await trio.to_thread.run_sync(send_in_thread) == 2
            assert resting(venue) == ["a-1"]

    with Venue() as venue:
        trio.run(main, venue)
