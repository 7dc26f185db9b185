"""The clients of this library."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import samples
from benchmarks.clients.drive import (
    TIMEOUT,
    Measurements,
    drive,
    run_synchronously,
    tick_orders,
    to_coroutine,
)
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
        send = to_coroutine(lambda values: client.send(NewOrderSingle(**values)))
        return run_synchronously(drive(send, to_coroutine(lambda: next(messages).cl_ord_id)))


async def _drive_async(module: Any, *options: Any) -> Measurements:
    async with module.order_entry(**_options(*options)) as client:
        next_message = client.messages(timeout=TIMEOUT).__anext__

        async def take() -> str | None:
            cl_ord_id: str | None = (await next_message()).cl_ord_id
            return cl_ord_id

        return await drive(lambda values: client.send(NewOrderSingle(**values)), take)


def _make_reaction() -> Callable[[Any], NewOrderSingle | None]:
    """Return a function that applies a message to its books, and returns an order at the best bid after an
    update."""
    books, order_terms = OrderBooks(), tick_orders()

    def react(message: Any) -> NewOrderSingle | None:
        books.apply(message)
        if not isinstance(message, MarketDataIncrementalRefresh):
            return None
        symbol = message.md_entries[0].symbol
        best = books[symbol].best_bid
        assert best is not None
        return NewOrderSingle(**next(order_terms) | {"symbol": symbol, "price": best.price})

    return react


def _both_clients(
    module: Any, port: int, key: str, authority: str | None, store: str | None, sync: str
) -> Any:
    options = _options(port, key, authority)
    store_options = {} if store is None else {"store": Path(store), "sync": sync}
    return module.market_data(**options), module.order_entry(
        **options, **store_options, retransmission=store is not None
    )


def blocking_ticks(*options: Any, timeout: float | None = None) -> None:
    """Answer each update with an order, using our blocking clients; with a timeout of 0, the market data
    client polls.
    """
    from kalshi_fix_adapters import blocking as module

    market, orders = _both_clients(module, *options)
    react = _make_reaction()
    with market, orders:
        reports = orders.messages()
        while True:
            for message in market.messages(timeout=timeout):
                if (order := react(message)) is not None:
                    orders.send(order)
                    next(reports)


async def _ticks(module: Any, *options: Any) -> None:
    market, orders = _both_clients(module, *options)
    react = _make_reaction()
    async with market, orders:
        reports = orders.messages()
        async for message in market.messages():
            if (order := react(message)) is not None:
                await orders.send(order)
                await anext(reports)


def _on_uvloop(main: Callable[..., Any], *options: Any) -> Any:
    import uvloop  # type: ignore[import-not-found, unused-ignore]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main(*options))


def _on_trio(main: Callable[..., Any], *options: Any) -> Any:
    import trio

    return trio.run(main, *options)


_LOOPS: dict[str, tuple[str, Callable[..., Any]]] = {
    "asyncio": ("asyncio", lambda main, *options: asyncio.run(main(*options))),
    "asyncio on uvloop": ("asyncio", _on_uvloop),
    "trio": ("trio", _on_trio),
}
"""For each event loop, the module with the clients, and a function that runs a coroutine function."""


def _run(loop: str, main: Callable[..., Any], *options: Any) -> Any:
    module, run = _LOOPS[loop]
    return run(main, import_module(f"kalshi_fix_adapters.{module}"), *options)


POLLING = "blocking, polling"
TICKS: dict[str, Callable[..., None]] = {
    "blocking": blocking_ticks,
    POLLING: partial(blocking_ticks, timeout=0),
    **{loop: partial(_run, loop, _ticks) for loop in _LOOPS},
}
ENGINES: dict[str, Callable[..., Measurements]] = {
    "blocking": blocking,
    **{loop: partial(_run, loop, _drive_async) for loop in _LOOPS},
}
