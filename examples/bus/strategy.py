"""A strategy without a session of its own: it reads books over NATS, and sends an order through
the session process.

python strategy.py NAME buy|sell SYMBOL
"""

import asyncio
import os
from contextlib import suppress
from decimal import Decimal
from sys import argv
from uuid import uuid4

from kalshi_fix_adapters.bus_nats import Bus, Refused, connect
from kalshi_fix_sansio import ExecutionReport, MessageReceived, NewOrderSingle, Side
from kalshi_fix_sansio.trading import OrderBooks

SERVER = os.environ.get("KALSHI_FIX_BUS", "nats://127.0.0.1:4222")


async def price_behind(bus: Bus, side: Side, symbol: str) -> Decimal:
    """Wait for the book; return the price one cent behind the best price."""
    books = OrderBooks()
    events = bus.events("demo.prediction.KalshiMD.desk", machine=books)
    # Check the book even if no event was received: in a quiet market it is in the snapshot, and no event
    # follows.
    while not ((book := books.get(symbol)) and book.best_bid and book.best_offer):
        if await events.wait(1.0):
            events.take()
    await events.close()
    if side is Side.BUY:
        return book.best_bid.price - Decimal("0.01")
    return book.best_offer.price + Decimal("0.01")


async def main(name: str, direction: str, symbol: str) -> None:
    """Send one order, and print its reports until cancelled."""
    side, cl_ord_id = Side.BUY if direction == "buy" else Side.SELL, f"{name}-{uuid4()}"
    async with connect(SERVER, name=name) as bus:
        price = await price_behind(bus, side, symbol)
        order = NewOrderSingle(cl_ord_id=cl_ord_id, symbol=symbol, side=side, price=price, order_qty=1)
        answer = await bus.session("demo.prediction.KalshiNR.desk").send(order)
        print(answer, flush=True)
        if isinstance(answer, Refused):
            return
        # After Unknown, the reports show whether the order was sent.
        async for event in bus.events("demo.prediction.KalshiNR.desk"):
            message = event.message if isinstance(event, MessageReceived) else None
            if isinstance(message, ExecutionReport) and message.cl_ord_id == cl_ord_id:
                print(message.exec_type, message.symbol, message.price, flush=True)


with suppress(KeyboardInterrupt):
    asyncio.run(main(argv[1], argv[2], argv[3]))
