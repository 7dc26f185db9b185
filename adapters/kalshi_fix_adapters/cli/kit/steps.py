"""The output of commands that check something step by step. Each line contains the name of the step, the
verdict, and details.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click

from kalshi_fix_adapters.cli.kit.terminal import columns_of, wrapped

WIDTH = len("certificate")
"""Width of the longest step name, in columns."""


def print_step(name: str, verdict: str, details: str = "") -> None:
    """Print the result of a step."""
    line = f"{name:<{WIDTH}}  {verdict:<7}  {details}".rstrip()
    click.echo(wrapped(line, columns_of(sys.stdout) or len(line), indent=WIDTH + 11))


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """If the body raises an exception, print that the step failed. The exception is raised again; its text
    contains the cause and the remedy.
    """
    try:
        yield
    except click.Abort:
        raise
    except Exception:
        print_step(name, "FAILED")
        raise
