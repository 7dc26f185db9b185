"""Quote on every RFQ with kalshi-sdk: python sdk_rfq_before.py YES_PRICE NO_PRICE."""

import asyncio
import sys
from decimal import Decimal
from uuid import uuid4

from kalshi.fix import FixClient, FixEnvironment
from kalshi.fix.enums import QuoteStatus
from kalshi.fix.messages import decode_app_message
from kalshi.fix.messages.order_entry import ExecutionReport
from kalshi.fix.messages.rfq import Quote, QuoteConfirm, QuoteRequest, QuoteStatusReport


class Maker:
    """Quotes one pair of prices, and confirms quotes of at most `limit` contracts."""

    def __init__(self, yes, no, limit):
        self.yes, self.no, self.limit = yes, no, limit
        self.sizes, self.fills = {}, []  # the size of each RFQ; the ClOrdID of each fill
        self.session = None

    async def on_message(self, raw):
        match decode_app_message(raw):
            case QuoteRequest(quote_req_id=rfq, symbol=symbol, order_qty=size):
                self.sizes[rfq] = size
                quote = Quote.submit(str(uuid4()), rfq, symbol, bid_px=self.yes, offer_px=self.no)
                await self.session.send(quote)
            case QuoteStatusReport(quote_status=QuoteStatus.ACCEPTED, quote_id=quote, quote_req_id=rfq):
                if self.sizes.get(rfq, 0) <= self.limit:
                    await self.session.send(QuoteConfirm(quote_id=quote))
            case ExecutionReport(exec_type="F", cl_ord_id=order):
                self.fills.append(order)
                print("filled", order, flush=True)


async def run(client, maker, until):
    maker.session = client.rfq(on_message=maker.on_message)
    async with maker.session:
        await until


if __name__ == "__main__":
    client = FixClient.from_env(environment=FixEnvironment.DEMO)
    maker = Maker(Decimal(sys.argv[1]), Decimal(sys.argv[2]), limit=100)
    asyncio.run(run(client, maker, asyncio.sleep(86400)))
