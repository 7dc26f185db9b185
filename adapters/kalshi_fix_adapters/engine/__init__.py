"""The client without an event loop: sessions over successive connections, and the queue of events.

An adapter drives `client_core.ClientCore`: it passes in bytes and gets back bytes and events, without
sockets, threads or waiting. The other modules implement one connection (`connection`), reconnecting
(`attempts`, `faults`, `logon_errors`), renewed subscriptions (`subscriptions`), sequence numbers and the
store (`sequence`), the user's rows in that store (`rows`), the rate budget (`pacing`), the queue of events
(`queue`), the events that `messages` raises (`iteration`), and the part of the user's API that all loops
share (`user`). The package may import `config`, `observe`, `net`, `events`, `errors`, `store_sqlite` and the
core; `loops`, `blocking`, `asyncio` and `trio` import it.
"""
