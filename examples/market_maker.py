"""A market maker for any event loop: two clients, each with a task for its events."""

from contextlib import suppress

from quoting import Quoter

from kalshi_fix_adapters.errors import NotConnectedError
from kalshi_fix_adapters.loops.async_client import AsyncClient
from kalshi_fix_sansio import MarketDataRequest


class MarketMaker:
    """Two clients, and the quoter that they share."""

    def __init__(self, symbol: str, orders: AsyncClient, prices: AsyncClient) -> None:
        self.quoter, self.orders, self.prices = Quoter(symbol), orders, prices

    async def requote(self) -> None:
        """Send the requests that bring the quotes up to date."""
        for message in self.quoter.requests() if self.orders.is_logged_on else []:
            print(message, flush=True)
            with suppress(NotConnectedError):  # quoting restarts after the next logon
                await self.orders.send(message)

    async def follow_orders(self) -> None:
        """Apply the events of the order session."""
        async for event in self.orders.events():
            self.quoter.apply(event)
            await self.requote()

    async def follow_prices(self) -> None:
        """Apply the market data to the book."""
        books, request = self.quoter.books, MarketDataRequest.subscribe(self.quoter.symbol)
        books.apply(request)
        await self.prices.send(request)
        async for event in self.prices.events():
            if any(update.best_changed or update.state_changed for update in books.apply(event)):
                await self.requote()
