"""The subcommands that read what was logged or recorded: `decode`, `trace`, `replay`.

`files` brings the bytes, `filters` says which messages are wanted; `explain` and `units` say what one means,
`render` and `templates` how it is shown, `steps` the life of an order, `summary` what a log comes to.
"""
