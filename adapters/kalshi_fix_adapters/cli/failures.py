"""How the command tells of failures: one sentence on standard error, no traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO, Any

import click

from kalshi_fix_sansio.errors import KalshiFixError


class CommandError(click.ClickException):
    """Ends the command with exit status 1 and this sentence."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        click.echo(f"kalshi-fix: {self.format_message()}", file=file, err=file is None)


@contextlib.contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what the library raises, and what the system refuses, into a sentence."""
    try:
        yield
    except KalshiFixError as error:
        raise CommandError(str(error)) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"{where}{error.strerror or error}") from None
