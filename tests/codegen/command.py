"""`python -m codegen`, run in this process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from codegen.cli import main


def run(*arguments: object) -> Result:
    """Run it; what is no text yet, such as a path, is made text."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])
