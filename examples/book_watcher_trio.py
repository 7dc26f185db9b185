"""Watch order books until Ctrl-C; the arguments are the markets' symbols."""

from contextlib import suppress
from sys import argv

import trio

from kalshi_fix_adapters.trio import market_data
from kalshi_fix_sansio import MarketDataRequest
from kalshi_fix_sansio.trading import OrderBooks


async def watch(*symbols: str) -> None:
    """Print the best bid and offer of each market whenever they change."""
    request = MarketDataRequest.subscribe(*symbols)
    books = OrderBooks()
    async with market_data() as client:
        books.apply(request)
        await client.send(request)
        async for event in client.events():
            for update in books.apply(event):
                if update.best_changed or update.state_changed:
                    state, bid, offer = update.book.state.name, update.best_bid, update.best_offer
                    print(
                        update.symbol,
                        state,
                        *(best and f"{best.price} x {best.size}" for best in (bid, offer)),
                        flush=True,
                    )


with suppress(KeyboardInterrupt):
    trio.run(watch, *argv[1:])
