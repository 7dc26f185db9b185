"""What the tutorial has its reader type in, against a venue as it says, prints what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kalshi_fix_adapters.testing import Sandbox
from tests.adapters.cli.venue_environ import environ_of

PAGES = Path(__file__).resolve().parent.parent / "docs" / "tutorial"


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A venue, and the variables that its env.sh sets."""
    with Sandbox(("you",)) as sandbox:
        yield {"PATH": os.environ["PATH"]} | environ_of(sandbox, "you", tmp_path / "venue")


def blocks(page: str, fence: str) -> list[str]:
    text = (PAGES / f"{page}.md").read_text("utf-8")
    return re.findall(rf"^```{fence}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(script: Path, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environ)


@pytest.mark.parametrize("page", ["orders", "book", "quoting", "margin"])
def test_what_is_typed_in_prints_what_is_shown(page: str, environ: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("\n".join(blocks(page, "python")))
    result = run(script, environ)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "".join(blocks(page, "text"))


def test_what_a_process_missed_by_dying_comes_to_the_next_one_and_no_more(
    environ: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "crash.py"
    [text] = blocks("crash", 'python title="crash.py"')
    script.write_text(text)
    store = str(tmp_path / "store")
    died, back, done = (run(script, environ, store, *more) for more in (["die"], [], []))
    assert (died.returncode, died.stdout) == (1, "")
    assert (back.returncode, back.stdout) == (0, blocks("crash", "text")[0]), back.stderr
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
