"""Rendering of templates, and formatting of Python with the pinned ruff."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from codegen.files import write_files

SETTINGS = Path(__file__).resolve().parent.parent / "pyproject.toml"


class FormatError(Exception):
    """Raised if the formatter rejects the output of a template: an error in the generator."""


def templates(folder: Path) -> Environment:
    """Return the templates of a folder; an undefined variable is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        # A line with only a tag leaves no empty line.
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def format_sources(sources: Mapping[str, str]) -> dict[str, str]:
    """Return the Python sources, by the same file names, formatted by ruff.

    All of them are formatted in one run: starting ruff takes longer than formatting.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_files(sources, folder)
        # --no-cache: the folder is different each time.
        command = [sys.executable, "-m", "ruff", "format", "--no-cache", "--config", str(SETTINGS)]
        result = subprocess.run(  # noqa: S603 - our own interpreter and our own sources
            [*command, "."], cwd=folder, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise FormatError(f"the output of a template cannot be formatted: {result.stderr.strip()}")
        return {path: (folder / path).read_text(encoding="utf-8") for path in sources}
