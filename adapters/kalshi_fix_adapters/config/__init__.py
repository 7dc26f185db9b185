"""What a client is told: arguments and the environment, made into a plan of its connections.

`environment` finds credentials and endpoints, `plan` checks the options of a session and puts them together,
`reconnect` says when to connect again, `budget` is the rate budget as an option, `factories` has the
functions that users call (`order_entry` and the like). It may import `observe`, `net`, `events`, `errors` and
the core.
"""
