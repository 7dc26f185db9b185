"""Runs the command in this process, and captures its output."""

from __future__ import annotations

from collections.abc import Mapping

from click.testing import CliRunner, Result

from kalshi_fix_adapters.cli.commands import commands


def invoke(
    *arguments: object,
    status: int | None = 0,
    stdin: bytes | str = b"",
    environ: Mapping[str, str | None] | None = None,
) -> Result:
    """Run the command, with `stdin` as its standard input. Check its exit status, unless `status` is None."""
    result = CliRunner().invoke(commands, [*map(str, arguments)], input=stdin, env=environ)
    assert status in (None, result.exit_code), result.output
    return result
