"""The client without an event loop: sessions over successive connections, and the queue of events.

An adapter passes received bytes to `client_core.ClientCore`, and gets bytes to send and events. The core has
no sockets and no threads.

Other modules:
- `connection`: one connection
- `attempts`, `faults`, `logon_errors`: reconnecting
- `subscriptions`: subscriptions that are renewed after a reconnection
- `sequence`: sequence numbers and the store
- `rows`: the user's rows in that store
- `pacing`: the rate budget
- `queue`: the queue of events
- `quiet`: compiling decoders and collecting garbage at times when this delays no message
- `iteration`: the conversion of an event to the message that `messages` returns, or to the error that it
  raises
- `standby`: waiting for the store that another process has open
- `user`: the part of the user's API that all clients share

The package may import `config`, `observe`, `net`, `events`, `errors`, `stores` and the core; `loops`,
`blocking`, `asyncio` and `trio` import it.
"""
