"""The trio client.

    async with order_entry() as client:
        await client.send(order)
        async for message in client.messages(timeout=5):
            ...

The client's tasks run in a nursery of the context, so the task that entered the context must leave it. Any
task may call the client's methods. Leaving the context logs out and waits for the end of the session, even if
your code raises or is cancelled. The wait is shielded from cancellation, but limited: `timeout` for the
venue's answer, and two seconds each for the last bytes and for the TLS shutdown. Your exception propagates
unchanged, not in a group.

Every async call is a checkpoint, even if it need not wait. A cancelled call has sent no message and taken no
event. Once a call has sent a message or taken an event, it still yields to other tasks, but can no longer be
cancelled. A message is written before the call yields, unless the venue reads too slowly.

Events are kept in a queue with a limit. When it is full, the client stops reading, so TCP flow control slows
down the venue, and no messages are lost; heartbeats continue. Heartbeats need the event loop, so run long
computations in a thread (`trio.to_thread`), or use the blocking client.

Modules: `client` and `transport` (bytes and TLS). They may import `loops` and everything that `loops` may
import; no other client imports them.
"""

try:
    import trio as _trio  # noqa: F401 - only to check that it is installed
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "the trio client needs trio; install it with: pip install 'kalshi-fix-sansio[trio]'", name=_error.name
    ) from None

from kalshi_fix_adapters.trio.client import Client, drop_copy, market_data, order_entry, post_trade, rfq

__all__ = ["Client", "drop_copy", "market_data", "order_entry", "post_trade", "rfq"]
