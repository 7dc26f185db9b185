"""Quote around a book until Ctrl-C; what rests is cancelled at the end, also when the connection is lost.

    python market_maker_trio.py SYMBOL KEY_ID PRIVATE_KEY_PATH

The arguments name a second API key, for market data: Kalshi allows one connection for each key.
"""

from contextlib import suppress
from sys import argv

import trio
from quoting import Quoter

from kalshi_fix_adapters.errors import NotConnectedError
from kalshi_fix_adapters.trio import Client, market_data, order_entry
from kalshi_fix_sansio import LogonFields, MarketDataRequest
from kalshi_fix_sansio.trading import RateBudget


class MarketMaker:
    """Two clients, and what is to be quoted."""

    def __init__(self, symbol: str, orders: Client, prices: Client) -> None:
        self.quoter, self.orders, self.prices = Quoter(symbol), orders, prices

    async def requote(self) -> None:
        """Send what brings the quotes to where they belong."""
        for message in self.quoter.requests() if self.orders.is_logged_on else []:
            print(message, flush=True)
            with suppress(NotConnectedError):  # the next logon begins afresh
                await self.orders.send(message)

    async def follow_orders(self) -> None:
        """Take in what the venue says about the orders."""
        async for event in self.orders.events():
            self.quoter.follow(event)
            await self.requote()

    async def follow_prices(self) -> None:
        """Keep the book."""
        books, request = self.quoter.books, MarketDataRequest.subscribe(self.quoter.symbol)
        books.apply(request)
        await self.prices.send(request)
        async for event in self.prices.events():
            if any(update.best_changed or update.state_changed for update in books.apply(event)):
                await self.requote()


async def main(symbol: str, key_id: str, private_key_path: str) -> None:
    """Run until cancelled."""
    async with (
        order_entry(
            logon_fields=LogonFields(cancel_orders_on_disconnect=True), budget=RateBudget("Basic")
        ) as orders,
        market_data(key_id=key_id, private_key_path=private_key_path) as prices,
        trio.open_nursery() as nursery,
    ):
        maker = MarketMaker(symbol, orders, prices)
        nursery.start_soon(maker.follow_orders)
        nursery.start_soon(maker.follow_prices)


try:
    trio.run(main, argv[1], argv[2], argv[3])
except* KeyboardInterrupt:
    pass
