"""Quote on every request for quotes, and confirm what is accepted, until Ctrl-C.

python rfq_maker.py YES_PRICE NO_PRICE

A creator who buys takes the NO price, one who sells the YES price; both are dollars.
"""

from contextlib import suppress
from sys import argv
from uuid import uuid4

from kalshi_fix_adapters.blocking import rfq
from kalshi_fix_sansio import (
    ExecutionReport,
    Quote,
    QuoteConfirm,
    QuoteRequest,
    QuoteStatus,
    QuoteStatusReport,
)

yes_price, no_price = argv[1:]
with suppress(KeyboardInterrupt), rfq() as client:
    print("ready", flush=True)
    for message in client.messages():
        match message:
            case QuoteRequest():
                quote = Quote(
                    quote_id=str(uuid4()),
                    quote_req_id=message.quote_req_id,
                    symbol=message.related_sym[0].symbol or "",
                    bid_px=yes_price,
                    offer_px=no_price,
                )
                client.send(quote)
            # The last look: whoever does not want the trade any more lets the time pass.
            case QuoteStatusReport(quote_status=QuoteStatus.ACCEPTED):
                client.send(QuoteConfirm(quote_id=message.quote_id, rfq_id=message.quote_req_id))
            case ExecutionReport() | QuoteStatusReport():
                print(message, flush=True)
