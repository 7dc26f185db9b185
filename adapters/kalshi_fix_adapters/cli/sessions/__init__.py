"""The subcommands that log on: `doctor`, `order`, `amend`, `cancel`, `mass-cancel`, `orders`, `watch`.

`target` says where they connect; `requests` and `outcome` are what those that trade share, `live` and `keys`
what those that show something live share.
"""
