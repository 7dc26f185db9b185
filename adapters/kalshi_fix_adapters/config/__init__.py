"""What a client is told: arguments and the environment, made into a plan of its connections.

`environment` finds credentials and endpoints, `plan` checks the options of a session and puts them together,
`factories` has the functions that users call (`order_entry` and the like). It may import `observe`, `net` and
what lies beside the wings.
"""
