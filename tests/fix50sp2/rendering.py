"""Writes the package of the second dialect where it is missing or older than what it is made of."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MADE_OF = (HERE / "spec", ROOT / "spec" / "fixt11", ROOT / "codegen")
OUT = HERE / "dialect"
SEAL = "__init__.py"
"""The file that says in its last line what all of them were made of."""


def digest(folders: tuple[Path, ...] = MADE_OF) -> str:
    """Return one hash over the names and contents of every file in the folders."""
    found = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
                content = path.read_bytes()
                found.update(f"{name} {len(content)}\n".encode() + content)
    return found.hexdigest()


def bring_up_to_date(out: Path = OUT) -> bool:
    """Write the package unless what is there was made of the same files; return whether it was written.

    Several processes may do so at once, as they do when the tests of two Pythons start side by side: each
    file appears whole, and all of them write the same. The one that holds the digest goes first and comes
    last, so that what was interrupted halfway is not taken for finished.
    """
    sealed, seal = f"\n# Made of {digest()}\n", out / SEAL
    if seal.is_file() and seal.read_text("utf-8").endswith(sealed):
        return False
    # Here, because a tree that is up to date needs nothing of what codegen needs.
    from codegen.emit.check import present
    from codegen.emit.render import render
    from codegen.read.resolve import load_dialect

    files = render(load_dialect(HERE / "spec"), "tests.fix50sp2.dialect", "python -m codegen")
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
