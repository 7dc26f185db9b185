"""The subcommands that log on: `doctor`, `order`, `amend`, `cancel`, `mass-cancel`, `orders`, `watch`.

`target` decides where they connect. `order_entry` and `outcome` are shared by those that trade, `live` and
`keys` by those with a live display.
"""
