"""Record the best prices of markets: python sdk_recorder_after.py FILE SYMBOL...

All messages are recorded in a second file, with the suffix .rec instead of FILE's. Books can be replayed from
this recording at any depth.
"""

import asyncio
import csv
import sys
from pathlib import Path

from kalshi_fix_adapters.asyncio import Client, market_data
from kalshi_fix_adapters.logs import Recorder
from kalshi_fix_sansio import MarketDataRequest
from kalshi_fix_sansio.trading import OrderBooks


async def run(client: Client, symbols: list[str], path: Path) -> None:
    """Write a row for each change to a best price, until the client ends."""
    books, request = OrderBooks(), MarketDataRequest.subscribe(*symbols)
    with path.open("a", buffering=1) as file:
        rows = csv.writer(file)
        async with client:
            books.apply(request)
            await client.send(request)  # the client renews it after a reconnect
            async for event in client.events():
                for update in books.apply(event):
                    if update.best_changed and update.book.is_live:
                        best = (update.best_bid, update.best_offer)
                        rows.writerow([update.symbol, *("" if each is None else each.price for each in best)])


async def main() -> None:
    """Run with a recorder."""
    path = Path(sys.argv[1])
    with Recorder(path.with_suffix(".rec")) as recorder:
        await run(market_data(observer=recorder), sys.argv[2:], path)


if __name__ == "__main__":
    asyncio.run(main())
