"""Build the sdist and, from it, the wheel; then look at what a user would get.

Run by `make package`. Ends with status 1 and a sentence per fault when the archives lack something that is
promised, carry something that is not, or do not import.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("kalshi_fix_sansio", "kalshi_fix_adapters", "kalshi_fix_pytest")
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
EXAMPLES = ("fixt_acceptor", "fixt_initiator")
WRITTEN_BY_TESTS = "tests/fix50sp2/dialect/"
TESTS = ("tests/fix50sp2/test_dialect.py", "tests/session/test_second_dialect.py")
"""They need the package that is generated for tests, and so all of codegen."""


def source_files() -> set[str]:
    """Return what the wheel must hold: every file of both packages, by its path in the wheel."""
    found = set()
    for package, parent in zip(PACKAGES, (ROOT / "src", ROOT / "adapters", ROOT / "adapters"), strict=True):
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
    for what, modules, folder in (
        ("the wheel does", PACKAGES, wheel.parent),
        ("the FIXT examples do, with nothing but the wheel,", EXAMPLES, ROOT / "examples"),
    ):
        program = f"import sys; sys.path[:0] = sys.argv[1:]; import {', '.join((*modules, PACKAGES[0]))}"
        program += f"; print({PACKAGES[0]}.__file__)"
        imported = subprocess.run(
            [sys.executable, "-I", "-W", "error", "-c", program, str(wheel), str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if not imported.stdout.startswith(str(wheel)):
            faults.append(f"{what} not import:\n{imported.stdout}{imported.stderr}")
    return faults


def sdist_faults(sdist: Path) -> list[str]:
    """Say what a user of the source archive would miss."""
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
        archive.extractall(sdist.parent, filter="data")
    faults = [
        f"the sdist lacks {wanted}"
        for wanted in IN_SDIST
        if not any(name.startswith(wanted) for name in names)
    ]
    faults += [f"the sdist carries {name}" for name in names if name.startswith(WRITTEN_BY_TESTS)]
    unpacked = sdist.parent / sdist.name.removesuffix(".tar.gz")
    tested = subprocess.run(
        [sys.executable, "-bb", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        capture_output=True,
        text=True,
        check=False,
        cwd=unpacked,
        env={**os.environ, "PYTHONPATH": f"{unpacked / 'src'}{os.pathsep}{unpacked / 'adapters'}"},
    )
    if tested.returncode:
        faults.append(f"tests fail from the sdist:\n{tested.stdout}{tested.stderr}")
    return faults


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
