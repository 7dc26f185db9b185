"""Configuration of a client: arguments and environment variables, combined into a plan of its connections.

Modules:
- `environment`: finds credentials and endpoints
- `plan`: checks and combines the options
- `toml_file`: reads options from a file
- `stores`: finds the stores at a location
- `reconnect`: decides when to reconnect
- `budget`: the types of the rate budget
- `factories`: the functions that users call, such as `order_entry`

This package may import `observe`, `net`, `documents`, `events`, `errors`, `stores` and the core.
"""
