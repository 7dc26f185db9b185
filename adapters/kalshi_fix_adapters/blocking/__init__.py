"""The blocking client: for scripts and threads.

    with order_entry() as client:
        client.send(order)
        for message in client.messages(timeout=5):
            ...

A background thread connects, reads, answers and sends heartbeats, also while your code computes, sleeps or
waits for input. Your code must release the GIL now and then; only some C extensions do not. Your thread
writes the messages that you send. A call that waits (`receive`, `events`, `messages`, `test_request`) sleeps
until the background thread wakes it; with `timeout=0` it reads available data in your thread.

Observers and wire logs are called in the thread that reads or writes. An interrupt (Ctrl-C, or any other
exception of a signal handler) has no effect on the client while a call waits. If it occurs in the
microseconds in which the call takes an event or sends a message, the connection is dropped, and every later
call reports that. A signal handler must not call the client, which may be in the middle of a call of that
thread: raise an exception, and let the context log out. A client cannot be used in a forked child: make
another one there.

Events are kept in a bounded queue. When it is full the client stops reading, so TCP flow control slows down
the venue, and nothing is lost; heartbeats continue.

All methods may be called from several threads, but only one thread may take the events (`receive`, `events`,
`messages`), because requesting the next event confirms the previous one. Another thread gets a
LocalProtocolError until the thread that took a message has ended.

The modules: `client` (the calls of the user's threads), `io_thread` (the background thread), `shared_core`
(the core under the lock of both, and the handling of interrupts) and `transport` (bytes). They may import
`engine` and everything that `engine` may import; no other client imports them.
"""

from kalshi_fix_adapters.blocking.client import Client, drop_copy, market_data, order_entry, post_trade, rfq

__all__ = ["Client", "drop_copy", "market_data", "order_entry", "post_trade", "rfq"]
