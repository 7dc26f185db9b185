"""The `kalshi-fix` command. It needs the extra `cli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command."""
    try:
        from kalshi_fix_adapters.cli.commands import commands

        commands()  # imports the modules of its subcommand
    except KeyboardInterrupt:  # Ctrl-C during the imports
        sys.exit(130)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in {"click", "rich"}:
            raise
        sys.exit(
            "kalshi-fix: the command needs additional packages; run: pip install 'kalshi-fix-sansio[cli]'"
        )
