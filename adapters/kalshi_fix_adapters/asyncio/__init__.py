"""The asyncio client.

    async with order_entry() as client:
        await client.send(order)
        async for message in client.messages(timeout=5):
            ...

A task of its own makes the connections; what is read goes from asyncio's transport into the session at once,
and what you send is written before `send` returns, unless the venue reads too slowly. The task belongs to the
context: leaving that logs out and waits for it, also when your code raises or is cancelled. A second
cancellation, while the venue's answer is waited for, drops the connection instead.

A call that need not wait does not: an event that is there is taken, and a message is sent, without a turn of
the loop. Who goes on so for some milliseconds (`SLICE`) has to let others run, and that is where a
cancellation arrives. Any loop will do that asyncio can run on, uvloop too.

Events wait for you in a queue of bounded length. When it is full the client stops reading, the venue
notices by TCP, and nothing is lost; heartbeats go on. They need the event loop, so code that computes for
long belongs into a thread (`asyncio.to_thread`), or use the blocking client.

The modules: `client`, `protocol` (bytes, TLS among them) and `notifier` (wakes tasks that wait). They may
import `loops` and all that `loops` may; no other client imports them.
"""

from kalshi_fix_adapters.asyncio.client import Client, drop_copy, market_data, order_entry, post_trade, rfq

__all__ = ["Client", "drop_copy", "market_data", "order_entry", "post_trade", "rfq"]
