"""How generated text is made: from templates; Python then goes through the pinned ruff."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from jinja2 import Environment, FileSystemLoader, StrictUndefined

SETTINGS = Path(__file__).resolve().parent.parent / "pyproject.toml"


class FormatError(Exception):
    """The formatter did not take what a template wrote: a mistake in the generator."""


def templates(folder: Path) -> Environment:
    """The templates of a folder; a name that one asks for and is not given is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        # A line with nothing but a tag leaves no empty line behind.
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def format_sources(sources: Mapping[str, str]) -> dict[str, str]:
    """Return Python sources as ruff lays them out, by the same names.

    All of them go through one run: starting ruff takes longer than formatting.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        for path, source in sources.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(source, encoding="utf-8")
        # --no-cache: the folder is another one each time.
        command = [sys.executable, "-m", "ruff", "format", "--no-cache", "--config", str(SETTINGS)]
        result = subprocess.run(  # noqa: S603 - our own interpreter and our own sources
            [*command, "."], cwd=folder, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise FormatError(f"what a template wrote cannot be formatted: {result.stderr.strip()}")
        return {path: (folder / path).read_text(encoding="utf-8") for path in sources}
