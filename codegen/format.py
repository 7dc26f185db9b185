"""Generated Python goes through the pinned ruff, with the project's own settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SETTINGS = Path(__file__).resolve().parent.parent / "pyproject.toml"


class FormatError(Exception):
    """The formatter did not take what a template wrote: a mistake in the generator."""


def format_source(name: str, source: str) -> str:
    """Return Python source as ruff lays it out; `name` is for the error only."""
    command = [sys.executable, "-m", "ruff", "format", "--no-cache", "--config", str(SETTINGS)]
    result = subprocess.run(  # noqa: S603 - our own interpreter and our own source
        [*command, "--stdin-filename", name, "-"], input=source, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise FormatError(f"{name} cannot be formatted: {result.stderr.strip()}")
    return result.stdout
