"""Our clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import samples
from benchmarks.clients.drive import TIMEOUT, Measurements, awaited, drive, finished, tick_orders
from kalshi_fix_adapters.net.tls import Plaintext, Tls
from kalshi_fix_sansio import MarketDataIncrementalRefresh, NewOrderSingle
from kalshi_fix_sansio.trading import OrderBooks


def _options(port: int, key: str, authority: str | None) -> dict[str, Any]:
    return {
        "key_id": samples.KEY_ID,
        "private_key_path": key,
        "host": "127.0.0.1",
        "port": port,
        "tls": Plaintext() if authority is None else Tls(ca_file=Path(authority), server_name="localhost"),
    }


def blocking(*options: Any) -> Measurements:
    """Measure our blocking client."""
    from kalshi_fix_adapters.blocking import order_entry

    with order_entry(**_options(*options)) as client:
        messages: Any = client.messages(timeout=TIMEOUT)
        send = awaited(lambda values: client.send(NewOrderSingle(**values)))
        return finished(drive(send, awaited(lambda: next(messages).cl_ord_id)))


async def _driven(module: Any, *options: Any) -> Measurements:
    async with module.order_entry(**_options(*options)) as client:
        following = client.messages(timeout=TIMEOUT).__anext__

        async def take() -> str | None:
            name: str | None = (await following()).cl_ord_id
            return name

        return await drive(lambda values: client.send(NewOrderSingle(**values)), take)


def on_asyncio(*options: Any) -> Measurements:
    """Measure our asyncio client."""
    from kalshi_fix_adapters import asyncio as module

    return asyncio.run(_driven(module, *options))


def on_uvloop(*options: Any) -> Measurements:
    """Measure our asyncio client on the event loop of uvloop."""
    import uvloop  # type: ignore[import-not-found, unused-ignore]

    from kalshi_fix_adapters import asyncio as module

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_driven(module, *options))


def on_trio(*options: Any) -> Measurements:
    """Measure our trio client."""
    import trio

    from kalshi_fix_adapters import trio as module

    found: Measurements = trio.run(_driven, module, *options)
    return found


def _reaction() -> Callable[[Any], NewOrderSingle | None]:
    """Return a function that applies a message to its books, and returns an order at the best bid after an
    update."""
    books, prepared = OrderBooks(), tick_orders()

    def react(message: Any) -> NewOrderSingle | None:
        books.apply(message)
        if not isinstance(message, MarketDataIncrementalRefresh):
            return None
        symbol = message.md_entries[0].symbol
        best = books[symbol].best_bid
        assert best is not None
        return NewOrderSingle(**next(prepared) | {"symbol": symbol, "price": best.price})

    return react


def _both_clients(
    module: Any, port: int, key: str, authority: str | None, store: str | None, sync: str
) -> Any:
    options = _options(port, key, authority)
    stored = {} if store is None else {"store": Path(store), "sync": sync}
    return module.market_data(**options), module.order_entry(
        **options, **stored, retransmission=store is not None
    )


def blocking_ticks(*options: Any) -> None:
    """Answer each update with an order, using our blocking clients."""
    from kalshi_fix_adapters import blocking as module

    market, orders = _both_clients(module, *options)
    react = _reaction()
    with market, orders:
        reports = orders.messages()
        for message in market.messages():
            if (order := react(message)) is not None:
                orders.send(order)
                next(reports)


def polling_ticks(*options: Any) -> None:
    """Answer each update with an order, using our blocking clients, one of which polls for the updates."""
    from kalshi_fix_adapters import blocking as module

    market, orders = _both_clients(module, *options)
    react = _reaction()
    with market, orders:
        reports = orders.messages()
        while True:
            for message in market.messages(timeout=0):
                if (order := react(message)) is not None:
                    orders.send(order)
                    next(reports)


async def _ticks(module: Any, *options: Any) -> None:
    market, orders = _both_clients(module, *options)
    react = _reaction()
    async with market, orders:
        reports = orders.messages()
        async for message in market.messages():
            if (order := react(message)) is not None:
                await orders.send(order)
                await anext(reports)


def asyncio_ticks(*options: Any) -> None:
    """Answer each update with an order, using our asyncio clients."""
    from kalshi_fix_adapters import asyncio as module

    asyncio.run(_ticks(module, *options))


def uvloop_ticks(*options: Any) -> None:
    """Answer each update with an order, using our asyncio clients on uvloop."""
    import uvloop  # type: ignore[import-not-found, unused-ignore]

    from kalshi_fix_adapters import asyncio as module

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_ticks(module, *options))


def trio_ticks(*options: Any) -> None:
    """Answer each update with an order, using our trio clients."""
    import trio

    from kalshi_fix_adapters import trio as module

    trio.run(_ticks, module, *options)


POLLING = "blocking, polling"
TICKS = {
    "blocking": blocking_ticks,
    POLLING: polling_ticks,
    "asyncio": asyncio_ticks,
    "asyncio on uvloop": uvloop_ticks,
    "trio": trio_ticks,
}
ENGINES = {"blocking": blocking, "asyncio": on_asyncio, "asyncio on uvloop": on_uvloop, "trio": on_trio}
