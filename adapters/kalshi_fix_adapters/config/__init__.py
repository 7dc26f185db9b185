"""Configuration of a client: arguments and the environment, combined into a plan of its connections.

`environment` finds credentials and endpoints, `plan` checks and combines the options of a session,
`reconnect` decides when to reconnect, `budget` is the rate budget as an option, `factories` has the functions
that users call (such as `order_entry`). This package may import `observe`, `net`, `events`, `errors` and the
core.
"""
