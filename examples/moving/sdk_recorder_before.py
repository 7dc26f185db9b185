"""Record the best prices of markets with kalshi-sdk: python sdk_recorder_before.py FILE SYMBOL..."""

import asyncio
import csv
import sys

from kalshi.fix import FixClient, FixEnvironment
from kalshi.fix.messages import decode_app_message
from kalshi.fix.messages.market_data import MarketDataRequest
from kalshi.fix.orderbook import FixOrderBook
from kalshi.fix.session import FixSessionState


class PriceRecorder:
    """Writes a row for each change to a best price."""

    def __init__(self, symbols, rows):
        self.symbols, self.rows = symbols, rows
        self.books, self.last = FixOrderBook(), {}
        self.session = None

    async def on_message(self, raw):
        self.books.apply(decode_app_message(raw))
        for symbol in self.symbols:
            book = self.books.get(symbol)
            if book is None:
                continue
            best = [str(side[0].price) if side else "" for side in (book.bids, book.offers)]
            if best != self.last.get(symbol):
                self.last[symbol] = best
                self.rows.writerow([symbol, *best])

    async def on_state_change(self, old, new):
        if new is FixSessionState.ACTIVE:  # also after a reconnect, which ends the subscriptions
            self.books.clear()
            await self.session.send(MarketDataRequest.subscribe(self.symbols))


async def run(client, symbols, path, until):
    with path.open("a", buffering=1) as file:
        recorder = PriceRecorder(symbols, csv.writer(file))
        recorder.session = client.market_data(
            on_message=recorder.on_message, on_state_change=recorder.on_state_change
        )
        async with recorder.session:
            await until


if __name__ == "__main__":
    from pathlib import Path

    client = FixClient.from_env(environment=FixEnvironment.DEMO)
    asyncio.run(run(client, sys.argv[2:], Path(sys.argv[1]), asyncio.sleep(86400)))
