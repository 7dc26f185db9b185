"""The command and its subcommands, each of which is imported when it is called: `--help` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import click

from kalshi_fix_adapters.cli.failures import INTERRUPTED, PIPE_CLOSED, sentence


class Subcommand(NamedTuple):
    """Where a subcommand is, and what `--help` says of it."""

    module: str
    """Below this package; its last part is also the name of the function."""
    says: str


SUBCOMMANDS: Mapping[str, Subcommand] = {
    "amend": Subcommand("sessions.amend", "Change price and quantity of an open order."),
    "cancel": Subcommand("sessions.cancel", "Cancel an open order."),
    "decode": Subcommand("logs.decode", "Print the FIX messages of a log, and what is wrong with them."),
    "demo": Subcommand("demo.demo", "Show a first order from end to end."),
    "dictionary": Subcommand("dictionary", "Write QuickFIX dictionaries, or a FIX Orchestra repository."),
    "doctor": Subcommand("sessions.doctor", "Say step by step whether a session can be had."),
    "keygen": Subcommand("keygen", "Make a private key and its public half."),
    "mass-cancel": Subcommand("sessions.mass_cancel", "Cancel all orders of the key's session."),
    "order": Subcommand("sessions.order", "Buy or sell, after a question."),
    "orders": Subcommand("sessions.orders", "Show open orders live, as far as it is told."),
    "replay": Subcommand("logs.replay", "Put a recording or wire log through books, orders and positions."),
    "spec": Subcommand("spec", "Say what a tag, message, code or Text means."),
    "store": Subcommand("store", "Print what a message store holds."),
    "trace": Subcommand("logs.trace", "Show the life of an order in logs."),
    "venue": Subcommand("venue.venue", "Run the simulated Kalshi."),
    "watch": Subcommand("sessions.watch", "Show order books live."),
}


class _Subcommands(click.Group):
    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, tell of a failure in one sentence, and end with its status."""
        more = {"standalone_mode": False, **extra}
        run: Callable[[], Any] = partial(super().main, args, prog_name, complete_var, **more)
        if not standalone_mode:
            return run()
        status: int
        try:
            status = run()
        except click.ClickException as error:
            from kalshi_fix_adapters.cli.terminal import tell

            tell(sentence(error))
            status = error.exit_code
        except click.Abort:  # Ctrl-C or Ctrl-D at a question, whose line has no end
            click.echo(err=True)
            status = INTERRUPTED
        sys.exit(status)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # What is still buffered cannot be handed over when Python ends, either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(PIPE_CLOSED)
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in SUBCOMMANDS:
            return None
        module = SUBCOMMANDS[cmd_name].module
        found: click.Command = getattr(
            import_module(f"kalshi_fix_adapters.cli.{module}"), module.rpartition(".")[2]
        )
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in SUBCOMMANDS and not args[0].startswith("-"):
            from kalshi_fix_adapters.documents.names import did_you_mean

            ctx.fail(f"there is no command {args[0]!r}; {did_you_mean(args[0], SUBCOMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.says) for name, each in SUBCOMMANDS.items()])


def _validated() -> str:
    """Return `DIALECT.validated` as it lies beside the core, which `--version` need not import."""
    core = Path(getattr(find_spec("kalshi_fix_sansio"), "origin", "")).parent
    return (core / "dictionaries" / "validated.txt").read_text(encoding="utf-8").strip()


@click.group("kalshi-fix", cls=_Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    package_name="kalshi-fix-sansio", message=f"%(prog)s %(version)s\nKalshi: {_validated()}"
)
def commands() -> None:
    """Kalshi over FIX: read logs, run a simulated venue, see a first order from end to end."""
