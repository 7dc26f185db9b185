"""`kalshi-fix mcp`: a Model Context Protocol server on standard input and output."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from kalshi_fix_adapters.cli.kit.failures import CommandError
from kalshi_fix_adapters.cli.kit.tools import Workspace


@click.command()
@click.argument(
    "folders",
    nargs=-1,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="[FOLDER]...",
)
def mcp(folders: tuple[Path, ...]) -> None:
    """Let an assistant read logs, recordings and stores in FOLDERs (by default the current folder).

    An assistant starts this command and talks to it over standard input and output (Model Context Protocol).
    The tools `decode`, `trace`, `replay`, `store` and `spec` have the same output as the commands with these
    names. They read only files in the folders, change nothing and connect to nothing. If kalshi-fix-venue is
    installed, the tool `do` operates a simulated venue that runs on this computer.
    """
    # Log to the current standard error. Otherwise the MCP library would install its own handler, which would
    # write into the output of a tool.
    logging.basicConfig(level=logging.WARNING)
    try:
        from kalshi_fix_adapters.cli.assistants.server import make_server
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in {"mcp", "mcp_types", "pydantic"}:
            raise
        raise CommandError(
            "the command needs additional packages; run: pip install 'kalshi-fix-sansio[mcp]'"
        ) from None
    make_server(Workspace([*folders] or [Path()])).run("stdio")
