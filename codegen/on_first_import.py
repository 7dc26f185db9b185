"""Generates the package of a dialect of which only the spec is kept, whenever what it is made of has changed.

A package calls `bring_up_to_date` when it is imported, and then has the generated package below it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
SHARED = (ROOT / "spec" / "fixt11", ROOT / "codegen")
"""What every generated package is made of, beside its own spec."""
SEAL = "__init__.py"
"""The file whose last line holds the digest of what all of them were made of."""


def digest(*folders: Path) -> str:
    """Return one hash over the names and contents of every file in the folders."""
    found = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
                content = path.read_bytes()
                found.update(f"{name} {len(content)}\n".encode() + content)
    return found.hexdigest()


def bring_up_to_date(spec: Path, package: str, out: Path) -> bool:
    """Write a package unless it was made of the same files; return whether it was written.

    Several processes may do so at once, as the tests of two Pythons do when they start side by side: each
    file appears whole, and all of them write the same. The file with the digest is removed first and written
    last, so an interrupted run is never taken for a finished one.
    """
    sealed, seal = f"\n# Made of {digest(spec, *SHARED)}\n", out / SEAL
    if seal.is_file() and seal.read_text("utf-8").endswith(sealed):
        return False
    # Imported here, because a package that is up to date needs none of codegen's dependencies.
    from codegen.emit.check import present
    from codegen.emit.render import render
    from codegen.read.resolve import load_dialect

    files = render(load_dialect(spec), package, "python -m codegen")
    files[SEAL] = files.pop(SEAL) + sealed
    seal.unlink(missing_ok=True)
    out.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=".dialect-") as name:
        for path, text in files.items():
            written = Path(name, "file")
            written.write_text(text, encoding="utf-8")
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            written.replace(out / path)
    for path in present(out) - files.keys():
        (out / path).unlink(missing_ok=True)
    return True
