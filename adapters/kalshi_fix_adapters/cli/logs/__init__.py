"""The subcommands that read logs and recordings: `decode`, `trace`, `replay`, `shapes`.

- `files` reads the bytes, and `filters` selects messages.
- `explain` and `units` interpret a message.
- `render` and `templates` format messages; `steps` formats the history of an order.
- `summary` summarizes a log.
"""
