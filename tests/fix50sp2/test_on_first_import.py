"""The package of the second dialect is generated completely on its first import, even by concurrent
processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mypy.plugin import Plugin

from codegen import on_first_import
from codegen.on_first_import import DIGEST_FILE, ROOT, SHARED, bring_up_to_date, digest
from tests.fix50sp2 import HERE, mypy_plugin

SPEC, PACKAGE = HERE / "spec", "tests.fix50sp2.dialect"

FILES = {"__init__.py": "one\n", "deep/er/module.py": "two\n"}


def files_with_digest(value: str) -> dict[str, str]:
    return FILES | {DIGEST_FILE: f"one\n\n# Made from {value}\n"}


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the slow code generator with a stub, and return the list of the packages that it writes."""
    requested: list[str] = []

    def render(dialect: object, package: str, command: str) -> dict[str, str]:
        requested.append(package)
        return dict(FILES)

    monkeypatch.setattr("codegen.emit.render.render", render)
    return requested


def test_a_current_package_is_kept(tmp_path: Path, rendered: list[str]) -> None:
    out = tmp_path / "dialect"
    assert bring_up_to_date(SPEC, PACKAGE, out)
    assert tree(out) == files_with_digest(digest(SPEC, *SHARED))
    assert not bring_up_to_date(SPEC, PACKAGE, out)
    assert rendered == [PACKAGE]
    assert [path.name for path in tmp_path.iterdir()] == ["dialect"]


def test_a_package_older_than_the_spec_is_replaced(
    tmp_path: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, spec = tmp_path / "dialect", tmp_path / "spec"
    spec.mkdir()
    (spec / "fields.yaml").write_text("one")
    monkeypatch.setattr(on_first_import, "digest", lambda *_: digest(spec))
    assert bring_up_to_date(SPEC, PACKAGE, out)
    (out / "gone.py").write_text("of a message that the spec no longer has")
    (spec / "fields.yaml").write_text("two")
    assert bring_up_to_date(SPEC, PACKAGE, out)
    assert tree(out) == files_with_digest(digest(spec))


def test_the_digest_covers_names_and_contents_but_not_compiled_files(tmp_path: Path) -> None:
    seen: list[str] = []
    for name, text in (("a", "12"), ("a", "1"), ("b", "1"), ("a1", ""), ("c/a", "1")):
        folder = tmp_path / str(len(seen)) / "spec"
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
        seen.append(digest(folder))
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__" / "a.pyc").write_text("compiled")
        assert digest(folder) == seen[-1]
    assert len(set(seen)) == len(seen)


def test_an_incomplete_package_is_written_again(
    tmp_path: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "dialect"
    for allowed in range(len(FILES)):
        moves = iter([Path.replace] * allowed)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", lambda old, new, moves=moves: next(moves)(old, new))
            with pytest.raises(StopIteration):
                bring_up_to_date(SPEC, PACKAGE, out)
        assert len(tree(out)) == allowed
        assert bring_up_to_date(SPEC, PACKAGE, out)
        assert tree(out) == files_with_digest(digest(SPEC, *SHARED))
        # The next round begins with a package generated from another spec.
        (out / DIGEST_FILE).write_text("one\n\n# Made from another spec\n")
        (out / "deep/er/module.py").unlink()


def test_concurrent_processes_all_get_the_complete_package(tmp_path: Path) -> None:
    program = "import sys; from codegen.on_first_import import *; spec, package, out = sys.argv[1:]"
    program += "; bring_up_to_date(Path(spec), package, Path(out))"
    command = [sys.executable, "-W", "error", "-c", program, str(SPEC), PACKAGE, str(tmp_path / "dialect")]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [item.wait() for item in running] == [0, 0]
    assert tree(tmp_path / "dialect") == tree(HERE / "dialect")


def test_the_mypy_plugin_writes_the_package_and_keeps_type_checking() -> None:
    before = [*sys.path]
    assert mypy_plugin.plugin("1.0") is Plugin
    assert sys.path == before
