"""Request quotes on a market, accept the best one after a second without messages, and print the result.

python rfq_creator.py SYMBOL CONTRACTS
"""

import sys
from datetime import UTC, datetime
from uuid import uuid4

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_sansio import QuoteRequest, Side
from kalshi_fix_sansio.trading import RfqCreator

symbol, contracts = sys.argv[1:]
request = QuoteRequest.for_market(quote_req_id=str(uuid4()), symbol=symbol, order_qty=contracts)
creator = RfqCreator()
rfq = creator.request(request)
with order_entry(retransmission=True) as client:
    client.send(request)
    for message in client.messages(timeout=1):
        creator.apply(message, datetime.now(UTC))
    best = rfq.best(Side.BUY)
    if best is None:
        client.send(creator.cancel(rfq))
        sys.exit("no quotes were received")
    client.send(creator.accept(rfq, best, Side.BUY, cl_ord_id=str(uuid4())))
    for message in client.messages(timeout=60):
        creator.apply(message, datetime.now(UTC))
        print(message, flush=True)
        if rfq.has_ended:
            break
