"""The simulated venue and the environment variables that point the command to it, as for the other
subcommands.
"""

from tests.adapters.cli.conftest import environ, place, sandbox

__all__ = ["environ", "place", "sandbox"]
