"""Quote on every RFQ: python sdk_rfq_after.py YES_PRICE NO_PRICE."""

import asyncio
import sys
from datetime import UTC, datetime
from uuid import uuid4

from kalshi_fix_adapters.asyncio import Client, rfq
from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError
from kalshi_fix_sansio import ExecType, ExecutionReport
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import QuoteTerms, RfqMaker


def make_maker(yes: str, no: str, limit: int) -> RfqMaker:
    """Return a maker that quotes one pair of prices, and confirms quotes of at most `limit` contracts."""
    terms = QuoteTerms(bid=yes, offer=no)
    return RfqMaker(lambda _: terms, lambda quote: quote.quantity <= limit, lambda: str(uuid4()))


async def run(client: Client, maker: RfqMaker) -> None:
    """Send the maker's messages until the client ends."""
    async with client:
        while True:
            due, now = maker.next_deadline(), datetime.now(UTC)
            try:
                event = await client.receive(None if due is None else max(0.0, (due - now).total_seconds()))
            except ClientTimeoutError:
                updates = maker.handle_timer(datetime.now(UTC))
            else:
                updates = maker.apply(event, datetime.now(UTC))
                match event:
                    case MessageReceived(message=ExecutionReport(exec_type=ExecType.TRADE) as fill):
                        print("filled", fill.cl_ord_id, flush=True)
            for update in updates:
                for discrepancy in update.discrepancies:
                    print("discrepancy", discrepancy, flush=True)
                if update.send is not None:
                    try:
                        await client.send(update.send)
                    except NotConnectedError:
                        maker.withdraw(update.send)


if __name__ == "__main__":
    asyncio.run(run(rfq(), make_maker(sys.argv[1], sys.argv[2], limit=100)))
