"""Configuration of a client: arguments and environment variables, combined into a plan of its connections.

`environment` finds credentials and endpoints; `plan` checks and combines the options; `toml_file` reads
options from a file; `stores` finds the store; `reconnect` decides when to reconnect; `budget` is the
interface of the rate budget; `factories` contains the functions that users call, such as `order_entry`. This
package may import `observe`, `net`, `events`, `errors` and the core.
"""
