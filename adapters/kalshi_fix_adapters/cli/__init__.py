"""The `kalshi-fix` command. It needs the extra `cli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command."""
    try:
        from kalshi_fix_adapters.cli.commands import commands
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit("kalshi-fix: the command needs more packages; pip install 'kalshi-fix-sansio[cli]'")
    commands()
