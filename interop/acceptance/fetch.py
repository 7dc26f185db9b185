"""Unpack QuickFIX's acceptance definitions from the source package of the system's distribution.

`python -m interop.acceptance.fetch FOLDER` uses apt with separate lists in a temporary folder: the system's
package sources are read, never changed, and no package is installed. apt checks the signatures.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

APT = Path("/etc/apt")
PACKAGE = "quickfix"
_DEFINITION_PATH = re.compile(r"[^/]+/test/definitions/(server/fix50sp2/[^/]+\.def)")


class UnavailableError(Exception):
    """The definitions are not available on this machine; the text contains the reason."""


def fetch(folder: Path) -> int:
    """Put the definitions into a folder, unless the folder exists; return their number.

    Raises:
        UnavailableError: there is no apt, or its sources do not contain the package.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            staged = Path(scratch) / "definitions"
            _extract(_download(Path(scratch)), staged)
            staged.rename(folder)
    return len(list(folder.rglob("*.def")))


def _download(scratch: Path) -> Path:
    _write_sources(scratch / "parts")
    (scratch / "lists" / "partial").mkdir(parents=True)
    settings = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": scratch / "parts",
        "Dir::State::Lists": scratch / "lists",
        "Dir::Cache": scratch,
        "APT::Sandbox::User": "",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    for command in (["update"], ["source", "--download-only", PACKAGE]):
        _apt(["apt-get", "--quiet", "--quiet", *options, *command], scratch)
    found = sorted(scratch.glob(f"{PACKAGE}_*.orig.tar.*"))
    archives = [path for path in found if path.suffix != ".asc"]
    if not archives:
        raise UnavailableError(f"apt's source package for {PACKAGE} contains no upstream archive")
    return archives[0]


def _apt(command: list[str], scratch: Path) -> None:
    try:
        result = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UnavailableError("this machine has no apt-get") from None
    if result.returncode and command[-1] == PACKAGE:
        last = result.stderr.strip().splitlines()[-1:] or ["no error message"]
        raise UnavailableError(f"apt-get source {PACKAGE} failed: {last[0]}")


def _write_sources(parts: Path) -> None:
    """Write a copy of the system's package sources in which each entry names source packages (deb-src)."""
    parts.mkdir()
    one_line = [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*.list"))]
    lines = [line for path in one_line if path.is_file() for line in path.read_text().splitlines()]
    (parts / "own.list").write_text(
        "".join(f"deb-src{line[3:]}\n" for line in lines if re.match(r"deb\s", line))
    )
    for path in sorted((APT / "sources.list.d").glob("*.sources")):
        text = re.sub(r"^Types:.*$", "Types: deb-src", path.read_text(), flags=re.MULTILINE)
        (parts / path.name).write_text(text)


def _extract(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in tar:
            match = _DEFINITION_PATH.fullmatch(member.name)
            content = tar.extractfile(member) if match is not None and member.isfile() else None
            if match is not None and content is not None:
                target = folder / match[1]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
    if not folder.is_dir():
        raise UnavailableError(f"{archive.name} contains no acceptance definitions for FIX 5.0 SP2")


def main() -> None:
    """Fetch into the folder given on the command line. A failure is only printed; the exit status is 0."""
    (folder,) = map(Path, sys.argv[1:])
    try:
        text = f"{fetch(folder)} acceptance definitions of QuickFIX in {folder}"
    except UnavailableError as error:
        text = f"no acceptance definitions of QuickFIX: {error}"
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
