"""Programs that tests run to completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
"""A PATH that begins with the folder of the commands installed for this interpreter."""


def skip_unless_required(kind: str, reason: str) -> NoReturn:
    """Skip a test, or fail it if the environment variable `{kind}_REQUIRED` is set."""
    import pytest  # imported here, because the benchmarks use this module without pytest

    if os.environ.get(f"{kind}_REQUIRED"):
        pytest.fail(reason)
    pytest.skip(reason)


def run_program(*command: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to completion, and capture its output."""
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, check=False, **settings)


def run_tests(folder: Path, *options: object) -> str:
    """Run pytest in a folder without the plugins for asyncio and for caching; return its output."""
    disabled_plugins = ("-p", "no:asyncio", "-p", "no:cacheprovider")
    command = (sys.executable, "-bb", "-m", "pytest", "-q", *disabled_plugins, *options)
    completed = run_program(*command, cwd=folder)
    return completed.stdout + completed.stderr
