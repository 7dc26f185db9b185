"""How a subcommand is registered without importing it."""

from __future__ import annotations

from typing import NamedTuple


class Subcommand(NamedTuple):
    """Where a subcommand is, and its line in `--help`."""

    module: str
    """The full name of its module, whose last part is also the name of the function."""
    summary: str
