"""The simulated venue and the environment variables that point the command to it, shared with the other
subcommands."""

from tests.adapters.cli.conftest import environ, place, sandbox

__all__ = ["environ", "place", "sandbox"]
