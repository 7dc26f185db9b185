"""Watch order books until Ctrl-C; the arguments are the markets' symbols."""

from contextlib import suppress
from sys import argv

from kalshi_fix_adapters.blocking import market_data
from kalshi_fix_sansio import MarketDataRequest
from kalshi_fix_sansio.trading import OrderBooks

request = MarketDataRequest.subscribe(*argv[1:])
books = OrderBooks()
with suppress(KeyboardInterrupt), market_data() as client:
    books.apply(request)
    client.send(request)
    for event in client.events():
        for update in books.apply(event):
            if update.best_changed or update.state_changed:
                state, bid, offer = update.book.state.name, update.best_bid, update.best_offer
                print(
                    update.symbol,
                    state,
                    *(best and f"{best.price} x {best.size}" for best in (bid, offer)),
                    flush=True,
                )
