"""The programs in docs/how-to/fan-out.md and session-process.md run as shown."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from kalshi_fix_sansio.trading import OrderBooks
from kalshi_fix_venue.testing import Venue
from tests.adapters.bus.test_commands import order
from tests.nats import NatsServer

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
SYMBOL = "KXHIGHNY-26DEC31-B50"


def program(page: str, server: NatsServer) -> dict[str, Any]:
    """Return the names that a page's Python code defines; the code connects to this server."""
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (HOW_TO / page).read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    source = "\n".join(blocks).replace("asyncio.run(main())", "").replace("nats://127.0.0.1", server.url)
    names: dict[str, Any] = {"__name__": page}
    # A small disk has no room for a stream of the default size.
    exec(compile(source.replace("create()", "create(max_bytes=1024**3)"), page, "exec"), names)
    return names


async def test_market_data_reaches_another_process(server: NatsServer, tmp_path: Path) -> None:
    with Venue() as venue:
        trader = venue.trader()
        names = program("fan-out.md", server)
        books, has_book = OrderBooks(), asyncio.Event()

        def printed(*_: Any) -> None:
            if SYMBOL in books and books[SYMBOL].best_bid:
                has_book.set()

        names["print"], names["OrderBooks"] = printed, lambda: books
        client, options = names["market_data"], venue.options(session="KalshiMD")
        names["market_data"] = lambda **more: client(**options | more | {"store": tmp_path})
        async with names["connect"](server.url) as bus:
            await bus.create(max_bytes=1024**3)
        tasks = [asyncio.create_task(item()) for item in (names["main"], names["follow"])]
        waiting, done = [*tasks, asyncio.create_task(has_book.wait())], set[asyncio.Task[Any]]()
        while not done:
            # A consumer that starts from a snapshot prints nothing until the next update.
            trader.buy(SYMBOL, 5, "0.40")
            done, _ = await asyncio.wait(waiting, timeout=0.1, return_when=asyncio.FIRST_COMPLETED)
        await end(tasks)
        assert done.isdisjoint(tasks)
        assert books[SYMBOL].best_bid


async def test_an_order_is_sent_or_refused_for_another_process(server: NatsServer, tmp_path: Path) -> None:
    with Venue() as venue:
        names = program("session-process.md", server)
        client, printed = names["order_entry"], []
        names["order_entry"] = lambda **more: client(**venue.options() | more | {"store": tmp_path})
        names["print"] = lambda *values: printed.append(values)
        async with names["connect"](server.url) as bus:
            await bus.create(max_bytes=1024**3)
        holding = asyncio.create_task(names["hold"]())
        while not printed or printed[-1][0] != "sent with MsgSeqNum":
            assert not holding.done()
            await names["trade"](order("p1", symbol=SYMBOL))
        await names["trade"](order("p2", symbol=SYMBOL, order_qty=101))
        await end([holding])
        assert printed[-1] == ("not sent:", "more than 100 contracts")


async def end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel the tasks, and raise the error of a task that failed."""
    for task in tasks:
        task.cancel()
    for found in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(found, Exception):
            raise found
