"""Ask for quotes on a market, buy at the best one that comes within a second, and print the fill.

python rfq_creator.py SYMBOL CONTRACTS
"""

import sys
from uuid import uuid4

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_sansio import AcceptQuote, ExecutionReport, Quote, QuoteRequest, RFQCancel, Side

symbol, contracts = sys.argv[1:]
request = QuoteRequest.for_market(quote_req_id=str(uuid4()), symbol=symbol, order_qty=contracts)
with order_entry(retransmission=True) as client:
    client.send(request)
    quotes = [
        (message.offer_px, message)
        for message in client.messages(timeout=1)
        if isinstance(message, Quote) and message.offer_px is not None
    ]
    if not quotes:
        client.send(RFQCancel(quote_req_id=request.quote_req_id))
        sys.exit("nobody quotes")
    # Who buys YES takes what a maker pays for NO: the more, the better.
    _, best = max(quotes, key=lambda priced: priced[0])
    accept = AcceptQuote(
        quote_id=best.quote_id, rfq_id=best.quote_req_id, side=Side.BUY, cl_ord_id=str(uuid4())
    )
    client.send(accept)
    for message in client.messages(timeout=60):
        print(message, flush=True)
        if isinstance(message, ExecutionReport):
            break
