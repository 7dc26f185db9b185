"""Unpack the packages of stunnel and its libraries, without root access and without installing them.

`python tools/fetch_stunnel.py FOLDER` downloads the packages from the system's package sources with apt,
which checks their signatures. apt keeps its lists in a temporary folder, so the system is not changed. The
program to run is FOLDER/stunnel. The script does nothing if stunnel is installed, or if FOLDER contains a
stunnel that runs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "stunnel4"
LAUNCHER = """#!/bin/sh
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
export LD_LIBRARY_PATH={libraries}
exec "$here/usr/bin/stunnel4" "$@"
"""


class UnavailableError(Exception):
    """stunnel is not available on this machine; the text gives the reason."""


def fetch(folder: Path) -> None:
    """Unpack stunnel into a folder.

    Raises:
        UnavailableError: apt or dpkg is missing or fails, or the unpacked program does not run.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        scratch = Path(name)
        for part in ("lists/partial", "archives/partial", "unpacked"):
            (scratch / part).mkdir(parents=True)
        settings = {
            "Dir::State::Lists": scratch / "lists",
            "Dir::Cache": scratch,
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
            # No package is installed, so a concurrent installation does not interfere.
            "Debug::NoLocking": "true",
        }
        options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        apt = ["apt-get", "--quiet", "--quiet", "--assume-yes", *options]
        _run([*apt, "update"])
        _run([*apt, "--download-only", "install", PACKAGE])
        for archive in sorted((scratch / "archives").glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(archive), str(scratch / "unpacked")])
        _write_launcher(scratch / "unpacked")
        if not runs(scratch / "unpacked"):
            raise UnavailableError(f"the program in the package {PACKAGE} does not run here")
        shutil.rmtree(folder, ignore_errors=True)
        (scratch / "unpacked").rename(folder)


def runs(folder: Path) -> bool:
    """Return whether a folder contains a stunnel that runs; a cached one may be from another system."""
    launcher = folder / "stunnel"
    return (
        launcher.is_file()
        and not subprocess.run([launcher, "-version"], capture_output=True, check=False).returncode
    )


def _write_launcher(folder: Path) -> None:
    libraries = {path.parent.relative_to(folder) for path in folder.glob("**/*.so*")}
    launcher = folder / "stunnel"
    launcher.write_text(LAUNCHER.format(libraries=":".join(f'"$here/{path}"' for path in sorted(libraries))))
    launcher.chmod(0o755)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UnavailableError(f"this machine has no {command[0]}") from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no error message"]
        raise UnavailableError(f"{command[0]} {' '.join(command[-2:])} failed: {last[0]}")


def main() -> int:
    """Fetch stunnel into the folder given on the command line; on failure, print an error and return 1."""
    (folder,) = map(Path, sys.argv[1:])
    if shutil.which("stunnel4") or shutil.which("stunnel"):
        print("stunnel is installed")
        return 0
    try:
        if not runs(folder):
            fetch(folder)
    except UnavailableError as error:
        print(f"no stunnel: {error}", file=sys.stderr)
        return 1
    print(f"stunnel is in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
