"""The simulated venue and the variables that lead the command to it, as for the other subcommands."""

from tests.adapters.cli.conftest import environ, place, sandbox

__all__ = ["environ", "place", "sandbox"]
