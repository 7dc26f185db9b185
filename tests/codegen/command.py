"""Run `python -m codegen` in this process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from codegen.cli import main


def run(*arguments: object) -> Result:
    """Run the command; arguments such as paths are converted to text."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])
