"""The asyncio client.

    async with order_entry() as client:
        await client.send(order)
        async for message in client.messages(timeout=5):
            ...

A background task makes the connections. Received bytes pass from asyncio's transport to the session at once,
and a message is written before `send` returns, unless the venue reads too slowly. The task belongs to the
context: leaving the context logs out and waits for the task, even if your code raises or is cancelled. If
your task is cancelled again while the client waits for the venue's Logout, the connection is dropped.

A call that need not wait, such as one that takes a queued event or sends a message, returns without
yielding to the event loop. After a few milliseconds of such calls (`TIME_SLICE`), a call yields to other
tasks, and a cancellation takes effect. Any asyncio event loop can be used, including uvloop.

Events are kept in a queue with a limit. When it is full, the client stops reading, so TCP flow control slows
down the venue, and no messages are lost; heartbeats continue. Heartbeats need the event loop, so run long
computations in a thread (`asyncio.to_thread`), or use the blocking client.

Modules: `client`, `protocol` (bytes and TLS) and `notifier` (wakes waiting tasks). They may import `loops`
and everything that `loops` may import; no other client imports them.
"""

from kalshi_fix_adapters.asyncio.client import Client, drop_copy, market_data, order_entry, post_trade, rfq

__all__ = ["Client", "drop_copy", "market_data", "order_entry", "post_trade", "rfq"]
