"""The trio client.

    async with order_entry() as client:
        await client.send(order)
        async for message in client.messages(timeout=5):
            ...

Its tasks live in a nursery of the context, so a client belongs to the task that entered it; its methods
may be called from all. Leaving the context logs out and waits for that, shielded, also when your code raises
or is cancelled; what you raised goes on as it was, in no group. The wait has bounds: `timeout` for the
venue's answer, and two seconds each for the last bytes and for the end of TLS.

Every call is a checkpoint, and one only: cancelled, it has done nothing; once something was sent or taken, it
lets others run and is not cancelled. A message is written before that, unless the venue reads too slowly.

Events wait for you in a queue of bounded length. When it is full the client stops reading, the venue
notices by TCP, and nothing is lost; heartbeats go on. They need the event loop, so code that computes for
long belongs into a thread (`trio.to_thread`), or use the blocking client.

The modules: `client` and `transport` (bytes, TLS among them). They may import `loops` and all that `loops`
may; no other client imports them.
"""

try:
    import trio as _trio  # noqa: F401 - only whether it is there
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "the trio client needs trio; install it with: pip install 'kalshi-fix-sansio[trio]'", name=_error.name
    ) from None

from kalshi_fix_adapters.trio.client import Client, drop_copy, market_data, order_entry, post_trade, rfq

__all__ = ["Client", "drop_copy", "market_data", "order_entry", "post_trade", "rfq"]
