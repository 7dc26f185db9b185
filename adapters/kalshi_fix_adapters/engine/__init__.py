"""The client without a loop: sessions over many connections, and what the user has not fetched yet.

`client_core.ClientCore` is what an adapter drives: bytes in, bytes and events out, no sockets, no threads, no
waiting. Around it are one connection (`connection`), when to make the next one (`attempts`,
`faults`, `logon_errors`), what is asked for again after a logon (`subscriptions`), the sequence
numbers and the store (`sequence`), rows of the user's in that store (`rows`), who waits for the rate
budget (`pacing`), the queue of events (`queue`) and what of it raises (`iteration`). `user` has what the
clients of all loops say and look for. The package may import `config`, `observe`, `net`, `events`, `errors`,
`store_sqlite` and the core; `loops`, `blocking`, `asyncio` and `trio` import it.
"""
