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
_VERDICT_WIDTH = 7
_GAP = "  "


def print_step(name: str, verdict: str, details: str = "") -> None:
    """Print the result of a step."""
    line = f"{name:<{WIDTH}}{_GAP}{verdict:<{_VERDICT_WIDTH}}{_GAP}{details}".rstrip()
    details_column = WIDTH + _VERDICT_WIDTH + 2 * len(_GAP)
    click.echo(wrapped(line, columns_of(sys.stdout) or len(line), indent=details_column))


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """If the body raises an exception other than `click.Abort`, print that the step failed. The exception is
    raised again; its text contains the cause and the remedy.
    """
    try:
        yield
    except click.Abort:  # Ctrl-C, not a failure of the step
        raise
    except Exception:
        print_step(name, "FAILED")
        raise
