"""The subcommands that log on: `doctor`, `order`, `amend`, `cancel`, `mass-cancel`, `orders`, `watch`.

`target` determines the address to connect to. The subcommands that trade share `order_entry` and `outcome`;
the subcommands with a live display share `live` and `keys`.
"""
