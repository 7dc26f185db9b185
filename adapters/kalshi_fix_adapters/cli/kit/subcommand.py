"""Registration of subcommands without importing them."""

from __future__ import annotations

from typing import NamedTuple


class Subcommand(NamedTuple):
    """The module of a subcommand, and its line in `--help`."""

    module: str
    """The full name of the module. Its last part is also the name of the click command in it."""
    summary: str
