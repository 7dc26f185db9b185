"""Generate the package of a dialect that is checked in only as a spec, if its inputs have changed.

A package calls `bring_up_to_date` when it is imported; the generated package is a subpackage of it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
SHARED = (ROOT / "spec" / "fixt11", ROOT / "codegen")
"""Inputs of every generated package in addition to its spec."""
DIGEST_FILE = "__init__.py"
"""File whose last line contains the digest of all inputs."""


def digest(*folders: Path) -> str:
    """Return one hash of the names and contents of all files in the folders."""
    sha256 = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
                content = path.read_bytes()
                sha256.update(f"{name} {len(content)}\n".encode() + content)
    return sha256.hexdigest()


def bring_up_to_date(spec: Path, package: str, out: Path) -> bool:
    """Write a package if it is out of date; return whether it was written.

    Several processes may call this concurrently, such as the tests of two Python versions: each file is
    replaced atomically, and all processes write the same content. The file with the digest is removed first
    and written last, so an interrupted run is never mistaken for a finished one.
    """
    last_line, digest_file = f"\n# Made from {digest(spec, *SHARED)}\n", out / DIGEST_FILE
    if digest_file.is_file() and digest_file.read_text("utf-8").endswith(last_line):
        return False
    # Imported here, because a package that is up to date needs none of codegen's dependencies.
    from codegen.emit.check import files_in
    from codegen.emit.render import render
    from codegen.read.resolve import load_dialect

    files = render(load_dialect(spec), package, "python -m codegen")
    # Moved to the end, so this file is written last.
    files[DIGEST_FILE] = files.pop(DIGEST_FILE) + last_line
    digest_file.unlink(missing_ok=True)
    out.mkdir(exist_ok=True)
    # Every other file in the folder is deleted, because only generated files belong there.
    for path in files_in(out) - files.keys():
        (out / path).unlink(missing_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=".dialect-") as name:
        for path, text in files.items():
            temporary = Path(name, "file")
            temporary.write_text(text, encoding="utf-8")
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(out / path)
    return True
