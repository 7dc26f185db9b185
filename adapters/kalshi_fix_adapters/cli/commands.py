"""The command and its subcommands. A subcommand is imported only when it is called, so that `--help` is
fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from kalshi_fix_adapters.cli.kit.failures import INTERRUPTED, PIPE_CLOSED, CommandError, sentence
from kalshi_fix_adapters.cli.kit.subcommand import Subcommand

_OWN_COMMANDS: Mapping[str, Subcommand] = {
    name: Subcommand(f"kalshi_fix_adapters.cli.{module}", summary)
    for name, module, summary in (
        ("amend", "sessions.amend", "Change the price and quantity of an open order."),
        ("bus", "bus", "Show and check the messages that session processes publish to NATS."),
        ("cancel", "sessions.cancel", "Cancel an open order."),
        ("decode", "logs.decode", "Print the FIX messages of a log, and their problems."),
        ("dictionary", "dictionary", "Write QuickFIX dictionaries, or a FIX Orchestra repository."),
        ("doctor", "sessions.doctor", "Check step by step that you can log on."),
        ("keygen", "keygen", "Generate a private key and its public key."),
        ("mass-cancel", "sessions.mass_cancel", "Cancel all orders of the key's session."),
        ("mcp", "assistants.mcp", "Let an assistant read logs and stores."),
        ("order", "sessions.order", "Place an order, after confirmation."),
        ("orders", "sessions.orders", "Show open orders live."),
        ("replay", "logs.replay", "Replay recordings or wire logs, and print the final state."),
        ("shapes", "logs.shapes", "Learn the shapes of the venue's messages from logs."),
        ("spec", "spec", "Explain a tag, field, message, code value or Text."),
        ("store", "store", "Show message stores, or move one to another key."),
        ("trace", "logs.trace", "Show the history of an order in logs."),
        ("watch", "sessions.watch", "Show order books live."),
    )
}


_VENUE_COMMANDS = ("demo", "venue")
"""Subcommands of the distribution kalshi-fix-venue, which may not be installed."""


@cache
def subcommands() -> Mapping[str, Subcommand]:
    """Return all subcommands by name, including those of other distributions.

    Each entry point of the group `kalshi_fix.commands` refers to a mapping from names to `Subcommand`.
    """
    commands_by_name = dict(_OWN_COMMANDS)
    for entry_point in entry_points(group="kalshi_fix.commands"):
        commands_by_name.update(entry_point.load())
    return dict(sorted(commands_by_name.items()))


class _Subcommands(click.Group):
    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command; report a failure in one sentence, and exit with the status of the failure."""
        run: Callable[[], Any] = partial(super().main, *args, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        status: int
        try:
            status = run()
        except click.ClickException as error:
            from kalshi_fix_adapters.cli.kit.terminal import print_stderr

            print_stderr(sentence(error))
            status = error.exit_code
        except click.Abort:  # Ctrl-C or Ctrl-D at a prompt, whose line has no newline yet
            click.echo(err=True)
            status = INTERRUPTED
        sys.exit(status)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except OSError as error:
            # Redirect the output, because otherwise Python would fail again when it flushes its buffers at
            # exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):
                ctx.exit(PIPE_CLOSED)
            raise CommandError(f"the output cannot be written: {error.strerror}") from None
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(subcommands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        subcommand = _OWN_COMMANDS.get(cmd_name) or subcommands().get(cmd_name)
        if subcommand is None:
            return None
        module = import_module(subcommand.module)
        command: click.Command = getattr(module, subcommand.module.rpartition(".")[2])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _OWN_COMMANDS and name not in subcommands() and not name.startswith("-"):
            if name in _VENUE_COMMANDS:
                ctx.fail(
                    f"{name!r} needs the simulated venue; install it with `pip install kalshi-fix-venue`"
                )
            from kalshi_fix_adapters.documents.names import did_you_mean

            ctx.fail(f"there is no command {name!r}; {did_you_mean(name, subcommands())}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.summary) for name, each in subcommands().items()])


def _read_validated() -> str:
    """Return `DIALECT.validated`: the state of Kalshi's changelog and pages with which the dialect was
    compared. It is read from a file, because importing the core would slow down `--version`.
    """
    core = Path(getattr(find_spec("kalshi_fix_sansio"), "origin", "")).parent
    return (core / "dictionaries" / "validated.txt").read_text(encoding="utf-8").strip()


@click.group("kalshi-fix", cls=_Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    package_name="kalshi-fix-sansio", message=f"%(prog)s %(version)s\nKalshi: {_read_validated()}"
)
def commands() -> None:
    """Kalshi over FIX: read logs, watch books, place and follow orders."""
