"""The session process of a desk: it publishes the events of its sessions to NATS, and sends the orders that
other processes submit.

    python session.py FOLDER SYMBOL...

KALSHI_KEY_ID is the key for orders, and KALSHI_KEY_ID_2 is the key for market data, because Kalshi allows
only one connection per key.
"""

import asyncio
import os
from contextlib import suppress
from sys import argv

from kalshi_fix_adapters.asyncio import market_data, order_entry
from kalshi_fix_adapters.bus import Refusal
from kalshi_fix_adapters.bus_nats import connect
from kalshi_fix_sansio import MarketDataRequest, NewOrderSingle, OrderCancelRequest
from kalshi_fix_sansio.dialect.base import Message

SERVER = os.environ.get("KALSHI_FIX_BUS", "nats://127.0.0.1:4222")


def check(message: Message) -> Refusal | None:
    """Allow cancels, and orders of at most 10 contracts."""
    if isinstance(message, OrderCancelRequest):
        return None
    if isinstance(message, NewOrderSingle) and (message.order_qty or 0) <= 10:
        return None
    return Refusal("only cancels, and orders of at most 10 contracts, are allowed")


async def main(folder: str, *symbols: str) -> None:
    """Run until both sessions have ended."""
    async with (
        connect(SERVER, name="session") as bus,
        order_entry(store=folder, account="desk", explicit_confirm=True) as orders,
        market_data(
            store=folder,
            account="desk",
            explicit_confirm=True,
            key_id=os.environ["KALSHI_KEY_ID_2"],
            private_key_path=os.environ["KALSHI_PRIVATE_KEY_PATH_2"],
        ) as prices,
    ):
        await bus.create(max_bytes=1024**3)
        await prices.send(MarketDataRequest.subscribe(*symbols))
        print("publishing", flush=True)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bus.publish(orders))
            tasks.create_task(bus.serve(orders, check=check))
            tasks.create_task(bus.publish(prices))


with suppress(KeyboardInterrupt):
    asyncio.run(main(*argv[1:]))
