"""Run `python -m codegen` (in this process) and git (as a subprocess)."""

from __future__ import annotations

import subprocess
from pathlib import Path

from click.testing import CliRunner, Result

from codegen.cli import main


def run(*arguments: object) -> Result:
    """Run the command; arguments such as paths are converted to text."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def git(folder: Path, *arguments: str) -> None:
    """Run a git command in a folder, as a fictitious user."""
    settings = ("-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True)
