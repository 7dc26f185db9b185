"""The simulated venue and the environment variables that point the command to it, shared with the
tests of the other subcommands."""

from tests.adapters.cli.conftest import environ, sandbox, workdir

__all__ = ["environ", "sandbox", "workdir"]
