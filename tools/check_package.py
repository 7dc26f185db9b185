"""Build the sdist and, from it, the wheel; then look at what a user would get.

Run by `make package`. Ends with status 1 and a sentence per fault when the archives lack something that is
promised, carry something that is not, or do not import.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("kalshi_fix_sansio", "kalshi_fix_adapters")
IN_SDIST = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "spec/",
    "codegen/",
    "tests/",
    "examples/",
)


def source_files() -> set[str]:
    """Return what the wheel must hold: every file of both packages, by its path in the wheel."""
    found = set()
    for package, parent in zip(PACKAGES, (ROOT / "src", ROOT / "adapters"), strict=True):
        for path in (parent / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                found.add(path.relative_to(parent).as_posix())
    return found


def wheel_faults(wheel: Path) -> list[str]:
    """Compare the wheel with the source tree and import it as it is, straight from the archive."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = {name.rsplit("/", 1)[-1]: name for name in names if ".dist-info/" in name}
        entry_points = archive.read(metadata["entry_points.txt"]).decode()
        about = archive.read(metadata["METADATA"]).decode()
    code = {name for name in names if ".dist-info/" not in name}
    expected = source_files()
    faults = [f"the wheel lacks {name}" for name in sorted(expected - code)]
    faults += [
        f"the wheel carries {name}, which is no part of the packages" for name in sorted(code - expected)
    ]
    faults += [f"{package} has no py.typed" for package in PACKAGES if f"{package}/py.typed" not in code]
    if "kalshi-fix = kalshi_fix_adapters.cli:main" not in entry_points:
        faults.append("the wheel does not install the kalshi-fix command")
    if "Description-Content-Type: text/markdown" not in about:
        faults.append("the wheel's description is not the README")
    imports = ", ".join(PACKAGES)
    program = f"import sys; sys.path.insert(0, sys.argv[1]); import {imports}; print({PACKAGES[0]}.__file__)"
    imported = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(wheel)],
        capture_output=True,
        text=True,
        check=False,
        cwd=wheel.parent,
    )
    if not imported.stdout.startswith(str(wheel)):
        faults.append(f"the wheel does not import:\n{imported.stdout}{imported.stderr}")
    return faults


def sdist_faults(sdist: Path) -> list[str]:
    """Say what a user of the source archive would miss."""
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    return [
        f"the sdist lacks {wanted}"
        for wanted in IN_SDIST
        if not any(name.startswith(wanted) for name in names)
    ]


def main() -> int:
    """Build both archives in a folder of their own and print every fault."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, str(ROOT)]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode:
            print(built.stdout + built.stderr, file=sys.stderr)
            return 1
        [wheel], [sdist] = Path(folder).glob("*.whl"), Path(folder).glob("*.tar.gz")
        faults = wheel_faults(wheel) + sdist_faults(sdist)
        for fault in faults:
            print(fault, file=sys.stderr)
        if not faults:
            print(f"{wheel.name} and {sdist.name} hold what they should")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
