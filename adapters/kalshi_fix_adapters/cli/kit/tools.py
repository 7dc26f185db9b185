"""Tools of `kalshi-fix mcp`: subcommands as functions that read only permitted files, with limited output."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

import click

from kalshi_fix_adapters.cli.kit.failures import UNREADABLE
from kalshi_fix_adapters.documents.names import did_you_mean

MAX_OUTPUT: Final = 64 * 1024
"""Maximum size of a tool's output in bytes, encoded as UTF-8."""
MAX_ERROR_TEXT: Final = 4 * 1024
"""Maximum size in bytes of an error text, and of the output of a subcommand on standard error."""
MAX_FILES: Final = 100
"""Maximum number of files for one call."""
_TRUNCATION_NOTE: Final = "\n[truncated: only the beginning is shown; narrow the request]\n"
_MAX_CANDIDATES: Final = 1_000
"""Maximum number of names in a folder that are considered as suggestions for the name of a missing file."""


class ErrorType(Enum):
    """The reason why a tool failed. The value of a member is the first word of the error text."""

    INVALID_ARGUMENT = "invalid_argument"
    """An argument has a wrong value."""
    NO_SUCH_FILE = "no_such_file"
    """A path leads to neither a regular file nor a folder."""
    NOT_ALLOWED = "not_allowed"
    """A path is outside the folders of the server."""
    FAILED = "failed"
    """The files could not be read, or the request was refused."""


class ToolFailure(Exception):  # noqa: N818 - an answer to the assistant, not an error in the server
    """Ends a call to a tool with an error that is returned to the assistant."""

    def __init__(self, kind: ErrorType, text: str) -> None:
        """Store the type and the text, truncated to its maximum size."""
        super().__init__(kind, _truncate(text, MAX_ERROR_TEXT))
        self.kind: ErrorType = kind
        self.text: str = _truncate(text, MAX_ERROR_TEXT)


class Tool(NamedTuple):
    """A function whose docstring, parameters and their annotations describe it to an assistant."""

    function: Callable[..., str]
    read_only: bool = True
    """Whether the tool changes neither files nor a venue."""


class Workspace:
    """The folders that tools may read."""

    def __init__(self, folders: list[Path]) -> None:
        """Store the folders. Relative paths are resolved in the first folder."""
        self.folders: list[Path] = [folder.resolve() for folder in folders]

    def file(self, name: str) -> str:
        """Return the absolute path of a file in the folders."""
        path = self._resolve(name)
        if not path.is_file():
            raise ToolFailure(ErrorType.NO_SUCH_FILE, f"{name!r} is not a regular file")
        return str(path)

    def files(self, names: list[str]) -> list[str]:
        """Return the absolute paths of the files; at least one must be given."""
        if not 0 < len(names) <= MAX_FILES:
            raise ToolFailure(ErrorType.INVALID_ARGUMENT, f"specify 1 to {MAX_FILES} files")
        return [self.file(name) for name in names]

    def file_or_folder(self, name: str, pattern: str) -> str:
        """Return the absolute path of a file or folder. The files of a folder that match the pattern are
        checked too.
        """
        path = self._resolve(name)
        if not path.is_dir():
            return self.file(name)
        for file in path.glob(pattern):
            self.file(str(file))
        return str(path)

    def _resolve(self, name: str) -> Path:
        # `resolve` follows symbolic links, so that a link cannot lead out of the folders.
        try:
            path = (self.folders[0] / name).resolve()
            exists = path.exists()
        except (OSError, RuntimeError, ValueError):
            raise ToolFailure(ErrorType.NO_SUCH_FILE, f"{name!r} is not a path") from None
        if not any(path.is_relative_to(folder) for folder in self.folders):
            allowed = ", ".join(map(str, self.folders))
            raise ToolFailure(ErrorType.NOT_ALLOWED, f"{name!r} is outside of {allowed}")
        if not exists:
            hint = did_you_mean(path.name, _sibling_names(path))
            raise ToolFailure(ErrorType.NO_SUCH_FILE, f"there is no {name!r}; {hint}")
        return path


def _sibling_names(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return [each.name for each, _ in zip(path.parent.iterdir(), range(_MAX_CANDIDATES), strict=False)]
    return []


def run_subcommand(command: click.Command, *arguments: str) -> str:
    """Run a subcommand and return its output, followed by its text on standard error.

    Raises:
        ToolFailure: an argument is invalid, or the subcommand failed. A negative result, such as no match, is
            not a failure.
    """
    output, error_output = _LimitedStream(MAX_OUTPUT - MAX_ERROR_TEXT), _LimitedStream(MAX_ERROR_TEXT)
    status: object = None
    # Subcommands write to sys.stdout, which all threads share, so only one of them may run at a time.
    with _STDOUT_LOCK, contextlib.redirect_stdout(output), contextlib.redirect_stderr(error_output):
        try:
            status = command.main([*arguments], standalone_mode=False)
        except click.UsageError as error:
            raise ToolFailure(ErrorType.INVALID_ARGUMENT, error.format_message()) from None
        except click.ClickException as error:
            raise ToolFailure(ErrorType.FAILED, error.format_message()) from None
        except SystemExit as exiting:
            status = exiting.code
        except _FullError:
            pass
    error_text = error_output.text.replace("kalshi-fix: ", "")
    if status == UNREADABLE:
        raise ToolFailure(ErrorType.FAILED, error_text)
    return f"{output.text}{error_text}"


def bounded(text: str) -> str:
    """Return the text, truncated to the maximum size of a tool's output."""
    return _truncate(text, MAX_OUTPUT)


def _truncate(text: str, limit: int) -> str:
    captured = _LimitedStream(limit)
    with contextlib.suppress(_FullError):
        captured.write(text)
    return captured.text


class _FullError(Exception):
    """The output has reached its maximum size, so the subcommand ends."""


class _LimitedStream(io.TextIOBase):
    """A stream that keeps its first bytes, and raises `_FullError` when more is written."""

    def __init__(self, limit: int) -> None:
        self._kept = bytearray()
        self._limit = limit - len(_TRUNCATION_NOTE)
        self._is_full = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def write(self, text: str) -> int:
        if not self._is_full:
            self._kept += text.encode("utf-8", "backslashreplace")
            self._is_full = len(self._kept) > self._limit
        if self._is_full:
            raise _FullError
        return len(text)

    @property
    def text(self) -> str:
        """The text, truncated to the limit."""
        if not self._is_full:
            return self._kept.decode()
        # Keep whole lines, unless the first line alone exceeds the limit.
        end = self._kept.rfind(b"\n", 0, self._limit)
        whole_lines = self._kept[: end if end > 0 else self._limit]
        return whole_lines.decode("utf-8", "ignore") + _TRUNCATION_NOTE


_STDOUT_LOCK: Final = Lock()
