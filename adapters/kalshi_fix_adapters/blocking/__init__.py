"""The blocking client: for scripts and threads.

    with order_entry() as client:
        client.send(order)
        for message in client.messages(timeout=5):
            ...

A thread of the client's own connects, reads, answers and keeps heartbeats going, so that they leave on time
while your code computes, sleeps or waits for input. Your code must release the interpreter now and then, as
all but some C extensions do. What you send is written by your thread. A call that waits (`receive`, `events`,
`messages`, `test_request`) sleeps until that thread has something for it; with `timeout=0` it reads by itself
what has arrived.

Observers and wire logs are called in whichever thread reads or writes. An interrupt (Ctrl-C, or whatever
else a signal handler raises) that comes while a call waits changes nothing; in the microseconds in which it
moves a message in or out, the connection is dropped and every later call reports that. A signal handler must
not call the client, which may be in the middle of a call of that thread: raise in it, and let the context log
out. In a forked child a client is of no use: make another one there.

Events wait for you in a queue of bounded length. When it is full the client stops reading, the venue
notices by TCP, and nothing is lost; heartbeats go on.

All methods may be called from several threads, but one thread takes the events (`receive`, `events`,
`messages`): asking for the next one says that you are done with the one before, which another thread may not
say for you. It is refused (LocalProtocolError) while the thread that took a message before still runs.

The modules: `client` (the calls of the user's threads), `io_thread` (the client's own thread), `shared_core`
(the core under the lock of both, and what an interrupt leaves) and `transport` (bytes). They may import
`engine` and all that `engine` may; no other client imports them.
"""

from kalshi_fix_adapters.blocking.client import Client, drop_copy, market_data, order_entry, post_trade, rfq

__all__ = ["Client", "drop_copy", "market_data", "order_entry", "post_trade", "rfq"]
