"""The invented dialect `tests/codegen/harbour`: its path, and editable copies of it or of another dialect."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from codegen.emit.render import render
from codegen.files import write_files
from codegen.read.resolve import load_dialect
from kalshi_fix_sansio import Role, Session, SessionConfig

REPOSITORY = Path(__file__).resolve().parents[2]
HARBOUR = REPOSITORY / "tests" / "codegen" / "harbour"
PACKAGE = "harbour_dialect"


def render_spec(spec: Path) -> dict[str, str]:
    """Return the files of the package generated from a spec folder."""
    return render(load_dialect(spec), PACKAGE)


def generate_and_import(spec: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Generate the package of a spec folder into a folder, and import it for one test."""
    package = f"harbour_of_{folder.parent.name.replace('-', '_')}"
    write_files(render(load_dialect(spec), package), folder / package)
    monkeypatch.syspath_prepend(str(folder))
    module = importlib.import_module(package)
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    return module


def make_session(dialect: Any, role: Role, own: str, other: str, **options: Any) -> Session:
    """Return one side of a session of the only session type of a dialect."""
    (session_type,) = dialect.session_types.values()
    names: dict[str, Any] = {"sender_comp_id": own, "target_comp_id": other}
    return Session(SessionConfig(role=role, dialect=dialect, session_type=session_type, **names, **options))


def edit(path: Path, old: str, new: str) -> None:
    """Replace a passage of a file, which must occur only once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


class SpecCopy:
    """An editable copy of an invented dialect and of the folder that it extends.

    Paths of files in the spec folder are relative to it; other paths are absolute.
    """

    def __init__(self, folder: Path, original: Path = HARBOUR) -> None:
        self.folder = folder
        self.spec = folder / original.relative_to(REPOSITORY)
        shutil.copytree(original, self.spec)
        shutil.copytree(REPOSITORY / "spec" / "fixt11", folder / "spec" / "fixt11")

    def edit(self, file: str | Path, old: str, new: str) -> None:
        """Replace a passage of a file."""
        edit(self.spec / file, old, new)

    def insert(self, file: str | Path, more: str, *, before: str = "", after: str = "") -> None:
        """Insert text into a file, before or after a passage."""
        self.edit(file, after + before, after + more + before)

    def cut(self, file: str | Path, begin: str, end: str) -> str:
        """Remove the text of a file from one passage up to another; return it."""
        text = (self.spec / file).read_text(encoding="utf-8")
        removed = text[text.index(begin) : text.index(end)]
        self.edit(file, removed, "")
        return removed

    def append(self, file: str | Path, more: str) -> None:
        """Append text to a file."""
        path = self.spec / file
        path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
