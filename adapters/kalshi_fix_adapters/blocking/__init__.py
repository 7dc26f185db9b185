"""The blocking client: for scripts and threads.

    with order_entry() as client:
        client.send(order)
        for message in client.messages(timeout=5):
            ...

A background thread connects, reads, answers and sends heartbeats, even while your code computes, sleeps or
waits for input. Your code must release the GIL from time to time, as all code does except some C extensions.
Your thread writes the messages that you send. On Linux, a call that waits (`receive`, `events`, `messages`,
`test_request`) also reads in your thread, because waking your thread for each message would take longer than
decoding the message. On other systems, the call sleeps until the background thread wakes it. With `timeout=0`
a call reads available data in your thread on every system.

Observers and wire logs are called in the thread that reads or writes.

An interrupt is Ctrl-C, or any other exception raised by a signal handler. It has no effect on the client
while a call waits. A call needs a few microseconds to process received bytes, take an event or send a
message. An interrupt during these microseconds drops the connection, and every later call raises an error
that reports this. A signal handler must not call the client, because the thread may be in the middle of
another call. Raise an exception in the handler instead; leaving the context then logs out.

A client cannot be used in a forked child; create another client there.

Events are kept in a queue with a limit. When it is full, the client stops reading, so TCP flow control slows
down the venue, and no messages are lost; heartbeats continue.

All methods may be called from several threads, but only one thread may take the events (`receive`, `events`,
`messages`), because requesting the next event confirms the previous one. Another thread gets a
LocalProtocolError until the thread that took a message has ended.

Modules: `client` (the calls of the user's threads), `io_thread` (the background thread), `shared_core` (the
core with its lock, and the handling of interrupts) and `transport` (bytes). They may import `engine` and
everything that `engine` may import; no other client imports them.
"""

from kalshi_fix_adapters.blocking.client import Client, drop_copy, market_data, order_entry, post_trade, rfq

__all__ = ["Client", "drop_copy", "market_data", "order_entry", "post_trade", "rfq"]
