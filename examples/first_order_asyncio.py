"""Log on, place one order and print the reports; the argument is the symbol of the market."""

import asyncio
from sys import argv
from uuid import uuid4

from kalshi_fix_adapters.asyncio import order_entry
from kalshi_fix_sansio import NewOrderSingle, Side

order = NewOrderSingle(cl_ord_id=str(uuid4()), symbol=argv[1], side=Side.BUY, price="0.01", order_qty=1)


async def main() -> None:
    """Send the order and print messages until none arrives for two seconds."""
    async with order_entry() as client:
        await client.send(order)
        async for message in client.messages(timeout=2):
            print(message)


asyncio.run(main())
