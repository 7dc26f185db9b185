"""The `kalshi-fix` command. It needs the extra `cli`."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command."""
    # Python sets a stream to None when its file descriptor is closed (`>&-`), and a connection or file opened
    # later would get that number.
    for stream, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, stream) is None:
            setattr(sys, stream, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
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
