"""How the command tells of failures: one sentence on standard error, no traceback."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

import click

INTERRUPTED, PIPE_CLOSED = 130, 141
"""Exit statuses as a shell tells of a program that SIGINT or SIGPIPE has ended."""


class CommandError(click.ClickException):
    """Ends the command with exit status 1 and this sentence."""


def sentence(error: click.ClickException) -> str:
    """Return what to say of a failure, and of one of usage where to read more."""
    text = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{text.rstrip('.')}; see {error.ctx.command_path} --help"
    return text


@contextlib.contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what the library raises, and what the system refuses, into a sentence."""
    # Here, because `--version` and `--help` need this module, and not the core.
    from kalshi_fix_sansio.errors import KalshiFixError

    try:
        yield
    except KalshiFixError as error:
        raise CommandError(str(error)) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"{where}{error.strerror or error}") from None
    except (EOFError, zlib.error) as error:  # of a packed file, not of a question
        raise CommandError(f"a packed file cannot be read: {error}") from None
