"""Quote on every request for quotes, and confirm accepted quotes, until Ctrl-C.

python rfq_maker.py YES_PRICE NO_PRICE

If the creator of a request buys, the trade is at NO_PRICE; if the creator sells, at YES_PRICE. Both prices
are in dollars.
"""

from contextlib import suppress
from datetime import UTC, datetime
from sys import argv
from uuid import uuid4

from kalshi_fix_adapters.blocking import rfq
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import QuoteTerms, RfqMaker

yes_price, no_price = argv[1:]
terms = QuoteTerms(bid=yes_price, offer=no_price)
# The second function is the last look: return False to decline the trade.
maker = RfqMaker(lambda _: terms, lambda _: True, lambda: str(uuid4()))
with suppress(KeyboardInterrupt), rfq() as client:
    print("ready", flush=True)
    for event in client.events():
        for update in maker.apply(event, datetime.now(UTC)):
            if update.send is not None:
                client.send(update.send)
        if isinstance(event, MessageReceived):
            print(event.message, flush=True)
