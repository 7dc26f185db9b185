"""The command and its subcommands."""

from __future__ import annotations

import click

from kalshi_fix_adapters.cli.decode import decode
from kalshi_fix_adapters.cli.demo import demo
from kalshi_fix_adapters.cli.dictionary import dictionary
from kalshi_fix_adapters.cli.logon import logon
from kalshi_fix_adapters.cli.store import store
from kalshi_fix_adapters.cli.venue import venue
from kalshi_fix_sansio import DIALECT


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    package_name="kalshi-fix-sansio",
    message=f"%(prog)s %(version)s (Kalshi: {DIALECT.validated})",
)
def commands() -> None:
    """Kalshi over FIX: read logs, run a simulated venue, see a first order from end to end."""


for command in (demo, decode, dictionary, logon, store, venue):
    commands.add_command(command)
