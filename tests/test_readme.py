"""The README agrees with the project, and its code works."""

from __future__ import annotations

import os
import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_sansio import DIALECT, PRODUCTS
from kalshi_fix_venue.testing import MARGIN, MARKETS, Sandbox
from tests.programs import run_program

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SCRIPT = ROOT / "examples" / "first_order.py"


def test_the_session_page_shows_the_loop_of_the_example() -> None:
    loop = (ROOT / "examples" / "own_loop.py").read_text("utf-8").partition("while True:")
    shown = "".join(loop[1:]).partition("sock.close()")[0].rstrip()
    page = (ROOT / "docs" / "session.md").read_text("utf-8")
    assert f'```py title="examples/own_loop.py"\n{shown}\n```' in page


def test_the_readme_and_the_version_option_state_which_documents_were_last_compared() -> None:
    dates = re.findall(r"\d{4}-\d\d-\d\d", DIALECT.validated)
    assert len(dates) == 2
    assert f"changelog through {dates[0]} and with Kalshi's documentation as of {dates[1]}" in README.replace(
        "\n", " "
    )
    text = CliRunner().invoke(commands, ["--version"]).stdout
    assert DIALECT.validated in text


def test_the_script_has_eight_lines() -> None:
    code = SCRIPT.read_text("utf-8").split('"""')[2]
    assert len([line for line in code.splitlines() if line]) == 8


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_script_needs_only_environment_variables(tmp_path: Path, product: str) -> None:
    script = tmp_path / "script.py"
    market = MARKETS[product][0]
    prefix, symbol = PRODUCTS[product], market.rules.ticker
    text = SCRIPT.read_text("utf-8").replace("order_entry()", f'order_entry(product="{product}")')
    if product == MARGIN:
        # Use a higher price: bids may be at most a fifth below the best bid.
        text = text.replace('"0.01"', f'"{market.middle * Decimal("0.9")}"')
    script.write_text(text)
    with Sandbox(("you",), keys_each=1) as sandbox:
        [(key_id, path)] = sandbox.write_files(tmp_path, "you")[product]
        environ = {
            "PATH": os.environ["PATH"],
            f"{prefix}_KEY_ID": key_id,
            f"{prefix}_PRIVATE_KEY_PATH": str(path),
            f"{prefix}_FIX_ENDPOINTS": sandbox.endpoints(product),
            f"{prefix}_FIX_CA_FILE": str(sandbox.ca_path(tmp_path)),
        }
        result = run_program(sys.executable, "-W", "error", script, symbol, env=environ)
    assert (result.returncode, result.stderr) == (0, "")
    pending, new = result.stdout.splitlines()
    assert "ExecType.PENDING_NEW" in pending
    assert "ExecType.NEW" in new
    assert f"symbol='{symbol}'" in new


def test_every_link_and_path_exists() -> None:
    paths = re.findall(r"`((?:examples|tests|docs|spec|codegen|src|adapters|interop)/[\w./]*)`", README)
    for path in (*paths, *re.findall(r"\]\(([\w./]+)\)", README)):
        assert (ROOT / path).exists(), path


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"`make (\w+)`", README))
    assert targets == {"demo", "test", "check"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
