"""Report failures of a command as one sentence on standard error, without a traceback."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

import click

PROBLEMS_FOUND, UNREADABLE, NOTHING_FOUND = 1, 2, 3
"""Exit statuses of the commands that read logs."""
INTERRUPTED, PIPE_CLOSED = 130, 141
"""Exit statuses that a shell reports for a program ended by SIGINT or SIGPIPE."""


class CommandError(click.ClickException):
    """Ends the command with exit status 1, and prints the message, which is one sentence."""


def sentence(error: click.ClickException) -> str:
    """Return the text for a failure. The text for a usage error includes a reference to the help."""
    text = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        text = f"{text} See" if text.endswith("?") else f"{text.rstrip('.')}; see"
        return f"{text} {error.ctx.command_path} --help"
    return text


@contextlib.contextmanager
def converting_errors() -> Iterator[None]:
    """Convert exceptions from the library and the operating system into a `CommandError`."""
    # Imported here, because `--version` and `--help` need this module, but not the core.
    from kalshi_fix_sansio.errors import KalshiFixError

    try:
        yield
    except KalshiFixError as error:
        raise CommandError(str(error)) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        prefix = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"{prefix}{error.strerror or error}") from None
    except (EOFError, zlib.error) as error:  # raised while reading a compressed file
        raise CommandError(f"a compressed file cannot be read: {error}") from None
