"""Violations are reported by the import contracts and lint rules that keep the core pure.

Each case copies the packages, plants one violation and runs the real checker with the project's settings.
"""

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from kalshi_fix_sansio import SESSION_TYPES
from tests.programs import run_program

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the files that the import contracts and the linter check."""
    for folder in ("src", "adapters", "venue", "codegen"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(root: Path) -> CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    path = ":".join(str(root / item) for item in ("src", "adapters", "venue", "."))
    return run_program(sys.executable, "-c", program, "--no-cache", cwd=root, env={"PYTHONPATH": path})


def plant(root: Path, module: str, line: str) -> None:
    path = root / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")


def test_the_unchanged_code_keeps_every_contract(copy: Path) -> None:
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("src/kalshi_fix_sansio/scalars/forms.py", "import socket", "no I/O"),
        ("src/kalshi_fix_sansio/session/machine.py", "from time import monotonic", "no I/O"),
        ("src/kalshi_fix_sansio/dialect/layout.py", "import kalshi_fix_sansio.session.machine", "layers"),
        ("src/kalshi_fix_sansio/session/machine.py", "from kalshi_fix_sansio import messages", "no dialect"),
        (
            "src/kalshi_fix_sansio/codec/reader.py",
            "from kalshi_fix_sansio._generated import codesets",
            "no dialect",
        ),
        ("src/kalshi_fix_sansio/codec/reader.py", "from kalshi_fix_sansio import Side", "no dialect"),
        (
            "src/kalshi_fix_sansio/session/machine.py",
            "from kalshi_fix_sansio.codec.compiled.cache import DecoderCache",
            "decoders are compiled",
        ),
        ("src/kalshi_fix_sansio/session/machine.py", "import cryptography", "only signing"),
        ("src/kalshi_fix_sansio/events.py", "import kalshi_fix_adapters", "imports no adapter"),
        (
            "adapters/kalshi_fix_adapters/blocking/client.py",
            "import kalshi_fix_venue",
            "without the simulated venue",
        ),
        ("adapters/kalshi_fix_adapters/__init__.py", "import codegen.model", "import codegen"),
    ],
)
def test_a_planted_import_breaks_its_contract(copy: Path, module: str, line: str, contract: str) -> None:
    plant(copy, module, line)
    result = lint_imports(copy)
    assert result.returncode != 0
    broken = [text for text in result.stdout.splitlines() if text.endswith("BROKEN")]
    assert any(contract in text for text in broken), result.stdout


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("from datetime import datetime; datetime.now()", "TID251"),
        ("import datetime; datetime.datetime.utcnow()", "TID251"),
        ("import uuid; uuid.uuid4()", "TID251"),
        ("import threading", "TID251"),
        ("from random import random", "TID251"),
        ("open('/dev/null')", "PTH123"),
        ("print('x')", "T201"),
    ],
)
def test_a_planted_impure_line_is_reported_in_the_core(copy: Path, line: str, rule: str) -> None:
    plant(copy, "src/kalshi_fix_sansio/scalars/forms.py", line)
    options = ("--no-cache", "--output-format", "concise")
    result = run_program(sys.executable, "-m", "ruff", "check", *options, "src", cwd=copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f" {rule} " in result.stdout


NAMED_TUPLES = frozenset(("_asdict", "_fields", "_make", "_replace"))
"""Methods of named tuples that are public despite their names: the underscore separates them from fields."""


def foreign_privates(source: str) -> list[str]:
    """Return the private attributes of other objects that a module uses but does not define itself."""
    nodes = list(ast.walk(ast.parse(source)))
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    defined |= {
        node.target.id
        for node in nodes
        if isinstance(node, ast.AnnAssign | ast.NamedExpr) and isinstance(node.target, ast.Name)
    }
    used = []
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                defined.add(node.attr)
            elif node.attr not in NAMED_TUPLES:
                used.append(node)
    return [f"{node.lineno}: {ast.unparse(node)}" for node in used if node.attr not in defined]


def test_no_trading_module_uses_private_attributes_of_another_object() -> None:
    assert foreign_privates("order._fills = other._kept\nself._own = 1\nthat._own") == [
        "1: order._fills",
        "1: other._kept",
    ]
    modules = sorted((ROOT / "src/kalshi_fix_sansio/trading").rglob("*.py"))
    found = {path.name: foreign_privates(path.read_text(encoding="utf-8")) for path in modules}
    assert len(modules) > 30
    assert {name: uses for name, uses in found.items() if uses} == {}


def test_code_outside_trading_finds_session_types_by_their_service() -> None:
    """Another venue's session types have different names."""
    generated, trading = (ROOT / "src" / "kalshi_fix_sansio" / item for item in ("_generated", "trading"))
    found = []
    for path in (*(ROOT / "src").rglob("*.py"), *(ROOT / "adapters").rglob("*.py")):
        if not (path.is_relative_to(generated) or path.is_relative_to(trading)):
            nodes = ast.walk(ast.parse(path.read_text("utf-8")))
            constants = (node.value for node in nodes if isinstance(node, ast.Constant))
            texts = {value for value in constants if isinstance(value, str)}
            found += [(path.name, name) for name in texts & set(SESSION_TYPES)]
    assert found == []
